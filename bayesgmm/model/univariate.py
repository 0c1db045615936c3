"""Distribution function, quantiles and highest-density intervals of a mixture of one feature."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import log_ndtr, logsumexp, ndtr, ndtri

from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.model.parameters import as_floats
from bayesgmm.model.precise import Floats

if TYPE_CHECKING:
    from bayesgmm.model.mixture import Mixture

# Halvings of an interval of float64 numbers, after which nothing is left of it.
_HALVINGS = 1100
# Points per component, over this many standard deviations to either side, between which the
# density turns at most once.
_POINTS, _REACH = 401, 8.0
# Standard deviations from a mean, beyond which a component counts for nothing.
_FAR = 38.0


def cdf(mixture: "Mixture", x: ArrayLike) -> Floats:
    """Return P(X ≤ x) = Σ π_k Φ((x - μ_k) / σ_k), to full relative precision in the lower tail."""
    weights, means, scales = _components(mixture)
    z = (as_floats("x", x)[..., None] - means) / scales
    return np.asarray(ndtr(z) @ weights)


def quantile(mixture: "Mixture", q: ArrayLike) -> Floats:
    """Return the x of P(X ≤ x) = q, to the last bits also far in the tails.

    The quantiles of the components bracket that of the mixture. The bracket is halved until no
    number is left in it, on the log of whichever tail is the smaller.
    """
    weights, means, scales = _components(mixture)
    level = as_floats("q", q)
    if ((level < 0.0) | (level > 1.0)).any():
        raise InvalidParameterError("q must be probabilities, from 0 to 1.")
    lower_tail = level <= 0.5
    with np.errstate(divide="ignore"):
        target = np.log(np.where(lower_tail, level, 1.0 - level))
    ends = means + scales * ndtri(level)[..., None]
    low, high = ends.min(axis=-1), ends.max(axis=-1)
    inside = np.isfinite(low) & np.isfinite(high)
    side = np.where(lower_tail, 1.0, -1.0)
    for _ in range(_HALVINGS):
        middle = np.where(inside, 0.5 * low + 0.5 * high, low)
        if not (inside & (low < middle) & (middle < high)).any():
            break
        z = (middle[..., None] - means) / scales
        tail = logsumexp(log_ndtr(side[..., None] * z), b=weights, axis=-1)
        below = side * (tail - target) < 0.0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray(np.where(inside, 0.5 * low + 0.5 * high, low))


def highest_density_intervals(mixture: "Mixture", prob: float) -> tuple[float, Floats]:
    """Return the log density at the ends of the region of that probability, and its intervals.

    The density turns only between the least and the largest mean. It is cut into pieces where it
    turns, so that each has at most one end.
    """
    turns = _turning_points(mixture)
    _, means, scales = _components(mixture)
    # Beyond these there is less probability than float64 can tell from none.
    outer = (means - _FAR * scales).min(), (means + _FAR * scales).max()
    points = np.concatenate(([outer[0]], turns, [outer[1]]))
    heights = mixture.log_density(points)

    def intervals(level: float) -> Floats:
        ends: list[float] = []
        for a, b, height_a, height_b in zip(
            points[:-1], points[1:], heights[:-1], heights[1:], strict=True
        ):
            if (height_a < level) != (height_b < level):
                ends.append(
                    brentq(
                        lambda x: float(mixture.log_density(np.array([x]))[0]) - level,
                        a,
                        b,
                        xtol=1e-14 * (b - a),
                        rtol=1e-14,
                    )
                )
        return np.array(ends).reshape(-1, 2)

    def excess(level: float) -> float:
        lengths = np.diff(cdf(mixture, intervals(level)), axis=-1)
        return float(lengths.sum()) - prob

    highest = float(heights.max())
    lowest = highest - 1.0
    while excess(lowest) < 0.0:
        lowest -= 2.0 * (highest - lowest)
    level = float(brentq(excess, lowest, highest, xtol=1e-13))
    return level, intervals(level)


def _turning_points(mixture: "Mixture") -> Floats:
    """Where the density turns, in order."""
    weights, means, scales = _components(mixture)
    reach = np.linspace(-_REACH, _REACH, _POINTS)
    grid = np.unique((means[:, None] + scales[:, None] * reach).ravel())
    grid = grid[(grid >= means.min()) & (grid <= means.max())]

    def slope(x: Floats) -> Floats:
        """The derivative of the log density, whose sign never underflows."""
        z = (x[..., None] - means) / scales
        log_terms = np.log(weights / scales) - 0.5 * z * z
        shares = np.exp(log_terms - log_terms.max(axis=-1, keepdims=True))
        return np.asarray((shares * -z / scales).sum(axis=-1))

    slopes = slope(grid)
    turns = list(grid[slopes == 0.0])
    for j in np.flatnonzero(slopes[:-1] * slopes[1:] < 0.0):
        a, b = grid[j], grid[j + 1]
        turns.append(brentq(lambda x: float(slope(np.array([x]))[0]), a, b, xtol=1e-14 * (b - a)))
    return np.sort(np.array(turns))


def _components(mixture: "Mixture") -> tuple[Floats, Floats, Floats]:
    """Weights, means and standard deviations of the components that have weight."""
    if mixture.n_features != 1:
        raise InputError(
            f"This is of one feature, but the mixture has {mixture.n_features}: take "
            "mixture.marginal(feature) first."
        )
    kept = mixture.weights > 0.0
    deviations = np.sqrt(mixture.variances[kept, 0])
    return mixture.weights[kept], mixture.means[kept, 0], deviations
