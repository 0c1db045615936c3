"""Axes that components share while their shapes vary: Sigma_k = lambda_k D A_k D'.

With s_k = sum_j log (D' W_k D)_jj, the best orthogonal D minimises

    VVE:  sum_k N_k s_k / N                    common principal components (Flury 1984)
    EVE:  log sum_k exp(s_k / D)               equal volumes

Both fall under rotations of two axes at a time (Flury and Gautschi 1986, SIAM J. Sci. Stat. Comput.
7, 169-184): in the angle t = 4 theta the product of component k's two variances is

    v_k(t) = a_k - b_k cos t - c_k sin t,

with its least value at the angle of its own principal axes. Neither is convex: the search for one
rotation begins at the best of these angles, the search for all axes at several bases.
"""

import math

import numpy as np

from bayesgmm.model.compile import jit
from bayesgmm.model.loops import accumulate, assign, dot, fill, scale
from bayesgmm.model.spectrum import rotate_both, rotate_columns, spectrum

# Rotations end where a sweep gains so little (in nats a row): axes are then exact to its root. Or
# where it gains little and no less than the one before: that is rounding.
_LEAST_GAIN, _ROUNDING = 1e-26, 1e-20
_MOST_SWEEPS = 400
# Sweeps by which a basis shows what it leads to.
_TRIAL_SWEEPS = 3
# Newton steps of a rotation that is near its end: what is left, the next sweep finds.
_FEW_STEPS = 3
# Up to this size plain loops are faster than the library's products.
_SMALL = 8


@jit
def _sums_of_logs(rotated, sums):
    """s_k of each component; NaN where a variance is none."""
    for k in range(rotated.shape[0]):
        s = 0.0
        for j in range(rotated.shape[1]):
            s += math.log(rotated[k, j, j])
        sums[k] = s


@jit
def _objective(rotated, counts, equal_volumes, sums):
    _sums_of_logs(rotated, sums)
    n_components, d = rotated.shape[:2]
    if not equal_volumes:
        return dot(counts, sums) / counts.sum()
    most = sums.max()
    s = 0.0
    for k in range(n_components):
        s += math.exp((sums[k] - most) / d)
    return math.log(s) + most / d


@jit
def _along(t, shares, terms, power):
    """The objective of one rotation and its first two derivatives at t.

    VVE (power 0): sum_k share_k log v_k(t). EVE (power 1 / D): sum_k share_k v_k(t)^power, with
    shares so that it is about 1 at t = 0.
    """
    c, s = math.cos(t), math.sin(t)
    value = first = second = 0.0
    for k in range(shares.size):
        v = terms[k, 0] - terms[k, 1] * c - terms[k, 2] * s
        slope = (terms[k, 1] * s - terms[k, 2] * c) / v
        bend = (terms[k, 1] * c + terms[k, 2] * s) / v
        if power == 0.0:
            value += shares[k] * math.log(v)
            first += shares[k] * slope
            second += shares[k] * (bend - slope * slope)
        else:
            e = shares[k] * v**power * power
            value += e / power
            first += e * slope
            second += e * (bend + (power - 1.0) * slope * slope)
    return value, first, second


@jit
def _best_rotation(rotated, i, j, shares, terms, power, wide):
    """The angle t that minimises the objective of rotating axes i and j, and nats a row it gains.

    shares (K,) as in `_along`. With `wide` every component's own angle is tried as a beginning, and
    the search goes on to the end; else it takes a few steps from where it is.
    """
    n_components = rotated.shape[0]
    bent = 0.0
    for k in range(n_components):
        p, q, r = rotated[k, i, i], rotated[k, j, j], rotated[k, i, j]
        half, mean = 0.5 * (p - q), 0.5 * (p + q)
        # In units of the product of the two variances as they are: v_k(0) = 1.
        unit = p * q
        terms[k, 0] = (mean * mean - 0.5 * (half * half + r * r)) / unit
        terms[k, 1] = 0.5 * (half * half - r * r) / unit
        terms[k, 2] = half * r / unit
        bent = max(bent, abs(terms[k, 1]) + abs(terms[k, 2]))
    if not bent > 1e-15:
        return 0.0, 0.0
    t = 0.0
    value, first, second = _along(0.0, shares, terms, power)
    begun = value
    gain = 0.0
    far = False
    if wide:
        for k in range(n_components):
            own = math.atan2(terms[k, 2], terms[k, 1])
            found = _along(own, shares, terms, power)
            if found[0] < value:
                t, far = own, True
                value, first, second = found
    for _ in range(50 if wide else _FEW_STEPS):
        if second > 0.0 and abs(first) < 0.5 * second:
            step = -first / second
        else:
            step = -math.copysign(0.3, first)
        if abs(step) < 1e-4:
            # A decrease so small is lost in the rounding of the objective, not in its slope.
            t += step
            gain += 0.5 * abs(first * step)
            if abs(step) < 1e-8:
                break
            value, first, second = _along(t, shares, terms, power)
            continue
        found = _along(t + step, shares, terms, power)
        halvings = 0
        while not found[0] < value and halvings < 40:
            step *= 0.5
            halvings += 1
            found = _along(t + step, shares, terms, power)
        if not found[0] < value:
            break
        t, far = t + step, True
        value, first, second = found
    return t, begun - value if far else gain


@jit
def _sweep(rotated, axes, counts, equal_volumes, wide, shares, terms):
    """Rotate each pair of axes once, in place; nats a row that this gained."""
    n_components, d = rotated.shape[:2]
    power = 1.0 / d if equal_volumes else 0.0
    gain = 0.0
    for i in range(d):
        for j in range(i):
            if equal_volumes:
                _sums_of_logs(rotated, shares)
                most = shares.max()
                for k in range(n_components):
                    shares[k] = math.exp((shares[k] - most) / d)
                scale(shares, 1.0 / shares.sum())
            else:
                for k in range(n_components):
                    shares[k] = counts[k]
                scale(shares, 1.0 / shares.sum())
            t, gained = _best_rotation(rotated, j, i, shares, terms, power, wide)
            if t != 0.0:
                c, s = math.cos(0.25 * t), math.sin(0.25 * t)
                for k in range(n_components):
                    rotate_both(rotated[k], j, i, c, s)
                rotate_columns(axes, j, i, c, s)
                gain += gained
    return gain


@jit
def _rotate_all(scatters, axes, rotated):
    """rotated_k = D' W_k D."""
    n_components, d = scatters.shape[:2]
    if d > _SMALL:
        for k in range(n_components):
            assign(rotated[k], axes.T @ (scatters[k] @ axes))
        return
    half = np.empty((d, d))
    fill(rotated, 0.0)
    for k in range(n_components):
        fill(half, 0.0)
        for i in range(d):
            for m in range(d):
                for j in range(d):
                    half[i, j] += scatters[k, i, m] * axes[m, j]
        for m in range(d):
            for i in range(d):
                for j in range(d):
                    rotated[k, i, j] += axes[m, i] * half[m, j]


@jit
def _descend(rotated, axes, counts, equal_volumes, sweeps, wide, shares, terms):
    """Sweep until nothing is gained, at most `sweeps` times, the first few of them `wide`."""
    last = np.inf
    for i in range(sweeps):
        gain = _sweep(rotated, axes, counts, equal_volumes, i < wide, shares, terms)
        if not gain > _LEAST_GAIN or (gain < _ROUNDING and gain > 0.5 * last):
            return
        last = gain


@jit
def _search(scatters, counts, equal_volumes, axes, rotated, shares, terms):
    """The best basis found from the data alone."""
    n_components, d = scatters.shape[:2]
    values = np.empty(d)
    trial = np.empty((d, d))
    turned = np.empty_like(rotated)
    pooled = np.zeros((d, d))
    for k in range(n_components):
        accumulate(pooled, scatters[k])
    best = np.inf
    # The data's own axes, those of all components together, and each component's.
    bases = n_components + 2 if d > 2 else 1
    for b in range(bases):
        if b == 0:
            for i in range(d):
                for j in range(d):
                    trial[i, j] = 1.0 if i == j else 0.0
        else:
            spectrum(pooled if b == 1 else scatters[b - 2], values, trial)
        _rotate_all(scatters, trial, turned)
        _descend(turned, trial, counts, equal_volumes, _TRIAL_SWEEPS, _TRIAL_SWEEPS, shares, terms)
        value = _objective(turned, counts, equal_volumes, shares)
        if b == 0 or value < best:
            best = value
            assign(axes, trial)
            assign(rotated, turned)
    _descend(rotated, axes, counts, equal_volumes, _MOST_SWEEPS, _TRIAL_SWEEPS, shares, terms)
    return _objective(rotated, counts, equal_volumes, shares)


@jit
def fit_axes(scatters, counts, equal_volumes, axes, rotated, sweeps):
    """Common axes (D, D) as columns, and each scatter in them.

    `axes` holds a basis to begin at, or NaN. With `sweeps` they go on from there, at most so often.
    With 0 they end at the optimum, and bases made from the data are tried too: the given one is
    kept only if it ends better than these. Returns 0, or 1 + the index of a component without
    spread along some axis.
    """
    n_components, d = scatters.shape[:2]
    shares = np.empty(n_components)
    terms = np.empty((n_components, 3))
    if math.isnan(axes[0, 0]):
        _search(scatters, counts, equal_volumes, axes, rotated, shares, terms)
    elif sweeps > 0:
        _rotate_all(scatters, axes, rotated)
        _descend(rotated, axes, counts, equal_volumes, sweeps, 0, shares, terms)
    else:
        given = axes.copy()
        turned = np.empty_like(rotated)
        _rotate_all(scatters, given, turned)
        _descend(turned, given, counts, equal_volumes, _MOST_SWEEPS, _TRIAL_SWEEPS, shares, terms)
        value = _objective(turned, counts, equal_volumes, shares)
        found = _search(scatters, counts, equal_volumes, axes, rotated, shares, terms)
        if not found <= value + 1e-12:
            assign(axes, given)
            assign(rotated, turned)
    for k in range(n_components):
        for j in range(d):
            if not rotated[k, j, j] > 0.0:
                return k + 1
    return 0
