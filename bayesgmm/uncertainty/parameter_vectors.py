"""The parameters of a mixture as one list: natural ones, and those that tables show."""

from collections.abc import Sequence

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.mixture.mixture import Mixture


def flatten(weights: Array, means: Array, covariances: Array) -> Array:
    """Weights, means and lower triangles of covariances as one vector (P,)."""
    rows, columns = np.tril_indices(means.shape[1])
    return np.concatenate((weights, means.ravel(), covariances[:, rows, columns].ravel()))


def unflatten(numbers: Array, k: int, d: int) -> tuple[Array, Array, Array]:
    """The inverse of `flatten`."""
    weights, means, entries = np.split(numbers, [k, k + k * d])
    rows, columns = np.tril_indices(d)
    covariances = np.empty((k, d, d))
    covariances[:, rows, columns] = covariances[:, columns, rows] = entries.reshape(k, -1)
    return weights, means.reshape(k, d), covariances


def joint_units(mixture: Mixture) -> Array:
    """Powers of two (P,) in which all weights, means and covariances are of moderate size."""
    scale = parameter_units(mixture)
    shape = mixture.covariances.shape
    scales = np.broadcast_to(scale * scale[:, np.newaxis], shape)
    return flatten(np.ones(shape[0]), np.broadcast_to(scale, mixture.means.shape), scales)


def parameter_units(mixture: Mixture) -> Array:
    """Each feature's largest standard deviation, rounded to a power of two, (D,)."""
    _, exponents = np.frexp(np.sqrt(mixture.variances.max(axis=0)))
    return np.ldexp(1.0, exponents)


def parameter_names(mixture: Mixture) -> tuple[str, ...]:
    """Names of weights, means and lower triangles of covariances, as `flatten` orders them."""
    k, d = mixture.means.shape
    features = feature_words(mixture)
    pairs = _pairs(d, 0)
    return (
        *(f"weight[{j}]" for j in range(k)),
        *(f"mean[{j}, {name}]" for j in range(k) for name in features),
        *(f"covariance[{j}, {features[r]}, {features[c]}]" for j in range(k) for r, c in pairs),
    )


def _pairs(n_features: int, highest: int) -> list[tuple[int, int]]:
    rows, columns = np.tril_indices(n_features, highest)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def feature_words(mixture: Mixture) -> Sequence[str]:
    """The features' names, or x0, x1, ..."""
    return mixture.feature_names or [f"x{j}" for j in range(mixture.n_features)]


def reported(mixture: Mixture) -> tuple[list[str], Array]:
    """Names and values of weights, means, standard deviations and correlations."""
    k, d = mixture.means.shape
    features = feature_words(mixture)
    pairs = _pairs(d, -1)
    names = [
        *(f"weight[{j}]" for j in range(k)),
        *(f"mean[{j}, {name}]" for j in range(k) for name in features),
        *(f"sd[{j}, {name}]" for j in range(k) for name in features),
        *(f"correlation[{j}, {features[r]}, {features[c]}]" for j in range(k) for r, c in pairs),
    ]
    return names, quantities(mixture.weights, mixture.means, mixture.covariances)


def quantities(weights: Array, means: Array, covariances: Array) -> Array:
    """Weights, means, standard deviations and correlations as one vector, in the last axis.

    Of weights (..., K), means (..., K, D) and covariances (..., K, D, D).
    """
    deviations = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    scale = deviations[..., :, np.newaxis] * deviations[..., np.newaxis, :]
    rows, columns = np.tril_indices(means.shape[-1], -1)
    correlations = (covariances / scale)[..., rows, columns]
    lead = weights.shape[:-1]
    size = [weights.shape[-1], *[int(np.prod(each.shape[-2:])) for each in (means, deviations)]]
    size.append(int(np.prod(correlations.shape[-2:])))
    parts = zip((weights, means, deviations, correlations), size, strict=True)
    return np.concatenate([part.reshape(*lead, width) for part, width in parts], axis=-1)
