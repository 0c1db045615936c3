"""Starts for a candidate model, made from the maximum of a neighbouring one.

The neighbours are the same K under another covariance structure (one M-step), and K ± 1 after
splitting one component or merging two (Ueda, Nakano, Ghahramani & Hinton 2000, Neural Computation
12, 2109-2128). Such starts reach the best maximum several times as often as k-means.
"""

from collections.abc import Iterator

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.mixture.merged_components import merged

# Means of the two halves of a standard normal, without sign, and the variance between them.
_HALF_MEAN, _BETWEEN_HALVES = np.sqrt(2.0 / np.pi), 2.0 / np.pi


def projected(
    structure: Structure, n: float, weights: Array, means: Array, covariances: Array
) -> Parameters | None:
    """Project a mixture onto a structure, by the M-step for n rows; None if that is singular.

    Full covariances (K, D, D) may be projected onto a diagonal structure.
    """
    if structure.diagonal and covariances.ndim == 3:
        covariances = np.einsum("kii->ki", covariances)
    counts = n * weights
    sizes = counts.reshape(-1, *(1,) * (covariances.ndim - 1))
    try:
        return Parameters(weights, means, structure.about(counts, sizes * covariances))
    except SingularCovarianceError:
        return None


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
    halves = own - _BETWEEN_HALVES * between
    for j in range(k):
        shares = np.append(weights, 0.5 * weights[j])
        shares[j] *= 0.5
        centres = np.concatenate((means, means[j : j + 1] + _HALF_MEAN * along[j]))
        centres[j] -= _HALF_MEAN * along[j]
        twice = np.concatenate((own, halves[j : j + 1]))
        twice[j] = halves[j]
        made = projected(structure, statistics.weight, shares, centres, twice)
        if made is not None:
            yield made


def merges(
    structure: Structure, parameters: Parameters, n: float, most: int
) -> Iterator[Parameters]:
    """Merge two components: the `most` pairs of least loss in classification likelihood."""
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
        made = projected(
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
