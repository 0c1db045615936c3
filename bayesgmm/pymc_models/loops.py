"""Coordinates and prior densities of a mixture in plain loops over numbers.

PyTensor's graphs of the same formulas take numba a minute to compile; loops take a second or two,
and the arrays are small. Each function has its gradient beside it, which takes the cotangents of
the results, and returns that of the first argument. They use what numba compiles.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import njit

# Wrappers for calls by the interpreter take as long to compile as many of the loops.
_compiled: Any = njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@cache
def by_the_interpreter(function: Any) -> Any:
    """One of the functions of this module, to be called by the interpreter."""
    return njit(function.py_func, error_model="numpy")


@_compiled  # type: ignore[untyped-decorator]
def weights_of(y: Any) -> Any:
    """Weights softmax(y, -sum y), (K,), and log |d weights / dy| = log K + sum log weights."""
    k = y.size + 1
    logs, weights = np.empty(k), np.empty(k)
    logs[k - 1] = 0.0
    for i in range(k - 1):
        logs[i] = y[i]
        logs[k - 1] -= y[i]
    largest, total, log_jacobian = logs[0], 0.0, np.log(k)
    for i in range(k):
        largest = max(largest, logs[i])
    for i in range(k):
        total += np.exp(logs[i] - largest)
    for i in range(k):
        logs[i] -= largest + np.log(total)
        weights[i] = np.exp(logs[i])
        log_jacobian += logs[i]
    return weights, np.asarray(log_jacobian)


@_compiled  # type: ignore[untyped-decorator]
def weights_gradient(y: Any, d_weights: Any, d_jacobian: Any) -> Any:
    """The gradient of `weights_of`."""
    weights, _ = weights_of(y)
    k, mean, j = weights.size, 0.0, d_jacobian.item()
    for i in range(k):
        mean += d_weights[i] * weights[i]
    d_y = np.empty(k - 1)
    last = weights[k - 1] * (d_weights[k - 1] - mean - k * j)
    for i in range(k - 1):
        d_y[i] = weights[i] * (d_weights[i] - mean - k * j) - last
    return d_y


@_compiled  # type: ignore[untyped-decorator]
def means_of(m: Any, shift: Any, frame: Any) -> Any:
    """Means shift + A m of each component, (K, D)."""
    k, d = m.shape
    means = np.empty((k, d))
    for c in range(k):
        for i in range(d):
            means[c, i] = shift[i]
            for j in range(d):
                means[c, i] += frame[i, j] * m[c, j]
    return means


@_compiled  # type: ignore[untyped-decorator]
def means_gradient(m: Any, shift: Any, frame: Any, d_means: Any) -> Any:
    """The gradient of `means_of`."""
    k, d = m.shape
    d_m = np.zeros((k, d))
    for c in range(k):
        for i in range(d):
            for j in range(d):
                d_m[c, j] += frame[i, j] * d_means[c, i]
    return d_m


@_compiled  # type: ignore[untyped-decorator]
def prior_of_weights(weights: Any, concentration: Any) -> Any:
    """Sum (a - 1) log w, and its gradient."""
    value, slopes = 0.0, np.empty(weights.size)
    for i in range(weights.size):
        value += (concentration[i] - 1.0) * np.log(weights[i])
        slopes[i] = (concentration[i] - 1.0) / weights[i]
    return np.asarray(value), slopes


@_compiled  # type: ignore[untyped-decorator]
def prior_of_means(means: Any, location: Any, sd: Any) -> Any:
    """-sum ((mu - location) / sd)^2 / 2, and its gradient."""
    k, d = means.shape
    value, slopes = 0.0, np.empty((k, d))
    for c in range(k):
        for i in range(d):
            z = (means[c, i] - location[c, i]) / sd[c, i]
            value -= 0.5 * z * z
            slopes[c, i] = -z / sd[c, i]
    return np.asarray(value), slopes


@_compiled  # type: ignore[untyped-decorator]
def product_of_lower(a: Any, b: Any) -> Any:
    """The product of lower triangular matrices."""
    d = a.shape[0]
    out = np.zeros((d, d))
    for i in range(d):
        for j in range(i + 1):
            for c in range(j, i + 1):
                out[i, j] += a[i, c] * b[c, j]
    return out


@_compiled  # type: ignore[untyped-decorator]
def invert(out: Any) -> Any:
    """Replace a positive definite matrix by its inverse; return its log determinant."""
    d, log_det = out.shape[0], 0.0
    for p in range(d):
        pivot = out[p, p]
        log_det += np.log(pivot)
        out[p, p] = 1.0
        for j in range(d):
            out[p, j] /= pivot
        for i in range(d):
            if i != p:
                factor = out[i, p]
                out[i, p] = 0.0
                for j in range(d):
                    out[i, j] -= factor * out[p, j]
    return log_det


@_compiled  # type: ignore[untyped-decorator]
def factor_inverse(q: Any, d: Any) -> Any:
    """Q^-1 (D, D) of coordinates: rows of lower triangular Q, with logs of the diagonal."""
    inverse = np.zeros((d, d))
    for j in range(d):
        for i in range(j, d):
            start = i * (i + 1) // 2
            value = 1.0 if i == j else 0.0
            for a in range(j, i):
                value -= q[start + a] * inverse[a, j]
            inverse[i, j] = value * np.exp(-q[start + i])
    return inverse


@_compiled  # type: ignore[untyped-decorator]
def covariances_of(q: Any, frame: Any) -> Any:
    """Sigma = A (Q' Q)^-1 A', (G, D, D), and log |dSigma / dq|.

    |dSigma / dq| = 2^D prod_i P_ii^(i - 2 (D + 1)) Q_ii |dP / dQ| with P = Q A^-1.
    """
    groups, d = q.shape[0], frame.shape[0]
    covariances, log_jacobian = np.zeros((groups, d, d)), 0.0
    for g in range(groups):
        lower = product_of_lower(frame, factor_inverse(q[g], d))
        for i in range(d):
            for j in range(d):
                for a in range(min(i, j) + 1):
                    covariances[g, i, j] += lower[i, a] * lower[j, a]
            log_q, log_a = q[g, i * (i + 1) // 2 + i], np.log(frame[i, i])
            power = i + 1.0 - 2.0 * (d + 1.0)
            log_jacobian += np.log(2.0) + (power + 1.0) * log_q - (power + d - i) * log_a
    return covariances, np.asarray(log_jacobian)


@_compiled  # type: ignore[untyped-decorator]
def covariances_gradient(q: Any, frame: Any, d_covariances: Any, d_jacobian: Any) -> Any:
    """The gradient of `covariances_of`: with R = Q^-1 and L = A R, dQ = -R' (A' dL) R'."""
    groups, d, jacobian = q.shape[0], frame.shape[0], d_jacobian.item()
    d_q = np.zeros(q.shape)
    for g in range(groups):
        inverse = factor_inverse(q[g], d)
        lower = product_of_lower(frame, inverse)
        slopes, product = np.zeros((d, d)), np.zeros((d, d))
        for i in range(d):
            for j in range(i + 1):
                for a in range(j, d):
                    both = d_covariances[g, i, a] + d_covariances[g, a, i]
                    slopes[i, j] += both * lower[a, j]
        # A' dL, of which the lower triangle counts; then times R' from the right.
        for i in range(d):
            for j in range(i + 1):
                value = 0.0
                for a in range(i, d):
                    value += frame[a, i] * slopes[a, j]
                for a in range(j, d):
                    product[i, a] += value * inverse[a, j]
        for i in range(d):
            start = i * (i + 1) // 2
            for j in range(i + 1):
                value = 0.0
                for a in range(i, d):
                    value -= inverse[a, i] * product[a, j]
                d_q[g, start + j] = value
            d_q[g, start + i] *= np.exp(q[g, start + i])
            d_q[g, start + i] += jacobian * (i + 2.0 - 2.0 * (d + 1.0))
    return d_q


@_compiled  # type: ignore[untyped-decorator]
def prior_of_covariances(covariances: Any, numbers: Any, scale: Any) -> Any:
    """Log density of matrices (G, D, D) under inverse-Wishart priors, and its gradient.

    The gradient is -power S + S C S / 2 with S = Sigma^-1 and C the given scale, or the mean of a
    learned one given the covariances.
    """
    learned, power, value = numbers[0], numbers[1], numbers[2]
    groups, d = covariances.shape[0], covariances.shape[1]
    slopes, inverses = np.zeros(covariances.shape), covariances.copy()
    mean, product = scale[0].copy(), np.zeros((d, d))
    for g in range(groups):
        value -= power * invert(inverses[g])
        mean += inverses[g]
    if learned > 0.0:
        value -= 0.5 * learned * invert(mean)
        mean *= learned
    for g in range(groups):
        c = mean if learned > 0.0 else scale[g % scale.shape[0]]
        for i in range(d):
            for j in range(d):
                product[i, j] = 0.0
                for a in range(d):
                    product[i, j] += inverses[g, i, a] * c[a, j]
            if learned == 0.0:
                value -= 0.5 * product[i, i]
            for j in range(d):
                slopes[g, i, j] = -power * inverses[g, i, j]
                for a in range(d):
                    slopes[g, i, j] += 0.5 * product[i, a] * inverses[g, a, j]
    return np.asarray(value), slopes


@_compiled  # type: ignore[untyped-decorator]
def lkj_prior(covariances: Any, numbers: Any, log_scales: Any) -> Any:
    """Log density of matrices (G, D, D) with LKJ correlations, and its gradient."""
    spread, power, other, value = numbers[0], numbers[1], numbers[2], numbers[3]
    groups, d = covariances.shape[0], covariances.shape[1]
    slopes = covariances.copy()
    for g in range(groups):
        value -= power * invert(slopes[g])
        for i in range(d):
            for j in range(d):
                slopes[g, i, j] *= -power
            log_sd = 0.5 * np.log(covariances[g, i, i])
            z = (log_sd - log_scales[g, i]) / spread
            value -= 0.5 * z * z + other * log_sd
            slopes[g, i, i] -= 0.5 * (z / spread + other) / covariances[g, i, i]
    return np.asarray(value), slopes
