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
from bayesgmm.sampling.mode_regions import locate
from bayesgmm.sampling.posterior_modes import Mode

# Degrees of freedom of the t distributions, and the factor of fitted covariances.
_NU, _INFLATION = 5.0, 1.3
# Components that are fitted to draws of all modes, and to those with an empty component.
_FITTED, _OF_EMPTY = 10, 6
# Rounds of drawing, weighting and fitting, and the draws of each; draws with an empty component.
_ROUNDS, _DRAWS, _EMPTY_DRAWS = 3, 4000, 600
# Shares of the fitted mixture, of the modes and of empty components.
_FIRST, _LATER = (0.5, 0.3, 0.2), (0.8, 0.1, 0.1)


@dataclass(frozen=True, slots=True, eq=False)
class StudentMixture:
    """A mixture of multivariate t distributions.

    Attributes
    ----------
    weights : ndarray of shape (J,)
    means : ndarray of shape (J, size)
    factors : ndarray of shape (J, size, size)
        Cholesky factors of the scale matrices.
    """

    weights: Array
    means: Array
    factors: Array

    def draw(self, n: int, rng: np.random.Generator) -> Array:
        """Draw n points, (n, size)."""
        of = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.means.shape[1]))
        z /= np.sqrt(rng.chisquare(_NU, size=(n, 1)) / _NU)
        for j, factor in enumerate(self.factors):
            z[of == j] = z[of == j] @ factor.T
        return np.asarray(self.means[of] + z)

    def log_density(self, u: Array) -> Array:
        """Log density at points (T, size), (T,)."""
        d = u.shape[1]
        constant = gammaln(0.5 * (_NU + d)) - gammaln(0.5 * _NU) - 0.5 * d * np.log(_NU * np.pi)
        each = np.empty((len(self.weights), len(u)))
        for j, (mean, factor) in enumerate(zip(self.means, self.factors, strict=True)):
            squares = np.square((u - mean) @ np.linalg.inv(factor).T).sum(axis=1)
            each[j] = -0.5 * (_NU + d) * np.log1p(squares / _NU)
            each[j] -= np.log(np.diagonal(factor)).sum()
        return np.asarray(logsumexp(each + np.log(self.weights)[:, np.newaxis], axis=0) + constant)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A posterior under the labelling of its modes.

    Attributes
    ----------
    problem : Problem
    modes : list of Mode
    """

    problem: Problem
    modes: list[Mode]

    def canonical(self, u: Array) -> Array:
        """Points under the labelling of their region's mode."""
        return locate(u, self.modes, self.problem.coordinates).u

    def log_density(self, u: Array) -> Array:
        """Log posterior density at points (T, size), minus infinity under other labels or axes."""
        values = np.full(len(u), -np.inf)
        for t in np.flatnonzero(locate(u, self.modes, self.problem.coordinates).own):
            values[t] = self.problem.log_density(u[t])[0]
        return np.where(np.isfinite(values), values, -np.inf)


def fit_proposal(
    target: Target, u: Array, priors: ResolvedPriors, rng: np.random.Generator
) -> StudentMixture:
    """A proposal for all modes, by adaptive importance sampling from chains that may have some.

    A mixture of three: one fitted to draws, one of the modes' Laplace approximations, and one that
    is fitted to draws of which a component was made empty, a region that has no mode and that
    chains visit rarely.

    Parameters
    ----------
    target : Target
    u : ndarray of shape (T, size)
        Draws of chains.
    priors : ResolvedPriors
    rng : Generator

    References
    ----------
    Cappé, Douc, Guillin, Marin and Robert (2008), Statistics and Computing 18, 447-459.
    """
    modes = target.modes
    laplace = StudentMixture(
        np.full(len(modes), 1.0 / len(modes)),
        np.array([each.u for each in modes]),
        np.linalg.cholesky(np.array([_INFLATION * each.covariance for each in modes])),
    )
    draws = target.canonical(u)
    empty = _fitted(_with_empty_component(target, draws, priors, rng), _OF_EMPTY, rng)
    proposal = _together(_FIRST, (_fitted(draws, _FITTED, rng), laplace, empty))
    for _ in range(_ROUNDS):
        points = proposal.draw(_DRAWS, rng)
        weights = target.log_density(points) - proposal.log_density(points)
        shares = _with_equal_modes(target, points, np.exp(weights - weights.max()))
        chosen = points[rng.choice(_DRAWS, size=_DRAWS, p=shares)]
        proposal = _together(_LATER, (_fitted(chosen, _FITTED, rng), laplace, empty))
    return proposal


def _with_equal_modes(target: Target, points: Array, weights: Array) -> Array:
    """Weights of which half are shared by the modes' regions equally.

    A proposal fitted to them covers small modes, too, better than needed and not worse.
    """
    region = locate(points, target.modes, target.problem.coordinates).region
    masses = np.bincount(region, weights, minlength=len(target.modes))
    equal = np.divide(weights, masses[region], out=np.zeros_like(weights), where=weights > 0.0)
    return np.asarray(0.5 * (weights / weights.sum() + equal / equal.sum()))


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


def _with_empty_component(
    target: Target, u: Array, priors: ResolvedPriors, rng: np.random.Generator
) -> Array:
    """Draws of which two components are merged, the closer the likelier, and one is set free.

    The free component has a mean from its prior, a covariance near that of another component, and
    a weight as of a component without rows.
    """
    frame = target.problem.coordinates
    chosen = u[rng.choice(len(u), size=_EMPTY_DRAWS)]
    drawn = [target.problem.parameters(each) for each in chosen]
    weights, means, covariances, *outliers = (np.array(each) for each in zip(*drawn, strict=True))
    t = np.arange(_EMPTY_DRAWS)
    first, second = np.triu_indices(frame.n_components, 1)
    distances = np.array(
        [bhattacharyya_distances(m, c, m, c) for m, c in zip(means, covariances, strict=True)]
    )[:, first, second]
    pair = (rng.gumbel(size=distances.shape) - distances).argmax(axis=1)
    kept, free = first[pair], second[pair]
    one = merged(
        *(np.array([each[t, kept], each[t, free]]) for each in (weights, means, covariances))
    )
    covariances[t, free] = covariances[t, rng.integers(frame.n_components, size=len(t))]
    covariances[t, free] *= np.exp(rng.standard_normal(len(t)))[:, np.newaxis, np.newaxis]
    location, sd = np.array(priors.mean_location), np.array(priors.mean_sd)
    weights[t, kept], means[t, kept], covariances[t, kept] = one
    means[t, free] = location + sd * rng.standard_normal((len(t), len(sd)))
    concentration = np.array(priors.concentration)[free]
    weights[t, free] = rng.standard_gamma(concentration) / target.problem.rows.total
    weights /= weights.sum(axis=1, keepdims=True)
    return target.canonical(frame.of_parameters(weights, means, covariances, *outliers))
