"""The units in which a fit computes: shifted and scaled columns, and the way back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import InputError
from bayesgmm.likelihood.statistics import Parameters

_BLOCK = 1 << 16
# Log of the ratio of standard deviations whose fourth powers, of a share each, float64 holds.
_MOST_APART = np.log(1e50)


@dataclass(frozen=True, slots=True)
class Units:
    """x in the user's units is (x - shift) * scale in the fit's.

    Columns are centred and brought near standard deviation 1 by powers of two, which round
    nothing. So a fit of a x + b takes the same path as one of x for any a and b that float64 can
    hold. Where a structure is not invariant under scales by column (a sphere would become an
    ellipsoid), all columns share one scale.

    Attributes
    ----------
    shift, scale : ndarray of shape (D,)
    """

    shift: Array
    scale: Array

    def to_fit(self, x: Array) -> Array:
        """Rows in the fit's units (a copy)."""
        rows = np.ascontiguousarray(x - self.shift)
        rows *= self.scale
        return rows

    def values(self, coarse: Sequence[Array | None]) -> tuple[Array | None, ...]:
        """Distinct values of columns, where they are few, in the fit's units."""
        return tuple(
            None if each is None else (each - shift) * scale
            for each, shift, scale in zip(coarse, self.shift, self.scale, strict=True)
        )

    def log_likelihood(self, value: float, seen: Array) -> float:
        """A log-likelihood of rows that saw the columns so many times, in the user's units."""
        return float(value + (seen * np.log(self.scale)).sum())

    def to_user(self, parameters: Parameters) -> Parameters:
        """Parameters in the user's units."""
        covariances = _scaled(parameters.covariances, 1.0 / self.scale)
        return Parameters(
            parameters.weights, self.shift + parameters.means / self.scale, covariances
        )

    def from_user(self, parameters: Parameters) -> Parameters:
        """Parameters in the fit's units."""
        covariances = _scaled(parameters.covariances, self.scale)
        return Parameters(
            parameters.weights, (parameters.means - self.shift) * self.scale, covariances
        )


def _scaled(covariances: Array, scale: Array) -> Array:
    """Covariances of scaled columns; one factor at a time, whose square may overflow."""
    with np.errstate(over="ignore"):  # The fit refuses what is not finite.
        if covariances.ndim == 2:
            return np.asarray(covariances * scale * scale)
        return np.asarray(covariances * scale * scale[:, np.newaxis])


def moments(x: Array, row_weights: Array | None) -> tuple[Array, Array]:
    """Weighted means and standard deviations of the columns, in two passes by blocks.

    Neither over- nor underflows where the standard deviations themselves do not.
    """
    n, d = x.shape
    centre = x[0].copy()
    total = float(n) if row_weights is None else float(row_weights.sum())
    largest = np.zeros(d)
    first = np.zeros(d)
    for start in range(0, n, _BLOCK):
        block = x[start : start + _BLOCK] - centre
        np.maximum(largest, np.abs(block).max(axis=0), out=largest)
        v = None if row_weights is None else row_weights[start : start + _BLOCK]
        first += (block / total).sum(axis=0) if v is None else (v / total) @ block
    unit = np.where(largest > 0.0, largest, 1.0)
    mean = centre + first
    second = np.zeros(d)
    for start in range(0, n, _BLOCK):
        block = ((x[start : start + _BLOCK] - mean) / unit) ** 2
        v = None if row_weights is None else row_weights[start : start + _BLOCK]
        second += block.sum(axis=0) if v is None else v @ block
    return mean, unit * np.sqrt(second / total)


def fit_units(
    x: Array, row_weights: Array | None, structure: Structure, ridge: float = 0.0
) -> Units:
    """The units for a fit of these rows, where `ridge` is added to the variances."""
    mean, deviation = moments(x, row_weights)
    deviation = np.hypot(deviation, np.sqrt(ridge))
    if not structure.scales_by_column:
        # The geometric mean over columns (those that vary), within the range of float64.
        logs = np.log(deviation[deviation > 0.0])
        deviation = np.full_like(deviation, np.exp(logs.mean()) if logs.size else 1.0)
    _, exponents = np.frexp(deviation)
    return Units(mean, np.ldexp(1.0, -exponents))


def about_one(row_weights: Array) -> tuple[Array, float]:
    """Weights in a unit in which they are 1 on average, and that unit.

    A weight of 0 does not count, nor one that float64 cannot hold beside the largest: it is 0.
    """
    shares = row_weights / row_weights.max()
    present = shares >= np.finfo(np.float64).tiny
    unit = float(row_weights.max() * shares[present].mean())
    return np.where(present, row_weights / unit, 0.0), unit


def check_common_unit(
    x: Array, row_weights: Array | None, structure: Structure, ridge: float = 0.0
) -> None:
    """Raise InputError if no unit serves all columns of a structure that needs one for all."""
    if structure.scales_by_column:
        return
    deviation = np.hypot(moments(x, row_weights)[1], np.sqrt(ridge))
    most, least = int(deviation.argmax()), int(deviation.argmin())
    if deviation[least] > 0.0 and (
        np.log(deviation[most]) - np.log(deviation[least]) > _MOST_APART
    ):
        raise InputError(
            f"Column {most} of X has the standard deviation {deviation[most]:.3g}, and column "
            f"{least} {deviation[least]:.3g}: too far apart for {structure.code}, which "
            "measures all columns in one unit. Rescale the columns, or use a structure that "
            "scales with them ('full', 'tied' or 'diag')."
        )
