"""Selection of K and the covariance structure: a grid of models, ranked by a criterion."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_choice, check_count, check_number, check_rng, check_switch
from bayesgmm.arrays import Array, Indices
from bayesgmm.covariance.structures import CovarianceType, Structure
from bayesgmm.data.coarse_columns import copied_rows, unsuitable_columns
from bayesgmm.data.degeneracy import nearly_dependent
from bayesgmm.data.validation import (
    Data,
    check_data,
    check_labels,
    check_sample_weight,
    doubtful_rows,
)
from bayesgmm.display import plural, progress
from bayesgmm.em.fit import apart
from bayesgmm.em.pairs import check_alone
from bayesgmm.errors import BayesGMMWarning, FitError, InputError, InvalidParameterError
from bayesgmm.estimator.information_criteria import information_criteria
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.likelihood.scaling import about_one
from bayesgmm.mixture.noise import Noise
from bayesgmm.selection.candidate import Candidate
from bayesgmm.selection.grid_search import search_grid
from bayesgmm.selection.possible_models import check_components, check_structures, impossible
from bayesgmm.selection.selection_result import (
    CRITERIA,
    Criterion,
    Selection,
    beyond_edge,
    fit_candidate,
    ranking_column,
)

if TYPE_CHECKING:
    import pandas as pd

# Folds of the cross-validation.
_FOLDS = 5
# The note on a model that inherits a nested model's mixture.
STANDS_FOR_BOTH = "the best admissible fit is that of a simpler structure, which stands for both"
# Notes on models that were not fitted before Ctrl-C, or in the given time.
_NOT_REACHED = {
    "interrupted": "not fitted: the search was interrupted",
    "max_time": "not fitted: max_time had passed",
}


def select_mixture(
    X: Any,
    n_components: int | Iterable[int] = range(1, 10),
    covariance_type: Literal["all"] | CovarianceType | Iterable[CovarianceType] = "all",
    *,
    criterion: Criterion = "bic",
    eigenvalue_ratio: float = 1e10,
    equal_weights: bool = False,
    sample_weight: ArrayLike | None = None,
    error_covariances: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    noise_component: bool = False,
    contaminated: bool = False,
    missing: str = "at random",
    n_init: int | None = None,
    max_time: float = np.inf,
    rng: Any = None,
    progressbar: bool = True,
) -> Selection:
    """Fit every K with every covariance structure, and select the best model by a criterion.

    The log-likelihood of each model is within about 1e-6 nats of the best maximum found, and never
    below that of a nested structure. The selected model is fitted to convergence.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Numbers; NaN are missing, see `missing`.
    n_components : int or iterable of int
        The K of the grid.
    covariance_type : "all", str, Structure, or iterable of these
        scikit-learn's names or mclust's codes. "all": the fourteen structures, or E and V for one
        feature.
    criterion : {"bic", "icl", "aic", "cv"}
        "cv" is the log-likelihood of held-out rows in five random folds.
    eigenvalue_ratio : float
        As in `GaussianMixture`: at most this, or such mixtures are not selected.
    equal_weights : bool, default=False
        Hold the weights of each mixture at 1 / K.
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts; 0 removes it.
    error_covariances : array-like, optional
        Measurement errors, as in `GaussianMixture.fit`.
    labels : array-like of shape (n,), optional
        The known component of each row, or -1, as in `GaussianMixture.fit`. A model with fewer
        components than they name is not fitted, with a note.
    noise_component : bool
        Add a component of uniform noise to every model, as in `GaussianMixture`. It is not among
        the `n_components`; its weight is one more parameter.
    contaminated : bool
        Give each component of every model outliers of its own, as in `GaussianMixture`: 2 K more
        parameters.
    missing : {"at random", "raise"}
        As in `GaussianMixture`.
    n_init : int, optional
        Explore each model as `GaussianMixture` with this `n_init` does; 1 is as thorough as its
        default. None: starts from neighbouring models alone, in a tenth of the time, which suffice
        but for models of too many components.
    max_time : float
        Seconds after which no run of the search begins; one that has begun ends first. A warning
        names the models that were left out, and each has a note. Not with ``criterion="cv"``.
    rng : int, Generator, SeedSequence or None
        Anything that `numpy.random.default_rng` takes. It determines the folds and, above 2000
        rows, the sample that is searched; nothing else is random.
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
        If no model has an admissible fit.

    Warns
    -----
    BayesGMMWarning
        If the selected model lies at the edge of the grid, or `max_time` passed before the search
        had ended, or columns have few distinct values, one value in many rows, or rows that are
        copies.

    Notes
    -----
    With `labels`, `noise_component`, `contaminated` or `n_init`, no model is less likely than the
    fit of `GaussianMixture` with ``random_state=0``, whose starts are tried too; that takes several
    times as long.

    Ctrl-C ends the search, and selects among the models that were fitted until then if there are
    any, except by cross-validation.

    Models that cannot be fitted to the data (more components than distinct rows, free covariances
    from too few rows, dependent columns) are left out, with the reason in their note.

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
    bound = "a number of at least 1 (numpy.inf sets no bound)"
    ratio = check_number("eigenvalue_ratio", eigenvalue_ratio, bound, lambda r: r >= 1.0)
    n_init = None if n_init is None else check_count("n_init", n_init)
    equal_weights, noisy, contaminated = _switches(equal_weights, noise_component, contaminated)
    generator = check_rng(rng)
    max_time = _check_max_time(max_time, criterion)
    check_choice("missing", missing, ("at random", "raise"))
    data = check_data(X, allow_nan=missing != "raise", error_covariances=error_covariances)
    ks = check_components(n_components)
    if labels is not None:
        data = data._replace(labels=check_labels(labels, len(data.X), ks[-1]))
    weights = check_sample_weight(sample_weight, len(data.X))
    if weights is not None:
        data, weights = data.take(weights > 0.0), weights[weights > 0.0]
    chosen = check_structures(covariance_type, data.X.shape[1])
    for sentence in (*doubtful_rows(X, data), *_unsuitable(data, ks, chosen)):
        warnings.warn(sentence, BayesGMMWarning, stacklevel=2)
    noise = Noise.around(data) if noisy else None
    folds = _folds(data, generator) if criterion == "cv" else []
    with progress(progressbar) as bar:
        advance = partial(bar.advance, bar.add_task("Fitting the grid", total=1 + len(folds)))
        search = partial(
            fit_grid,
            ratio=ratio,
            equal_weights=equal_weights,
            contaminated=contaminated,
            n_init=n_init,
            rng=generator,
            advance=advance,
        )
        models, stopped = search(data, weights, ks, chosen, noise=noise, max_time=max_time)
        _check_found(models, stopped, max_time, whole=bool(folds))
        held_out = [
            _held_out(data, weights, test, ks, chosen, search, noisy, contaminated)
            for test in folds
        ]
    of_each = equal_weights, contaminated, noise
    records = [_record(model, data, weights, *of_each) for model in models]
    for i, record in enumerate(records):
        if criterion == "cv":
            record["cv_log_likelihood"] = sum(each[i] for each in held_out)
    columns = ["n_components", "covariance_type", "log_likelihood", "n_parameters", "bic", "aic"]
    columns += ["icl", *(["cv_log_likelihood"] if criterion == "cv" else []), "converged", "note"]
    table = pd.DataFrame(records, columns=columns)
    while True:
        selected = _best_model(models, table, criterion)
        try:
            settings = {"eigenvalue_ratio": ratio, "equal_weights": equal_weights}
            settings |= {"noise_component": noisy, "contaminated": contaminated}
            given = sample_weight, error_covariances, labels
            best = fit_candidate(X, models[selected], settings, *given)
            break
        except FitError:
            # Collapsed nearer to convergence than the search went: the next model is tried.
            note = "collapsed on the way to its maximum"
            models[selected] = replace(models[selected], note=note)
            table.loc[selected, "note"] = note
    if stopped == "max_time":
        _warn_of_models_left_out(models, max_time)
    _warn_at_edge(models[selected], [k for k in ks if k >= data.n_known], data.n_known)
    found = {(m.n_components, m.structure.code): m for m in models if m.admissible}
    return Selection(table, best, criterion, len(data.X), stopped == "interrupted", found)


def _check_max_time(max_time: float, criterion: str) -> float:
    """Return the seconds of a search, infinite for no bound."""
    seconds = check_number("max_time", max_time, "a number of seconds, above 0", lambda t: t > 0.0)
    if criterion == "cv" and np.isfinite(seconds):
        raise InvalidParameterError(
            'max_time stops a search before its end, and criterion="cv" compares whole searches. '
            "Leave one of them out."
        )
    return seconds


def _check_found(
    models: Sequence[Candidate], stopped: str, max_time: float, *, whole: bool
) -> None:
    """Refuse a search that was stopped with nothing to choose from, or was to be `whole`."""
    nothing = not any(model.admissible for model in models)
    if stopped == "interrupted" and (whole or nothing):
        raise KeyboardInterrupt
    if stopped == "max_time" and nothing:
        raise FitError(
            f"No model was fitted to all rows within max_time={max_time:g} s. Give more time."
        )


def _switches(
    equal_weights: bool, noise_component: bool, contaminated: bool
) -> tuple[bool, bool, bool]:
    """The switches of a grid, checked; not all go together."""
    equal_weights = check_switch("equal_weights", equal_weights)
    noisy = check_switch("noise_component", noise_component)
    contaminated = check_switch("contaminated", contaminated)
    if contaminated:
        check_alone({"noise_component": noisy, "equal_weights": equal_weights})
    if noisy and equal_weights:
        raise InvalidParameterError(
            "noise_component=True takes a share of each weight, and equal_weights holds weights. "
            "Leave one of them out."
        )
    return equal_weights, noisy, contaminated


def _unsuitable(data: Data, ks: Sequence[int], chosen: Sequence[Structure]) -> list[str]:
    """Sentences on columns and rows that mislead a choice among these models."""
    x, names = data.X, data.feature_names
    found = []
    if ks[-1] > 1 and data.errors is None:
        found = unsuitable_columns(x, names) or copied_rows(x)
    if not all(each.diagonal for each in chosen):
        found += nearly_dependent(x, names)
    return found


def fit_grid(
    data: Data,
    weights: Array | None,
    ks: Sequence[int],
    chosen: Sequence[Structure],
    *,
    ratio: float,
    rng: np.random.Generator,
    advance: Callable[[float], None],
    equal_weights: bool = False,
    noise: Noise | None = None,
    contaminated: bool = False,
    n_init: int | None = None,
    max_time: float = np.inf,
) -> tuple[list[Candidate], str]:
    """Models in the order of K, then of the structures, and the reason why a search was stopped.

    Models that cannot be fitted to the rows have a note with the reason.
    """
    notes = impossible(data, ks, chosen)
    wanted = {k: [each for each in chosen if (k, each) not in notes] for k in ks}
    scaled, unit = (None, 1.0) if weights is None else about_one(weights)
    fits, stopped = search_grid(
        data,
        scaled,
        wanted,
        rng,
        ratio=ratio,
        equal_weights=equal_weights,
        threads=n_threads(),
        advance=advance,
        noise=noise,
        contaminated=contaminated,
        n_init=n_init,
        max_time=max_time,
    )
    not_reached = _NOT_REACHED.get(stopped, "")
    found = {
        model.key: replace(model, log_likelihood=model.log_likelihood * unit) for model in fits
    }
    models = [
        found.get((k, each))
        or Candidate(k, each, None, np.nan, False, notes.get((k, each), not_reached))
        for k in ks
        for each in chosen
    ]
    return models, stopped


def _record(
    model: Candidate,
    data: Data,
    weights: Array | None,
    equal_weights: bool,
    contaminated: bool,
    noise: Noise | None,
) -> dict[str, Any]:
    """A model's row of the table."""
    k = model.n_components
    nu = model.structure.n_parameters(k, data.X.shape[1]) - equal_weights * (k - 1)
    nu += (noise is not None) + 2 * k * contaminated
    bic = aic = icl = np.nan
    if model.parameters is not None:
        parameters, noise, outliers = apart(model.parameters, noise, contaminated)
        found = memberships(data, parameters.mixture(), noise, outliers)
        _, _, bic, aic, icl = information_criteria(*found, weights, nu)
    return {
        "n_components": k,
        "covariance_type": model.structure.code,
        "log_likelihood": model.log_likelihood,
        "n_parameters": nu,
        "bic": bic,
        "aic": aic,
        "icl": icl,
        "converged": model.converged,
        "note": STANDS_FOR_BOTH if model.inherited else model.note,
    }


def _folds(data: Data, rng: np.random.Generator) -> list[Indices]:
    """Rows held out in each fold; a known component has a fifth of its labelled rows in each."""
    n = len(data.X)
    if n < 2 * _FOLDS:
        raise InputError(
            f"X has {plural(n, 'row')}: cross-validation in {_FOLDS} folds needs {2 * _FOLDS}."
        )
    order = rng.permutation(n)
    if data.labels is None:
        return [np.sort(each) for each in np.array_split(order, _FOLDS)]
    order = order[np.argsort(data.labels[order], kind="stable")]
    return [np.sort(order[first::_FOLDS]) for first in range(_FOLDS)]


def _held_out(
    data: Data,
    weights: Array | None,
    test: Indices,
    ks: Sequence[int],
    chosen: Sequence[Structure],
    search: Callable[..., tuple[list[Candidate], str]],
    noisy: bool,
    contaminated: bool,
) -> list[float]:
    """Log-likelihood of the held-out rows under each model; NaN without an admissible fit."""
    rest = np.delete(np.arange(len(data.X)), test)
    train, held = data.take(rest), data.take(test)
    own = np.ones(len(test)) if weights is None else weights[test]
    of_train = None if weights is None else weights[rest]
    noise = Noise.around(train) if noisy else None
    models, stopped = search(train, of_train, ks, chosen, noise=noise)
    if stopped:
        raise KeyboardInterrupt
    values = []
    for model in models:
        if model.parameters is None or not model.admissible:
            values.append(np.nan)
            continue
        parameters, fitted, outliers = apart(model.parameters, noise, contaminated)
        densities, _ = memberships(held, parameters.mixture(), fitted, outliers)
        values.append(float(own @ densities))
    return values


def _best_model(models: Sequence[Candidate], table: "pd.DataFrame", criterion: str) -> int:
    """The index of the best admissible model."""
    name, sign = ranking_column(criterion)
    values = sign * table[name].to_numpy(dtype=np.float64)
    admissible = np.array([each.admissible for each in models]) & np.isfinite(values)
    if not admissible.any():
        reasons = "\n".join(
            f"  {each.structure.code}, {each.n_components}: {each.note}" for each in models
        )
        raise FitError(
            f"No model of the grid has an admissible fit:\n{reasons}\n"
            "Use fewer components, structures that share covariances, or more rows."
        )
    return int(np.argmin(np.where(admissible, values, np.inf)))


def _warn_of_models_left_out(models: Sequence[Candidate], max_time: float) -> None:
    """Name the models that were not fitted in the given time, by structure."""
    left_out: dict[str, list[int]] = {}
    for each in models:
        if each.note == _NOT_REACHED["max_time"]:
            left_out.setdefault(each.structure.code, []).append(each.n_components)
    named = "; ".join(f"{code} with K = {', '.join(map(str, ks))}" for code, ks in left_out.items())
    count = sum(map(len, left_out.values()))
    warnings.warn(
        f"The search was stopped after {max_time:g} s (max_time). "
        + (
            f"{plural(count, 'model')} not fitted: {named}. "
            if count
            else "Every model was fitted. "
        )
        + "Others may have a higher maximum. Give more time, or a smaller grid.",
        BayesGMMWarning,
        stacklevel=3,
    )


def _warn_at_edge(model: Candidate, ks: Sequence[int], least: int) -> None:
    """Warn of a model at an end of the grid, but for the fewest components that labels allow."""
    advice = beyond_edge(model.n_components, ks, max(least, 1))
    if advice:
        warnings.warn(
            f"The selected model, {model.structure.code} with "
            f"{plural(model.n_components, 'component')}, lies at the edge of the grid: {advice}",
            BayesGMMWarning,
            stacklevel=3,
        )
