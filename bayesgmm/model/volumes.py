"""Volumes that vary while the rest is shared: Sigma_k = lambda_k C.

With u_k = -log lambda_k and S(u) = sum_k exp(u_k) W_k the best C is S(u) / N, and what is left to
minimise is

    G(u) = N log |S(u)| - D sum_k N_k u_k,

convex in u (the logarithm of a sum of exponentials, with mixed discriminants as its terms).
Newton's method ends it in a few steps, where alternating between C and lambda (Celeux and
Govaert 1995, section 4.2) takes hundreds when components overlap. W_k may be full or the
diagonals of diagonal matrices; eigenvalues of the W_k take their place where the axes vary.
"""

import math

import numpy as np

from bayesgmm.model.compile import jit
from bayesgmm.model.loops import dot, fill
from bayesgmm.model.spectrum import cholesky, log_determinant, whiten

# A Newton step so short is as good as exact: the next would be its square.
_LAST = 1e-10
# A Newton step so short need not be checked.
_SHORT = 0.1


@jit
def _sum_of(scatters, logs, total):
    flat = total.reshape(total.size)
    fill(flat, 0.0)
    for k in range(scatters.shape[0]):
        scale, scatter = math.exp(logs[k]), scatters[k].reshape(total.size)
        for i in range(flat.size):
            flat[i] += scale * scatter[i]


@jit
def _whitened(scatters, logs, total, lower, shares):
    """Fill shares (K, D or D D) with exp(u_k) S^-1/2 W_k S^-1/2; log |S|, NaN if it has no rank."""
    n_components, d = scatters.shape[:2]
    _sum_of(scatters, logs, total)
    if scatters.ndim == 3:
        if not cholesky(total, lower):
            return np.nan
        for k in range(n_components):
            whiten(lower, scatters[k], shares[k].reshape(d, d))
            scale = math.exp(logs[k])
            for i in range(d * d):
                shares[k, i] *= scale
        return log_determinant(lower)
    log_det = 0.0
    for j in range(d):
        if not total[j] > 0.0:
            return np.nan
        log_det += math.log(total[j])
    for k in range(n_components):
        scale = math.exp(logs[k])
        for j in range(d):
            shares[k, j] = scale * scatters[k, j] / total[j]
    return log_det


@jit
def _objective(scatters, counts, logs, total, lower):
    """G(u) / N; infinite where S has no rank."""
    d = scatters.shape[1]
    _sum_of(scatters, logs, total)
    value = 0.0
    if scatters.ndim == 3:
        if not cholesky(total, lower):
            return np.inf
        value = log_determinant(lower)
    else:
        for j in range(d):
            value += math.log(total[j])
    return value - d * dot(counts, logs) / counts.sum()


@jit
def _newton_step(shares, counts, n, traces, hessian, lower, step):
    """Solve N (diag q - Y Y') step = D N_k - N q with steps of mean zero; False if that fails."""
    n_components = shares.shape[0]
    d = traces.sum()
    pin = d / n_components**2
    for k in range(n_components):
        for j in range(k + 1):
            hessian[k, j] = pin - dot(shares[k], shares[j])
        hessian[k, k] += traces[k]
        step[k] = d * counts[k] / n - traces[k]
    if not cholesky(hessian, lower):
        return False
    for k in range(n_components):
        for j in range(k):
            step[k] -= lower[k, j] * step[j]
        step[k] /= lower[k, k]
    for k in range(n_components - 1, -1, -1):
        for j in range(k + 1, n_components):
            step[k] -= lower[j, k] * step[j]
        step[k] /= lower[k, k]
    mean = step.sum() / n_components
    for k in range(n_components):
        step[k] -= mean
    return True


@jit
def _largest(values):
    most = 0.0
    for each in values:
        most = max(most, abs(each))
    return most


@jit
def fit_volumes(scatters, counts, logs, total, most):
    """Minimise G from `logs` on; u is left there and S(u) in `total`.

    scatters (K, D, D) or (K, D); counts, logs (K,); total (D, D) or (D,). At most `most` steps
    are made. Returns 0, or 1 + the index of a component whose scatter is none. No step raises G:
    where Newton's would, the step of the alternation takes its place.
    """
    n_components, d = scatters.shape[:2]
    shares = np.empty((n_components, scatters[0].size))
    lower = np.empty((d, d))
    rows, squares = np.empty((3, n_components)), np.empty((2, n_components, n_components))
    traces, step, there = rows[0], rows[1], rows[2]
    n = counts.sum()
    warm = _largest(logs) > 0.0
    for i in range(most):
        log_det = _whitened(scatters, logs, total, lower, shares)
        if math.isnan(log_det):
            return 1
        for k in range(n_components):
            s = 0.0
            for j in range(d):
                s += shares[k, j * (d + 1)] if scatters.ndim == 3 else shares[k, j]
            if not s > 0.0:
                return k + 1
            traces[k] = s
        # The first steps of a cold start are cheaper without Hessians.
        newton = (i > 0 or warm) and _newton_step(
            shares, counts, n, traces, squares[0], squares[1], step
        )
        size = _largest(step) if newton else np.inf
        if newton and size > _SHORT:
            here = log_det - d * dot(counts, logs) / n
            for k in range(n_components):
                there[k] = logs[k] + step[k]
            newton = _objective(scatters, counts, there, total, lower) < here
        if newton:
            for k in range(n_components):
                logs[k] += step[k]
            if size <= _LAST:
                break
            continue
        for k in range(n_components):
            logs[k] += math.log(d * counts[k] / (n * traces[k]))
    _sum_of(scatters, logs, total)
    return 0
