"""Degenerate and spurious maxima of the likelihood: which runs do not count, and why."""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np
from scipy.special import gammaln

from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.coarse_columns import step_at
from bayesgmm.em.loop import Run
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# Relative variance in some direction below which a component is tested for being spurious.
_FLAT = 1e-3
# Rows, nearly: a component that is flat where fewer were seen has not collapsed onto any.
_ONE = 0.5
# Share of a component's rows that have one value, from which on it is that value's.
_ONE_VALUE = 0.75
# Equal values below which rounding is not at work.
_FEWEST = 3
# Standard deviations from a component's mean within which most of its rows are.
_NEAR = 4.0
# Relative distance within which a ratio of variances is its bound.
_AT_BOUND = 1e-6
_FEWER = "Use fewer components, or a structure that shares covariances."


class Fault(Enum):
    """The ways in which a fit is degenerate or spurious: a sentence, and what to do.

    Examples
    --------
    >>> from bayesgmm import Degeneracy, Fault
    >>> print(Degeneracy(Fault.COLLAPSED, component=2))
    component 2 collapsed onto too few distinct rows
    """

    FEW_ROWS = (
        "X has {1:.0f} rows and {2:.0f} columns, but a full covariance needs more rows than "
        "columns, so that a small constant was added to each variance",
        "Use more rows, fewer columns, or covariance_type='diag'.",
    )
    SINGULAR_START = "component {0} had no rows, or a singular covariance, at the start", _FEWER
    COLLAPSED = "component {0} collapsed onto too few distinct rows", _FEWER
    TOO_FEW_ROWS = "component {0} has an effective size of only {1:.1f} rows", _FEWER
    EIGENVALUE_RATIO = (
        "component {0} is too flat: in one direction another's variance is {1:.1e} times its own, "
        "where {2:.1e} is the bound ({3:.1f} rows)",
        _FEWER,
    )
    STEPS = (
        "component {0} is narrower in column {1:.0f} than its values are apart (standard deviation "
        "given the other columns: {2:.2g} steps)",
        "Leave out labels and counts, add uniform noise of one step's width to measurements that "
        "were rounded, or use fewer components.",
    )
    ONE_VALUE = (
        "component {0} lies on one value of column {1:.0f}, which {2:.1f} of its {3:.1f} rows have",
        "Add uniform noise of one step's width to measurements that were rounded, leave rows of a "
        "value that many share out, or use fewer components.",
    )
    CHANCE = (
        "component {0} is probably spurious: {1:.1f} rows this close to a plane are "
        "expected by chance (least relative variance {2:.1e})",
        _FEWER,
    )


@dataclass(frozen=True, slots=True)
class Degeneracy:
    """The reason for which a fit is not admissible; as text, a sentence.

    Attributes
    ----------
    fault : Fault
    component : int or None
        The component that is at fault.
    figures : tuple of float
        The numbers of the sentence.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from bayesgmm import GaussianMixture
    >>> X = np.random.default_rng(0).normal(size=(5, 6))  # fewer rows than columns
    >>> with warnings.catch_warnings(action="ignore"):
    ...     fit = GaussianMixture(1).fit(X)
    >>> fit.degeneracy_.advice
    "Use more rows, fewer columns, or covariance_type='diag'."
    """

    fault: Fault
    component: int | None
    figures: tuple[float, ...] = ()

    def __str__(self) -> str:
        sentence: str = self.fault.value[0]
        return sentence.format(self.component, *self.figures)

    @property
    def advice(self) -> str:
        """The remedy, as a sentence."""
        return self.fault.value[1]

    def permuted(self, order: Indices) -> "Degeneracy":
        """The same of the fit whose component k is this one's component ``order[k]``."""
        if self.component is None:
            return self
        return replace(self, component=order.tolist().index(self.component))


def why_spurious(run: Run, objective: Objective) -> Degeneracy | None:
    """The reason why a run is degenerate or spurious; None if it is neither.

    A mixture's likelihood can be made as high as one likes by a component on a few rows that
    happen to lie close together or on a plane (Day 1969; McLachlan & Peel 2000, section 3.10).
    A prior with a given scale bounds it; one whose scale is learned may follow a component that
    collapses, if only many rows are equal. A bound on the ratio of two components' variances in any
    direction bounds it too (Hathaway 1985). EM maximises under it in free structures; in others a
    run that passes it is refused.
    """
    priors = objective.priors
    if priors is not None and run.collapsed is None:
        reason = _eigenvalue_ratio_exceeded(run, objective)
        learns_scale = priors.covariances.hierarchical
        return reason or (_flat_by_chance(run, objective) if learns_scale else None)
    return (
        _too_few_rows(run, objective)
        or _eigenvalue_ratio_exceeded(run, objective)
        or _narrower_than_steps(run, objective)
        or _flat_by_chance(run, objective)
        or _on_one_value(run, objective)
    )


def _free(run: Run, objective: Objective) -> Indices:
    """The components whose covariances are not held: others cannot collapse."""
    if objective.held is None:
        return np.arange(len(run.parameters.weights))
    return np.flatnonzero(~objective.held.masks[2])


def _eigenvalue_ratio_exceeded(run: Run, objective: Objective) -> Degeneracy | None:
    """A component that is narrower than the bound allows, or flat where EM holds it on the bound.

    A flat one would collapse without the bound; on it the likelihood is what the bound makes it.
    """
    ratio, free = objective.eigenvalue_ratio, _free(run, objective)
    if not np.isfinite(ratio) or not free.size:
        return None
    if objective.is_bounded:
        free = free[relative_variances(run)[free].min(axis=1) < _FLAT]
        ratio *= 1.0 - _AT_BOUND
    if not free.size or _widest_by_narrowest(run.parameters) <= ratio:
        return None
    ratios = variance_ratios(run.parameters)[free]
    k = int(free[ratios.argmax()])
    if ratios.max() <= ratio:
        return None
    figures = float(ratios.max()), objective.eigenvalue_ratio, float(run.statistics.counts[k])
    return Degeneracy(Fault.EIGENVALUE_RATIO, k, figures)


def _widest_by_narrowest(parameters: Parameters) -> float:
    """The ratio of the largest variance in any direction to the least; no other is larger."""
    covariances = parameters.covariances
    values = covariances if covariances.ndim == 2 else np.linalg.eigvalsh(covariances)
    return float(values.max() / values.min()) if values.min() > 0.0 else np.inf


def variance_ratios(parameters: Parameters) -> Array:
    """The largest ratio (K,) of another component's variance to each one's, in any direction."""
    covariances = parameters.covariances
    if covariances.ndim == 2:
        with np.errstate(divide="ignore"):
            return np.asarray((covariances.max(axis=0) / covariances).max(axis=1))
    out = []
    for own in covariances:
        values, vectors = np.linalg.eigh(own)
        if not values[0] > 0.0:
            out.append(np.inf)
            continue
        whiten = vectors / np.sqrt(values)
        out.append(np.linalg.eigvalsh(whiten.T @ covariances @ whiten).max())
    return np.array(out)


def _too_few_rows(run: Run, objective: Objective) -> Degeneracy | None:
    """A component that collapsed, or has too few rows."""
    if run.collapsed is not None:
        return Degeneracy(Fault.COLLAPSED, run.collapsed)
    counts, free = run.statistics.counts, _free(run, objective)
    if len(counts) == 1 or not free.size:
        return None
    k = int(free[counts[free].argmin()])
    enough = counts[k] >= _defining(run, objective.structure)
    if enough or _shared(run) or _is_at_bound(run, objective, k):
        return None
    return Degeneracy(Fault.TOO_FEW_ROWS, k, (float(counts[k]),))


def _is_at_bound(run: Run, objective: Objective, k: int) -> bool:
    """True if other components hold this one's variance in some direction."""
    return objective.is_bounded and bool(at_bound(run.parameters, objective.eigenvalue_ratio)[k])


def at_bound(parameters: Parameters, ratio: float) -> Booleans:
    """True for components (K,) some variance of which is the least that the bound allows."""
    found: Booleans = variance_ratios(parameters) >= ratio * (1.0 - _AT_BOUND)
    return found


def _narrower_than_steps(run: Run, objective: Objective) -> Degeneracy | None:
    """A component that lies between the values of a column that has few.

    Rounding to values h apart adds h^2 / 12 to the variance given the other columns (Sheppard
    1898). Where that is more than half of it, a component is a value, or a line of values, and not
    a group of rows whose density is rounded. Variances of at least a quarter of the column's are
    not in question.
    """
    rows, (weights, means, covariances) = run.rows, run.parameters
    columns = [(j, values) for j, values in enumerate(rows.coarse) if values is not None]
    free = _free(run, objective)
    if not columns or len(weights) == 1 or objective.ridge or rows.errors is not None:
        return None
    variances = covariances
    if covariances.ndim == 3:
        variances = 1.0 / np.einsum("kii->ki", np.linalg.inv(covariances))
        covariances = np.einsum("kii->ki", covariances)
    total = _total_variances(weights, means, covariances)
    for j, values in columns:
        shift = 0.0 if rows.shift is None else rows.shift[j]
        scale = 1.0 if rows.scale is None else rows.scale[j]
        for k in free:
            variance = variances[k, j]
            step = step_at(values, means[k, j] / scale + shift) * scale
            if variance < min(step * step / 6.0, 0.25 * total[j]):
                return Degeneracy(Fault.STEPS, int(k), (j, float(np.sqrt(variance)) / step))
    return None


def _flat_by_chance(run: Run, objective: Objective) -> Degeneracy | None:
    """A flat or tiny component such as chance brings about somewhere.

    As few as D + 1 rows span an ellipsoid. One of relative axes sqrt(v_j) (in units of all rows)
    holds another row by chance with probability at most prod min(1, 2 sqrt(v_j)); that m further
    rows lie in it has Chernoff's bound e^-a (e a / m)^m with a = n prod. A component that is no
    rarer than one among the C(n, D + 1) such ellipsoids is spurious.
    """
    spread = relative_variances(run)
    if spread.min() >= _FLAT:
        return None
    structure, free = objective.structure, _free(run, objective)
    counts, total = run.statistics.counts, run.statistics.weight
    defining = _defining(run, structure)
    flat = free[spread[free].min(axis=1) < _FLAT]
    seen = _seen_sharply(run) if flat.size and run.rows.partial else None
    for k in flat:
        rows = total if _shared(run) else counts[k]
        if seen is not None:
            of = spread[k] < _FLAT if structure.diagonal else np.full(spread.shape[1], True)
            sharp = seen.sum(axis=0) if _shared(run) else seen[k]
            of &= sharp >= _ONE
            if not of.any():
                continue
            rows = float(sharp[of].min())
        if flat_by_chance(spread[k : k + 1], np.array([rows]), total, defining).any():
            return Degeneracy(Fault.CHANCE, int(k), (float(rows), float(spread[k].min())))
    return None


def flat_by_chance(spread: Array, rows: Array, total: float, defining: float) -> Booleans:
    """True for components (m,) that are no rarer than one among all ellipsoids of their kind.

    spread (m, D): relative variances; rows (m,) of each, of `total`; `defining` rows span one.
    """
    expected = total * np.minimum(1.0, 2.0 * np.sqrt(spread)).prod(axis=1)
    more = np.maximum(rows - defining, 0.0)
    ellipsoids = gammaln(total + 1) - gammaln(defining + 1) - gammaln(total - defining + 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = more - expected + more * np.log(np.maximum(expected, 1e-300) / more)
    chance = np.where(expected < more, chance, 0.0)
    common: Booleans = ellipsoids + chance > np.log(0.01)
    return (spread.min(axis=1) < _FLAT) & common


def _seen_sharply(run: Run) -> Array:
    """The number of rows of each component whose own errors are flat in a feature, too, (K, D).

    An entry that was not seen, or with a wider error, bounds the density from above: no component
    collapses onto it.
    """
    rows, (weights, means, covariances) = run.rows, run.parameters
    variances = covariances if covariances.ndim == 2 else np.einsum("kii->ki", covariances)
    total = _total_variances(weights, means, variances)
    sharp = (~np.isnan(rows.x)).astype(float)
    if rows.errors is not None:
        d = rows.x.shape[1]
        own = rows.errors if rows.errors.shape[1] == d else rows.errors[:, :: d + 1]
        unit = 1.0 if rows.scale is None else rows.scale
        with np.errstate(over="ignore"):
            sharp *= own * unit * unit < _FLAT * total
    v = np.ones(len(sharp)) if rows.row_weights is None else rows.row_weights
    # The counts of a pass are sums of row weights: responsibilities do not depend on these.
    counts = [
        replace(rows, row_weights=v * each).e_step(*run.parameters).counts for each in sharp.T
    ]
    return np.stack(counts, axis=1)


def _on_one_value(run: Run, objective: Objective) -> Degeneracy | None:
    """A component that would collapse onto a value of a column but for a few rows beside it.

    Rows of one value bear no chance: they were rounded, or are a point mass.
    """
    rows, (weights, means, covariances) = run.rows, run.parameters
    if len(weights) == 1 or objective.ridge or rows.errors is not None:
        return None
    variances = covariances if covariances.ndim == 2 else np.einsum("kii->ki", covariances)
    narrow = variances < _FLAT * _total_variances(weights, means, variances)
    v = np.ones(rows.n_rows) if rows.row_weights is None else rows.row_weights
    for k in _free(run, objective):
        for j in np.flatnonzero(narrow[k]).tolist():
            shared = _has_commonest(rows, j, means[k, j], np.sqrt(variances[k, j]))
            if shared.sum() < _FEWEST:
                continue
            of_value, of_all = (
                replace(rows, row_weights=each).e_step(*run.parameters).counts[k]
                for each in (v * shared, v)
            )
            if of_value >= _ONE_VALUE * of_all:
                return Degeneracy(Fault.ONE_VALUE, int(k), (j, float(of_value), float(of_all)))
    return None


def _has_commonest(rows: Rows, j: int, mean: float, sd: float) -> Booleans:
    """True for rows (n,) that have the most frequent value of a column near a component's mean."""
    column = rows.x[:, j]
    shift = 0.0 if rows.shift is None else rows.shift[j]
    scale = 1.0 if rows.scale is None else rows.scale[j]
    near = column[np.abs((column - shift) * scale - mean) <= _NEAR * sd]
    if not near.size:
        return np.zeros(len(column), dtype=bool)
    values, counts = np.unique(near, return_counts=True)
    found: Booleans = column == values[counts.argmax()]
    return found


def _total_variances(weights: Array, means: Array, variances: Array) -> Array:
    """Variances (D,) of all components together, of variances (K, D) of each."""
    shares = _shares(weights)
    return np.asarray(shares @ (variances + np.square(means - shares @ means)))


def _defining(run: Run, structure: Structure) -> float:
    """Rows that define a component's covariance."""
    return 2.0 if structure.diagonal else run.parameters.means.shape[1] + 1.0


def _shared(run: Run) -> bool:
    """True if all components have one covariance."""
    covariances = run.parameters.covariances
    return bool((covariances == covariances[0]).all())


def relative_variances(run: Run) -> Array:
    """Variances (K, D) of the components along their axes, where they all together have 1."""
    weights, means, covariances = run.parameters
    return native.relative_variances(_shares(weights), means, covariances)


def _shares(weights: Array) -> Array:
    """Weights of sum 1: noise, if there is any, takes a part of those of a run."""
    return weights / weights.sum()
