"""The law of a quadratic form in normals, by contour integration of its transform.

Q = Σ_l (a_l y_l² + b_l y_l) with independent standard normal y_l covers weighted sums of noncentral
chi-squares plus a normal term in one formula, without a division by a_l. Its cumulant generating
function is

    K(s) = Σ_l [ -½ log(1 - 2 a_l s) + ½ b_l² s² / (1 - 2 a_l s) ],

and the inversion formula (Imhof 1961, Biometrika 48, eq. 3.2; Davies 1980, Applied Statistics 29,
AS 155) on a line through a point c > 0, within reach of the singularities 1 / (2 a_l), is

    P(Q > x) = (1 / 2πi) ∫ exp(K(s) - s x) / s ds.

On c = 0 the integrand oscillates and, for few y_l, decays as slowly as |s|^(-3/2). So the line is
moved through the saddle point and bent towards steepest descent (Rice 1980, SIAM J. Sci. Stat.
Comput. 1, section 3; Helstrom 1983, IEEE Trans. AES 19): there nothing oscillates, decay is
exponential, and small probabilities keep their relative accuracy. The path is a polygon; by
Cauchy's theorem the integral along it does not depend on how well it follows the descent. Each
edge is integrated by Gauss and Kronrod's rules, whose difference bounds the error.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array, Booleans, Integers

type Complexes = NDArray[np.complexfloating[Any, Any]]

# Kronrod's 15 nodes on [-1, 1], of which every second one is a node of Gauss's rule of 7 (Kronrod
# 1965, "Nodes and weights of quadrature formulas"): the nonnegative halves, from the outside in.
_HALF_NODES = (
    0.991455371120812639206854697526329,
    0.949107912342758524526189684047851,
    0.864864423359769072789712788640926,
    0.741531185599394439863864773280788,
    0.586087235467691130294144691693115,
    0.405845151377397166906606412076961,
    0.207784955007898467600689403773245,
    0.0,
)
_HALF_KRONROD = (
    0.022935322010529224963732008058970,
    0.063092092629978553290700663189204,
    0.104790010322250183839876322541518,
    0.140653259715525918745189590510238,
    0.169004726639267902826583426598550,
    0.190350578064785409913256402421014,
    0.204432940075298892414161999234649,
    0.209482141084727828012999174891714,
)
_HALF_GAUSS = (
    0.0,
    0.129484966168869693270611432679082,
    0.0,
    0.279705391489276667901467771423780,
    0.0,
    0.381830050505118944950369775488975,
    0.0,
    0.417959183673469387755102040816327,
)
_NODES = np.array([-node for node in _HALF_NODES] + list(_HALF_NODES[-2::-1]))
_NODES_AND_END = np.append(_NODES, 1.0)
_KRONROD = np.array(_HALF_KRONROD + _HALF_KRONROD[-2::-1])
_GAUSS = np.array(_HALF_GAUSS + _HALF_GAUSS[-2::-1])

# An edge is at most this part of the distance from its start to the nearest singularity, and
# changes the logarithm of the integrand by about this much.
_REACH = 0.6
_DROP = 3.0
# The descent is followed within 60 degrees of the vertical, so that the path leads to infinity
# and never onto a singularity of the real axis.
_STEEPEST_TILT = 3**0.5
# The rest of the integral may be neglected when it is this small against the part that is done.
_NEGLIGIBLE = 1e-14
# Generous: algebraic decay |s|^(-3/2), the slowest there is, takes about 150 edges.
_MOST_EDGES = 600
# exp(-745) is the least double.
_UNDERFLOW = -745.0
# Halvings of the range in which a saddle point is sought; paths may begin beside it.
_HALVINGS = 20
# Complex numbers that one block of forms may hold at a time.
_BLOCK = 2**19


@dataclass(frozen=True, eq=False)
class _Forms:
    """p quadratic forms of standard deviation about 1, and where their upper tails begin.

    Attributes
    ----------
    a : (p, D)
        Weights of the squares.
    b2 : (p, D)
        Squared weights of the linear terms.
    x : (p,)
        Thresholds, at or above the means.
    """

    a: Array
    b2: Array
    x: Array

    def take(self, which: NDArray[Any]) -> "_Forms":
        return _Forms(self.a[which], self.b2[which], self.x[which])

    def rescaled(self, c: Array) -> "_Forms":
        """Return the forms c Q > c x, with c (p,) as the unit of the transform's argument."""
        return _Forms(self.a * c[:, None], self.b2 * c[:, None] ** 2, self.x * c)

    def log_integrand(self, s: Complexes) -> Complexes:
        """K(s) - s x - log s for s (p, m)."""
        w = 1 - 2 * self.a[:, None, :] * s[:, :, None]
        squares = (self.b2[:, None, :] / w).sum(axis=-1)
        # The logarithm of a complex number, ten times as fast as NumPy's.
        logs = np.log(np.abs(w)).sum(axis=-1) + 1j * np.arctan2(w.imag, w.real).sum(axis=-1)
        total: Complexes = s * (0.5 * s * squares - self.x[:, None]) - 0.5 * logs - np.log(s)
        return total

    def slope(self, s: Complexes) -> Complexes:
        """K'(s) - x - 1/s, the derivative of ``log_integrand``, at s (p,)."""
        w = 1 - 2 * self.a * s[:, None]
        linear = self.b2 * s[:, None] * (1 + self.a * s[:, None] / w)
        total: Complexes = ((self.a + linear) / w).sum(axis=-1) - self.x - 1 / s
        return total

    def curvature_at_one(self) -> Array:
        """Second derivative of ``log_integrand`` at s = 1, (p,), positive."""
        w = 1 - 2 * self.a
        return np.asarray((2 * (self.a / w) ** 2 + self.b2 / w / w / w).sum(axis=-1) + 1)

    def distance_to_singularity(self, s: Complexes) -> Array:
        """Distance from s (p,) to 0 or the nearest 1 / (2 a_l)."""
        # Beyond 1e100 a singularity is never met; the floor only avoids a division by zero.
        weights = np.maximum(2 * np.abs(self.a), 1e-100)
        gaps = np.abs(1 - 2 * self.a * s[:, None]) / weights
        return np.asarray(np.minimum(gaps.min(axis=-1), np.abs(s)))

    def saddle_points(self) -> Array:
        """Least points of the integrand on the positive axis (p,), inf where there is none.

        There is none where x is not below the upper end of Q's range.
        """
        # The open interval (0, 1/r), r = 2 max a_l, is run through by c = 1 / (exp(-v) + r).
        r = 2 * np.maximum(self.a.max(axis=-1), 0.0) * (1 + 1e-9)
        low = np.full(len(self.x), -10.0)
        high = np.full(len(self.x), 340.0)
        bounded = self.slope(1 / (np.exp(-high) + r) + 0j).real <= 0
        for _ in range(_HALVINGS):
            middle = 0.5 * (low + high)
            below = self.slope(1 / (np.exp(-middle) + r) + 0j).real < 0
            low = np.where(below, middle, low)
            high = np.where(below, high, middle)
        return np.asarray(np.where(bounded, np.inf, 1 / (np.exp(-low) + r)))


def _upper_tails(forms: _Forms, refinement: float) -> tuple[Array, Array]:
    """P(Q > x) and its error (p,), for x at or above the mean; ``refinement`` shortens edges."""
    tails = np.zeros(len(forms.x))
    errors = np.zeros(len(forms.x))
    saddle_points = forms.saddle_points()
    where = np.flatnonzero(np.isfinite(saddle_points))
    # In these units every path begins at s = 1, and the integrand is as large as the probability.
    work = forms.take(where).rescaled(saddle_points[where])
    height = work.log_integrand(np.ones((len(where), 1)) + 0j)[:, 0].real
    live = height > _UNDERFLOW
    where, work, height = where[live], work.take(live), height[live]
    s: Complexes = np.ones(len(where)) + 0j
    step: Array = 1 / np.sqrt(work.curvature_at_one())
    done = np.zeros((4, len(s)))  # integral, Kronrod - Gauss, integral of the modulus, rest
    for _ in range(int(_MOST_EDGES * refinement)):
        if not len(s):
            break
        edge, step = _next_edge(work, s, step, refinement)
        s = s + edge
        # The nodes of the edge, and its end.
        nodes = s[:, None] + 0.5 * edge[:, None] * (_NODES_AND_END - 1)
        values = np.exp(work.log_integrand(nodes) - height[:, None])
        end, values = np.abs(values[:, -1]), values[:, :-1] * (0.5 * edge[:, None])
        # Sums by einsum: threads of a matrix product take longer to wake than these take.
        heights = values.imag
        kronrod = np.einsum("pm,m->p", heights, _KRONROD)
        done[0] += kronrod
        done[1] += np.abs(kronrod - np.einsum("pm,m->p", heights, _GAUSS))
        done[2] += np.einsum("pm,m->p", np.abs(values), _KRONROD)
        # Decay is |s|^(-3/2) at the slowest, so that the rest is below 2 |s| times the integrand.
        done[3] = 2 * np.abs(s) * end
        over = done[3] < _NEGLIGIBLE * done[2]
        if over.any():
            _settle(tails, errors, where[over], done[:, over], height[over])
            go = ~over
            work, s, step, height = work.take(go), s[go], step[go], height[go]
            where, done = where[go], done[:, go]
    _settle(tails, errors, where, done, height)
    return tails, errors


def _next_edge(
    forms: _Forms, s: Complexes, last: Array, refinement: float
) -> tuple[Complexes, Array]:
    """Next edge of each path (p,), upwards and down the integrand, and its length."""
    slope = forms.slope(s)
    down = -np.conj(slope)
    rise = np.maximum(down.imag, np.abs(down.real) / _STEEPEST_TILT)
    direction: Complexes = down.real + 1j * rise
    size = np.abs(direction)
    # At the saddle point itself the slope is rounding: its path goes straight up.
    start = s.imag == 0
    direction = np.where(start, 1j, direction / np.where(size > 0, size, 1.0))
    direction = np.where(size > 0, direction, 1j)
    limit = np.minimum(_REACH * forms.distance_to_singularity(s), 2 * last)
    steep = np.abs(slope)
    # The comparison keeps a zero slope from dividing.
    length = np.where(steep * limit > _DROP, _DROP / np.where(steep > 0, steep, 1.0), limit)
    length = np.where(start, np.minimum(last, limit), length)
    edge: Complexes = direction * (length / refinement)
    return edge, length


def _settle(
    tails: Array, errors: Array, where: Integers, done: Array, height: NDArray[np.floating[Any]]
) -> None:
    """Write the finished paths' probabilities and errors into ``tails`` and ``errors``."""
    integral, difference, modulus, rest = done
    scale = np.exp(height) / np.pi
    rounding = 1e-15 * (10 + np.abs(height)) * modulus
    tails[where] = scale * integral
    errors[where] = scale * (difference + rest + rounding)


def _standardised(a: Array, b: Array, x: Array) -> tuple[Array, Array, Array, Booleans]:
    """Divide each form and threshold by the standard deviation, with a mask of constant forms."""
    # First by the largest weight, so that squares neither overflow nor vanish.
    largest = np.maximum(np.abs(a).max(axis=1), np.abs(b).max(axis=1))
    constant = largest == 0
    with np.errstate(over="ignore", under="ignore"):
        scale = np.where(constant, 1.0, largest)
        a, b, x = a / scale[:, None], b / scale[:, None], x / scale
        scale = np.where(constant, 1.0, np.sqrt((2 * a * a + b * b).sum(axis=1)))
        return a / scale[:, None], b / scale[:, None], x / scale, constant


def quadratic_form_cdf(
    a: Array, b: Array, x: Array, *, tolerance: float = 1e-10
) -> tuple[Array, Array]:
    """Probability that a quadratic form in standard normals is at most x.

    Q = Σ_l (a_l y_l² + b_l y_l), y_l independent standard normal.

    Parameters
    ----------
    a, b : (p, D)
        Weights of the squares and of the linear terms, one form a row; finite.
    x : (p,)
        Thresholds; may be infinite.
    tolerance : float
        Absolute error to reach; paths whose error bound is above it are integrated again on
        shorter edges.

    Returns
    -------
    probabilities : (p,)
        P(Q <= x); values down to 1e-300 keep about 10 digits of relative accuracy, where the
        weights differ by factors below 1e140.
    errors : (p,)
        Bounds of the absolute errors: quadrature, truncation and rounding.

    Notes
    -----
    See the module's description for the formulas and their sources. The side of x on which the
    probability is integrated is the one away from the mean.
    """
    a, b, x, constant = _standardised(a, b, x)
    upper = x >= a.sum(axis=1)
    sign = np.where(upper, 1.0, -1.0)
    forms = _Forms(a * sign[:, None], b * b, x * sign)
    tails = np.zeros(len(x))
    errors = np.zeros(len(x))
    todo = np.flatnonzero(~constant & np.isfinite(x))
    size = max(_BLOCK // (len(_NODES) * a.shape[1]), 1)
    for start in range(0, len(todo), size):
        block = todo[start : start + size]
        for refinement in (1.0, 2.0, 4.0, 8.0):
            chosen = _Forms(forms.a[block], forms.b2[block], forms.x[block])
            tails[block], errors[block] = _upper_tails(chosen, refinement)
            block = block[~(errors[block] <= tolerance)]
            if not len(block):
                break
    probabilities = np.clip(np.where(upper, 1 - tails, tails), 0.0, 1.0)
    return np.where(constant, x >= 0, probabilities), errors
