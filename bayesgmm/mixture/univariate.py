"""Distribution function, quantiles and highest-density intervals of a mixture of one feature."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arrays import Array, Integers
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.gaussian_densities import LOG_2, LOG_2PI
from bayesgmm.mixture.modes import Points, Turns, turning_points
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.mixture.univariate_density import (
    LineDensity,
    components_with_weight,
    middle,
)

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

_ULP = 2.0**-52
# Halvings in the order of float64 numbers, after which nothing is left of an interval.
_HALVINGS = 66
# Where the log density is this far below that of the widest component's peak, K e^-100 of the
# probability is left; this many standard deviations from every mean it is lower still, whatever
# the scales are.
_DEPTH, _REACH = 100.0, 45.0
# Nats below its highest mode within which a region is too small for the log density to show it.
_TINY = 1e-9


def cdf(mixture: "Mixture", x: ArrayLike) -> Array:
    """Return P(X ≤ x) = Σ π_k Φ((x - μ_k) / σ_k), to full relative precision in the lower tail."""
    from scipy.special import ndtr

    weights, means, scales, _ = components_with_weight(mixture)
    with np.errstate(over="ignore"):
        z = (as_floats("x", x)[..., None] - means) / scales
    return np.asarray(ndtr(z) @ weights)


def quantile(mixture: "Mixture", q: ArrayLike) -> Array:
    """Return the x of P(X ≤ x) = q, to the last bits also far in the tails.

    The quantiles of the components bracket that of the mixture. The bracket is halved, in the order
    of float64 numbers, until no number is left in it, on the log of whichever tail is the smaller.
    """
    from scipy.special import log_ndtr, logsumexp, ndtri

    weights, means, scales, _ = components_with_weight(mixture)
    level = as_floats("q", q)
    if ((level < 0.0) | (level > 1.0)).any():
        raise InvalidParameterError("q must be probabilities, from 0 to 1.")
    lower_tail = level <= 0.5
    inside = (level > 0.0) & (level < 1.0)
    target = np.log(np.where(inside, np.minimum(level, 1.0 - level), 1.0))
    with np.errstate(over="ignore"):
        ends = means + scales * ndtri(level)[..., None]
    # One number lower, where P(X ≤ x) < q even if a component has no second number.
    low, high = np.nextafter(ends.min(axis=-1), -np.inf), ends.max(axis=-1)
    side = np.where(lower_tail, 1.0, -1.0)
    for _ in range(_HALVINGS):
        half = np.where(inside, middle(low, high), low)
        if not (inside & (low < half) & (half < high)).any():
            break
        with np.errstate(over="ignore"):
            z = (half[..., None] - means) / scales
        tail = logsumexp(log_ndtr(side[..., None] * z), b=weights, axis=-1)
        below = side * (tail - target) < 0.0
        low, high = np.where(below, half, low), np.where(inside & ~below, half, high)
    return np.asarray(high)


def highest_density_intervals(mixture: "Mixture", prob: float) -> tuple[float, Array]:
    """Return the log density at the ends of the region of that probability, and its intervals.

    The ends are rounded to float64, which far from 0 may be coarse beside the standard deviations:
    the probability within them differs from `prob` by the density there times the rounding.
    """
    line = LineDensity.of(mixture)
    turns = turning_points(line)
    ends = _tiny_region(line, turns, prob)
    if ends is None:
        pieces = _pieces(line, turns)
        ends = _polished(line, _region(line, pieces, prob), prob)
    # In the half unit the density is twice as high.
    level = float(line.log_density(*ends).min()) - LOG_2
    return level, line.position(*ends).reshape(-1, 2)


class _Pieces(NamedTuple):
    """Parts of the line on which the density only rises or only falls: ends and heights there."""

    cell: Integers
    low: Array
    high: Array
    height_low: Array
    height_high: Array


def _pieces(line: LineDensity, turns: Turns) -> _Pieces:
    """The line from far below to far above all means, cut at turns, means and half-way between."""
    count, gaps = len(line.centres), line.half_gaps
    every, zeros = np.arange(count), np.zeros(count)
    reach = _REACH * line.scales
    with np.errstate(over="ignore"):
        first = (-line.high[0] - reach).min()
        last = (-line.high[-1] + reach).max()
    cell = np.concatenate((every, every, every, turns.points.cell))
    shift = np.concatenate(
        (zeros, np.append(gaps, last), np.insert(-gaps, 0, first), turns.points.shift)
    )
    order = np.lexsort((shift, cell))
    cell, shift = cell[order].astype(np.int64), shift[order]
    height = line.log_density(cell, shift)
    same = np.flatnonzero(cell[:-1] != cell[1:])
    height[same + 1] = height[same]
    within = np.flatnonzero((cell[:-1] == cell[1:]) & (shift[:-1] < shift[1:]))
    return _Pieces(
        cell[within], shift[within], shift[within + 1], height[within], height[within + 1]
    )


def _region(line: LineDensity, pieces: _Pieces, prob: float) -> Points:
    """The ends of the intervals where the density is above the level of that probability."""
    from scipy.optimize import brentq

    top = max(pieces.height_low.max(), pieces.height_high.max())
    lowest = -np.log(line.scales.max()) - 0.5 * LOG_2PI - _DEPTH

    def excess(log_depth: float) -> float:
        within, without = line.probabilities(*_crossings(line, pieces, top - np.exp(log_depth)))
        if prob <= 0.5:
            return float(np.log(max(within.sum(), 1e-300) / prob))
        return float(np.log((1.0 - prob) / max(without.sum(), 1e-300)))

    span = np.log(0.5 * _TINY), np.log(top - lowest)
    depth = float(brentq(excess, *span, xtol=1e-14, rtol=4 * _ULP, maxiter=1000))
    return _crossings(line, pieces, top - np.exp(depth))


def _crossings(line: LineDensity, pieces: _Pieces, level: float) -> Points:
    """Points at which the density passes a level, in order, by bracketed Newton iterations."""
    rises = pieces.height_low < level
    at = np.flatnonzero(rises != (pieces.height_high < level))
    rises, cell, low, high = rises[at], pieces.cell[at], pieces.low[at], pieces.high[at]
    found = np.empty(len(at))
    left = np.arange(len(at))
    shift = 0.5 * low + 0.5 * high
    for step in range(4 * _HALVINGS):
        height, slope = line.log_density_and_slope(cell, shift)
        miss = height - level
        below = (miss < 0.0) == rises
        low, high = np.where(below, shift, low), np.where(below, high, shift)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            nearer = shift - miss / slope
        # Every fourth step halves what float64 numbers are left, for Newton's steps may be short.
        if step % 4 == 3:
            following = middle(low, high)
        else:
            inside = (nearer > low) & (nearer < high)
            following = np.where(inside, nearer, 0.5 * low + 0.5 * high)
        done = (
            (np.abs(miss) <= _ULP)
            | ((np.abs(nearer - shift) <= _ULP * np.abs(shift)) & (np.abs(miss) < 1.0))
            | (middle(low, high) == low)
        )
        if done.any():
            found[left[done]] = shift[done]
            go = ~done
            left, rises, cell, low, high = left[go], rises[go], cell[go], low[go], high[go]
            following = following[go]
        shift = following
        if not len(left):
            break
    found[left] = shift
    return Points(pieces.cell[at], found)


def _polished(line: LineDensity, ends: Points, prob: float) -> Points:
    """Move the ends by what the probability still misses, as a common step of the level would.

    Where the density is flat the last digit of the level moves the ends far.
    """
    missing = _missing(line, ends, prob)
    for _ in range(3):
        height, slope = line.log_density_and_slope(*ends)
        if missing == 0.0 or not slope.all():
            break
        widening = np.exp(height - np.log(np.abs(slope))).sum()
        moved = Points(ends.cell, ends.shift - missing / widening / slope)
        left = _missing(line, moved, prob)
        if not abs(left) < abs(missing):
            break
        ends, missing = moved, left
    return ends


def _missing(line: LineDensity, ends: Points, prob: float) -> float:
    """The probability that intervals with these ends lack."""
    within, without = line.probabilities(*ends)
    return float(prob - within.sum() if prob <= 0.5 else without.sum() - (1.0 - prob))


def _tiny_region(line: LineDensity, turns: Turns, prob: float) -> Points | None:
    """The ends of a region so small that the density is a parabola about each mode; or None.

    About a mode of log height h and curvature c, the density is above the level h₀ - t within
    √(2 (t - (h₀ - h)) / c); together these lengths hold the probability.
    """
    from scipy.optimize import brentq

    peaks = turns.points.take(turns.peaks)
    height, log_curvature = line.log_density(*peaks), line.log_curvature(*peaks)
    near = height >= height.max() - _TINY
    if not np.isfinite(log_curvature[near]).all():
        return None
    peaks, log_curvature = peaks.take(near), log_curvature[near]
    gap = height.max() - height[near]

    def reach(depth: float) -> Array:
        return np.sqrt(2.0 * np.maximum(depth - gap, 0.0)) * np.exp(-0.5 * log_curvature)

    scale, prob = np.exp(height.max()), max(prob, 1e-150)
    if 2.0 * scale * reach(_TINY).sum() < prob:
        return None
    root = brentq(
        lambda log: float(np.log(2.0 * scale * reach(np.exp(log)).sum() / prob)),
        -700.0,
        np.log(_TINY),
    )
    width = reach(float(np.exp(root)))
    kept = width > 0.0
    cell = np.repeat(peaks.cell[kept], 2)
    shift = np.repeat(peaks.shift[kept], 2) + np.stack((-width[kept], width[kept]), axis=1).ravel()
    return Points(cell, shift)
