"""The EM loop in compiled code, for runs on a few hundred rows.

There a pass takes a few microseconds, and calling it from Python several times that. This is the
loop of `bayesgmm.em.loop` with the acceleration of `bayesgmm.em.acceleration`, without priors.
M-steps that iterate go on from where the last one ended, and take a step at a time: what is
left they gain in the next pass.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import (
    FIRST_STRETCH,
    LEAST_REACH,
    Parameters,
    mix,
    observe,
    slowest,
)
from bayesgmm.engine import Rows
from bayesgmm.engine.factors import factor
from bayesgmm.engine.summation import serial_pass
from bayesgmm.model import Decomposed, Statistics
from bayesgmm.model.compile import jit
from bayesgmm.model.loops import assign, dot, fill, scale
from bayesgmm.model.m_steps import EQUAL, VARYING, maximise_covariances

type Array = NDArray[np.float64]

_DEPTH = 8
# Passes before steps are combined.
_PLAIN = 3
_EPS = float(np.finfo(np.float64).eps)
# Steps that an M-step's iterations make at a time.
_EFFORT = 1
# A run has fallen behind a rival when it gained too little in its last few steps: so many times
# as much would not do. No run is given up before the first look.
_FIRST_LOOK, _RECENT, _PATIENCE = 12, 5, 10.0
# As in `bayesgmm.em.acceleration`.
_NEAR, _FEWEST_STEPS = 1e-3, 3


class Climb(NamedTuple):
    """Where a compiled run ended.

    Attributes
    ----------
    parameters : Parameters
    statistics : Statistics
        Of the pass at `parameters`.
    trace : ndarray
        Log-likelihood after each step that was kept.
    n_passes : int
    remaining : float
        Nats still to be gained, by estimate; infinite where it is not known.
    collapsed : int or None
        The component whose covariance lost its rank, or which lost its rows.
    """

    parameters: Parameters
    statistics: Statistics
    trace: Array
    n_passes: int
    remaining: float
    collapsed: int | None


def climb(
    rows: Rows,
    structure: Decomposed,
    start: Parameters,
    *,
    enough: float,
    max_passes: int,
    accelerate: bool = True,
    rival: float = -np.inf,
) -> Climb:
    """Run EM until `enough` nats are left to gain by estimate, or for `max_passes`.

    A run also ends when it falls behind: when at the rate of its last passes it would take many
    more to reach the log-likelihood of a `rival`.
    """
    weights, means, covariances = (np.array(each) for each in start)
    opened = rows.opened()
    flat = covariances.reshape(opened.moments)
    trace = np.empty(max_passes)
    sums = np.empty(opened.size)
    begun = structure.beginning(covariances.shape, covariances)
    kept, passes, remaining, bad = _climb(
        opened.data,
        opened.parameters,
        opened.work,
        opened.stack,
        structure.letters,
        begun,
        tuple(None if each is None else each.copy() for each in begun),
        (weights, means, flat),
        sums,
        trace,
        enough,
        accelerate,
        rival,
    )
    return Climb(
        Parameters(weights, means, covariances),
        rows.statistics(means, sums),
        trace[:kept],
        passes,
        remaining,
        bad - 1 if bad else None,
    )


def m_step_from(structure: Decomposed, counts: Array, scatters: Array) -> Array | None:
    """Covariances near those of the M-step, by a few steps of its iterations; None if singular."""
    out = np.empty_like(scatters)
    logs, axes = structure.beginning(scatters.shape, scatters)
    effort = _EFFORT + 1
    bad = maximise_covariances(structure.letters, counts, scatters, logs, axes, effort, out)
    return None if bad else out


@jit
def partition_moments(rows, row_weights, labels, counts, means, scatters):
    """Counts, means and scatters (K, D, D) of the parts of a partition."""
    n, d = rows.shape
    fill(counts, 0.0)
    fill(means, 0.0)
    fill(scatters, 0.0)
    for b in range(n):
        counts[labels[b]] += row_weights[b]
        for j in range(d):
            means[labels[b], j] += row_weights[b] * rows[b, j]
    for k in range(counts.size):
        for j in range(d):
            means[k, j] /= counts[k]
    for b in range(n):
        k = labels[b]
        for i in range(d):
            x = row_weights[b] * (rows[b, i] - means[k, i])
            for j in range(i + 1):
                scatters[k, i, j] += x * (rows[b, j] - means[k, j])
    for k in range(counts.size):
        for i in range(d):
            for j in range(i):
                scatters[k, j, i] = scatters[k, i, j]


@jit
def _step(sums, letters, begun, theta, image):
    """The M-step from theta, into `image`.

    `begun` = (logs, axes): where the iterations of the last M-step ended, and then of this one.
    Returns 0, or 1 + the component whose scatter leaves no covariance.
    """
    weights, means, covariances = image
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
        weights[k] = counts[k] / sums[1]
        for j in range(d):
            means[k, j] = theta[1][k, j] + firsts[k * d + j] / counts[k]
    logs, axes = begun
    return maximise_covariances(letters, counts, scatters, logs, axes, _EFFORT, covariances)


@jit
def _project(letters, begun, theta):
    """Make a combination of members of a structure a member; 0, or 1 + a bad component."""
    weights, _, covariances = theta
    n_components = weights.size
    for k in range(n_components):
        if not weights[k] > 0.0:
            return k + 1
    scale(weights, 1.0 / weights.sum())
    volume, shape, orientation = letters
    all_vary = volume == VARYING and EQUAL not in (shape, orientation)
    none_varies = VARYING not in (volume, shape, orientation)
    if all_vary or none_varies:
        return 0
    scatters = np.empty_like(covariances)
    size = covariances.size // n_components
    to, other = scatters.reshape(n_components, size), covariances.reshape(n_components, size)
    for k in range(n_components):
        for m in range(size):
            to[k, m] = weights[k] * other[k, m]
    logs, axes = begun
    return maximise_covariances(letters, weights, scatters, logs, axes, _EFFORT, covariances)


@jit
def _assign_if_any(to, other):
    if to is not None:
        assign(to, other)


@jit
def _copy(to, other):
    assign(to[0], other[0])
    assign(to[1], other[1])
    assign(to[2], other[2])


@jit
def _from_flat(flat, theta):
    k, d = theta[1].shape
    assign(theta[0], flat[:k])
    assign(theta[1], flat[k : k + k * d])
    assign(theta[2], flat[k + k * d :])


@jit
def _raveled(theta):
    return theta[0], theta[1], theta[2].reshape(theta[2].size)


@jit
def _refer(theta, counts, factors, coordinates):
    """Take coordinates in which the complete-data information at theta is the identity."""
    scales, own, reference, strides = coordinates
    weights, means, covariances = theta
    k, d = means.shape
    flat = covariances.reshape(covariances.size)
    total = counts.sum()
    for c in range(k):
        reference[c] = weights[c]
        scales[0, c] = np.sqrt(total / weights[c])
        scales[1, c] = np.sqrt(counts[c])
        for j in range(d):
            reference[k + c * d + j] = flat[c * strides[1] + j * strides[0]]
    a, b = own.reshape(own.size), factors.reshape(factors.size)
    for i in range(a.size):
        a[i] = b[i]


@jit
def _estimate(gain, gains, used, newest, history, enough):
    """Nats still to be gained: the plain step's own gain over the least Ritz value of I - J.

    Where a first lower bound exceeds `enough` already, that bound is returned.
    """
    if gain > enough or gain <= 1e-26:
        return gain
    if used > 0 and gains[newest] < _NEAR:
        # The last step's own quotient is no less than the least Ritz value.
        dx = history[0, newest]
        quotient = -dot(dx, history[1, newest]) / max(dot(dx, dx), 1e-300)
        if quotient > 0.0 and gain > enough * min(quotient, 1.0):
            return gain / min(quotient, 1.0)
    near = np.empty(used, dtype=np.int64)
    many = 0
    for i in range(used):
        if gains[i] < _NEAR:
            near[many] = i
            many += 1
    if many < _FEWEST_STEPS:
        return np.inf
    dx, df = np.empty((many, history.shape[2])), np.empty((many, history.shape[2]))
    for m in range(many):
        assign(dx[m], history[0, near[m]])
        assign(df[m], history[1, near[m]])
    least = slowest(dx, df)
    return gain / min(least, 1.0) if least > 0.0 else np.inf


@jit
def _climb(
    data,
    parameters,
    work,
    stack,
    letters,
    begun,
    tried_from,
    theta,
    sums,
    trace,
    enough,
    fast,
    rival,
):
    """EM in place; (steps kept, passes, remaining, bad). `sums` are those at theta.

    `begun` and `tried_from` = (logs, axes): where the iterations of the next M-step begin, and
    those of the projection of a trial.
    """
    constants, centres, factors, offsets = parameters
    k, d = theta[1].shape
    size = k + k * d + theta[2].size
    full = theta[2].ndim == 3
    strides = (d + 1, d * d) if full else (1, d)
    coordinates = (
        np.empty((2, k)),
        np.empty((k, d, d) if full else (k, 1, d)),
        np.full(k * (1 + d), np.nan),
        strides,
    )
    scales, own, reference, _ = coordinates
    history = np.zeros((3, _DEPTH, size))
    products = np.empty((_DEPTH, _DEPTH))
    gains = np.empty(_DEPTH)
    points = np.empty((2, 3, size))
    flat = np.empty(size)
    image = (np.empty_like(theta[0]), np.empty_like(theta[1]), np.empty_like(theta[2]))
    trial = (np.empty_like(theta[0]), np.empty_like(theta[1]), np.empty_like(theta[2]))
    tried = np.empty_like(sums)
    now, used, newest, seen = 0, 0, -1, False
    gain, reach, stretch, remaining = np.inf, 1.0, 0.0, np.inf
    bad = factor(theta[0], theta[1], theta[2], constants, centres, factors, offsets)
    if bad > 0:
        return 0, 0, np.inf, bad
    serial_pass(data, parameters, work, stack, sums)
    trace[0] = sums[0]
    kept, passes, most = 1, 1, trace.size
    while passes < most:
        if kept >= _FIRST_LOOK and (
            _PATIENCE * (sums[0] - trace[kept - 1 - _RECENT]) < rival - sums[0]
        ):
            break
        for c in range(k):
            if not sums[2 + c] > _EPS * sums[1]:
                return kept, passes, np.inf, c + 1
        bad = _step(sums, letters, begun, theta, image)
        if bad > 0:
            return kept, passes, np.inf, bad
        now = 1 - now
        row = (newest + 1) % _DEPTH if seen else -1
        here, there = _raveled(theta), _raveled(image)
        if not observe(
            here, there, points, now, scales, own, reference, strides, history, products, row
        ):
            _refer(theta, sums[2 : 2 + k], factors, coordinates)
            used, newest, row = 0, -1, -1
            observe(
                here, there, points, now, scales, own, reference, strides, history, products, row
            )
        last, gain = gain, 0.5 * dot(points[now, 2], points[now, 2])
        seen = True
        if row >= 0:
            newest = row
            used = min(used + 1, _DEPTH)
            gains[row] = max(last, gain)
        remaining = _estimate(gain, gains, used, newest, history, enough)
        if remaining <= enough:
            break
        if fast and used > 0 and passes > _PLAIN:
            if stretch > 0.0:
                for i in range(size):
                    flat[i] = points[now, 1, i] + stretch * (points[now, 1, i] - points[now, 0, i])
            else:
                mix(points, now, history, products, used, reach, flat)
            _from_flat(flat, trial)
            _assign_if_any(tried_from[0], begun[0])
            _assign_if_any(tried_from[1], begun[1])
            better = False
            if _project(letters, tried_from, trial) == 0 and (
                factor(trial[0], trial[1], trial[2], constants, centres, factors, offsets) == 0
            ):
                serial_pass(data, parameters, work, stack, tried)
                passes += 1
                better = tried[0] >= sums[0] - 8.0 * _EPS * abs(sums[0])
            if better:
                _copy(theta, trial)
                assign(sums, tried)
                _assign_if_any(begun[0], tried_from[0])
                _assign_if_any(begun[1], tried_from[1])
            if stretch > 0.0:
                stretch = 2.0 * stretch if better else 0.0
                if not better:
                    used, newest = 0, -1
            else:
                reach = min(1.0, 2.0 * reach) if better else 0.25 * reach
                if reach < LEAST_REACH:
                    reach, stretch = 1.0, FIRST_STRETCH
            if better:
                trace[kept] = sums[0]
                kept += 1
                continue
            if passes >= most:
                # Factors are those of the trial: the statistics are not.
                break
        bad = factor(image[0], image[1], image[2], constants, centres, factors, offsets)
        if bad > 0:
            return kept, passes, np.inf, bad
        _copy(theta, image)
        serial_pass(data, parameters, work, stack, sums)
        passes += 1
        trace[kept] = sums[0]
        kept += 1
    return kept, passes, remaining, 0
