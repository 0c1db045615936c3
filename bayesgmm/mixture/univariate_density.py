"""The density of a mixture of one feature, at points given relative to the nearest mean.

A point is x = m_c + s: the index c of a mean (of the distinct means, in order) and a shift s. Where
components of standard deviation 1 lie at ±1e12, or one of 1e-150 inside one of 1e150, x itself has
too few digits for the density; the shift has them all. Between m_c and the middle of the way to the
next mean, every component that contributes to the density is at least as far from its own mean as
m_c is, so that (x - μ_k) / σ_k keeps its relative precision.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.errors import InputError
from bayesgmm.mixture.gaussian_densities import LOG_2PI, two_sum

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

# Standard deviations whose square is finite, and beyond which a density is 0.
_FARTHEST = 1e150
# Numbers that a block of points x components may hold.
_BLOCK = 2**20
_SIGN = np.int64(-(2**63))


def components_with_weight(mixture: "Mixture") -> tuple[Array, Array, Array, Integers]:
    """Weights, means, standard deviations and indices of the components that have weight.

    Raises
    ------
    InputError
        If the mixture has more than one feature.
    """
    if mixture.n_features != 1:
        raise InputError(
            f"This needs a mixture of one feature, but the mixture has {mixture.n_features}. Take "
            "mixture.marginal(feature) first."
        )
    kept = np.flatnonzero(mixture.weights > 0.0)
    deviations = np.sqrt(mixture.variances[kept, 0])
    return mixture.weights[kept], mixture.means[kept, 0], deviations, kept


@dataclass(frozen=True, eq=False)
class LineDensity:
    """A mixture of one feature, in halves of the data's unit.

    Halves, for the difference of two means may overflow.

    Attributes
    ----------
    weights, scales : (K,)
        Of the components of positive weight; standard deviations.
    centres : (C,)
        The distinct means, in order.
    home : (K,)
        The index among them of each component's mean.
    high, low : (C, K)
        m_c - μ_k as the exact sum of two numbers.
    """

    weights: Array
    scales: Array
    centres: Array
    home: Integers
    high: Array
    low: Array

    @classmethod
    def of(cls, mixture: "Mixture") -> "LineDensity":
        """The density of a mixture of one feature; ``InputError`` for more."""
        weights, means, deviations, _ = components_with_weight(mixture)
        means = 0.5 * means
        centres, home = np.unique(means, return_inverse=True)
        high, low = two_sum(centres[:, None], -means)
        return cls(weights, 0.5 * deviations, centres, home.astype(np.int64), high, low)

    @property
    def half_gaps(self) -> Array:
        """Half the distances between neighbouring means, (C - 1,)."""
        return 0.5 * np.diff(self.centres)

    def position(self, cell: Integers, shift: Array) -> Array:
        """The points in the data's unit, rounded once."""
        return 2.0 * (self.centres[cell] + shift)

    def standardised(self, cell: Integers, shift: Array) -> Array:
        """(x - μ_k) / σ_k, (p, K)."""
        apart = (self.high[cell] + shift[:, None]) + self.low[cell]
        with np.errstate(over="ignore"):
            return np.clip(apart / self.scales, -_FARTHEST, _FARTHEST)

    def log_density(self, cell: Integers, shift: Array) -> Array:
        """Log density in nats, of the half unit, (p,)."""
        return self.log_density_and_slope(cell, shift)[0]

    def log_density_and_slope(self, cell: Integers, shift: Array) -> tuple[Array, Array]:
        """Log density and its derivative by the shift, each (p,)."""
        z = self.standardised(cell, shift)
        logs = np.log(self.weights / self.scales) - 0.5 * z * z
        top = logs.max(axis=1, keepdims=True)
        terms = np.exp(logs - top)
        total = terms.sum(axis=1)
        # Divided by the standard deviation last: z / σ alone may overflow.
        slope = (terms * -z / self.scales).sum(axis=1) / total
        return top[:, 0] + np.log(total) - 0.5 * LOG_2PI, slope

    def derivative(self, order: int, cell: Integers, shift: Array) -> Array:
        """The first or second derivative of the density, each in a unit of its own, (p,).

        The unit is a positive number, so that signs are right and never underflow.
        """
        found = np.empty(len(cell))
        size = max(_BLOCK // len(self.weights), 1)
        for start in range(0, len(cell), size):
            rows = slice(start, start + size)
            z = self.standardised(cell[rows], shift[rows])
            logs = np.log(self.weights) - (order + 1) * np.log(self.scales) - 0.5 * z * z
            terms = np.exp(logs - logs.max(axis=1, keepdims=True))
            found[rows] = (terms * (-z if order == 1 else (z - 1.0) * (z + 1.0))).sum(axis=1)
        return found

    def log_curvature(self, cell: Integers, shift: Array) -> Array:
        """Log of minus the second derivative of the log density at its modes, (p,)."""
        z = self.standardised(cell, shift)
        logs = np.log(self.weights) - np.log(self.scales) - 0.5 * z * z
        bent = logs - 2.0 * np.log(self.scales)
        top = bent.max(axis=1, keepdims=True)
        total = (np.exp(bent - top) * (1.0 - z) * (1.0 + z)).sum(axis=1)
        highest = logs.max(axis=1, keepdims=True)
        density = highest[:, 0] + np.log(np.exp(logs - highest).sum(axis=1))
        with np.errstate(divide="ignore"):
            return top[:, 0] + np.log(np.maximum(total, 0.0)) - density

    def probabilities(self, cell: Integers, shift: Array) -> tuple[Array, Array]:
        """The probabilities within and between intervals with these ends (2 m,).

        Returns
        -------
        within : (m,)
            Of each interval.
        without : (m + 1,)
            Below the first, between neighbours, above the last: each to its own precision.
        """
        from scipy.special import ndtr

        z = self.standardised(cell, shift)
        ends = np.pad(z, ((1, 1), (0, 0)), constant_values=np.inf)
        ends[0] = -np.inf
        low, high = ends[:-1], ends[1:]
        # In whichever tail is the smaller.
        upper = low > 0.0
        parts = ndtr(np.where(upper, -low, high)) - ndtr(np.where(upper, -high, low))
        all_parts = np.maximum(parts, 0.0) @ self.weights
        return all_parts[1::2], all_parts[::2]


def middle(low: Array, high: Array) -> Array:
    """The number half-way between two others in the order of float64 numbers, rounded down.

    No interval is halved more than 64 times before nothing is left of it, whatever its scale.
    """
    a, b = _ordinal(low), _ordinal(high)
    half = (a >> 1) + (b >> 1) + (a & b & 1)
    bits = np.where(half < 0, -half | _SIGN, half).astype(np.int64)
    return np.asarray(bits.view(np.float64))


def _ordinal(x: Array) -> Integers:
    """The rank of a number among all float64 numbers."""
    bits = np.asarray(x + 0.0).view(np.int64)
    return np.where(bits < 0, -(bits & ~_SIGN), bits)


def last_where(holds: Callable[[Array], Any], low: Array, high: Array) -> Array:
    """The last number from `low` on for which a condition holds that fails at `high`."""
    for _ in range(66):
        half = middle(low, high)
        if not ((low < half) & (half < high)).any():
            break
        true = np.asarray(holds(half))
        low, high = np.where(true, half, low), np.where(true, high, half)
    return low
