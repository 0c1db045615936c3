"""Starts of the chains: near maxima of the likelihood, overdispersed, with labels of their own."""

import warnings

import numpy as np
from numpy.typing import NDArray

from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import DegeneracyWarning, FitError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.posterior.initial_estimate import Estimate
from bayesgmm.priors.resolved_priors import ResolvedPriors

type Array = NDArray[np.float64]

# Starts are spread by this many standard deviations of a posterior of well separated components.
_OVERDISPERSION = 2.0
# Two maxima within this number of nats are one.
_SAME = 1e-2
_TRIES = 16
_KINDS = ("kmeans", "random_from_data", "k-means++", "random")


def distinct_maxima(
    x: Array, em: Estimate, structure: Structure, rng: np.random.Generator
) -> list[Mixture]:
    """EM's distinct maxima, the highest first.

    Parameters
    ----------
    x : ndarray of shape (n, D)
    em : Estimate
        The maximum that is already known; the others are of the same function.
    structure : Structure
    rng : Generator
    """
    best = em.mixture
    found = {em.log_likelihood: best}
    for turn, child in enumerate(rng.spawn(_TRIES)):
        fit = GaussianMixture(
            best.n_components,
            covariance_type=structure.code,
            init_params=_KINDS[turn % len(_KINDS)],
            random_state=child,
            priors=em.penalty,
        )
        try:
            with warnings.catch_warnings():
                # A degenerate maximum is not a useful start.
                warnings.simplefilter("error", DegeneracyWarning)
                fit.fit(x)
        except (DegeneracyWarning, FitError):
            continue
        if all(abs(fit.log_likelihood_ - known) > _SAME for known in found):
            found[fit.log_likelihood_] = fit.mixture_
    others = sorted((each for each in found if found[each] is not best), reverse=True)
    return [best, *(found[each] for each in others)]


def chain_starts(
    maxima: list[Mixture],
    n_rows: int,
    priors: ResolvedPriors,
    coordinates: Coordinates,
    chains: int,
    rng: np.random.Generator,
) -> Array:
    """Coordinates at which the chains begin, (chains, size).

    Chain c begins at maximum c mod len(maxima), its components in random order, moved by about two
    standard deviations of the posterior. Where priors differ between components, the order is that
    of the highest prior density: chains from others would stay at modes of little mass.
    """
    equal = priors.equal_for(range(priors.n_components))
    starts = np.empty((chains, coordinates.size))
    for chain, child in enumerate(rng.spawn(chains)):
        maximum = maxima[chain % len(maxima)]
        order = child.permutation(maximum.n_components) if equal else priors.best_order(maximum)
        mixture = maximum.permuted(order)
        starts[chain] = coordinates.of(mixture)
        starts[chain] += _spread(mixture, n_rows, coordinates) * child.standard_normal(
            coordinates.size
        )
    return starts


def _spread(mixture: Mixture, n_rows: int, coordinates: Coordinates) -> Array:
    """The standard deviation of a start in each coordinate: 2 / sqrt(N_k) component scales."""
    counts = np.maximum(n_rows * mixture.weights, 4.0)
    each = _OVERDISPERSION / np.sqrt(counts)
    scales = np.linalg.solve(coordinates.user_frame, np.linalg.cholesky(mixture.covariances))
    sizes = np.sqrt(np.square(scales).sum(axis=2))
    means = each[:, np.newaxis] * sizes
    factors = each / np.exp(np.log(sizes).mean(axis=1))
    if coordinates.groups < len(each):
        factors = np.array([_OVERDISPERSION / np.sqrt(n_rows)])
    blocks = np.repeat(np.minimum(factors, 0.5)[:, np.newaxis], coordinates.block, axis=1)
    return np.concatenate((each[:-1], means.ravel(), blocks.ravel()))
