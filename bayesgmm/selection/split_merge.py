"""Starts for a candidate model, made from the maximum of a neighbouring one.

The neighbours are the same K under another covariance structure (one M-step), and K ± 1 after
splitting one component or merging two (Ueda, Nakano, Ghahramani & Hinton 2000, Neural Computation
12, 2109-2128). Such starts reach the best maximum several times as often as k-means.
"""

from collections.abc import Iterator, Sequence
from itertools import batched

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.em.loop import together
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.mixture.merged_components import merged

# Means of the two halves of a standard normal, without sign, and the variance between them.
_HALF_MEAN, _BETWEEN_HALVES = np.sqrt(2.0 / np.pi), 2.0 / np.pi


def projected(
    structure: Structure, counts: Array, weights: Array, means: Array, covariances: Array
) -> list[Parameters]:
    """Project mixtures onto a structure, by the M-step for these counts; without singular ones.

    Arrays have a leading axis, of mixtures. Full covariances may be projected onto a diagonal
    structure.
    """
    if structure.diagonal and covariances.ndim == 4:
        covariances = np.einsum("skii->ski", covariances)
    sizes = counts.reshape(*counts.shape, *(1,) * (covariances.ndim - 2))
    found, own = structure.about_each(counts, sizes * covariances)
    return [Parameters(weights[i], means[i], own[i]) for i in np.flatnonzero(found)]


def splits(
    structure: Structure, parameters: Parameters, statistics: Statistics, metric: Array | None
) -> Iterator[Parameters]:
    """Split each component in turn into halves, across the direction of its largest variance.

    Parameters
    ----------
    statistics : Statistics
        At `parameters`. The second moments supply the variances, which the structure may constrain.
    metric : ndarray of shape (D, D) or None
        Lower Cholesky factor of the covariance that defines lengths; None for the identity.
    """
    weights, means, covariances = parameters
    k, d = means.shape
    sizes = statistics.counts.reshape(-1, *(1,) * (covariances.ndim - 1))
    own = statistics.seconds / sizes
    if own.ndim == 2:
        longest = own.argmax(axis=1)
        along = np.zeros((k, d))
        along[np.arange(k), longest] = np.sqrt(own[np.arange(k), longest])
        between = along * along
    else:
        spread = own
        if metric is not None:
            half = np.linalg.solve(metric, spread)
            spread = np.linalg.solve(metric, half.mT)
        values, vectors = np.linalg.eigh(0.5 * (spread + spread.mT))
        along = vectors[:, :, -1] * np.sqrt(np.maximum(values[:, -1:], 0.0))
        if metric is not None:
            along = along @ metric.T
        between = along[:, :, np.newaxis] * along[:, np.newaxis]
    halves, steps = own - _BETWEEN_HALVES * between, _HALF_MEAN * along
    for some in batched(range(k), together(own.size)):
        shares = _each_twice(some, weights, 0.5 * weights, 0.5 * weights)
        yield from projected(
            structure,
            statistics.weight * shares,
            shares,
            _each_twice(some, means, means - steps, means + steps),
            _each_twice(some, own, halves, halves),
        )


def _each_twice(some: Sequence[int], values: Array, first: Array, second: Array) -> Array:
    """Values of K components, for each of some: it is `first` there, and the last is `second`."""
    out = np.empty((len(some), len(values) + 1, *values.shape[1:]))
    out[:, :-1] = values
    out[range(len(some)), some], out[:, -1] = first[list(some)], second[list(some)]
    return out


def merges(structure: Structure, parameters: Parameters, n: float, most: int) -> list[Parameters]:
    """Merge two components: the `most` pairs of least loss in classification likelihood."""
    weights, means, covariances = parameters
    k = len(weights)
    if k < 2:
        return []
    first, second = np.tril_indices(k, -1)
    pairs = np.array([first, second])
    joined = merged(weights[pairs], means[pairs], covariances[pairs])
    own = weights * (0.5 * _log_determinants(covariances) - np.log(weights))
    total, _, spread = joined
    loss = total * (0.5 * _log_determinants(spread) - np.log(total)) - own[first] - own[second]
    chosen = np.argsort(loss, kind="stable")[:most]
    # The components that stay beside each pair, which comes after them.
    others = np.full((len(chosen), k), True)
    np.put_along_axis(others, pairs[:, chosen].T, False, axis=1)
    stay = np.nonzero(others)[1].reshape(len(chosen), k - 2)
    shares, *rest = (
        np.concatenate((of_each[stay], of_pairs[chosen, np.newaxis]), axis=1)
        for of_each, of_pairs in zip(parameters, joined, strict=True)
    )
    return projected(structure, n * shares, shares, *rest)


def _log_determinants(covariances: Array) -> Array:
    if covariances.ndim == 2:
        return np.asarray(np.log(covariances).sum(axis=1))
    return np.asarray(np.linalg.slogdet(covariances)[1])
