"""Ranges, means and variances of columns over rows that are seen in part, block by block.

The moments of two sets of rows give those of their union (Chan, Golub & LeVeque 1983, The American
Statistician 37, 242-247). Blocks are the leaves of a binary tree over their numbers: neighbours are
united, then neighbours of neighbours.
"""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Integers

# Exponents of units that are powers of two within float64.
_LEAST, _MOST = -1022, 1023


class ColumnMoments(NamedTuple):
    """What is known of D columns of some rows.

    Attributes
    ----------
    n_missing : (D,)
        Rows in which the column is missing.
    minima, maxima : (D,)
        NaN where a column is not seen.
    weights : (D,)
        Sums of the weights of the rows in which the column is seen.
    means : (D,)
        0 where a column is not seen.
    mean_rests : (D,)
        What the means lost by rounding: at a large offset, it is not small beside the spread.
    units : (D,)
        Powers of two, about as large as the spread of the column.
    squares : (D,)
        Weighted sums of squared distances from the means, in squared units.
    """

    n_missing: Integers
    minima: Array
    maxima: Array
    weights: Array
    means: Array
    mean_rests: Array
    units: Array
    squares: Array

    @property
    def standard_deviations(self) -> Array:
        """Standard deviations (D,), in the units of the data."""
        seen = np.where(self.weights > 0.0, self.weights, 1.0)
        return np.asarray(np.sqrt(self.squares / seen) * self.units)


def moments_of_block(x: Array, weights: Array | None) -> ColumnMoments:
    """Return the moments of rows x (m, D), m > 0, with weights (m,), all positive."""
    z = np.ascontiguousarray(x.T)
    missing = np.isnan(z)
    some_missing = bool(missing.any())
    minima, maxima = np.fmin.reduce(z, axis=1), np.fmax.reduce(z, axis=1)
    seen = ~np.isnan(minima)
    centres = np.where(seen, minima / 2.0 + maxima / 2.0, 0.0)
    units = _power_of_two(np.where(seen, maxima / 2.0 - minima / 2.0, 0.0))
    # Halves first: a range may be larger than the largest float.
    z = (z / 2.0 - (centres / 2.0)[:, np.newaxis]) / (units / 2.0)[:, np.newaxis]
    if some_missing:
        z[missing] = 0.0
    totals = _totals(missing if some_missing else None, weights, z.shape)
    safe = np.where(totals > 0.0, totals, 1.0)
    shifts = _sums(z, weights) / safe
    z -= shifts[:, np.newaxis]
    if some_missing:
        z[missing] = 0.0
    rest = _sums(z, weights)  # the rounding of the shifts, which is taken out of the squares
    squares = np.maximum(_sums(z * z, weights) - rest * (rest / safe), 0.0)
    means, mean_rests = _exact_sum(centres, units * (shifts + rest / safe))
    n_missing = np.count_nonzero(missing, axis=1).astype(np.int64)
    return ColumnMoments(n_missing, minima, maxima, totals, means, mean_rests, units, squares)


def _sums(z: Array, weights: Array | None) -> Array:
    """Weighted sums (D,) of z (D, m), in an order that no library chooses by its threads."""
    return np.asarray((z if weights is None else z * weights).sum(axis=1))


def _totals(missing: Booleans | None, weights: Array | None, shape: tuple[int, ...]) -> Array:
    """Sums of weights (D,) of the rows in which each column is seen."""
    w = np.ones(shape[1]) if weights is None else weights
    if missing is None:
        return np.full(shape[0], w.sum())
    return np.asarray(np.where(missing, 0.0, w).sum(axis=1))


def united(a: ColumnMoments, b: ColumnMoments) -> ColumnMoments:
    """Return the moments of the rows of both."""
    weights = a.weights + b.weights
    safe = np.where(weights > 0.0, weights, 1.0)
    both = (a.weights > 0.0) & (b.weights > 0.0)
    halves = b.means / 2.0 - a.means / 2.0 + (b.mean_rests / 2.0 - a.mean_rests / 2.0)
    halves = np.where(both, halves, 0.0)
    units = np.maximum(np.maximum(a.units, b.units), _power_of_two(np.abs(halves)))
    gap = halves / units * 2.0
    share = b.weights / safe
    half_means, lost = _exact_sum(a.means / 2.0, halves * share)
    half_means, lost = _exact_sum(half_means, lost + a.mean_rests / 2.0)
    only_b = a.weights == 0.0
    squares = (
        a.squares * (a.units / units) ** 2
        + b.squares * (b.units / units) ** 2
        + gap * gap * (a.weights * share)
    )
    return ColumnMoments(
        a.n_missing + b.n_missing,
        np.fmin(a.minima, b.minima),
        np.fmax(a.maxima, b.maxima),
        weights,
        np.where(only_b, b.means, 2.0 * half_means),
        np.where(only_b, b.mean_rests, 2.0 * lost),
        units,
        squares,
    )


class MomentsInOrder:
    """The sum of moments that come in the order of blocks, in a binary tree over their numbers."""

    def __init__(self) -> None:
        self._finished: list[tuple[int, ColumnMoments]] = []  # levels, and subtrees of 2^level

    def add(self, moments: ColumnMoments) -> None:
        """Add the moments of the next block."""
        level = 0
        while self._finished and self._finished[-1][0] == level:
            moments = united(self._finished.pop()[1], moments)
            level += 1
        self._finished.append((level, moments))

    def total(self) -> ColumnMoments:
        """Return the moments of all blocks, of which there is one at least."""
        *others, (_, moments) = self._finished
        for _, each in reversed(others):
            moments = united(each, moments)
        return moments


def _exact_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a + b, rounded, and what rounding took from it (Knuth 1969, two-sum)."""
    s = a + b
    of_b = s - a
    return s, (a - (s - of_b)) + (b - of_b)


def _power_of_two(sizes: Array) -> Array:
    """Return powers of two that are about as large as sizes, which are not negative."""
    exponents = np.where(sizes > 0.0, np.frexp(sizes)[1], _LEAST)
    return np.asarray(np.ldexp(1.0, np.clip(exponents, _LEAST, _MOST)))
