"""The choice of K and covariance structure: a grid of fits, ranked by a criterion."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import check_choice, check_count, check_members, check_number, check_rng
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.data.degeneracy import check_full_rank, check_spread
from bayesgmm.data.validation import check_data
from bayesgmm.display import progress
from bayesgmm.errors import BayesGMMWarning, FitError, InputError, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.likelihood.scaling import check_common_unit
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.results import Result, as_text
from bayesgmm.selection.grid_search import Cell, search_grid

if TYPE_CHECKING:
    import pandas as pd

type Array = NDArray[np.float64]

CRITERIA = ("bic", "icl", "aic", "cv")
# mclust's order of the columns.
_DIAGONAL = ("EII", "VII", "EEI", "VEI", "EVI", "VVI")
_FULL = ("EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")
_MCLUST = (*_DIAGONAL, *_FULL, "E", "V")
_FOLDS = 5
_LOG_2_PI = float(np.log(2.0 * np.pi))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selection(Result):
    """A grid of fitted mixtures and the best of them.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each cell: n_components, covariance_type (mclust's code), log_likelihood (total,
        nats), n_parameters, bic, aic, icl (smaller is better), with criterion="cv" also
        cv_log_likelihood (held-out, nats, larger is better), converged, and note: why the cell is
        empty, or degenerate. A cell with a note never wins.
    best : GaussianMixture
        The cell that wins by the criterion, fitted to its optimum.
    criterion : str
        "bic", "icl", "aic" or "cv".
    n_rows : int
    """

    table: "pd.DataFrame"
    best: GaussianMixture
    criterion: str
    n_rows: int

    def ranked(self) -> "pd.DataFrame":
        """The trustworthy cells, the best first."""
        name, sign = _column(self.criterion)
        sound = self.table[(self.table["note"] == "") & self.table[name].notna()]
        return sound.sort_values(name, ascending=sign > 0, kind="stable", ignore_index=True)

    def to_mclust(self) -> "pd.DataFrame":
        """The criterion in mclust's layout and sign: a row for each K, larger is better.

        Empty and untrustworthy cells are NaN.
        """
        name, sign = _column(self.criterion)
        values = self.table.assign(value=-sign * self.table[name].where(self.table["note"] == ""))
        wide = values.pivot(index="n_components", columns="covariance_type", values="value")
        wide = wide[[code for code in _MCLUST if code in wide.columns]]
        return wide.rename_axis(index=None, columns=None)

    def summary(self, top: int = 5) -> str:
        """The `top` best cells in words and numbers, as text."""
        return as_text(self._paragraphs(top))

    def _paragraphs(self, top: int = 5) -> "list[str | pd.DataFrame]":
        top = check_count("top", top)
        ranked = self.ranked()
        name, _ = _column(self.criterion)
        columns = ["n_components", "covariance_type", "log_likelihood", "n_parameters"]
        columns += dict.fromkeys(("bic", "icl", name))
        shown = ranked.head(top)[columns].assign(behind=(ranked[name] - ranked[name].iloc[0]).abs())
        for column in shown.select_dtypes("float"):
            shown[column] = shown[column].map("{:.3f}".format)
        shown.index += 1
        first = ranked.iloc[0]
        structure = as_structure(first["covariance_type"])
        k = int(first["n_components"])
        return [
            f"Choice of components and structure by {_NAMES[self.criterion]}",
            shown,
            f"Best: {structure.code} ({structure.words}) with {k} component" + "s" * (k > 1),
            f"{len(ranked)} of {len(self.table)} cells can be trusted; the table's notes say why "
            "the others cannot"
            if len(ranked) < len(self.table)
            else f"All {len(ranked)} cells can be trusted",
        ]


_NAMES = {
    "bic": "BIC (smaller is better)",
    "icl": "ICL (smaller is better)",
    "aic": "AIC (smaller is better)",
    "cv": "held-out log-likelihood in nats (larger is better)",
}


def _column(criterion: str) -> tuple[str, int]:
    """The column by which cells are ranked, and 1 if smaller is better, else -1."""
    return ("cv_log_likelihood", -1) if criterion == "cv" else (criterion, 1)


def select_mixture(
    X: Any,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: str | Structure | Iterable[str | Structure] = "all",
    *,
    criterion: str = "bic",
    eigenvalue_ratio: float = 1e10,
    rng: Any = None,
    progressbar: bool = True,
) -> Selection:
    """Fit every K with every covariance structure, and choose.

    Each cell's value is that of the best optimum found, 1e-6 nats from it by estimate; a structure
    never has less likelihood than one that it contains. The best cell is fitted to its optimum.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Finite numbers.
    n_components : int or iterable of int
        The K to try.
    covariance_type : "all", str, Structure, or iterable of these
        scikit-learn's names or mclust's codes. "all": the fourteen structures, or E and V where
        there is one column.
    criterion : {"bic", "icl", "aic", "cv"}
        "cv" is the log-likelihood of held-out rows in five folds, which the seed chooses.
    eigenvalue_ratio : float
        As in `GaussianMixture`: a mixture beyond it cannot win.
    rng : int, Generator, SeedSequence or None
        Anything that `numpy.random.default_rng` takes. It chooses the folds, and the sample on
        which optima are looked for where there are more than 2000 rows; nothing else is random.
    progressbar : bool
        Show progress on a terminal.

    Returns
    -------
    Selection

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, or a column is constant.
    InvalidParameterError
        If a parameter is out of its range.
    FitError
        If no cell leads to a mixture that can be trusted.

    Warns
    -----
    BayesGMMWarning
        If the best cell lies at the edge of the grid.

    Notes
    -----
    Cells that the data do not allow (more components than distinct rows, free covariances from too
    few rows, dependent columns) are left empty, and their note says why.

    References
    ----------
    Fraley and Raftery (2002), JASA 97, 611-631. Biernacki, Celeux and Govaert (2000), IEEE PAMI
    22, 719-725 (ICL). Smyth (2000), Statistics and Computing 10, 63-72 (cross-validation).

    Examples
    --------
    >>> from bayesgmm import load_dataset, select_mixture
    >>> chosen = select_mixture(load_dataset("faithful").X, range(1, 5), rng=0)
    >>> chosen.ranked()["covariance_type"][0]
    'EEE'
    """
    import pandas as pd

    check_choice("criterion", criterion, CRITERIA)
    requirement = "a number of at least 1 (numpy.inf sets no bound)"
    eigenvalue_ratio = check_number(
        "eigenvalue_ratio", eigenvalue_ratio, requirement, infinite=True
    )
    if eigenvalue_ratio < 1.0:
        raise InvalidParameterError(
            f"eigenvalue_ratio must be {requirement}, not {eigenvalue_ratio:g}."
        )
    generator = check_rng(rng)
    data = check_data(X)
    x = data.X
    ks = _check_components(n_components)
    chosen = _check_structures(covariance_type, x.shape[1])
    notes = _impossible(x, data.feature_names, ks, chosen)
    folds = _folds(len(x), generator) if criterion == "cv" else []
    with progress(progressbar) as bar:
        n_fits = len(ks) * len(chosen) * (1 + len(folds))
        advance = partial(bar.advance, bar.add_task("Fitting the grid", total=n_fits))
        cells = _search(x, ks, chosen, notes, eigenvalue_ratio, generator, advance)
        names = data.feature_names
        held_out = [
            _held_out(x, test, ks, chosen, names, eigenvalue_ratio, generator, advance)
            for test in folds
        ]
    records = [_record(cell, x) for cell in cells]
    for i, record in enumerate(records):
        if criterion == "cv":
            record["cv_log_likelihood"] = sum(each[i] for each in held_out)
    columns = ["n_components", "covariance_type", "log_likelihood", "n_parameters", "bic", "aic"]
    columns += ["icl", *(["cv_log_likelihood"] if criterion == "cv" else []), "converged", "note"]
    table = pd.DataFrame(records, columns=columns)
    while True:
        winner = _winner(cells, table, criterion)
        try:
            best = _fit_best(X, cells[winner], eigenvalue_ratio)
            break
        except FitError:
            # Nearer its optimum it is no mixture: the next may be.
            cells[winner] = replace(cells[winner], note="collapsed on the way to its optimum")
            table.loc[winner, "note"] = cells[winner].note
    _warn_at_edge(cells[winner], ks)
    return Selection(table, best, criterion, len(x))


def _check_components(n_components: int | Iterable[int]) -> list[int]:
    words = "an integer or a sequence of integers, the K to try"
    single = isinstance(n_components, Integral)
    ks = [n_components] if single else check_members("n_components", n_components, words)
    if not ks:
        raise InvalidParameterError("n_components is empty. Name at least one K to try.")
    return sorted({check_count("n_components", k) for k in ks})


def _check_structures(
    words: str | Structure | Iterable[str | Structure], d: int
) -> list[Structure]:
    if isinstance(words, str) and words == "all":
        words = ("E", "V") if d == 1 else (*_DIAGONAL, *_FULL)
    kinds = "'all', a covariance structure or a sequence of them"
    members: list[Any] = (
        [words]
        if isinstance(words, str | Structure)
        else check_members("covariance_type", words, kinds)
    )
    found = [as_structure(each, d) for each in members]
    if not found:
        raise InvalidParameterError("covariance_type is empty. Name at least one, or 'all'.")
    return list(dict.fromkeys(found))


def _impossible(
    x: Array, names: tuple[str, ...] | None, ks: Sequence[int], chosen: Sequence[Structure]
) -> dict[tuple[int, Structure], str]:
    """The cells that the data do not allow, and why."""
    n, d = x.shape
    if n < 2:
        raise InputError(f"X has {n} row: one row has no variance.")
    check_spread(x, names)
    dependent = ""
    if any(not each.diagonal for each in chosen) and n > d:
        try:
            check_full_rank(x, names)
        except InputError as error:
            dependent = str(error)
    apart = {each: str(why) for each in chosen if (why := _too_far_apart(x, each))}
    distinct = len(np.unique(x, axis=0))
    notes: dict[tuple[int, Structure], str] = {}
    for k in ks:
        for each in chosen:
            needed = _rows_needed(each, k, d)
            if k > distinct:
                notes[k, each] = f"X has {distinct} distinct rows: fewer than components"
            elif n < needed:
                notes[k, each] = f"X has {n} rows: the structure needs at least {needed}"
            elif dependent and not each.diagonal:
                notes[k, each] = dependent
            elif each in apart:
                notes[k, each] = apart[each]
    return notes


def _too_far_apart(x: Array, structure: Structure) -> InputError | None:
    """Why one unit for all columns does not serve this structure, if it needs one."""
    try:
        check_common_unit(x, None, structure)
    except InputError as error:
        return error
    return None


def _rows_needed(structure: Structure, k: int, d: int) -> int:
    """Fewest rows from which every covariance of the structure has full rank.

    Where nothing ties a component's covariance to those of the others it needs D + 1 rows of its
    own, or 2 if it is diagonal; else all share what the means leave.
    """
    own = structure.code[1:] in ("VV", "VI") or structure.code in ("VII", "V", "VVE", "EVE")
    if own:
        return k * (2 if structure.diagonal else d + 1)
    return k + (1 if structure.diagonal else d)


def _search(
    x: Array,
    ks: Sequence[int],
    chosen: Sequence[Structure],
    notes: dict[tuple[int, Structure], str],
    ratio: float,
    rng: np.random.Generator,
    advance: Callable[[], None],
) -> list[Cell]:
    """Cells in the order of K, and of the structures within; empty ones with their note."""
    wanted = {k: [each for each in chosen if (k, each) not in notes] for k in ks}
    found = {
        (cell.n_components, cell.structure): cell
        for cell in search_grid(x, wanted, rng, ratio=ratio, threads=n_threads(), advance=advance)
    }
    return [
        found.get((k, each)) or Cell(k, each, None, np.nan, False, notes[k, each])
        for k in ks
        for each in chosen
    ]


def _record(cell: Cell, x: Array) -> dict[str, Any]:
    """A row of the table."""
    n, d = x.shape
    nu = cell.structure.n_parameters(cell.n_components, d)
    value = cell.log_likelihood
    bic = -2.0 * value + nu * float(np.log(n))
    icl = np.nan
    if cell.parameters is not None:
        joint = _log_joint(x, cell.parameters)
        largest = joint.max(axis=0)
        sure = -np.log(np.exp(joint - largest).sum(axis=0))
        icl = bic - 2.0 * float(sure.sum())
    return {
        "n_components": cell.n_components,
        "covariance_type": cell.structure.code,
        "log_likelihood": value,
        "n_parameters": nu,
        "bic": bic,
        "aic": -2.0 * value + 2.0 * nu,
        "icl": icl,
        "converged": cell.converged,
        "note": "inherited from a nested structure: no admissible fit of this model is more likely"
        if cell.borrowed
        else cell.note,
    }


def _log_joint(x: Array, parameters: Parameters) -> Array:
    """Log of weight times density of each component at each row, (K, n), nats."""
    weights, means, covariances = parameters
    centred = x.T - means[:, :, np.newaxis]
    if covariances.ndim == 2:
        deviations = np.sqrt(covariances)
        z = centred / deviations[:, :, np.newaxis]
    else:
        lower = np.linalg.cholesky(covariances)
        deviations = np.einsum("kii->ki", lower)
        z = np.linalg.solve(lower, centred)
    constants = np.log(weights) - np.log(deviations).sum(axis=1) - 0.5 * means.shape[1] * _LOG_2_PI
    joint: Array = constants[:, np.newaxis] - 0.5 * np.einsum("kdn,kdn->kn", z, z)
    return joint


def _folds(n: int, rng: np.random.Generator) -> list[NDArray[np.intp]]:
    """Rows held out in each fold."""
    if n < 2 * _FOLDS:
        raise InputError(f"X has {n} rows: cross-validation in {_FOLDS} folds needs {2 * _FOLDS}.")
    return [np.sort(each) for each in np.array_split(rng.permutation(n), _FOLDS)]


def _held_out(
    x: Array,
    test: NDArray[np.intp],
    ks: Sequence[int],
    chosen: Sequence[Structure],
    names: tuple[str, ...] | None,
    ratio: float,
    rng: np.random.Generator,
    advance: Callable[[], None],
) -> list[float]:
    """Log-likelihood of the held-out rows under each cell fitted to the others; NaN if unsound."""
    train = np.ascontiguousarray(np.delete(x, test, axis=0))
    notes = _impossible(train, names, ks, chosen)
    values = []
    for cell in _search(train, ks, chosen, notes, ratio, rng, advance):
        if cell.parameters is None or not cell.sound:
            values.append(np.nan)
            continue
        joint = _log_joint(x[test], cell.parameters)
        largest = joint.max(axis=0)
        values.append(float((largest + np.log(np.exp(joint - largest).sum(axis=0))).sum()))
    return values


def _winner(cells: Sequence[Cell], table: "pd.DataFrame", criterion: str) -> int:
    """The index of the best cell that can be trusted."""
    name, sign = _column(criterion)
    values = sign * table[name].to_numpy(dtype=np.float64)
    sound = np.array([each.sound for each in cells]) & np.isfinite(values)
    if not sound.any():
        reasons = "\n".join(
            f"  {each.structure.code}, {each.n_components}: {each.note}" for each in cells
        )
        raise FitError(
            f"No cell of the grid leads to a mixture that can be trusted:\n{reasons}\n"
            "Use fewer components, structures that share covariances, or more rows."
        )
    return int(np.argmin(np.where(sound, values, np.inf)))


def _fit_best(X: Any, cell: Cell, ratio: float) -> GaussianMixture:
    """The winning cell run to its optimum, components in the order of their means."""
    assert cell.parameters is not None
    start = cell.parameters.permuted(np.lexsort(cell.parameters.means.T[::-1]))
    model = GaussianMixture(
        cell.n_components, covariance_type=cell.structure.name, eigenvalue_ratio=ratio
    )
    return model._fit(X, None, start)


def _warn_at_edge(cell: Cell, ks: Sequence[int]) -> None:
    if len(ks) > 1 and cell.n_components in (ks[0], ks[-1]) and cell.n_components > 1:
        more = cell.n_components == ks[-1]
        warnings.warn(
            f"The best cell, {cell.structure.code} with {cell.n_components} components, lies at "
            f"the edge of the grid. Try {'more' if more else 'fewer'} components.",
            BayesGMMWarning,
            stacklevel=3,
        )
