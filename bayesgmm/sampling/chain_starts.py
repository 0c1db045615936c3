"""Starts of the chains: near maxima of the likelihood, overdispersed, with labels of their own."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.posterior.log_density import Problem

# Starts are spread by this many standard deviations of a posterior of well separated components.
_OVERDISPERSION = 2.0


def chain_starts(
    near: list[tuple[Array, ...]],
    problem: Problem,
    rng: np.random.Generator,
) -> Array:
    """Coordinates at which the chains begin, (chains, size).

    Chain c begins near the parameters c, its components in random order (within their groups),
    moved by about two standard deviations of the posterior.
    """
    coordinates, n_rows = problem.coordinates, problem.rows.total
    starts = np.empty((len(near), coordinates.size))
    for chain, (parameters, child) in enumerate(zip(near, rng.spawn(len(near)), strict=True)):
        order = coordinates.shuffled(child)
        moved = [each[order] if each.ndim else each for each in parameters]
        starts[chain] = coordinates.of_parameters(*moved)
        starts[chain] += _spread(Mixture(*moved[:3]), n_rows, coordinates) * child.standard_normal(
            coordinates.size
        )
    return starts


def _spread(mixture: Mixture, n_rows: float, coordinates: Coordinates) -> Array:
    """The standard deviation of a start in each coordinate: 2 / sqrt(N_k) component scales."""
    counts = np.maximum(n_rows * mixture.weights, 4.0)
    each = _OVERDISPERSION / np.sqrt(counts)
    scales = np.linalg.solve(coordinates.user_frame, np.linalg.cholesky(mixture.covariances))
    sizes = np.sqrt(np.square(scales).sum(axis=2))
    means = each[:, np.newaxis] * sizes
    factors = each / np.exp(np.log(sizes).mean(axis=1))
    own = np.repeat(np.minimum(factors, 0.5)[:, np.newaxis], coordinates.n_own, axis=1)
    shared = np.full(coordinates.n_shared, min(_OVERDISPERSION / np.sqrt(n_rows), 0.5))
    return coordinates.deviations(np.column_stack((each, means, own)), shared)
