"""Where EM begins in one cell of a grid, made from the optimum of a neighbouring cell.

A mixture of one structure becomes one of another by its M-step, one of K components one of K + 1 or
K - 1 by dividing one or putting two together (Ueda, Nakano, Ghahramani & Hinton 2000, Neural
Computation 12, 2109-2128). Such starts end at the best optimum several times as often as k-means.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.mixture.merged_components import merged

type Array = NDArray[np.float64]

# The two halves of a normal distribution: their means, in standard deviations from the centre, and
# the variance that lies between them.
_HALF_MEAN, _BETWEEN_HALVES = np.sqrt(2.0 / np.pi), 2.0 / np.pi


def as_member(
    structure: Structure, n: float, weights: Array, means: Array, covariances: Array
) -> Parameters | None:
    """The mixture of a structure that the M-step makes of n rows in these components.

    Full covariances (K, D, D) serve a diagonal structure too. None if one is singular.
    """
    if structure.diagonal and covariances.ndim == 3:
        covariances = np.einsum("kii->ki", covariances)
    counts = n * weights
    sizes = counts.reshape(-1, *(1,) * (covariances.ndim - 1))
    try:
        return Parameters(weights, means, structure.about(counts, sizes * covariances))
    except SingularCovarianceError:
        return None


def divided(
    structure: Structure, parameters: Parameters, statistics: Statistics, metric: Array | None
) -> Iterator[Parameters]:
    """Each component in turn as two halves, across the direction in which its rows spread most.

    Parameters
    ----------
    statistics : Statistics
        Of a pass at `parameters`: its second moments say how rows spread where a structure does
        not.
    metric : ndarray of shape (D, D) or None
        Lower Cholesky factor of the covariance that lengths are measured by; None for the identity.
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
    halves = own - _BETWEEN_HALVES * between
    for j in range(k):
        shares = np.append(weights, 0.5 * weights[j])
        shares[j] *= 0.5
        centres = np.concatenate((means, means[j : j + 1] + _HALF_MEAN * along[j]))
        centres[j] -= _HALF_MEAN * along[j]
        twice = np.concatenate((own, halves[j : j + 1]))
        twice[j] = halves[j]
        made = as_member(structure, statistics.weight, shares, centres, twice)
        if made is not None:
            yield made


def joined(
    structure: Structure, parameters: Parameters, n: float, most: int
) -> Iterator[Parameters]:
    """Two components put together: the pairs by which the classification loses least."""
    weights, means, covariances = parameters
    k = len(weights)
    if k < 2:
        return
    first, second = np.tril_indices(k, -1)
    pairs = np.array([first, second])
    total, centres, together = merged(weights[pairs], means[pairs], covariances[pairs])
    own = weights * (0.5 * _log_determinants(covariances) - np.log(weights))
    loss = total * (0.5 * _log_determinants(together) - np.log(total)) - own[first] - own[second]
    for pair in np.argsort(loss, kind="stable")[:most]:
        keep = np.delete(np.arange(k), (first[pair], second[pair]))
        made = as_member(
            structure,
            n,
            np.append(weights[keep], total[pair]),
            np.concatenate((means[keep], centres[pair : pair + 1])),
            np.concatenate((covariances[keep], together[pair : pair + 1])),
        )
        if made is not None:
            yield made


def _log_determinants(covariances: Array) -> Array:
    if covariances.ndim == 2:
        return np.asarray(np.log(covariances).sum(axis=1))
    return np.asarray(np.linalg.slogdet(covariances)[1])
