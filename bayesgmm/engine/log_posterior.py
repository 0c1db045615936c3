r"""The log posterior density of a mixture in unconstrained coordinates, and its gradient.

Coordinates u = (y, m, q) of rows in the units (x - shift) * scale, in a frame A (lower triangular,
or a diagonal) that makes the components about round:

    weights        softmax(y_1, ..., y_K-1, -sum y)
    means          mu_k = A m_k
    covariances    Sigma_k^-1 = P_k' P_k,  P_k = Q_k A^-1,  with Q_k lower triangular: q_k holds its
                   rows, logs in the place of the diagonal

In the rows of P the log-likelihood is quadratic but for the logs of the diagonal: no curvature
that a sampler would have to follow, and in this frame hardly a correlation.

The covariances are G matrices (G = K, or 1 where all components share one), or G x J variances
(J = D, or 1 where all features share one). Their prior densities, in Sigma itself,

    fixed           |Sigma|^-((nu + D + 1) / 2) exp(-tr(C Sigma^-1) / 2)         inverse-Wishart
    learned         the same with C ~ Wishart(p, V) integrated out:
                    prod |Sigma_g|^-((nu + D + 1) / 2) |V^-1 + sum_g Sigma_g^-1|^-((p + G nu) / 2)
    separate        log-normal standard deviations, LKJ correlations

become densities of q by the Jacobian |dSigma / dq| = 2^D prod_i P_ii^(i - 2(D + 1)) Q_ii (times a
power of |A|). Variances are the case D = 1, with nu = 2 a, C = 2 beta, p = 2 g, V^-1 = 2 h of
inverse-gamma and gamma distributions.
"""

import math
from functools import cache
from typing import Any

import numba
import numpy as np

from bayesgmm.engine.gradient import (
    complete,
    factors_gradient,
    invert_lower,
    means_gradient,
    pass_sums,
)
from bayesgmm.model.compile import as_pointer, c_function, jit
from bayesgmm.model.loops import accumulate, assign, fill

FIXED, LEARNED, SEPARATE = 0, 1, 2
# Places in the header of a problem.
N_ROWS, N_FEATURES, N_COMPONENTS, N_GROUPS, N_AXES, FAMILY, ROWS_AT, NUMBERS_AT = range(8)


@jit
def place(u, d, k, groups, frame, frame_inverse, weights, logs, means, factors):
    """Fill weights (K,), their logs, means (K, D) and factors P of the groups, at u."""
    total = 0.0
    for i in range(k - 1):
        logs[i] = u[i]
        total += u[i]
    logs[k - 1] = -total
    largest = logs.max()
    total = 0.0
    for i in range(k):
        total += math.exp(logs[i] - largest)
    largest += math.log(total)
    for i in range(k):
        logs[i] -= largest
        weights[i] = math.exp(logs[i])
    at = k - 1
    for i in range(k):
        for a in range(d):
            if frame.ndim == 2:
                s = 0.0
                for b in range(a + 1):
                    s += frame[a, b] * u[at + i * d + b]
                means[i, a] = s
            else:
                means[i, a] = frame[a] * u[at + i * d + a]
    _place_factors(u[at + k * d :], groups, frame, frame_inverse, factors)


@jit
def _place_factors(q, groups, frame, frame_inverse, factors):
    """Fill the factors P of the groups: (G, D, D), or (G, D) from G x J logs."""
    d = factors.shape[1]
    if factors.ndim == 3:
        row = np.empty(d)
        at = 0
        for g in range(groups):
            for i in range(d):
                for j in range(i):
                    row[j] = q[at + j]
                row[i] = math.exp(q[at + i])
                at += i + 1
                for j in range(d):
                    s = 0.0
                    for m in range(j, i + 1):
                        s += row[m] * frame_inverse[m, j]
                    factors[g, i, j] = s
    else:
        axes = q.size // groups
        for g in range(groups):
            for j in range(d):
                factors[g, j] = math.exp(q[g * axes + min(j, axes - 1)]) / frame[j]


@jit
def _spread(factors, of_components):
    """The factors of the components, from those of the groups."""
    groups = factors.shape[0]
    size = factors.size // groups
    target, source = (
        of_components.reshape(of_components.size // size, size),
        factors.reshape(groups, size),
    )
    for k in range(of_components.shape[0]):
        assign(target[k], source[min(k, groups - 1)])


@jit
def log_posterior(u, gradient, x, groups, family, numbers, frame, frame_inverse, prior):
    """Log posterior density at u, up to the constant that `numbers` holds; fills its gradient.

    numbers = (shift, scale, concentration, location, precision, strength, log_scales, constant),
    prior = C, or V^-1, of the family, in the units of the rows. NaN where float64 does not reach.
    """
    shift, scale, concentration, location, precision, strength, log_scales, constant = numbers
    k, d = concentration.size, location.size
    weights, logs, constants = np.empty(k), np.empty(k), np.empty(k)
    means, offsets, d_means = np.empty((k, d)), np.empty((k, d)), np.empty((k, d))
    factors = _like(frame, groups)
    every, d_every = _like(frame, k), _like(frame, k)
    place(u, d, k, groups, frame, frame_inverse, weights, logs, means, factors)
    _spread(factors, every)
    if not complete(weights, means, every, constants, offsets):
        fill(gradient, np.nan)
        return np.nan
    sums = pass_sums((x, np.empty(0), shift, scale), (constants, means, every, offsets))
    value = sums[0] + constant[0]
    at = k - 1
    value += _add_weights(sums, concentration, weights, logs, gradient)
    means_gradient(sums, every, d_means)
    for i in range(k):
        for j in range(d):
            z = (means[i, j] - location[j]) * precision[j]
            value -= 0.5 * z * z
            d_means[i, j] -= z * precision[j]
    _means_to_frame(d_means, frame, gradient[at : at + k * d])
    factors_gradient(sums, every, d_every)
    q, d_q = u[at + k * d :], gradient[at + k * d :]
    d_factors = np.zeros_like(factors)
    size = factors.size // groups
    target, source = d_factors.reshape(groups, size), d_every.reshape(k, size)
    for i in range(k):
        accumulate(target[min(i, groups - 1)], source[i])
    return value + _add_covariances(
        q, d_q, factors, d_factors, frame, frame_inverse, family, strength, log_scales, prior
    )


@jit
def _like(frame, count):
    """An empty array of `count` matrices, or diagonals, of the frame's size."""
    return np.empty((count,) + frame.shape)  # noqa: RUF005  # numba unpacks no tuples


@jit
def _add_weights(sums, concentration, weights, logs, gradient):
    """Dirichlet density and Jacobian of the weights; fills the gradient in y."""
    k = weights.size
    value = total = 0.0
    for i in range(k):
        value += concentration[i] * logs[i]
        total += concentration[i] + sums[2 + i]
    last = concentration[k - 1] + sums[2 + k - 1] - total * weights[k - 1]
    for i in range(k - 1):
        gradient[i] = concentration[i] + sums[2 + i] - total * weights[i] - last
    return value


@jit
def _means_to_frame(d_means, frame, out):
    k, d = d_means.shape
    for i in range(k):
        for b in range(d):
            if frame.ndim == 2:
                s = 0.0
                for a in range(b, d):
                    s += frame[a, b] * d_means[i, a]
                out[i * d + b] = s
            else:
                out[i * d + b] = frame[b] * d_means[i, b]


@jit
def _add_covariances(
    q, d_q, factors, d_factors, frame, frame_inverse, family, strength, log_scales, prior
):
    """Density and Jacobian of the covariances; fills the gradient in q from that in P."""
    if factors.ndim == 3:
        return _add_matrices(
            q, d_q, factors, d_factors, frame_inverse, family, strength, log_scales, prior
        )
    return _add_variances(q, d_q, factors, d_factors, frame, family, strength, prior)


@jit
def _add_variances(q, d_q, factors, d_factors, frame, family, strength, prior):
    """Inverse-gamma densities: strength = (a, g), prior = beta or h (J,)."""
    groups, d = factors.shape
    axes = q.size // groups
    a = strength[0]
    value = 0.0
    for j in range(axes):
        rate = prior[j]
        for g in range(groups):
            if family == LEARNED:
                rate += factors[g, j] * factors[g, j]
        if family == LEARNED:
            shape = strength[1] + groups * a
            value -= shape * math.log(rate)
            rate = shape / rate
        for g in range(groups):
            at = g * axes + j
            p = factors[g, j]
            value += 2.0 * a * q[at]
            if family == FIXED:
                value -= rate * p * p
            slope = 2.0 * a - 2.0 * rate * p * p
            for m in range(j, j + 1 if axes > 1 else d):
                slope += d_factors[g, m] * factors[g, m]
            d_q[at] = slope
    return value


@jit
def _add_matrices(q, d_q, factors, d_factors, frame_inverse, family, strength, log_scales, prior):
    """Densities of matrices: strength = (nu, p), or (eta, spread) of the separate family."""
    groups, d = factors.shape[0], factors.shape[1]
    value = 0.0
    c = np.empty((d, d))
    lower, covariance = np.zeros((d, d)), np.empty((d, d))
    power = strength[0] - d
    if family == SEPARATE:
        power = -2.0 * (strength[0] - 1.0) - 2.0 * (d + 1) + 1.0
    elif family == FIXED:
        assign(c, prior)
    else:
        value += _learned_scale(factors, strength, prior, lower, c)
    at = 0
    for g in range(groups):
        p, slope = factors[g], d_factors[g]
        if family == SEPARATE:
            value += _add_separate(p, slope, strength, log_scales, lower, covariance)
        else:
            for i in range(d):
                for j in range(i + 1):
                    s = 0.0
                    for m in range(i + 1):
                        s += p[i, m] * c[m, j]
                    slope[i, j] -= s
                    if family == FIXED:
                        value -= 0.5 * s * p[i, j]
        for i in range(d):
            for j in range(i + 1):
                s = 0.0
                for m in range(j + 1):
                    s += slope[i, m] * frame_inverse[j, m]
                d_q[at + j] = s
            t = q[at + i]
            value += (power + i + 1) * t
            d_q[at + i] = d_q[at + i] * math.exp(t) + power + i + 1
            at += i + 1
    return value


@jit
def _learned_scale(factors, strength, prior, lower, c):
    """-(p + G nu) / 2 log |V^-1 + sum P'P|, and its c: minus the gradient in P is P c."""
    groups, d = factors.shape[0], factors.shape[1]
    for i in range(d):
        for j in range(i + 1):
            s = prior[i, j]
            for g in range(groups):
                for m in range(i, d):
                    s += factors[g, m, i] * factors[g, m, j]
            c[i, j] = s
    log_det = 0.0
    for i in range(d):
        for j in range(i + 1):
            s = c[i, j]
            for m in range(j):
                s -= c[i, m] * c[j, m]
            if i == j:
                c[i, i] = math.sqrt(s)
                log_det += math.log(s)
            else:
                c[i, j] = s / c[j, j]
    shape = strength[1] + groups * strength[0]
    invert_lower(c, lower)
    for i in range(d):
        for j in range(i + 1):
            s = 0.0
            for m in range(i, d):
                s += lower[m, i] * lower[m, j]
            c[i, j] = shape * s
            c[j, i] = shape * s
    return -0.5 * shape * log_det


@jit
def _add_separate(p, slope, strength, log_scales, lower, covariance):
    """Log-normal standard deviations and LKJ correlations of one covariance, without powers of P.

    With h_j = d/d log sd_j, and L = P^-1, the gradient in P is -L' diag(h_j / Sigma_jj) Sigma.
    """
    d = p.shape[0]
    eta, spread = strength[0], strength[1]
    invert_lower(p, lower)
    for i in range(d):
        for j in range(i + 1):
            s = 0.0
            for m in range(j + 1):
                s += lower[i, m] * lower[j, m]
            covariance[i, j] = s
            covariance[j, i] = s
    value = 0.0
    drift = -2.0 * (eta - 1.0) - d - 1.0
    for j in range(d):
        log_sd = 0.5 * math.log(covariance[j, j])
        z = (log_sd - log_scales[j]) / spread
        value += drift * log_sd - 0.5 * z * z
        h = (drift - z / spread) / covariance[j, j]
        for a in range(j + 1):
            for b in range(a + 1):
                slope[a, b] -= lower[j, a] * h * covariance[j, b]
    return value


# --- called from outside Python ---------------------------------------------------------------


@jit
def _open(header):
    """The rows, the numbers, and frame, its inverse and the matrix of the prior, that it names."""
    n, d, k = header[N_ROWS], header[N_FEATURES], header[N_COMPONENTS]
    size = d if header[N_AXES] > 0 else d * d
    x = numba.carray(as_pointer(header[ROWS_AT]), (n, d))
    flat = numba.carray(as_pointer(header[NUMBERS_AT]), (5 * d + k + 3 + 3 * size,))
    at = 4 * d + k
    numbers = (
        flat[:d],
        flat[d : 2 * d],
        flat[4 * d : at],
        flat[2 * d : 3 * d],
        flat[3 * d : 4 * d],
        flat[at : at + 2],
        flat[at + 2 : at + 2 + d],
        flat[at + 2 + d : at + 3 + d],
    )
    at += 3 + d
    return x, numbers, flat[at : at + size], flat[at + size : at + 2 * size], flat[at + 2 * size :]


@jit
def _write(header, frame, frame_inverse, numbers, u, out):
    """Weights, means and covariances (K, D, D) at u, in the data's units, one after another."""
    d, k, groups = header[N_FEATURES], header[N_COMPONENTS], header[N_GROUPS]
    shift, scale = numbers[0], numbers[1]
    means, logs = np.empty((k, d)), np.empty(k)
    factors = _like(frame, groups)
    place(u, d, k, groups, frame, frame_inverse, out[:k], logs, means, factors)
    for i in range(k):
        for j in range(d):
            out[k + i * d + j] = shift[j] + means[i, j] / scale[j]
    covariances = out[k + k * d :].reshape(k, d, d)
    lower = np.zeros((d, d))
    for i in range(k):
        _invert(factors, min(i, groups - 1), lower)
        for a in range(d):
            for b in range(a + 1):
                s = 0.0
                for m in range(b + 1):
                    s += lower[a, m] * lower[b, m]
                covariances[i, a, b] = s / scale[a] / scale[b]
                covariances[i, b, a] = covariances[i, a, b]


@jit
def _invert(factors, g, lower):
    if factors.ndim == 3:
        invert_lower(factors[g], lower)
    else:
        for j in range(factors.shape[1]):
            lower[j, j] = 1.0 / factors[g, j]


def _log_posterior_of_matrices(size, u, gradient, value, address):
    header = numba.carray(address, (8,))
    x, numbers, frame, frame_inverse, prior = _open(header)
    d = header[N_FEATURES]
    slope = numba.carray(gradient, (size,))
    value[0] = log_posterior(
        numba.carray(u, (size,)),
        slope,
        x,
        header[N_GROUPS],
        header[FAMILY],
        numbers,
        frame.reshape(d, d),
        frame_inverse.reshape(d, d),
        prior.reshape(d, d),
    )
    return 0 if np.isfinite(value[0]) and np.isfinite(slope).all() else 3


def _log_posterior_of_variances(size, u, gradient, value, address):
    header = numba.carray(address, (8,))
    x, numbers, frame, frame_inverse, prior = _open(header)
    slope = numba.carray(gradient, (size,))
    value[0] = log_posterior(
        numba.carray(u, (size,)),
        slope,
        x,
        header[N_GROUPS],
        header[FAMILY],
        numbers,
        frame,
        frame_inverse,
        prior,
    )
    return 0 if np.isfinite(value[0]) and np.isfinite(slope).all() else 3


def _expand_matrices(size, expanded, u, out, address):
    header = numba.carray(address, (8,))
    _, numbers, frame, frame_inverse, _ = _open(header)
    d = header[N_FEATURES]
    _write(
        header,
        frame.reshape(d, d),
        frame_inverse.reshape(d, d),
        numbers,
        numba.carray(u, (size,)),
        numba.carray(out, (expanded,)),
    )
    return 0


def _expand_variances(size, expanded, u, out, address):
    header = numba.carray(address, (8,))
    _, numbers, frame, frame_inverse, _ = _open(header)
    _write(
        header,
        frame,
        frame_inverse,
        numbers,
        numba.carray(u, (size,)),
        numba.carray(out, (expanded,)),
    )
    return 0


@cache
def c_functions(axes: int) -> tuple[Any, Any]:
    """The log posterior with its gradient, and the parameters, as C functions of coordinates.

    int64 f(uint64 size, double *u, double *gradient, double *value, int64 *header)
    int64 f(uint64 size, uint64 expanded, double *u, double *out, int64 *header)

    The first returns 3 where the value or the gradient is not finite, the others 0. The second
    fills weights (K,), means (K, D) and covariances (K, D, D) in the data's units.

    Parameters
    ----------
    axes : int
        Variances in a covariance; 0 for matrices.
    """
    word, number = numba.types.uint64, numba.types.CPointer(numba.types.float64)
    header = numba.types.CPointer(numba.types.int64)
    result = numba.types.int64
    density = _log_posterior_of_variances if axes else _log_posterior_of_matrices
    expand = _expand_variances if axes else _expand_matrices
    return (
        c_function(density, result(word, number, number, number, header)),
        c_function(expand, result(word, word, number, number, header)),
    )
