"""Plain EM in compiled code, for the first runs on a few hundred rows.

There a pass takes a few microseconds and calling it from Python several times that. This serves
structures whose covariances are averages of the scatter; it is the loop of `bayesgmm.em.loop`
without acceleration, and hands over to it.
"""

import numpy as np

from bayesgmm.engine.compile import jit
from bayesgmm.engine.factors import factor
from bayesgmm.engine.summation import serial_pass


@jit
def plain_run(
    rows,
    weights,
    means,
    covariances,
    shared,
    isotropic,
    parameters,
    work,
    stack,
    sums,
    trace,
    enough,
):
    """EM steps in place until `enough` nats are left to gain, or the trace is full.

    Returns (passes, bad): sums are those of the last pass, at the parameters as they now are; bad
    is 0 or 1 + the component whose covariance lost its rank.
    """
    n_components = means.shape[0]
    constants, centres, factors, offsets = parameters
    for p in range(trace.size):
        bad = factor(weights, means, covariances, constants, centres, factors, offsets)
        if bad > 0:
            return p, bad
        serial_pass(rows, parameters, work, stack, sums)
        trace[p] = sums[0]
        for k in range(n_components):
            if sums[2 + k] < 1e-15 * sums[1]:
                return p + 1, k + 1
        gain = trace[p] - trace[p - 1] if p > 0 else np.inf
        if abs(gain) <= 1e-15 * abs(trace[p]):
            return p + 1, 0
        if p >= 2:
            # Aitken: gains that shrink by a constant factor add up to this.
            ratio = gain / (trace[p - 1] - trace[p - 2])
            if ratio < 0.9 and gain * ratio / (1.0 - ratio) < enough:
                return p + 1, 0
        if p + 1 < trace.size:
            _step(sums, weights, means, covariances, shared, isotropic)
    return trace.size, 0


@jit
def _step(sums, weights, means, covariances, shared, isotropic):
    """The M-step of an averaged structure, in place."""
    n_components, d = means.shape
    total = sums[1]
    firsts = sums[2 + n_components :]
    seconds = sums[2 + n_components * (1 + d) :]
    size = covariances.size // n_components
    flat = covariances.reshape(n_components, size)
    for k in range(n_components):
        count = sums[2 + k]
        weights[k] = count / total
        for m in range(size):
            i, j = (m // d, m % d) if size > d else (m, m)
            scatter = seconds[k * size + m] - firsts[k * d + i] * firsts[k * d + j] / count
            flat[k, m] = scatter if shared else scatter / count
        for j in range(d):
            means[k, j] += firsts[k * d + j] / count
    if shared:
        for m in range(size):
            s = 0.0
            for k in range(n_components):
                s += flat[k, m]
            for k in range(n_components):
                flat[k, m] = s / total
    if isotropic:
        for k in range(n_components):
            s = 0.0
            for m in range(size):
                s += flat[k, m]
            for m in range(size):
                flat[k, m] = s / size
