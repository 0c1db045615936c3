"""The posterior near its mode, over all rows or by a part of many, and what forbids to use it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.arrays import Array, Booleans
from bayesgmm.data.validation import Data
from bayesgmm.errors import FitError
from bayesgmm.executors.executor import OpenRows
from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya_distances
from bayesgmm.posterior.log_density import Posterior, Problem
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.many_points import log_densities
from bayesgmm.sampling.mode_chains import that_matter
from bayesgmm.sampling.mode_proposal import StudentMixture
from bayesgmm.sampling.mode_regions import Regions
from bayesgmm.sampling.mode_search import search_modes
from bayesgmm.sampling.posterior_modes import Mode, climb
from bayesgmm.sampling.remainder import (
    Expansion,
    ManyRows,
    as_all,
    precision,
    quadratic,
    remainder_error,
)
from bayesgmm.sampling.streamed_posterior import StreamedPosterior

# Rows up to which densities are of all of them, and rows of the part that stands for more.
_FEW, _PART = 50_000, 25_000
# Steps to the mode of all rows, the nats below it at which they end, and those up to which the
# curvature is that of the estimate.
_MOST_STEPS, _NEAR, _CLOSE = 30, 1e-9, 1e-3
# Rows of a component for each of its coordinates, at least.
_ROWS = 10
# Points at which the error of the remainder is estimated, and the largest, in nats.
_POINTS, _LARGEST_ERROR = 100, 0.1
# Degrees of freedom of the proposals, at least.
_LEAST_DF = 5.0
# The largest share of proposals under other labels.
_OTHER_LABELS = 0.01
# The smallest share of the largest eigenvalue of a precision that is positive definite.
_POSITIVE = 1e-12
REMEDY = "Use method='nuts', which does not rest on this approximation."


@dataclass(frozen=True, slots=True, eq=False)
class LaplaceTarget:
    """A posterior near its mode, under the labels of that mode.

    Attributes
    ----------
    problem : Problem
        Of all rows.
    modes : list of Mode
        That of all rows; then others, of negligible mass.
    proposal : StudentMixture
        One t distribution about the mode.
    regions : Regions
    many : ManyRows or None
        None where densities are of all rows.
    n_rows : int
        Rows that densities are of.
    error : float
        Standard error of log densities at draws, nats; 0 where they are of all rows.
    """

    problem: Problem
    modes: list[Mode]
    proposal: StudentMixture
    regions: Regions
    many: ManyRows | None
    n_rows: int
    error: float

    def log_density(self, u: Array) -> Array:
        """Log posterior density at points (T, size), minus infinity under other labels, (T,)."""
        found = log_densities(self.problem, u)[0] if self.many is None else self.many.log_density(u)
        return np.where(np.isfinite(found) & self.own(u), found, -np.inf)

    def own(self, u: Array) -> Booleans:
        """True for points (T, size) that have the labels of the mode, (T,)."""
        return self.regions.locate(u).own


def rows_of_densities(n: int) -> int:
    """The number of rows, of n, that give densities beyond second order."""
    return n if n <= _FEW else _PART


def laplace_target(
    posterior: Posterior,
    rows: Data,
    near: tuple[Array, ...],
    starts: Callable[[Data], list[tuple[Array, ...]]],
    priors: ResolvedPriors,
    rng: np.random.Generator,
    opened: OpenRows | None = None,
) -> LaplaceTarget:
    """The posterior near its mode.

    Parameters
    ----------
    posterior : callable
        From rows to their posterior.
    rows : Data
        All rows, or a part in random order that weighs as much as all.
    near : tuple of ndarray
        Parameters of the maximum of the likelihood of all rows.
    starts : callable
        From rows to further starts of the search for their modes.
    priors : ResolvedPriors
    rng : Generator
    opened : OpenRows, optional
        All rows, where `rows` are a part of them.

    Raises
    ------
    FitError
        If the posterior is not nearly normal about one mode.
    """
    problem = posterior(rows)
    of_all = problem if opened is None else StreamedPosterior(posterior, problem, opened)
    check_rows(problem, near)
    part, many = None if opened is None else rows, None
    counted = np.arange(len(rows.X)) if rows.weights is None else np.flatnonzero(rows.weights)
    if opened is None and (size := rows_of_densities(len(counted))) < len(counted):
        # In random order, as its pieces have to be alike.
        part = rows.take(rng.choice(counted, size, replace=False))
    seen = problem if part is None else posterior(part)
    modes = search_modes(seen, near, starts(seen.rows), priors)
    if not modes:
        raise _no_mode(near)
    if part is not None:
        many = _of_many_rows(of_all, posterior(as_all(part, rows.total)), near)
        others = _others(many.mode, modes, Regions([many.mode], problem.coordinates))
        share = part.total / rows.total
        modes = [many.mode, *(_at_all_rows(of_all, each, share) for each in others)]
    _check_modes(modes)
    mode = modes[0]
    root = np.linalg.cholesky(mode.covariance)
    # With as many degrees of freedom as coordinates, weights are bounded, and nearly equal still.
    df = max(float(len(mode.u)), _LEAST_DF)
    proposal = StudentMixture(np.ones(1), mode.u[np.newaxis], root[np.newaxis], df)
    regions = Regions([mode], problem.coordinates)
    n_rows = len(rows.X) if part is None else len(part.X)
    found = LaplaceTarget(problem, modes, proposal, regions, many, n_rows, 0.0)
    points = proposal.draw(_POINTS, rng)
    _check_labels(found, points, near)
    if part is None:
        return found
    error = remainder_error(posterior, as_all(part, rows.total), mode.u, points)
    _check_error(error, len(part.X))
    return replace(found, error=error)


def _of_many_rows(
    problem: Problem | StreamedPosterior, scaled: Problem, near: tuple[Array, ...]
) -> ManyRows:
    """The mode of all rows near the estimate, and the expansion about it."""
    start = scaled.coordinates.of_parameters(*near)
    of_all = precision(problem, start)
    u = _newton(problem, start, of_all)
    if u is None:
        # Its steps would take a pass over all rows for each second derivative.
        found = climb(problem, start) if isinstance(problem, Problem) else None
        if found is None:
            raise _no_mode(near)
        u = found.u
    if quadratic((u - start)[np.newaxis], of_all)[0] > _CLOSE or not _is_positive(of_all):
        of_all = precision(problem, u)
    if not _is_positive(of_all):
        raise _no_mode(near)
    mode = Mode(u, problem.log_density(u)[0], np.linalg.inv(of_all))
    return ManyRows(mode, of_all, Expansion.of(scaled, u))


def _newton(problem: Problem | StreamedPosterior, u: Array, curvature: Array) -> Array | None:
    """The mode that Newton's steps with one curvature reach; None if they do not lead to one."""
    if not _is_positive(curvature):
        return None
    value, slope = problem.log_density(u)
    for _ in range(_MOST_STEPS):
        step = np.linalg.solve(curvature, slope)
        if slope @ step <= _NEAR:
            return u
        u = u + step
        ahead, slope = problem.log_density(u)
        if not ahead > value - _NEAR * abs(value):
            return None
        value = ahead
    return None


def _is_positive(matrix: Array) -> bool:
    """True for a positive definite matrix."""
    if not np.isfinite(matrix).all():
        return False
    values = np.linalg.eigvalsh(matrix)
    return bool(values[0] > _POSITIVE * values[-1])


def _at_all_rows(problem: Problem | StreamedPosterior, mode: Mode, share: float) -> Mode:
    """A mode of a part of the rows, with the density that all rows have near it."""
    covariance = mode.covariance * share
    value, slope = problem.log_density(mode.u)
    return Mode(mode.u, value + 0.5 * float(slope @ covariance @ slope), covariance)


def _others(first: Mode, modes: list[Mode], regions: Regions) -> list[Mode]:
    """Modes of a part without the one that is nearest to the mode of all rows."""
    moved = regions.locate(np.array([each.u for each in modes])).u - first.u
    distances = [d @ np.linalg.solve(m.covariance, d) for d, m in zip(moved, modes, strict=True)]
    nearest = int(np.argmin(distances))
    return [each for at, each in enumerate(modes) if at != nearest]


def check_rows(problem: Problem, near: tuple[Array, ...]) -> None:
    """Refuse components of too few rows."""
    frame = problem.coordinates
    share = 1.0 - float(near[3]) if frame.outliers.noise else 1.0
    counts = problem.rows.total * share * near[0]
    least = _ROWS * (1 + frame.n_features + frame.n_own)
    k = int(counts.argmin())
    if counts[k] < least:
        raise FitError(
            f"Component {k} has {counts[k]:.0f} rows, fewer than the {least} ({_ROWS} for each of "
            f"its coordinates) from which its posterior is nearly normal. {REMEDY}"
        )


def _no_mode(near: tuple[Array, ...]) -> FitError:
    """The error where no mode with a curvature is near the estimate."""
    return FitError(
        "The posterior density has no mode near the estimate about which it is nearly normal: its "
        f"second derivatives are not those of a maximum.{_closest(near)} {REMEDY}"
    )


def _closest(near: tuple[Array, ...]) -> str:
    """A sentence on the two components that overlap most."""
    _, means, covariances = near[:3]
    if len(means) < 2:
        return ""
    distances = bhattacharyya_distances(means, covariances, means, covariances)
    distances[np.diag_indices(len(means))] = np.inf
    i, j = sorted(np.unravel_index(distances.argmin(), distances.shape))
    return (
        f" Components {i} and {j} are the closest (Bhattacharyya coefficient "
        f"{np.exp(-distances[i, j]):.2f})."
    )


def _check_modes(modes: list[Mode]) -> None:
    """Refuse a posterior of which other modes than the first matter."""
    several = that_matter(modes)
    if len(several) > 1:
        logs = np.array([each.log_mass for each in several])
        masses = np.exp(logs - logs.max())
        raise FitError(
            f"The posterior has {len(several)} modes that matter. One normal approximation does "
            f"not cover them: by Laplace's approximation {100 * (1 - masses[0] / masses.sum()):.2g}"
            " % of the mass would be missed. Use method='nuts', which draws from all of them."
        )


def _check_labels(target: LaplaceTarget, u: Array, near: tuple[Array, ...]) -> None:
    """Refuse components that are not separated: points (T, size) of the proposal exchange them."""
    share = 1.0 - float(target.own(u).mean())
    if share > _OTHER_LABELS:
        raise FitError(
            f"{100 * share:.0f} % of the proposals exchange components, which are not separated."
            f"{_closest(near)} {REMEDY}"
        )


def _check_error(error: float, n_rows: int) -> None:
    """Refuse log densities that a part of the rows does not tell."""
    if not error <= _LARGEST_ERROR:
        raise FitError(
            f"Log posterior densities, of which {n_rows} of the rows give the terms beyond second "
            f"order, have a standard error of {error:.2g} nats; at most {_LARGEST_ERROR} is "
            f"small enough. {REMEDY}"
        )
