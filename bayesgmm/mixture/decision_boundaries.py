"""Boundaries between the most probable components of a mixture of one feature."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.arguments import check_members, shown
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.univariate_density import components_with_weight
from bayesgmm.results import Result

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

# Boundaries nearer than this fraction of the smaller standard deviation, or than rounding, are one:
# three components or more are equally probable there.
_SAME, _SAME_EPS = 1e-10, 2.0**-49
# Crossings farther out than this are beyond all data; float64 holds their sums and differences.
_FARTHEST = 2.0**1020


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Boundaries(Result):
    """Points at which the most probable component changes, from left to right.

    Attributes
    ----------
    x : ndarray of shape (m,)
        In the data's units, ascending. Two components are equally probable there, and no other is
        more probable.
    below, above : ndarray of int, shape (m,)
        The most probable component to the left and to the right of each.

    Examples
    --------
    >>> from bayesgmm import Mixture
    >>> found = Mixture([0.5, 0.5], [0.0, 4.0], [1.0, 1.0]).boundaries()
    >>> found.x.round(3), found.below, found.above
    (array([2.]), array([0]), array([1]))
    """

    x: Array
    below: Integers
    above: Integers

    def _paragraphs(self) -> list[str]:
        triples = zip(self.x, self.below, self.above, strict=True)
        return [f"Component {a} | {x:.6g} | component {b}" for x, a, b in triples] or [
            "One component is the most probable everywhere"
        ]

    def __len__(self) -> int:
        return len(self.x)


def boundaries(mixture: "Mixture", components: Sequence[int] | None = None) -> Boundaries:
    """Return the boundaries between components; see `Mixture.boundaries`.

    The logs of π_k N(x | μ_k, σ_k²) are parabolas. Far to the left the widest is the highest; from
    each boundary on, the next is the nearest crossing to the right at which another one rises above
    the highest. A pair has at most one such crossing, so that K components have at most 2 K - 2
    boundaries.
    """
    weights, means, deviations, index = components_with_weight(mixture)
    if components is not None:
        chosen = np.isin(index, _checked(components, mixture.n_components))
        weights, means, deviations = weights[chosen], means[chosen], deviations[chosen]
        index = index[chosen]
    parabolas = _Parabolas(weights, means, deviations)
    found: list[tuple[float, int, int]] = []
    at, current = _Point(0.0, -np.inf), parabolas.leftmost(range(len(index)))
    while current is not None:
        crossings = parabolas.overtakings(current)
        ahead = at.precedes(crossings, parabolas.slack(current))
        if not ahead.any():
            break
        at = crossings.least(ahead)
        near = ahead & ~at.precedes(crossings, parabolas.slack(current))
        following = parabolas.leading(np.flatnonzero(near).tolist(), at)
        found.append((at.origin + at.shift, current, following))
        current = following
    found = [each for each in found if each[0] > -_FARTHEST]
    x = np.array([each[0] for each in found])
    below, above = (
        index[np.array([each[side] for each in found], dtype=np.int64)] for side in (1, 2)
    )
    return Boundaries(x, below.astype(np.int64), above.astype(np.int64))


@dataclass(frozen=True, eq=False)
class _Points:
    """Points as means and shifts from them, so that nearly equal points stay distinct.

    A shift of NaN stands for no point.
    """

    origins: Array
    shifts: Array

    def least(self, among: Booleans) -> "_Point":
        """The first of some of the points."""
        place = self.origins + self.shifts
        # First to rounding, then among those that round alike: once for each scale of the shifts.
        for _ in range(len(place) + 1):
            first = int(np.argmin(np.where(among, place, np.inf)))
            at = _Point(float(self.origins[first]), float(self.shifts[first]))
            place = (self.origins - at.origin) + (self.shifts - at.shift)
        return at


@dataclass(frozen=True, eq=False)
class _Point:
    origin: float
    shift: float

    def precedes(self, points: _Points, slack: Array) -> Booleans:
        """Mask of the points to the right of this one, by more than slack and rounding."""
        if self.shift == -np.inf:
            return ~np.isnan(points.shifts)
        apart = points.origins - self.origin
        size = np.abs(apart) + np.abs(points.shifts) + abs(self.shift)
        beyond = apart + (points.shifts - self.shift)
        return np.asarray(beyond > slack + _SAME_EPS * size)


@dataclass(frozen=True, eq=False)
class _Parabolas:
    """The logs of weighted normal densities, each (K,): weights, means, standard deviations."""

    weights: Array
    means: Array
    deviations: Array

    def slack(self, current: int) -> Array:
        """Distances below which crossings with the current component are one."""
        return np.asarray(_SAME * np.minimum(self.deviations, self.deviations[current]))

    def leftmost(self, among: Sequence[int]) -> int | None:
        """The most probable far to the left: the widest, then the one farthest left; or None."""
        return min(
            among,
            key=lambda k: (-self.deviations[k], self.means[k], -self.weights[k], k),
            default=None,
        )

    def leading(self, among: list[int], at: _Point) -> int:
        """The most probable of some components just to the right of a point."""
        leader = among[0]
        for challenger in among[1:]:
            passed: list[tuple[float, int]] = []
            for one, other in ((leader, challenger), (challenger, leader)):
                crossings = self.overtakings(one)
                origin, shift = crossings.origins[other], crossings.shifts[other]
                ahead = at.precedes(crossings, self.slack(one))[other]
                if not np.isnan(shift) and not ahead:
                    passed.append(((origin - at.origin) + (shift - at.shift), other))
            left = self.leftmost((leader, challenger))
            assert left is not None
            # The last to overtake leads; before any crossing, the leader far to the left.
            leader = max(passed)[1] if passed else left
        return leader

    def overtakings(self, current: int) -> _Points:
        """Points at which each component rises above the current one, from left to right.

        With u = (x - μ_n) / σ_n of the narrower of the two, r = σ_n / σ_w <= 1,
        e = (μ_w - μ_n) / σ_w and c = 2 log((π_n σ_w) / (π_w σ_n)), both are equally probable where
        (1 - r²) u² + 2 r e u = e² + c: the narrower is the more probable between the roots.
        """
        means, deviations, weights = self.means, self.deviations, self.weights
        own = means[current], deviations[current], weights[current]
        narrow = deviations < own[1]
        pairs = list(zip((means, deviations, weights), own, strict=True))
        n_mean, n_scale, n_weight = (np.where(narrow, theirs, mine) for theirs, mine in pairs)
        w_mean, w_scale, w_weight = (np.where(narrow, mine, theirs) for theirs, mine in pairs)
        with np.errstate(all="ignore"):
            r = n_scale / w_scale
            apart = 2.0 * (0.5 * w_mean - 0.5 * n_mean)
            # In a unit of its own, u = v max(|e|, 1), for the square of e may overflow.
            size = np.maximum(np.abs(apart / w_scale), 1.0)
            e = np.where(size > 1.0, np.sign(apart), apart / w_scale)
            c = 2.0 * (np.log(n_weight / w_weight) - np.log(r)) / size / size
            lead = (w_scale - n_scale) / w_scale * (1.0 + r)
            q = -(r * e + np.copysign(np.sqrt(e * e + lead * c), r * e))
            first, second = q / lead, -(e * e + c) / q
            low, high = np.minimum(first, second), np.maximum(first, second)
            # Equal widths: one crossing, after which the component of the larger mean leads.
            same = np.where(means > own[0], second, np.nan)
            v = np.where(lead == 0.0, same, np.where(narrow, low, high))
            shift = np.maximum(r * np.abs(apart), n_scale) * v
            # One that is too far to the left comes first, one too far to the right never.
            shift = np.where(shift <= _FARTHEST, np.maximum(shift, -_FARTHEST), np.nan)
        return _Points(n_mean, shift)


def _checked(components: Sequence[int], n_components: int) -> Integers:
    """The indices of the components to look at: at least two, each once."""
    words = f"at least two different components, each from 0 to {n_components - 1}"
    members = check_members("components", components, words)
    whole = [hasattr(k, "__index__") and not isinstance(k, bool | np.bool_) for k in members]
    sound = all(whole) and all(np.ndim(k) == 0 and 0 <= k < n_components for k in members)
    if not sound or len(members) < 2 or len({int(k) for k in members}) < len(members):
        raise InvalidParameterError(f"components must be {words}, not {shown(components)}.")
    return np.array([int(k) for k in members])
