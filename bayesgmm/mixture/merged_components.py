"""Two components merged into one with the same moments."""

import numpy as np

from bayesgmm.arrays import Array


def merged(weights: Array, means: Array, covariances: Array) -> tuple[Array, Array, Array]:
    """Weight, mean and covariance of each of m pairs of components, taken together.

    Parameters
    ----------
    weights : ndarray of shape (2, m)
    means : ndarray of shape (2, m, D)
    covariances : ndarray of shape (2, m, D, D), or (2, m, D) variances

    Returns
    -------
    weights : ndarray of shape (m,)
    means : ndarray of shape (m, D)
    covariances : ndarray of shape (m, D, D) or (m, D)
        Within components and between them. A pair without weight counts half and half.
    """
    total = weights.sum(axis=0)
    share = np.divide(weights[1], total, out=np.full(len(total), 0.5), where=total > 0.0)
    apart = means[1] - means[0]
    full = covariances.ndim == 4
    between = apart[:, :, np.newaxis] * apart[:, np.newaxis] if full else apart * apart
    a = share.reshape(-1, *(1,) * (covariances.ndim - 2))
    within = (1.0 - a) * covariances[0] + a * covariances[1]
    return total, means[0] + share[:, np.newaxis] * apart, within + a * (1.0 - a) * between
