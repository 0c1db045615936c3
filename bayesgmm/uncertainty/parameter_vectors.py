"""The parameters of a mixture as one list: natural ones, and those that tables show."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.coercion import column_names
from bayesgmm.mixture.mixture import Mixture


@lru_cache(maxsize=16)
def lower_triangle(d: int, highest: int = 0) -> tuple[Indices, Indices]:
    """Rows and columns of the entries of a lower triangle, row by row; read-only."""
    found = np.tril_indices(d, highest)
    for each in found:
        each.flags.writeable = False
    return found


def flatten(weights: Array, means: Array, covariances: Array) -> Array:
    """Weights, means and lower triangles of covariances as one vector (P,)."""
    rows, columns = lower_triangle(means.shape[1])
    return np.concatenate((weights, means.ravel(), covariances[:, rows, columns].ravel()))


def unflatten(numbers: Array, k: int, d: int) -> tuple[Array, Array, Array]:
    """The inverse of `flatten`."""
    weights, means, entries = np.split(numbers, [k, k + k * d])
    rows, columns = lower_triangle(d)
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
    return tuple(_names(mixture, ("mean",), "covariance", 0))


def _names(mixture: Mixture, of_features: Sequence[str], of_pairs: str, highest: int) -> list[str]:
    """Names of weights, of numbers of each feature, and of pairs up to the `highest` diagonal."""
    components = mixture.component_words
    features = column_names(mixture.feature_names, mixture.n_features)
    rows, columns = lower_triangle(len(features), highest)
    pairs = [f"{features[r]}, {features[c]}" for r, c in zip(rows, columns, strict=True)]
    return [
        *(f"weight[{j}]" for j in components),
        *(f"{kind}[{j}, {name}]" for kind in of_features for j in components for name in features),
        *(f"{of_pairs}[{j}, {pair}]" for j in components for pair in pairs),
    ]


def reported(mixture: Mixture) -> tuple[list[str], Array]:
    """Names and values of weights, means, standard deviations and correlations."""
    names = _names(mixture, ("mean", "sd"), "correlation", -1)
    return names, quantities(mixture.weights, mixture.means, mixture.covariances)


def quantities(weights: Array, means: Array, covariances: Array) -> Array:
    """Weights, means, standard deviations and correlations as one vector, in the last axis.

    Of weights (..., K), means (..., K, D) and covariances (..., K, D, D).
    """
    deviations = np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))
    scale = deviations[..., :, np.newaxis] * deviations[..., np.newaxis, :]
    rows, columns = lower_triangle(means.shape[-1], -1)
    parts = (weights, means, deviations, (covariances / scale)[..., rows, columns])
    return np.concatenate([each.reshape(*weights.shape[:-1], -1) for each in parts], axis=-1)
