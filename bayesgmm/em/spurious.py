"""Degenerate and spurious maxima of the likelihood: which runs are not to count, and why."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure
from bayesgmm.em.loop import Run
from bayesgmm.priors.objective import Objective

type Array = NDArray[np.float64]

# Relative variance in some direction below which a component has to be more than an accident.
_FLAT = 1e-3


def why_spurious(run: Run, objective: Objective, ratio: float = np.inf) -> str | None:
    """Why a run is degenerate or spurious; None if it is neither.

    A mixture's likelihood can be made as high as one likes by a component on a few rows that
    happen to lie close together or on a plane (Day 1969; McLachlan & Peel 2000, section 3.10).
    A prior with a given scale bounds it; one whose scale is learned may follow a component that
    collapses, if only many rows are equal. A bound on the ratio of any two eigenvalues of the
    covariances bounds it too (Hathaway 1985); here they are taken in coordinates in which the
    covariances have the identity on average, so that no unit matters.
    """
    structure, priors = objective.structure, objective.priors
    if priors is not None and run.collapsed is None:
        reason = _eigenvalue_ratio_exceeded(run, structure, ratio)
        learns_scale = priors.covariances.hierarchical
        return reason or (_flat_by_chance(run, structure) if learns_scale else None)
    return (
        too_few_rows(run, structure)
        or _eigenvalue_ratio_exceeded(run, structure, ratio)
        or _flat_by_chance(run, structure)
    )


def _eigenvalue_ratio_exceeded(run: Run, structure: Structure, ratio: float) -> str | None:
    """Whether components' variances differ by more, where they have the identity on average."""
    if not np.isfinite(ratio):
        return None
    weights, _, covariances = run.parameters
    pooled = np.tensordot(weights, covariances, 1)
    if structure.diagonal:
        spread = covariances / pooled
    else:
        values, vectors = np.linalg.eigh(pooled)
        whiten = vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).tiny))
        spread = np.maximum(np.linalg.eigvalsh(whiten.T @ covariances @ whiten), 0.0)
    k = int(spread.min(axis=1).argmin())
    least, most = float(spread[k].min()), float(spread.max())
    if most <= ratio * least:
        return None
    found = f"{most / least:.1e}" if least > 0.0 else "infinite"
    return (
        f"component {k} is too flat beside the others: the ratio of eigenvalues is {found}, above "
        f"{ratio:.1e} ({run.statistics.counts[k]:.1f} rows)"
    )


def too_few_rows(run: Run, structure: Structure) -> str | None:
    """Whether the run ended in no mixture, or a component has too few rows."""
    if run.collapsed is not None:
        return f"component {run.collapsed} collapsed onto too few distinct rows"
    counts = run.statistics.counts
    k = int(counts.argmin())
    if counts[k] < _defining(run, structure) and len(counts) > 1 and not _shared(run):
        return f"component {k} has an effective size of only {counts[k]:.1f} observations"
    return None


def _flat_by_chance(run: Run, structure: Structure) -> str | None:
    """Whether a flat or tiny component is no more than chance brings about somewhere.

    As few as D + 1 rows span an ellipsoid. One of relative axes sqrt(v_j) (in units of all rows)
    holds another row by chance with probability at most prod min(1, 2 sqrt(v_j)); that m further
    rows lie in it has Chernoff's bound e^-a (e a / m)^m with a = n prod. A component that is no
    rarer than one among the C(n, D + 1) such ellipsoids is an accident.
    """
    spread = relative_variances(run)
    counts, total = run.statistics.counts, run.statistics.weight
    defining = _defining(run, structure)
    for k in np.flatnonzero(spread.min(axis=1) < _FLAT):
        rows = total if _shared(run) else counts[k]
        more = rows - defining
        expected = total * np.minimum(1.0, 2.0 * np.sqrt(spread[k])).prod()
        ellipsoids = gammaln(total + 1) - gammaln(defining + 1) - gammaln(total - defining + 1)
        chance = 0.0
        if expected < more:
            chance = more - expected + more * np.log(max(expected, 1e-300) / more)
        if ellipsoids + chance > np.log(0.01):
            return (
                f"component {k} is probably spurious: {rows:.1f} observations this close to a "
                f"plane are expected by chance (least relative variance {spread[k].min():.1e})"
            )
    return None


def _defining(run: Run, structure: Structure) -> float:
    """Rows that define a component's covariance."""
    return 2.0 if structure.diagonal else run.parameters.means.shape[1] + 1.0


def _shared(run: Run) -> bool:
    """Whether all components have one covariance."""
    covariances = run.parameters.covariances
    return bool((covariances == covariances[0]).all())


def relative_variances(run: Run) -> Array:
    """Variances (K, D) of the components along their axes, where all rows together have 1."""
    return native.relative_variances(*run.parameters)
