"""The choice among models of classes: EDDA with each structure, and a mixture for each class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayesgmm.arrays import Array, Indices
from bayesgmm.classification.labelled_em import ClassFit, LabelledRows, fit_classes
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.display import plural
from bayesgmm.errors import FitError, InputError, SingularCovarianceError
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.selection.candidate import Candidate
from bayesgmm.selection.model_selection import fit_grid
from bayesgmm.selection.selection_result import fit_candidate

# Largest ratio of the eigenvalues of a mixture that is chosen for a class, as in `select_mixture`.
_RATIO = 1e10
_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class ClassModel:
    """One of the models that are compared.

    Attributes
    ----------
    family : str
        "EDDA" or "MDA".
    structures : tuple of Structure
        One for all classes jointly (EDDA), or one for each class.
    sizes : tuple of int
        Components of each class.
    log_likelihood : float
        Of rows and classes, nats.
    n_parameters : int
    bic : float
        -2 l + nu log n, where n is the sum of the row weights.
    cv_log_loss : float
        Mean of -log p(y | x) over rows that were held out, nats; NaN unless that is the criterion.
    note : str
        The reason why there is no fit, or "".
    """

    family: str
    structures: tuple[Structure, ...]
    sizes: tuple[int, ...]
    log_likelihood: float = np.nan
    n_parameters: int = 0
    bic: float = np.nan
    cv_log_loss: float = np.nan
    note: str = ""

    @property
    def codes(self) -> str:
        """The structures in mclust's codes."""
        return ", ".join(each.code for each in self.structures)


@dataclass(frozen=True, slots=True, eq=False)
class ClassResults:
    """The results of a fit of `GaussianMixtureClassifier`.

    Attributes
    ----------
    classes : ndarray of shape (C,)
    class_prior : ndarray of shape (C,)
    mixtures : tuple of C Mixture
    class_weights : tuple of float (C + 1,)
        Sums of the row weights: of unknown class, then of each class.
    chosen : int
        The position of the chosen model.
    models : tuple of ClassModel
    feature_names_in : tuple of str, optional
    """

    classes: NDArray[np.generic]
    class_prior: Array
    mixtures: tuple[Mixture, ...]
    class_weights: tuple[float, ...]
    chosen: int
    models: tuple[ClassModel, ...]
    feature_names_in: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The models to choose among.

    Attributes
    ----------
    families : tuple of str
        "EDDA", "MDA" or both.
    sizes : tuple of int
        Numbers of components that a class may have in MDA.
    structures : tuple of Structure
    names : list of str
        Of the classes, for messages.
    class_prior : ndarray of shape (C,), optional
        Held proportions of the classes.
    rng : numpy.random.Generator
    """

    families: tuple[str, ...]
    sizes: tuple[int, ...]
    structures: tuple[Structure, ...]
    names: list[str]
    class_prior: Array | None
    rng: np.random.Generator


type _Found = tuple[ClassModel, ClassFit | None]


def choose(
    rows: LabelledRows, grid: Grid, criterion: str
) -> tuple[ClassFit, int, tuple[ClassModel, ...]]:
    """The fit of lowest BIC, or of lowest cross-validated log loss, and all models compared.

    Raises
    ------
    FitError
        If no model can be fitted.
    """
    found = []
    losses = _Losses(rows.labelled, grid) if criterion == "cv" else None
    if "EDDA" in grid.families:
        for i, each in enumerate(grid.structures):
            loss = np.nan if losses is None else losses.edda[i]
            found.append(_edda(rows, each, grid, loss))
    if "MDA" in grid.families:
        found.append(_mda(rows, grid, losses))
    if losses is not None:
        note = "cannot be fitted without the rows of some fold"
        found = [
            (replace(model, note=model.note or note * bool(np.isnan(model.cv_log_loss))), fit)
            for model, fit in found
        ]
    models, fits = zip(*found, strict=True)
    values = [each.bic if losses is None else each.cv_log_loss for each in models]
    sound = np.array([each is not None for each in fits]) & np.isfinite(values)
    if not sound.any():
        reasons = "\n".join(f"  {each.family} {each.codes}: {each.note}" for each in models)
        raise FitError(
            f"No model of the classes can be fitted:\n{reasons}\n"
            "Use structures that share covariances, fewer components, or more rows."
        )
    chosen = int(np.argmin(np.where(sound, values, np.inf)))
    return fits[chosen], chosen, models


def _edda(rows: LabelledRows, structure: Structure, grid: Grid, loss: float) -> _Found:
    """One component a class, of one structure over all classes."""
    model = ClassModel("EDDA", (structure,), (1,) * rows.n_classes, cv_log_loss=loss)
    try:
        fit = fit_edda(rows, structure, grid.class_prior)
    except (InputError, SingularCovarianceError) as error:
        return replace(model, note=_reason(error, rows, model, grid.names)), None
    return _evaluated(model, fit, rows, grid), fit


def fit_edda(rows: LabelledRows, structure: Structure, class_prior: Array | None) -> ClassFit:
    """Fit one component a class to rows of known class, and from there to all rows.

    Where rows of known class are too few for the structure, the start is the simplest one in it:
    equal spheres, or ellipsoids along the axes.
    """
    labelled = rows.labelled
    try:
        first = fit_classes(labelled, [structure], None, class_prior)
    except SingularCovarianceError:
        if labelled is rows:
            raise
        simple = as_structure("EEI" if structure.scales_by_column else "EII")
        first = fit_classes(labelled, [simple], None, class_prior)
    return first if labelled is rows else fit_classes(rows, [structure], first.classes, class_prior)


def _mda(rows: LabelledRows, grid: Grid, losses: "_Losses | None") -> _Found:
    """A mixture for each class, chosen by rows of known class and fitted to all rows."""
    n = rows.labelled.weight
    chosen: list[Candidate] = []
    starts = []
    for c, name in enumerate(grid.names):
        sizes, structures = grid.sizes, grid.structures
        if losses is not None and losses.chosen is not None:
            k, structure = losses.chosen[c]
            sizes, structures = (k,), (structure,)
        try:
            found, start = _mixture_of(rows.of_class(c), sizes, structures, n, grid.rng)
        except (InputError, FitError) as error:
            return ClassModel("MDA", (), (), note=f"class {name}: {error}"), None
        chosen.append(found)
        starts.append(start)
    model = ClassModel(
        "MDA",
        tuple(each.structure for each in chosen),
        tuple(each.n_components for each in chosen),
        cv_log_loss=np.nan if losses is None else losses.mda,
    )
    try:
        fit = fit_classes(rows, model.structures, starts, grid.class_prior)
    except (InputError, SingularCovarianceError) as error:
        return replace(model, note=_reason(error, rows, model, grid.names)), None
    return _evaluated(model, fit, rows, grid), fit


def _mixture_of(
    own: LabelledRows,
    sizes: Sequence[int],
    structures: Sequence[Structure],
    n: float,
    rng: np.random.Generator,
) -> tuple[Candidate, Parameters]:
    """The mixture of lowest BIC for the rows of one class among n rows, fitted to convergence.

    The sum of these BIC over the classes is least where that of rows and classes is.
    """
    d = own.data.X.shape[1]
    candidates = _searched(own, sizes, structures, rng)
    bic = [
        -2.0 * each.log_likelihood + each.structure.n_parameters(each.n_components, d) * np.log(n)
        for each in candidates
    ]
    # Structures are equal for one component, up to rounding: the first is taken.
    for i in np.round(bic, 3).argsort(kind="stable"):
        model = candidates[i]
        if not model.admissible:
            continue
        try:
            found = fit_candidate(own.data, model, {"eigenvalue_ratio": _RATIO}, own.weights, None)
        except FitError:
            # Collapsed nearer to convergence than the search went: the next model is tried.
            continue
        mixture = found.mixture_
        return model, Parameters(mixture.weights, mixture.means, mixture.covariances)
    notes = "; ".join(dict.fromkeys(each.note for each in candidates))
    raise FitError(notes or "every mixture collapsed")


def _searched(
    own: LabelledRows,
    sizes: Sequence[int],
    structures: Sequence[Structure],
    rng: np.random.Generator,
) -> list[Candidate]:
    """All mixtures of the grid for the rows of one class."""
    models, stopped = fit_grid(
        own.data, own.weights, sizes, structures, ratio=_RATIO, rng=rng, advance=lambda _: None
    )
    if stopped:
        raise KeyboardInterrupt
    return models


def _evaluated(model: ClassModel, fit: ClassFit, rows: LabelledRows, grid: Grid) -> ClassModel:
    """The model with its fit and the criteria of it."""
    d = rows.data.X.shape[1]
    if model.family == "EDDA":
        nu = model.structures[0].n_parameters(rows.n_classes, d) - (rows.n_classes - 1)
    else:
        pairs = zip(model.structures, model.sizes, strict=True)
        nu = sum(each.n_parameters(k, d) for each, k in pairs)
    nu += rows.n_classes - 1 if grid.class_prior is None else 0
    bic = -2.0 * fit.log_likelihood + nu * float(np.log(rows.weight))
    return replace(model, log_likelihood=fit.log_likelihood, n_parameters=nu, bic=bic)


def _reason(error: Exception, rows: LabelledRows, model: ClassModel, names: Sequence[str]) -> str:
    """The reason why a model cannot be fitted, with the class at fault."""
    if not isinstance(error, SingularCovarianceError):
        return str(error)
    if model.structures[0].shared and model.family == "EDDA":
        return "the covariance within classes is singular"
    label = int(np.repeat(np.arange(rows.n_classes), model.sizes)[error.component])
    count = rows.of_class(label).weight
    return f"the covariance of class {names[label]} ({plural(count, 'row')}) is singular"


class _Losses:
    """Log losses of models on rows of known class that were held out in turn.

    Attributes
    ----------
    edda : list of float
        Of each structure; NaN where it cannot be fitted in some fold.
    mda : float
    chosen : list of (K, structure), or None
        The mixtures of the classes that go with `mda`; None if a class has none in some fold.
    """

    def __init__(self, rows: LabelledRows, grid: Grid) -> None:
        self._rows = rows
        self._weights = np.ones(len(rows.labels)) if rows.weights is None else rows.weights
        folds = _folds(rows, grid)
        self.edda = [self._of_edda(folds, each, grid) for each in grid.structures]
        self.mda = np.nan
        self.chosen: list[tuple[int, Structure]] | None = None
        if "MDA" in grid.families:
            self._choose_mixtures(folds, grid)

    def _of_edda(self, folds: Sequence[Indices], structure: Structure, grid: Grid) -> float:
        joint = np.empty((len(self._rows.labels), self._rows.n_classes))
        for test in folds:
            train = self._rows.take(np.delete(np.arange(len(joint)), test))
            try:
                fit = fit_edda(train, structure, grid.class_prior)
            except (InputError, SingularCovarianceError):
                return np.nan
            held = self._rows.take(test)
            for c, mixture in enumerate(fit.mixtures(None)):
                joint[test, c] = np.log(fit.class_prior[c]) + _log_densities(held, mixture)
        return self._loss(joint)

    def _loss(self, joint: Array) -> float:
        """Mean of -log p(y | x), from log p(x, y) (n, C)."""
        own = np.take_along_axis(joint, self._rows.labels[:, np.newaxis], axis=1)[:, 0]
        losses = logsumexp(joint, axis=1) - own
        return float(self._weights @ losses / self._weights.sum())

    def _choose_mixtures(self, folds: Sequence[Indices], grid: Grid) -> None:
        """Choose the mixture of each class in turn until the loss falls no further."""
        options = [(k, each) for k in grid.sizes for each in grid.structures]
        n, labels = len(self._rows.labels), self._rows.labels
        joint = np.full((self._rows.n_classes, len(options), n), np.nan)
        for test in folds:
            train = self._rows.take(np.delete(np.arange(n), test))
            held = self._rows.take(test)
            prior = train.proportions() if grid.class_prior is None else grid.class_prior
            for c in range(self._rows.n_classes):
                try:
                    found = _searched(train.of_class(c), grid.sizes, grid.structures, grid.rng)
                except InputError:
                    return
                for i, each in enumerate(found):
                    if each.admissible and each.parameters is not None:
                        density = _log_densities(held, each.parameters.mixture())
                        joint[c, i, test] = np.log(prior[c]) + density
        usable = np.isfinite(joint).all(axis=2)
        if not usable.any(axis=1).all():
            return
        own = np.array([joint[c][:, labels == c].sum(axis=1) for c in range(len(joint))])
        best = np.where(usable, own, -np.inf).argmax(axis=1)
        classes = np.arange(len(joint))
        loss, before = self._loss(joint[classes, best].T), np.inf
        while loss < before:
            before = loss
            for c in range(len(joint)):
                for i in np.flatnonzero(usable[c]).tolist():
                    other = best.copy()
                    other[c] = i
                    value = self._loss(joint[classes, other].T)
                    if value < loss:
                        loss, best = value, other
        self.mda, self.chosen = loss, [options[i] for i in best]


def _log_densities(rows: LabelledRows, mixture: Mixture) -> Array:
    return membership(rows.data, mixture, densities_alone=True)[0]


def _folds(rows: LabelledRows, grid: Grid) -> list[Indices]:
    """Rows held out in each fold, the classes in proportion."""
    places = np.empty(len(rows.labels), dtype=np.intp)
    dealt = 0
    for c, name in enumerate(grid.names):
        own = np.flatnonzero(rows.labels == c)
        if len(own) < _FOLDS:
            raise InputError(
                f"Class {name} has {plural(len(own), 'row')}: cross-validation in {_FOLDS} folds "
                f"needs at least {_FOLDS}. Use criterion='bic', or more rows of the class."
            )
        places[grid.rng.permutation(own)] = (dealt + np.arange(len(own))) % _FOLDS
        dealt += len(own)
    return [np.flatnonzero(places == fold) for fold in range(_FOLDS)]
