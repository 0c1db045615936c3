"""Proposals that cover all modes of a posterior: mixtures of t distributions fitted to draws.

The coordinates are those of `Coordinates`, under the labelling of `locate`.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, logsumexp

from bayesgmm.arrays import Array
from bayesgmm.errors import FitError, InputError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya_distances
from bayesgmm.mixture.merged_components import merged
from bayesgmm.posterior.log_density import Problem
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.mode_regions import Regions
from bayesgmm.sampling.posterior_modes import Mode

# Degrees of freedom of the t distributions, and the factor of fitted covariances.
_NU, _INFLATION = 5.0, 1.3
# Components that are fitted to draws of chains, to points of a mode's region, and to draws with a
# small component.
_FITTED, _OF_REGION, _OF_SMALL = 10, 5, 16
# Rounds of drawing, weighting and fitting, the points of each, and those to which a region or
# draws with a small component are fitted.
_ROUNDS, _DRAWS, _OF_A_FIT = 4, 6000, 2000
# Effective points from which a region is fitted by one component, and by several.
_FEW, _ENOUGH = 10.0, 200.0
# A small component has fewer rows than this.
_ROWS_OF_SMALL = 9
# Shares of the fitted mixture, of the modes and of small components.
_FIRST, _LATER = (0.4, 0.3, 0.3), (0.6, 0.1, 0.3)


@dataclass(frozen=True, slots=True, eq=False)
class StudentMixture:
    """A mixture of multivariate t distributions.

    Attributes
    ----------
    weights : ndarray of shape (J,)
    means : ndarray of shape (J, size)
    factors : ndarray of shape (J, size, size)
        Cholesky factors of the scale matrices.
    df : float
        Degrees of freedom.
    """

    weights: Array
    means: Array
    factors: Array
    df: float = _NU

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points, (n, size)."""
        of = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.means.shape[1]))
        z /= np.sqrt(rng.chisquare(self.df, size=(n, 1)) / self.df)
        for j, factor in enumerate(self.factors):
            z[of == j] = z[of == j] @ factor.T
        return np.asarray(self.means[of] + z)

    def steps(self, n: int, rng: np.random.Generator) -> Array:
        """Steps of random walks (n, size) in the scales of components, symmetric about 0.

        Gelman, Roberts and Gilks (1996) give the factor.
        """
        of = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.means.shape[1], 1))
        return np.asarray((self.factors[of] @ z)[..., 0] * (2.38 / np.sqrt(z.shape[1])))

    def log_density(self, u: Array) -> Array:
        """Log density at points (T, size), (T,)."""
        d, nu = u.shape[1], self.df
        constant = gammaln(0.5 * (nu + d)) - gammaln(0.5 * nu) - 0.5 * d * np.log(nu * np.pi)
        deviations = (u - self.means[:, np.newaxis]).mT
        squares = np.square(np.linalg.solve(self.factors, deviations)).sum(axis=1)
        diagonals = np.diagonal(self.factors, axis1=1, axis2=2)
        logs = np.log(self.weights) - np.log(diagonals).sum(axis=1)
        each = logs[:, np.newaxis] - 0.5 * (nu + d) * np.log1p(squares / nu)
        return np.asarray(logsumexp(each, axis=0) + constant)


class Target:
    """A posterior under the labelling of its modes.

    Attributes
    ----------
    problem : Problem
    modes : list of Mode
    regions : Regions
    """

    def __init__(self, problem: Problem, modes: list[Mode]) -> None:
        self.problem, self.modes = problem, modes
        self.regions = Regions(modes, problem.coordinates)

    def canonical(self, u: Array) -> Array:
        """Points under the labelling of their region's mode."""
        return self.regions.locate(u).u

    def log_density(self, u: Array) -> Array:
        """Log posterior density at points (T, size), minus infinity under other labels or axes."""
        values = np.full(len(u), -np.inf)
        for t in np.flatnonzero(self.regions.locate(u).own):
            values[t] = self.problem.log_density(u[t])[0]
        return np.where(np.isfinite(values), values, -np.inf)


def fit_proposal(
    target: Target, u: Array, priors: ResolvedPriors, rng: np.random.Generator
) -> StudentMixture:
    """A proposal for all modes, by adaptive importance sampling from chains that may have some.

    A mixture of three: one fitted to points of each mode's region; one of the modes' Laplace
    approximations; and one fitted to draws of which a component was left few rows or none, places
    that have no mode, or a flat one, and that chains visit rarely.

    Parameters
    ----------
    target : Target
    u : ndarray of shape (T, size)
        Draws of chains.
    priors : ResolvedPriors
    rng : Generator

    References
    ----------
    Cornuet, Marin, Mira and Robert (2012), Scandinavian Journal of Statistics 39, 798-812.
    """
    modes = target.modes
    laplace = StudentMixture(
        np.full(len(modes), 1.0 / len(modes)),
        np.array([each.u for each in modes]),
        np.linalg.cholesky(np.array([_INFLATION * each.covariance for each in modes])),
    )
    draws = target.canonical(u)
    small = _fitted(_with_small_component(target, draws, priors, rng), _OF_SMALL, rng)
    proposals = [_together(_FIRST, (_fitted(draws, _FITTED, rng), laplace, small))]
    points, densities = np.empty((0, u.shape[1])), np.empty(0)
    for _ in range(_ROUNDS):
        points = np.concatenate((points, proposals[-1].draw(_DRAWS, rng)))
        densities = np.append(densities, target.log_density(points[-_DRAWS:]))
        # All points so far are draws of the mixture of all proposals so far.
        proposed = logsumexp([each.log_density(points) for each in proposals], axis=0)
        weights = np.exp(densities - proposed - np.max(densities - proposed))
        fitted = _fitted_by_region(target, points, weights, rng)
        proposals.append(_together(_LATER, (fitted, laplace, small)))
    return proposals[-1]


def _fitted_by_region(
    target: Target, points: Array, weights: Array, rng: np.random.Generator
) -> StudentMixture:
    """A mixture fitted to the weighted points of each region, half of it shared equally.

    So small regions, too, are covered better than needed and not worse.
    """
    region = target.regions.locate(points).region
    parts, masses = [], []
    for m in range(len(target.modes)):
        here = np.flatnonzero((region == m) & (weights > 0.0))
        shares = weights[here] / weights[here].sum()
        effective = 1.0 / np.square(shares).sum() if len(here) else 0.0
        if effective >= _FEW:
            chosen = rng.choice(here, size=_OF_A_FIT, p=shares)
            components = _OF_REGION if effective >= _ENOUGH else 1
            parts.append(_fitted(points[chosen], components, rng))
            masses.append(weights[here].sum())
    if not parts:
        raise FitError("The draws of the chains are too few in the region of any mode.")
    shares = 0.5 * np.array(masses) / sum(masses) + 0.5 / len(masses)
    return _together(tuple(shares), tuple(parts))


def _together(shares: tuple[float, ...], parts: tuple[StudentMixture, ...]) -> StudentMixture:
    weights = [share * part.weights for share, part in zip(shares, parts, strict=True)]
    return StudentMixture(
        np.concatenate(weights),
        np.concatenate([part.means for part in parts]),
        np.concatenate([part.factors for part in parts]),
    )


def _fitted(u: Array, components: int, rng: np.random.Generator) -> StudentMixture:
    """A mixture of t distributions with the parameters of a Gaussian mixture, or a single one."""
    for k in (components, 1):
        fit = GaussianMixture(
            k, priors="default", init_params="k-means++", tol=1e-3, max_iter=30, random_state=rng
        )
        try:
            with warnings.catch_warnings():
                # A proposal need not be a maximum.
                warnings.simplefilter("ignore")
                mixture = fit.fit(u).mixture_
        except (FitError, InputError):
            continue
        factors = np.linalg.cholesky(_INFLATION * mixture.covariances)
        return StudentMixture(mixture.weights, mixture.means, factors)
    raise FitError("The draws of the chains do not differ in some direction.")


def _with_small_component(
    target: Target, u: Array, priors: ResolvedPriors, rng: np.random.Generator
) -> Array:
    """Draws of which two components are merged, the closer the likelier, and one is set free.

    Half of the free components have a weight as of no rows and a mean from the prior, the others a
    weight as of a few rows and a mean near a component. Covariances are those of others in a scale
    of their own.
    """
    frame = target.problem.coordinates
    chosen = u[rng.choice(len(u), size=_OF_A_FIT)]
    drawn = [target.problem.parameters(each) for each in chosen]
    weights, means, covariances, *outliers = (np.array(each) for each in zip(*drawn, strict=True))
    t = np.arange(_OF_A_FIT)
    first, second = np.triu_indices(frame.n_components, 1)
    distances = np.array(
        [bhattacharyya_distances(m, c, m, c) for m, c in zip(means, covariances, strict=True)]
    )[:, first, second]
    pair = (rng.gumbel(size=distances.shape) - distances).argmax(axis=1)
    kept, free = first[pair], second[pair]
    one = merged(
        *(np.array([each[t, kept], each[t, free]]) for each in (weights, means, covariances))
    )
    weights[t, kept], means[t, kept], covariances[t, kept] = one
    of = rng.integers(frame.n_components - 1, size=len(t))
    of += of >= free
    rows_of = rng.integers(_ROWS_OF_SMALL, size=len(t)) * (rng.random(len(t)) < 0.5)
    location, sd = (each[free] for each in priors.of_means())
    z = rng.standard_normal(location.shape)
    near = np.linalg.cholesky(covariances[t, of]) @ z[..., np.newaxis]
    near = means[t, of] + 1.5 * near[..., 0]
    far = location + sd * z
    means[t, free] = np.where(rows_of[:, np.newaxis] > 0, near, far)
    scale = np.exp(rng.standard_normal(len(t)) - (rows_of > 0))
    covariances[t, free] = covariances[t, of] * scale[:, np.newaxis, np.newaxis]
    concentration = np.array(priors.concentration)[free]
    weights[t, free] = (rng.standard_gamma(concentration) + rows_of) / target.problem.rows.total
    weights /= weights.sum(axis=1, keepdims=True)
    return target.canonical(frame.of_parameters(weights, means, covariances, *outliers))
