"""Modes and antimodes of a mixture of one feature."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.mixture.univariate_density import LineDensity, last_where

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

# Standard deviations about each mean at which the slope is computed. Farther than one from every
# mean the density is convex, so that it turns at most once between two points.
_NEAR = np.arange(-22, 23) * 0.05
_FAR = np.arange(1, 40) * 0.2 + 1.1
_REACH = np.concatenate((-_FAR[::-1], _NEAR, _FAR))


class Points(NamedTuple):
    """Points of a line, in order: the index of a mean, and the shift from it."""

    cell: Integers
    shift: Array

    def take(self, which: Integers | Booleans) -> "Points":
        """Some of the points."""
        return Points(self.cell[which], self.shift[which])


class Turns(NamedTuple):
    """The turning points of a density.

    Attributes
    ----------
    points : Points
        In order.
    peaks : (m,)
        True at modes, False at antimodes: they alternate, and the first and the last are modes.
    """

    points: Points
    peaks: Booleans


def modes(mixture: "Mixture", *, peaks: bool = True) -> Array:
    """The modes of a mixture of one feature, or its antimodes, in order; see `Mixture.modes`."""
    line = LineDensity.of(mixture)
    turns = turning_points(line)
    return line.position(*turns.points.take(turns.peaks == peaks))


def turning_points(line: LineDensity) -> Turns:
    """The turning points of the density, in order.

    All turns lie between the least and the largest mean. There are at most K modes: blurring, in
    one dimension, creates none.
    """
    points = _between_means(line)
    slopes = line.derivative(1, *points)
    # Two points are at the same place where cells meet.
    same = np.flatnonzero(points.cell[:-1] != points.cell[1:])
    slopes[same + 1] = slopes[same]
    # Means pull towards themselves, if by less than rounding.
    slopes[0], slopes[-1] = np.inf, -np.inf
    points, slopes = _with_hidden_turns(line, points, slopes)
    rising = slopes >= 0.0
    at = np.flatnonzero((rising[:-1] != rising[1:]) & (points.cell[:-1] == points.cell[1:]))
    cell, up = points.cell[at], rising[at]
    shift = last_where(
        lambda s: (line.derivative(1, cell, s) >= 0.0) == up, points.shift[at], points.shift[at + 1]
    )
    return Turns(Points(cell, shift), up)


def _between_means(line: LineDensity) -> Points:
    """Points between the least and the largest mean, dense where the density can turn."""
    count, gaps = len(line.centres), line.half_gaps
    if count == 1:
        # Both ends of an interval without length.
        return Points(np.zeros(2, dtype=np.int64), np.zeros(2))
    borders = line.centres[:-1] + gaps
    # From the component's own mean, and then from that of the cell.
    own = line.scales[:, None] * _REACH
    cell = np.searchsorted(borders, line.centres[line.home][:, None] + own)
    component = np.arange(len(line.scales))[:, None]
    shift = (own - line.high[cell, component]) - line.low[cell, component]
    least = np.concatenate(([0.0], -gaps))
    most = np.concatenate((gaps, [0.0]))
    every = np.arange(count)
    cells = np.concatenate((cell.ravel(), every, every, every))
    shifts = np.concatenate((shift.ravel(), 0.0 * least, least, most))
    shifts = np.clip(shifts, least[cells], most[cells]) + 0.0
    order = np.lexsort((shifts, cells))
    cells, shifts = cells[order].astype(np.int64), shifts[order]
    new = np.ones(len(cells), dtype=bool)
    new[1:] = (np.diff(cells) > 0) | (np.diff(shifts) > 0.0)
    return Points(cells[new], shifts[new])


def _with_hidden_turns(line: LineDensity, points: Points, slopes: Array) -> tuple[Points, Array]:
    """Add points where the slope, of one sign at two neighbours, has the other in between."""
    bends = line.derivative(2, *points)
    rising = slopes >= 0.0
    # A slope that comes nearer to 0 and leaves it again.
    dips = np.where(
        rising[:-1], (bends[:-1] < 0) & (bends[1:] > 0), (bends[:-1] > 0) & (bends[1:] < 0)
    )
    at = np.flatnonzero(dips & (rising[:-1] == rising[1:]) & (points.cell[:-1] == points.cell[1:]))
    cell, start = points.cell[at], bends[at] > 0.0
    shift = last_where(
        lambda s: (line.derivative(2, cell, s) > 0.0) == start,
        points.shift[at],
        points.shift[at + 1],
    )
    found = line.derivative(1, cell, shift)
    hidden = (found >= 0.0) != rising[at]
    if not hidden.any():
        return points, slopes
    where = at[hidden] + 1
    merged = Points(
        np.insert(points.cell, where, cell[hidden]), np.insert(points.shift, where, shift[hidden])
    )
    return merged, np.insert(slopes, where, found[hidden])
