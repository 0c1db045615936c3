"""Observed information and the outer products of the rows' scores, in one pass.

In coordinates of component k in which its Gaussian is standard,

    w_k,   a with mu_k + L_k a,   E symmetric with L_k (I + E) L_k',        L_k L_k' = Sigma_k,

and with z = L_k^-1 (x - mu_k), the derivatives of l_k = log w_k N(x | mu_k, Sigma_k) are

    f_k = (1 / w_k,  z,  (z z' - I) / 2)

and second ones -1 / w_k^2 (w, w), -I (a, a), -E z (a, E), tr(E E') / 2 - z' E E' z (E, E').
The row's score is g = (r_1 f_1, ..., r_K f_K), and its second derivative (Louis 1982, equation 3.2)

    sum_k r_k (second derivatives of l_k + f_k f_k') - g g'.

Of rows seen in part, or through noise, z is the expectation given what was observed, and I becomes
the row's own matrix G (`information.hpp`): their second derivatives are summed in the pass.

The sums over rows of r_k f_k f_k' and of g g' are computed in addition to the statistics of
every pass; the sandwich estimate needs the second sum, too. Rows are taken a block at a time, and
arrays of n rows are not made.

References
----------
Louis, T. A. (1982), JRSS B 44, 226-233. Boldea and Magnus (2009), JASA 104, 1539-1549, theorem 1.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import block_diag

from bayesgmm.arrays import Array, Integers
from bayesgmm.core import native
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError, SingularCovarianceError
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise


@dataclass(frozen=True, slots=True, eq=False)
class Information:
    """Second derivatives of a log-likelihood, and first ones, in a mixture's own coordinates.

    Coordinates are ordered by component: w_k, a (D), and E's lower triangle by rows, q in all. The
    coordinate of an entry off the diagonal stands for both of E's entries.

    Attributes
    ----------
    roots : ndarray of shape (K, D, D)
        L_k, lower triangular, in the data's units.
    gradient : ndarray of shape (K q,)
        Of the log-likelihood, weights as if they were free. With noise, (K q + 1,), the last for
        its weight.
    hessian, products : ndarray of shape (K q, K q)
        Second derivatives of the log-likelihood, and the sum of v_b g_b g_b'; with noise,
        (K q + 1, K q + 1).
    counts : ndarray of shape (K,)
        N_k.
    """

    roots: Array
    gradient: Array
    hessian: Array
    products: Array
    counts: Array


def information(
    x: Array,
    mixture: Mixture,
    row_weights: Array | None = None,
    errors: Array | None = None,
    labels: Integers | None = None,
    noise: Noise | None = None,
    *,
    classes: Integers | None = None,
) -> Information:
    """Second derivatives of the log-likelihood of rows at a mixture, by one pass.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered; NaN where an entry was not seen.
    mixture : Mixture
        Weights greater than 0.
    row_weights : ndarray of shape (n,), optional
        The number of times that each row counts.
    errors : ndarray, optional
        Variances or covariances of the rows' errors, as in `Data`.
    labels : ndarray of shape (n,), optional
        Components of rows, -1 where unknown.
    classes : ndarray of shape (K,), optional
        The label of each component, where that is not its number.
    noise : Noise, optional
        Then weights are those among the rows that are not noise, and a last coordinate is the
        weight of noise.

    Raises
    ------
    SingularCovarianceError
        If a covariance is singular to rounding.
    InputError
        If float64 does not hold the sums.
    """
    k, d = mixture.means.shape
    q = 1 + d + d * (d + 1) // 2
    shift, scale = mixture.mean(), np.sqrt(np.diagonal(mixture.covariance()))
    means = (mixture.means - shift) / scale
    covariances = mixture.covariances / scale / scale[:, np.newaxis]
    data = Data(x, None, errors=errors, labels=labels)
    rows = replace(Rows.of(data, row_weights, shift, 1.0 / scale, noise=noise), classes=classes)
    weights = mixture.weights if noise is None else (1.0 - noise.weight) * mixture.weights
    bad, sums = native.information_sums(*rows.arguments, weights, means, covariances)
    if bad:
        raise SingularCovarianceError(bad - 1)
    if not np.isfinite(sums).all():
        raise InputError(
            "Rows lie so far from a component, in its standard deviations, that second derivatives "
            "are beyond float64. Use method='bootstrap'."
        )
    moments = _mirrored(sums[: k * q * q].reshape(k, q, q))
    m = k * q + (noise is not None)
    end = k * q * q + m**2
    products = _mirrored(sums[k * q * q : end].reshape(m, m))
    if end < sums.size:
        seconds = moments + _mirrored(sums[end:].reshape(k, q, q))
        gradient = (moments[:, :, 0] * mixture.weights[:, np.newaxis]).ravel()
        hessian = block_diag(*seconds)
    else:
        gradient, hessian = _derivatives(moments, mixture.weights, d)
    if noise is not None:
        # Sums of r f are the gradient's; log(1 - w) of all components has -1 / (1 - w) with each.
        cross = -gradient / (1.0 - noise.weight)
        hessian = np.block([[hessian, cross[:, np.newaxis]], [cross, 0.0]])
        rest = moments[:, 0, 0] @ mixture.weights**2
        total = float(len(x)) if row_weights is None else float(row_weights.sum())
        slope = (total - rest) / noise.weight - rest / (1.0 - noise.weight)
        gradient = np.append(gradient, slope)
    hessian -= products
    counts = moments[:, 0, 0] * mixture.weights**2
    return Information(roots_of(mixture), gradient, hessian, products, counts)


def roots_of(mixture: Mixture) -> Array:
    """Cholesky factors (K, D, D) of the covariances, formed in the scales of the mixture."""
    scale = np.sqrt(np.diagonal(mixture.covariance()))
    covariances = mixture.covariances / scale / scale[:, np.newaxis]
    return np.asarray(np.linalg.cholesky(covariances) * scale[:, np.newaxis])


def _mirrored(lower: Array) -> Array:
    """Symmetric matrices from their lower triangles."""
    return np.tril(lower) + np.tril(lower, -1).mT


def _derivatives(moments: Array, weights: Array, d: int) -> tuple[Array, Array]:
    """Sums over rows of r f (K q,) and of r (f f' + second derivatives of l) (K q, K q)."""
    k, q, _ = moments.shape
    # f begins with 1 / w, so that the first column of sum r f f' is sum r f / w.
    gradient = moments[:, :, 0] * weights[:, np.newaxis]
    counts = gradient[:, 0] * weights
    basis = symmetric_basis(d)
    hessian = np.zeros((k * q, k * q))
    for j in range(k):
        block = moments[j].copy()
        block[0, 0] -= counts[j] / weights[j] ** 2
        at = slice(1, 1 + d), slice(1 + d, q)
        block[at[0], at[0]] -= counts[j] * np.eye(d)
        cross = basis @ gradient[j, at[0]]
        block[at[1], at[0]] -= cross
        block[at[0], at[1]] -= cross.T
        # Sum of r z z', from coordinates that are half of r (z z' - I) on the diagonal alone.
        seconds = np.einsum("e,eij->ij", gradient[j, at[1]], basis)
        seconds += np.diag(np.diagonal(seconds)) + counts[j] * np.eye(d)
        quadratic = np.einsum("eij,fij->ef", basis @ seconds, basis)
        traces = 0.5 * counts[j] * np.einsum("eij,fij->ef", basis, basis)
        block[at[1], at[1]] += traces - 0.5 * (quadratic + quadratic.T)
        hessian[j * q : (j + 1) * q, j * q : (j + 1) * q] = block
    return gradient.ravel(), hessian


def symmetric_basis(n_features: int) -> Array:
    """Symmetric matrices (D (D + 1) / 2, D, D), one for each entry of the lower triangle by rows.

    A coordinate off the diagonal stands for both of its entries.
    """
    rows, columns = np.tril_indices(n_features)
    basis = np.zeros((len(rows), n_features, n_features))
    each = np.arange(len(rows))
    basis[each, rows, columns] = basis[each, columns, rows] = 1.0
    return basis
