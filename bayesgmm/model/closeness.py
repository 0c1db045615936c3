"""How near the components of a mixture are to one another."""

import numpy as np
from numpy.typing import NDArray

from bayesgmm.model.mixture import Mixture

type Array = NDArray[np.float64]


def bhattacharyya(mixture: Mixture) -> Array:
    """Bhattacharyya coefficients of the components, pair by pair.

    The integral of sqrt(phi_i phi_j): 1 for equal components, near 0 for ones that share no
    ground. With S = (Sigma_i + Sigma_j) / 2 and m = mu_i - mu_j it is

        exp(-m' S^-1 m / 8 - log(det S / sqrt(det Sigma_i det Sigma_j)) / 2).

    Returns
    -------
    ndarray of shape (K, K)
        Symmetric, 1 on the diagonal.

    References
    ----------
    Kailath (1967), IEEE Trans. Communication Technology 15, 52-60, equation 9 and appendix.
    """
    k, _ = mixture.means.shape
    out = np.eye(k)
    # In each pair's own units, or determinants of small numbers would underflow.
    unit = np.sqrt(np.diagonal(mixture.covariances, axis1=1, axis2=2))
    for i in range(k):
        for j in range(i):
            scale = np.maximum(unit[i], unit[j])
            pair = mixture.covariances[[i, j]] / scale / scale[:, np.newaxis]
            middle = np.linalg.cholesky(pair.mean(axis=0))
            z = np.linalg.solve(middle, (mixture.means[i] - mixture.means[j]) / scale)
            logs = np.linalg.slogdet(pair)[1]
            distance = z @ z / 8.0 + np.log(np.diagonal(middle)).sum() - 0.25 * logs.sum()
            out[i, j] = out[j, i] = np.exp(-distance)
    return out
