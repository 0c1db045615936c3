"""Distances between components, within a mixture or between two mixtures."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.mixture.mixture import Mixture

# Distances and ratios of scales are cut here, far beyond where probabilities underflow: squares
# stay within float64.
FAR = 1e140
# The coefficient of two equal spheres with centres one standard deviation apart: above it, two
# components are barely distinguishable.
BARELY_DISTINGUISHABLE = 0.88


def bhattacharyya(mixture: Mixture) -> Array:
    """Bhattacharyya coefficients of the components, pair by pair.

    The integral of sqrt(phi_i phi_j): 1 for equal components, near 0 for components without
    overlap.

    Returns
    -------
    ndarray of shape (K, K)
        Symmetric, 1 on the diagonal.
    """
    own = mixture.means, mixture.covariances
    out = np.exp(-bhattacharyya_distances(*own, *own))
    np.fill_diagonal(out, 1.0)
    return np.asarray(np.minimum(out, out.T))


def bhattacharyya_distances(
    means: Array, covariances: Array, other_means: Array, other_covariances: Array
) -> Array:
    """Bhattacharyya distances of Gaussians, -log of the integral of sqrt(phi_i phi_j), nats.

    With S = (Sigma_i + Sigma_j) / 2 and m = mu_i - mu_j it is

        m' S^-1 m / 8 + log(det S / sqrt(det Sigma_i det Sigma_j)) / 2.

    The squared Hellinger distance is 1 - exp of minus it.

    Parameters
    ----------
    means : ndarray of shape (..., K, D)
    covariances : ndarray of shape (..., K, D, D)
        Positive definite.
    other_means : ndarray of shape (..., J, D)
    other_covariances : ndarray of shape (..., J, D, D)
        The leading axes of both sides broadcast.

    Returns
    -------
    ndarray of shape (..., K, J)
        At least 0.

    References
    ----------
    Kailath (1967), IEEE Trans. Communication Technology 15, 52-60, equation 9 and appendix.
    """
    # In each pair's own units, or determinants of small numbers would underflow.
    units, other_units = _deviations(covariances), _deviations(other_covariances)
    scale = np.maximum(units[..., :, np.newaxis, :], other_units[..., np.newaxis, :, :])
    sigma = _in_units(covariances[..., :, np.newaxis, :, :], scale)
    other = _in_units(other_covariances[..., np.newaxis, :, :, :], scale)
    middle = np.linalg.cholesky(0.5 * sigma + 0.5 * other)
    with np.errstate(over="ignore"):
        step = (means[..., :, np.newaxis, :] - other_means[..., np.newaxis, :, :]) / scale
    step = np.clip(step, -FAR, FAR)
    z = np.linalg.solve(middle, step[..., np.newaxis])[..., 0]
    diagonal = np.diagonal(middle, axis1=-2, axis2=-1)
    # log det of a component in a pair's units: its own, less what the units make of it.
    logs = (
        _log_det(covariances)[..., :, np.newaxis] + _log_det(other_covariances)[..., np.newaxis, :]
    )
    logs = logs - 4.0 * np.log(scale).sum(axis=-1)
    distances = np.square(z).sum(axis=-1) / 8.0 + np.log(diagonal).sum(axis=-1) - 0.25 * logs
    return np.asarray(np.maximum(distances, 0.0))


def _deviations(covariances: Array) -> Array:
    return np.sqrt(np.diagonal(covariances, axis1=-2, axis2=-1))


def _in_units(covariances: Array, scale: Array) -> Array:
    """Covariances divided by the scales of their rows and columns, one at a time."""
    return covariances / scale[..., np.newaxis, :] / scale[..., :, np.newaxis]


def _log_det(covariances: Array) -> Array:
    """Log determinants, formed in each component's own units."""
    units = _deviations(covariances)
    lower = np.linalg.cholesky(_in_units(covariances, units))
    diagonal = units * np.diagonal(lower, axis1=-2, axis2=-1)
    return np.asarray(2.0 * np.log(diagonal).sum(axis=-1))
