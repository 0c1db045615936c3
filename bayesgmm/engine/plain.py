"""Plain EM in compiled code, for the first runs on a few hundred rows.

There a pass takes a few microseconds and calling it from Python several times that. This is the
loop of `bayesgmm.em.loop` without acceleration, and hands over to it.
"""

import numpy as np

from bayesgmm.engine.factors import factor
from bayesgmm.engine.summation import serial_pass
from bayesgmm.model.compile import jit
from bayesgmm.model.m_steps import maximise_covariances


@jit
def plain_run(
    rows,
    weights,
    means,
    covariances,
    letters,
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
    begun = beginning(means.shape)
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
            bad = step(sums, letters, begun, weights, means, covariances)
            if bad > 0:
                return p + 1, bad
    return trace.size, 0


@jit
def beginning(shape):
    """What the M-step's iterations begin at when nothing is known."""
    n_components, d = shape
    return np.zeros(n_components), np.full((d, d), np.nan)


@jit
def step(sums, letters, begun, weights, means, covariances):
    """The M-step, in place; `begun` = (logs, axes) of the last one, and then of this one.

    Returns 0, or 1 + the component whose scatter leaves no covariance; parameters then stay.
    """
    n_components, d = means.shape
    counts = sums[2 : 2 + n_components]
    firsts = sums[2 + n_components :]
    seconds = sums[2 + n_components * (1 + d) :]
    size = covariances.size // n_components
    scatters = np.empty_like(covariances)
    flat = scatters.reshape(n_components, size)
    for k in range(n_components):
        for m in range(size):
            i, j = (m // d, m % d) if size > d else (m, m)
            flat[k, m] = seconds[k * size + m] - firsts[k * d + i] * firsts[k * d + j] / counts[k]
    logs, axes = begun
    bad = maximise_covariances(letters, counts, scatters, logs, axes, False, covariances)
    if bad > 0:
        return bad
    for k in range(n_components):
        weights[k] = counts[k] / sums[1]
        for j in range(d):
            means[k, j] += firsts[k * d + j] / counts[k]
    return 0
