"""Weighted sums of unit Gaussian kernels in one and two dimensions: their peaks and suprema.

A sum is D(t) = sum_i c_i phi(z_i - t), with c_i > 0 and phi the standard normal density. On a box
of half-width r about b it is a polynomial in s, t = b + r s, from the expansion

    phi(u - r s) = sum_j h_j(u) s^j,  h_j(u) = phi(u) He_j(u) r^j / j!,

in each coordinate (the fast Gauss transform of Greengard & Strain 1991), up to a remainder that
Cramér's inequality bounds. The Bernstein coefficients of a polynomial bound it from above.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array

# Half-width of a box, and terms of an expansion in each coordinate.
_RADIUS, _TERMS = 0.5, 18
# Rows farther from a box than this are left out; phi(9) / phi(0) is 3e-18.
_REACH = 9.0
_PEAK = 1.0 / math.sqrt(2.0 * math.pi)
# |He_j(u)| exp(-u^2 / 4) <= 1.0865 sqrt(j!) (Cramér).
_REMAINDER = 1.0865 * _PEAK * _RADIUS**_TERMS / math.sqrt(math.factorial(_TERMS))
# sum_j |h_j(u)| is at most phi(0) exp(r^2), and so are the terms of the recurrence for h.
_LARGEST = _PEAK * math.exp(_RADIUS**2)
# The steepest slope of phi.
_SLOPE = _PEAK * math.exp(-0.5)
_UNIT = 2.0**-53
# Roundings, besides those of a sum over rows, of a Bernstein coefficient after fifty halvings.
_ROUNDINGS = 5000
# Boxes of the first coordinate that are expanded at once; points on a side where peaks are sought.
_BLOCK, _POINTS = 8, 8
_HALVINGS = 50
# A peak is at most 1/16 from a point in each coordinate, where D is lower by a share below this.
_DROP, _ASCENTS = 0.01, 5


class Boxes(NamedTuple):
    """Boxes of half-width 1/2, and the sum on each of them.

    Attributes
    ----------
    centres : (b, d)
    coefficients : (b, J) or (b, J, J)
        Of the polynomial in s in [-1, 1]^d.
    margin : float
        The sum is at most so far from the polynomial.
    """

    centres: Array
    coefficients: Array
    margin: float


def axes_of(rows: Array) -> list[Array]:
    """The centres of boxes in each coordinate; the boxes cover the rows' bounding box."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    width = 2.0 * _RADIUS
    # One more than needed, so that rounding leaves no gap at the end.
    counts = np.floor((high - low) / width).astype(int) + 1
    return [
        start - _RADIUS / 2 + width * (0.5 + np.arange(count + 1))
        for start, count in zip(low, counts, strict=True)
    ]


def expanded(rows: Array, c: Array, error: float) -> Iterator[Boxes]:
    """The sum on boxes that cover the rows, some boxes at a time.

    Parameters
    ----------
    rows : (n, d)
        In ascending order of the first coordinate.
    c : (n,)
    error : float
        The exact rows are at most so far from these in each coordinate.
    """
    first, *others = axes_of(rows)
    d = rows.shape[1]
    beyond = float(c.sum()) * _PEAK**d * math.exp(-0.5 * _REACH**2)
    for at in range(0, len(first), _BLOCK):
        centres = first[at : at + _BLOCK]
        reach = _RADIUS + _REACH
        begin, end = np.searchsorted(rows[:, 0], [centres[0] - reach, centres[-1] + reach])
        if begin == end:
            continue
        near, own = rows[begin:end], c[begin:end]
        along = _terms(near[:, 0], centres) * own
        if others:
            across = _terms(near[:, 1], others[0])
            product = np.tensordot(along, across, axes=(2, 2)).transpose(0, 2, 1, 3)
            coefficients = product.reshape(-1, _TERMS, _TERMS)
            corners = np.stack(np.meshgrid(centres, others[0], indexing="ij"), axis=-1)
            points = corners.reshape(-1, 2)
        else:
            coefficients, points = along.sum(axis=2), centres[:, np.newaxis]
        margin = float(own.sum()) * _error_of_a_term(len(own), d, error) + beyond
        yield Boxes(points, coefficients, margin)


def _error_of_a_term(n: int, d: int, error: float) -> float:
    """A bound on the error of a sum of n terms, for coefficients c that sum to 1."""
    remainder = _REMAINDER * (2.0 * _PEAK + _REMAINDER) if d == 2 else _REMAINDER
    rounding = (n + _ROUNDINGS) * _UNIT * _LARGEST**d
    return remainder + rounding + error * d * _SLOPE * _PEAK ** (d - 1)


def _terms(values: Array, centres: Array) -> Array:
    """h_j of the values about each centre, (boxes, J, n)."""
    u = values - centres[:, np.newaxis]
    terms = np.empty((len(centres), _TERMS, len(values)))
    terms[:, 0] = _PEAK * np.exp(-0.5 * u * u)
    terms[:, 1] = _RADIUS * u * terms[:, 0]
    for j in range(1, _TERMS - 1):
        terms[:, j + 1] = (_RADIUS / (j + 1)) * (u * terms[:, j] - _RADIUS * terms[:, j - 1])
    return terms


# --- the supremum -------------------------------------------------------------------------------


def supremum(rows: Array, c: Array, least: float, slack: float, error: float) -> float:
    """An upper bound on D(t) over all t; it exceeds the supremum by a share `slack` and rounding.

    Outside the rows' convex hull D is less than at the nearest point of the hull, which is nearer
    to every row; boxes that cover the hull are therefore enough. In a box, D is at most the largest
    Bernstein coefficient; boxes where that exceeds the largest value seen by more than `slack` are
    halved.

    Parameters
    ----------
    rows, c, error
        As for `expanded`.
    least : float
        A value of D; a smaller supremum is not sought.
    slack : float
    """
    margin, kept = 0.0, []
    for boxes in expanded(rows, c, error):
        margin = max(margin, boxes.margin)
        corners = _along_axes(_BERNSTEIN, boxes.coefficients)
        kept.append(corners[_largest(corners) > least * (1.0 + slack)])
    pieces = np.concatenate(kept)
    least = max(least, _largest_corner(pieces))
    for _ in range(_HALVINGS):
        pieces = pieces[_largest(pieces) > least * (1.0 + slack)]
        if not len(pieces):
            break
        pieces = _halved(pieces)
        least = max(least, _largest_corner(pieces))
    found = max(least * (1.0 + slack), float(_largest(pieces).max(initial=0.0)))
    return (found + margin) * (1.0 + 4 * _UNIT)


def _bernstein(degree: int) -> Array:
    """The matrix from coefficients in s, on [-1, 1], to Bernstein's; entries are at most 1."""
    matrix = np.empty((degree + 1, degree + 1))
    for k in range(degree + 1):
        # Blossom of s^j at k times 1 and degree - k times -1.
        product = np.array([1.0])
        for root in [1.0] * k + [-1.0] * (degree - k):
            product = np.append(product, 0.0) + root * np.insert(product, 0, 0.0)
        matrix[k] = product / [math.comb(degree, j) for j in range(degree + 1)]
    return matrix


def _halving(degree: int) -> tuple[Array, Array]:
    """The matrices to the Bernstein coefficients on the left and the right half."""
    left = np.zeros((degree + 1, degree + 1))
    for k in range(degree + 1):
        left[k, : k + 1] = [math.comb(k, j) / 2.0**k for j in range(k + 1)]
    return left, left[::-1, ::-1].copy()


_BERNSTEIN = _bernstein(_TERMS - 1)
_HALVES = _halving(_TERMS - 1)


def _along_axes(matrix: Array, coefficients: Array) -> Array:
    """A matrix applied to each axis but the first."""
    for axis in range(1, coefficients.ndim):
        moved = np.moveaxis(coefficients, axis, -1) @ matrix.T
        coefficients = np.moveaxis(moved, -1, axis)
    return coefficients


def _halved(pieces: Array) -> Array:
    """The Bernstein coefficients on the halves along each axis."""
    for axis in range(1, pieces.ndim):
        moved = np.moveaxis(pieces, axis, -1)
        pieces = np.concatenate([np.moveaxis(moved @ each.T, -1, axis) for each in _HALVES])
    return pieces


def _largest(pieces: Array) -> Array:
    """The largest coefficient of each piece."""
    return np.asarray(pieces.max(axis=tuple(range(1, pieces.ndim))))


def _largest_corner(pieces: Array) -> float:
    """The largest value at a corner, where coefficients are values."""
    for axis in range(1, pieces.ndim):
        pieces = pieces.take([0, -1], axis=axis)
    return float(pieces.max(initial=0.0))


# --- peaks --------------------------------------------------------------------------------------


def peaks(rows: Array, c: Array, above: float) -> tuple[Array, Array]:
    """Points near the local maxima of D that exceed a value, (m, d), and D there, (m,)."""
    offsets = (np.arange(_POINTS) + 0.5) * (2.0 / _POINTS) - 1.0
    powers = np.asarray(np.vander(offsets, _TERMS, increasing=True), dtype=np.float64)
    found = []
    for boxes in expanded(rows, c, 0.0):
        values = _along_axes(powers, boxes.coefficients)
        chosen = values > above * (1.0 - _DROP)
        for axis in range(1, values.ndim):
            rises = np.diff(values, axis=axis) > 0.0
            edge = [(0, 0)] * values.ndim
            edge[axis] = (1, 0)
            chosen &= np.pad(rises, edge, constant_values=True)
            edge[axis] = (0, 1)
            chosen &= ~np.pad(rises, edge, constant_values=False)
        box, *index = np.nonzero(chosen)
        found.append(boxes.centres[box] + _RADIUS * offsets[np.stack(index, axis=1)])
    points = np.concatenate(found)
    for _ in range(_ASCENTS):
        points = _nearer(rows, c, points)
    # From both sides of an edge between boxes, the same maximum.
    _, first = np.unique(np.round(points, 3), axis=0, return_index=True)
    values = c @ kernels(rows, points[first])
    return points[first][values > above], values[values > above]


def kernels(rows: Array, points: Array) -> Array:
    """phi(z_i - t_j), (n, m)."""
    squares = np.zeros((len(rows), len(points)))
    for row, point in zip(rows.T, points.T, strict=True):
        squares += np.square(row[:, np.newaxis] - point)
    return np.asarray(_PEAK ** rows.shape[1] * np.exp(-0.5 * squares))


def _nearer(rows: Array, c: Array, points: Array) -> Array:
    """Points after a step of Newton's to a maximum of D; of mean shift where that is no ascent."""
    k = kernels(rows, points) * c[:, np.newaxis]
    total = k.sum(axis=0)
    mean = (k.T @ rows) / total[:, np.newaxis]
    shift = mean - points
    d = rows.shape[1]
    second = np.empty((len(points), d, d))
    for a in range(d):
        for b in range(d):
            # The Hessian of D over D: the covariance about the point, less the identity.
            products = (rows[:, a, np.newaxis] - points[:, a]) * (
                rows[:, b, np.newaxis] - points[:, b]
            )
            second[:, a, b] = (k * products).sum(axis=0) / total - (a == b)
    concave = np.linalg.eigvalsh(second)[:, -1] < -1e-6
    step = shift.copy()
    step[concave] = -np.linalg.solve(second[concave], shift[concave, :, np.newaxis])[..., 0]
    short = np.abs(step).max(axis=1, initial=0.0) <= 0.25
    return points + np.where((concave & short)[:, np.newaxis], step, shift)
