"""From covariances to what the kernel wants: inverse Cholesky factors and constants."""

import math

import numpy as np

from bayesgmm.model.compile import jit
from bayesgmm.model.loops import assign

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
# A pivot below this share of its variance is rounding: the covariance has no rank there.
_SINGULAR = 8.0 * float(np.finfo(np.float64).eps)


@jit
def factor_dense(weights, means, covariances, constants, factors, offsets):
    """Fill constants (K,), factors P (K, D, D) and offsets -P mu (K, D) from Sigma = (P'P)^-1.

    Returns 0, or 1 + the index of the first component whose covariance is not positive definite.
    """
    n_components, d = means.shape
    row = np.empty(d)
    for k in range(n_components):
        p = factors[k]
        half_log_det = 0.0
        for i in range(d):
            # Row i of the Cholesky factor L, from the rows of L above; those are still in p.
            for j in range(i):
                s = covariances[k, i, j]
                for m in range(j):
                    s -= p[i, m] * p[j, m]
                p[i, j] = s / p[j, j]
            variance = covariances[k, i, i]
            s = variance
            for m in range(i):
                s -= p[i, m] * p[i, m]
            if not s > _SINGULAR * d * variance:
                return k + 1
            p[i, i] = math.sqrt(s)
            half_log_det += math.log(p[i, i])
        for i in range(d):
            # Row i of P = L^-1: -(row i of L) P / L_ii, 1 / L_ii on the diagonal.
            inverse = 1.0 / p[i, i]
            for j in range(i):
                row[j] = 0.0
            for m in range(i):
                for j in range(m + 1):
                    row[j] += p[i, m] * p[m, j]
            offset = 0.0
            for j in range(i):
                p[i, j] = -row[j] * inverse
                offset -= p[i, j] * means[k, j]
            p[i, i] = inverse
            offsets[k, i] = offset - inverse * means[k, i]
            for j in range(i + 1, d):
                p[i, j] = 0.0
        constants[k] = math.log(weights[k]) - half_log_det - d * _HALF_LOG_2_PI
    return 0


@jit
def factor_diagonal(weights, means, variances, constants, factors, offsets):
    """As `factor_dense` for variances (K, D); factors are 1 / standard deviation."""
    n_components, d = means.shape
    for k in range(n_components):
        half_log_det = 0.0
        for j in range(d):
            variance = variances[k, j]
            if not variance > 0.0:
                return k + 1
            half_log_det += 0.5 * math.log(variance)
            factors[k, j] = 1.0 / math.sqrt(variance)
            offsets[k, j] = 0.0
        constants[k] = math.log(weights[k]) - half_log_det - d * _HALF_LOG_2_PI
    return 0


@jit
def factor(weights, means, covariances, constants, centres, factors, offsets):
    """`factor_dense` or `factor_diagonal`, by the shape of the factors; sets `centres` too."""
    assign(centres, means)
    if covariances.ndim == 3:
        return factor_dense(weights, means, covariances, constants, factors, offsets)
    return factor_diagonal(weights, means, covariances, constants, factors, offsets)
