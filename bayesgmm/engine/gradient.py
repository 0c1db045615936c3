r"""The log-likelihood and its gradient out of one pass, for samplers and optimisers.

With N, A, B the sums of a pass (`bayesgmm.engine.kernel`), P the lower triangular inverse of the
Cholesky factor L of Sigma, and S_k = P B_k P' - N_k I, Fisher's identity gives

    d/dw_k = N_k / w_k,      d/dmu_k = P' P A_k,
    d/dP_k = N_k diag(1 / P_ii) - P B_k,      d/dL_k = P' S_k          lower triangles
    d/dSigma_k = P' S_k P / 2                                          symmetric

which are products of small matrices: no solves, no inverses of covariances.

A pass is made by the calling thread alone: samplers run their chains side by side.
"""

import math

import numpy as np

from bayesgmm.engine.factors import factor_dense
from bayesgmm.engine.kernel import load_block, log_joint_block, normalise
from bayesgmm.engine.summation import CHUNK, serial_pass
from bayesgmm.engine.vector import BLOCK, STRIDE, STRIP, log_positive
from bayesgmm.model.compile import jit
from bayesgmm.model.loops import assign, fill

_HALF_LOG_2_PI = 0.5 * math.log(2.0 * math.pi)
# What the matrices of a likelihood are: Sigma, its Cholesky factor L, or U with U U' = Sigma^-1
# (scikit-learn's `precisions_cholesky_`, the transpose of P). Variances, standard deviations and
# their inverses where covariances are diagonal.
COVARIANCES, CHOLESKY, PRECISION_CHOLESKY = 0, 1, 2


@jit
def complete(weights, means, factors, constants, offsets):
    """Fill constants (K,) and offsets -P mu (K, D) for factors P; False if some are unusable."""
    n_components, d = means.shape
    for k in range(n_components):
        log_det = 0.0
        for i in range(d):
            if factors.ndim == 3:
                pivot = factors[k, i, i]
                s = 0.0
                for j in range(i + 1):
                    s -= factors[k, i, j] * means[k, j]
                offsets[k, i] = s
            else:
                pivot = factors[k, i]
                offsets[k, i] = -factors[k, i] * means[k, i]
            if not 0.0 < pivot < np.inf:
                return False
            log_det += math.log(pivot)
        if not weights[k] >= 0.0:
            return False
        constants[k] = math.log(weights[k]) + log_det - d * _HALF_LOG_2_PI
    return True


@jit
def pass_sums(rows, parameters):
    """All sums of a pass: log-likelihood, total weight, N (K,), A (K, D), B (K, D, D) or (K, D).

    rows = (x, row_weights, shift, scale), parameters = (constants, means, factors, offsets).
    """
    n_components, d = parameters[1].shape
    chunks = max((rows[0].shape[0] + CHUNK - 1) // CHUNK, 1)
    levels = 2
    while chunks > 1:
        chunks = (chunks + 1) // 2
        levels += 1
    size = 2 + n_components * (1 + d) + parameters[2].size
    sums, stack = np.empty(size), np.empty((levels, size))
    serial_pass(rows, parameters, workspace_of(n_components, d), stack, sums)
    return sums


@jit
def workspace_of(n_components, d):
    """`bayesgmm.engine.kernel.workspace`, made by the thread that needs it."""
    return (
        np.zeros((d, STRIDE)),
        np.zeros((d, STRIDE)),
        np.zeros((n_components, STRIDE)),
        np.zeros((2, STRIDE)),
    )


@jit
def means_gradient(sums, factors, d_means):
    """Fill the gradient P' P A in the means (K, D)."""
    n_components, d = d_means.shape
    firsts = sums[2 + n_components :]
    fill(d_means, 0.0)
    for k in range(n_components):
        for i in range(d):
            if factors.ndim == 3:
                z = 0.0
                for j in range(i + 1):
                    z += factors[k, i, j] * firsts[k * d + j]
                for j in range(i + 1):
                    d_means[k, j] += factors[k, i, j] * z
            else:
                d_means[k, i] = factors[k, i] * factors[k, i] * firsts[k * d + i]


@jit
def factors_gradient(sums, factors, d_factors):
    """Fill the gradient N diag(1 / P_ii) - P B in the factors, 0 above their diagonals."""
    n_components, d = factors.shape[0], factors.shape[1]
    seconds = sums[2 + n_components * (1 + d) :].reshape(factors.shape)
    fill(d_factors, 0.0)
    for k in range(n_components):
        count = sums[2 + k]
        for i in range(d):
            if factors.ndim == 3:
                for j in range(i + 1):
                    s = 0.0
                    for m in range(i + 1):
                        s += factors[k, i, m] * seconds[k, m, j]
                    d_factors[k, i, j] = -s
                d_factors[k, i, i] += count / factors[k, i, i]
            else:
                p = factors[k, i]
                d_factors[k, i] = count / p - p * seconds[k, i]


@jit
def invert_lower(lower, inverse):
    """Fill the inverse of a lower triangular matrix; False if its diagonal is not positive."""
    d = lower.shape[0]
    for i in range(d):
        if not 0.0 < lower[i, i] < np.inf:
            return False
    fill(inverse, 0.0)
    for j in range(d):
        inverse[j, j] = 1.0 / lower[j, j]
        for i in range(j + 1, d):
            s = 0.0
            for m in range(j, i):
                s -= lower[i, m] * inverse[m, j]
            inverse[i, j] = s / lower[i, i]
    return True


@jit
def _to_factors(kind, weights, means, matrices, constants, factors, offsets):
    """Fill P, constants and offsets from matrices of any kind; False if they are unusable."""
    n_components, d = means.shape
    if matrices.ndim == 2:
        for k in range(n_components):
            for j in range(d):
                given = matrices[k, j]
                if not 0.0 < given < np.inf:
                    return False
                if kind == COVARIANCES:
                    factors[k, j] = 1.0 / math.sqrt(given)
                elif kind == CHOLESKY:
                    factors[k, j] = 1.0 / given
                else:
                    factors[k, j] = given
    elif kind == COVARIANCES:
        if factor_dense(weights, means, matrices, constants, factors, offsets) != 0:
            return False
    else:
        for k in range(n_components):
            if kind == CHOLESKY:
                if not invert_lower(matrices[k], factors[k]):
                    return False
            else:
                for i in range(d):
                    for j in range(d):
                        factors[k, i, j] = matrices[k, j, i] if j <= i else 0.0
    return complete(weights, means, factors, constants, offsets)


@jit
def _matrices_gradient(kind, sums, factors, out):
    """The gradient in matrices of any kind."""
    n_components, d = factors.shape[0], factors.shape[1]
    seconds = sums[2 + n_components * (1 + d) :].reshape(factors.shape)
    if factors.ndim == 2:
        for k in range(n_components):
            for j in range(d):
                p = factors[k, j]
                s = p * p * seconds[k, j] - sums[2 + k]
                if kind == COVARIANCES:
                    out[k, j] = 0.5 * p * p * s
                elif kind == CHOLESKY:
                    out[k, j] = p * s
                else:
                    out[k, j] = -s / p
        return
    half, inner = np.empty((d, d)), np.empty((d, d))
    for k in range(n_components):
        p = factors[k]
        _multiply(p, seconds[k], half, False)
        if kind == PRECISION_CHOLESKY:
            for i in range(d):
                for j in range(d):
                    out[k, j, i] = -half[i, j] if j <= i else 0.0
                out[k, i, i] += sums[2 + k] / p[i, i]
            continue
        # inner = S = P (P B)', symmetric.
        _multiply(p, half.T, inner, False)
        for i in range(d):
            inner[i, i] -= sums[2 + k]
        _multiply(p, inner, half, True)
        if kind == CHOLESKY:
            for i in range(d):
                for j in range(d):
                    out[k, i, j] = half[i, j] if j <= i else 0.0
        else:
            _multiply(p, half.T, inner, True)
            for i in range(d):
                for j in range(d):
                    out[k, i, j] = 0.25 * (inner[i, j] + inner[j, i])


@jit
def _multiply(lower, matrix, out, transposed):
    """Fill out = P M, or P' M, for lower triangular P."""
    d = lower.shape[0]
    for i in range(d):
        for j in range(d):
            s = 0.0
            if transposed:
                for m in range(i, d):
                    s += lower[m, i] * matrix[m, j]
            else:
                for m in range(i + 1):
                    s += lower[i, m] * matrix[m, j]
            out[i, j] = s


@jit
def _centred(weights, means):
    """The mixture's mean, about which rows are read, and the means less that."""
    n_components, d = means.shape
    total = weights.sum()
    shift = np.zeros(d)
    centred = np.empty((n_components, d))
    for j in range(d):
        for k in range(n_components):
            shift[j] += weights[k] / total * means[k, j]
        if not abs(shift[j]) < np.inf:
            shift[j] = 0.0
        for k in range(n_components):
            centred[k, j] = means[k, j] - shift[j]
    return shift, centred


@jit
def log_likelihood_gradient(kind, weights, means, matrices, x, row_weights):
    """Log-likelihood of rows, and its gradient in weights, means and matrices.

    weights (K,), means (K, D), matrices (K, D, D) or (K, D) of the given kind; x (n, D);
    row_weights (n,), of any sign, or (0,) where each row counts once.

    Returns -inf, and no gradient (zeros), where the parameters are those of no mixture.
    """
    n_components, d = means.shape
    d_weights, d_means = np.zeros(n_components), np.zeros((n_components, d))
    d_matrices, factors = np.zeros_like(matrices), np.zeros_like(matrices)
    constants, offsets = np.empty(n_components), np.empty((n_components, d))
    shift, centred = _centred(weights, means)
    if not _to_factors(kind, weights, centred, matrices, constants, factors, offsets):
        return -np.inf, d_weights, d_means, d_matrices
    sums = pass_sums((x, row_weights, shift, np.ones(d)), (constants, centred, factors, offsets))
    means_gradient(sums, factors, d_means)
    _matrices_gradient(kind, sums, factors, d_matrices)
    for k in range(n_components):
        d_weights[k] = sums[2 + k] / max(weights[k], 1e-300)
    return sums[0], d_weights, d_means, d_matrices


@jit
def _widen(factors, full):
    for k in range(factors.shape[0]):
        for i in range(factors.shape[1]):
            if factors.ndim == 2:
                full[k, i, i] = factors[k, i]
            else:
                assign(full[k, i], factors[k, i])


@jit
def row_log_densities(kind, weights, means, matrices, x):
    """Log density of each row, (n,): arguments as in `log_likelihood_gradient`."""
    n_components, d = means.shape
    n = x.shape[0]
    out = np.full(n, -np.inf)
    factors, full = np.zeros_like(matrices), np.zeros((n_components, d, d))
    constants, offsets = np.empty(n_components), np.empty((n_components, d))
    shift, centred = _centred(weights, means)
    if not _to_factors(kind, weights, centred, matrices, constants, factors, offsets):
        return out
    _widen(factors, full)
    xt, _, joint, spare = workspace_of(n_components, d)
    unit, nobody = np.ones(d), np.empty(0)
    for start in range(0, n, BLOCK):
        count = min(BLOCK, n - start)
        padded = (count + STRIP - 1) // STRIP * STRIP
        load_block(x, start, count, padded, shift, unit, xt)
        log_joint_block(padded, constants, full, offsets, xt, joint)
        normalise(joint, count, padded, nobody, start, spare)
        for b in range(count):
            # spare[1] is 1 / sum of exp(l_kb - largest).
            out[start + b] = spare[0, b] - log_positive(spare[1, b])
    return out


@jit
def drawn_log_densities(weights, means, covariances, x, first, last, out):
    """Log density of each row under draws first..last-1, in out (T, n)."""
    for t in range(first, last):
        out[t] = row_log_densities(COVARIANCES, weights[t], means[t], covariances[t], x)
