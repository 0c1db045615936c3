"""Pairwise overlap of a mixture's components: exact probabilities of misclassification."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.errors import BayesGMMError
from bayesgmm.mixture.bhattacharyya_distance import FAR
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture
from bayesgmm.mixture.gaussian_densities import LOG_2, equilibrate
from bayesgmm.simulation.quadratic_form import quadratic_form_cdf

_EPS = float(np.finfo(np.float64).eps)
_ACCURACY = 1e-8
# Pairs that are factorised or integrated at once.
_AT_ONCE = 64
# Ratio of singular values down to which, and their size up to which, one decomposition serves both
# directions of a pair.
_SURE, _LARGE = 1e-2, 1e30
# Fraction of an average overlap that pairs left out may have.
_NEGLIGIBLE = 1e-13


@dataclass(frozen=True, eq=False)
class Pairs:
    """All pairs of components i < j, as quadratic forms in normals, factorised when they are used.

    With X = μ_i + L_i z, B = L_j⁻¹ L_i = U S Vᵀ, h = L_j⁻¹ (μ_j - μ_i), c = Uᵀ h and y = Vᵀ z,

        w_j φ_j(X) >= w_i φ_i(X)  <=>  Σ_l (a_l y_l² + b_l y_l) <= t - hᵀh,
        a_l = s_l² - 1,  b_l = -2 s_l c_l,  t = 2 log(w_j / w_i) + log |Σ_i| - log |Σ_j|

    (Maitra & Melnykov 2010, J. Comput. Graph. Statist. 19, theorem 1; there in the eigenvectors
    of BᵀB, with the case a_l = 0 apart). The same factors serve the other direction, from j to i:

        a_l' = -a_l / s_l²,  b_l' = 2 c_l / s_l²,  t' = -t,  h'ᵀh' = Σ_l (c_l / s_l)².

    Multiplying all covariances by m only divides b by √m and hᵀh by m, so that a search for m
    factorises once; and by the Cauchy-Schwarz inequality the overlap of a pair is at most

        (√(w_i / w_j) + √(w_j / w_i)) exp(-d / m),

    with d the Bhattacharyya distance, so that a search for the largest overlap needs few pairs.

    Attributes
    ----------
    weights : (K,)
    means, exponents : (K, D)
    factors : (K, D, D)
        L_i = 2^e_i M_i, row by row: no product below leaves the range of doubles.
    level : (K,)
        log w_i - ½ log |Σ_i|, where a weight of 0 counts as 1.
    first, second : (P,)
        i and j of each pair.
    forms : dict
        a, b (2, D), t and hᵀh (2,) of the pairs that were factorised, by their number.
    """

    weights: Array
    means: Array
    exponents: Integers
    factors: Array
    level: Array
    first: Integers
    second: Integers
    forms: dict[int, tuple[Array, Array, Array, Array]] = field(default_factory=dict)

    @classmethod
    def of(cls, weights: Array, means: Array, covariances: Array) -> "Pairs":
        """The pairs of components with weights (K,), means (K, D) and covariances (K, D, D)."""
        exponents, scaled = equilibrate(covariances)
        M = np.linalg.cholesky(scaled)
        log_pivots = np.log(np.diagonal(M, axis1=1, axis2=2)).sum(axis=1)
        log_pivots += LOG_2 * exponents.sum(axis=1)
        level = np.log(np.where(weights > 0, weights, 1.0)) - log_pivots
        return cls(weights, means, exponents, M, level, *np.triu_indices(len(weights), 1))

    def misclassification(self, multiplier: float = 1.0) -> Array:
        """Return ω (K, K) with all covariances times ``multiplier``, which may be infinite.

        At infinity, ω is that of components with these covariances around one centre.
        """
        omega = np.ones((len(self.weights),) * 2)
        both = self._misclassified(np.arange(len(self.first)), multiplier)
        omega[self.first, self.second], omega[self.second, self.first] = both.T
        return omega

    def average_overlap(self, multiplier: float = 1.0, *, enough: float = np.inf) -> float:
        """Mean over the pairs of ω_ij + ω_ji, with all covariances times ``multiplier``.

        Pairs whose overlaps cannot change its 13th digit are left out.
        """
        bounds = self._bounds(multiplier)
        order = np.argsort(-bounds, kind="stable")
        left = np.concatenate((np.cumsum(bounds[order][::-1])[::-1], [0.0]))
        total, done = 0.0, 0
        while done < len(order) and left[done] > _NEGLIGIBLE * total:
            if total > enough * len(order):
                break
            block = order[done : done + _AT_ONCE]
            total += float(self._misclassified(block, multiplier).sum())
            done += len(block)
        return total / len(order)

    def max_overlap(self, multiplier: float = 1.0, *, enough: float = np.inf) -> float:
        """Largest ω_ij + ω_ji of a pair, with all covariances times ``multiplier``.

        Or, where that exceeds ``enough``, that of some pair which does.
        """
        bounds = self._bounds(multiplier)
        order = np.argsort(-bounds, kind="stable")
        largest, done = 0.0, 0
        while done < len(order) and largest < min(bounds[order[done]], np.nextafter(enough, 2.0)):
            block = order[done : done + _AT_ONCE]
            largest = max(largest, float(self._misclassified(block, multiplier).sum(axis=1).max()))
            done += len(block)
        return largest

    @property
    def nearest(self) -> float:
        """Least Bhattacharyya distance of two components by their means."""
        return float(self._bhattacharyya[0].min())

    def _bounds(self, multiplier: float) -> Array:
        """Upper bounds of the overlaps ω_ij + ω_ji, (P,)."""
        apart, spread, ratio = self._bhattacharyya
        return np.minimum(2.0, ratio * np.exp(-spread - apart / multiplier))

    @cached_property
    def _bhattacharyya(self) -> tuple[Array, Array, Array]:
        """Bhattacharyya distances by means and by covariances, and the factor of weights: (P,)."""
        i, j = self.first, self.second
        apart, spread = np.empty(len(i)), np.empty(len(i))
        for start in range(0, len(i), _AT_ONCE):
            pairs = slice(start, start + _AT_ONCE)
            a, b = i[pairs], j[pairs]
            units = np.maximum(self.exponents[a], self.exponents[b])
            both = [
                np.ldexp(self.factors[k], (self.exponents[k] - units)[:, :, None]) for k in (a, b)
            ]
            middle = 0.5 * sum(each @ np.swapaxes(each, 1, 2) for each in both)
            with np.errstate(over="ignore"):
                shift = np.ldexp(0.5 * self.means[b] - 0.5 * self.means[a], 1 - units)
                lower = np.linalg.cholesky(middle)
                z = np.linalg.solve(lower, np.clip(shift, -FAR, FAR)[:, :, None])[:, :, 0]
                apart[pairs] = 0.125 * np.square(z).sum(axis=1)
            half = np.log(np.diagonal(lower, axis1=1, axis2=2)).sum(axis=1)
            half += LOG_2 * units.sum(axis=1)
            log_roots = np.log(np.where(self.weights > 0, self.weights, 1.0)) - self.level
            spread[pairs] = half - 0.5 * (log_roots[a] + log_roots[b])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.sqrt(self.weights[i] / self.weights[j])
            ratio = np.nan_to_num(ratio + 1.0 / ratio, nan=np.inf, posinf=np.inf)
        return apart, np.maximum(spread, 0.0), ratio

    def _misclassified(self, pairs: Integers, multiplier: float) -> Array:
        """ω_ij and ω_ji of some pairs, (p, 2)."""
        self._factorise(np.array([pair for pair in pairs.tolist() if pair not in self.forms]))
        a, b, t, distances = (
            np.concatenate(each)
            for each in zip(*(self.forms[pair] for pair in pairs.tolist()), strict=True)
        )
        b = b / np.sqrt(multiplier)
        x = t - distances / multiplier
        # Components that are equal up to rounding tie, whatever the rounding is.
        tie = ~a.any(axis=1) & ~b.any(axis=1) & (np.abs(x) <= 1e-12)
        found, errors = quadratic_form_cdf(a, b, np.where(tie, 0.0, x))
        if not (errors <= _ACCURACY).all():
            raise BayesGMMError(
                f"The overlap has an error of up to {errors.max():.1e}. Covariances of condition "
                "numbers beyond 1e12 can cause this; rescale or drop dependent features."
            )
        omega = found.reshape(-1, 2)
        # A component of weight 0 is never preferred, but to another of weight 0.
        empty = self.weights[np.stack((self.first[pairs], self.second[pairs]), axis=1)] == 0
        omega = np.where(empty[:, ::-1], 0.0, omega)
        return np.where(empty, 1.0, omega)

    def _factorise(self, pairs: Integers) -> None:
        """Add the quadratic forms of some pairs to `forms`."""
        for start in range(0, len(pairs), _AT_ONCE):
            block = pairs[start : start + _AT_ONCE].astype(np.int64)
            i, j = self.first[block], self.second[block]
            s, c = self._directions(i, j)
            # Small singular values have lost the digits of the other direction.
            least, most = s.min(axis=1), s.max(axis=1)
            poor = (least < _SURE * most) | (least < 1.0 / _LARGE) | (most > _LARGE)
            a = _square_less_one(s)
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
                back_a, back_b, back_far = -a / s**2, 2.0 * c / s**2, (c / s) ** 2
            if poor.any():
                back_s, back_c = self._directions(j[poor], i[poor])
                back_a[poor], back_b[poor] = _square_less_one(back_s), -2.0 * back_s * back_c
                back_far[poor] = back_c**2
            forms_a = np.stack((a, back_a), axis=1)
            forms_b = np.stack((-2.0 * s * c, back_b), axis=1)
            t = 2.0 * (self.level[j] - self.level[i])
            thresholds = np.stack((t, -t), axis=1)
            far = np.stack(((c**2).sum(axis=1), back_far.sum(axis=1)), axis=1)
            parts = zip(forms_a, forms_b, thresholds, far, strict=True)
            self.forms.update(zip(block.tolist(), parts, strict=True))

    def _directions(self, i: Integers, j: Integers) -> tuple[Array, Array]:
        """Singular values s of L_j⁻¹ L_i and c = Uᵀ L_j⁻¹ (μ_j - μ_i), each (p, D)."""
        unit = self.exponents[j]
        with np.errstate(over="ignore"):
            # Halves, for the difference of two means may overflow.
            apart = np.ldexp(0.5 * self.means[j] - 0.5 * self.means[i], 1 - unit)
            L_i = np.ldexp(self.factors[i], (self.exponents[i] - unit)[:, :, None])
        apart, L_i = np.clip(apart, -FAR, FAR), np.clip(L_i, -FAR, FAR)
        h = np.linalg.solve(self.factors[j], apart[:, :, None])
        U, s, _ = np.linalg.svd(np.linalg.solve(self.factors[j], L_i))
        return s, (np.swapaxes(U, 1, 2) @ h)[:, :, 0]


def _square_less_one(s: Array) -> Array:
    """s² - 1, which is 0 where covariances are equal but for rounding."""
    square: Array = (s - 1) * (s + 1)
    noise = 8 * s.shape[1] * _EPS * np.maximum(s.max(axis=1, keepdims=True) ** 2, 1.0)
    return np.where(np.abs(square) <= noise, 0.0, square)


def overlap(mixture: MixtureLike) -> Array:
    """Return the probabilities that a row of one component looks more like one of another.

    ω_ij = P(w_j φ_j(X) >= w_i φ_i(X)),  X drawn from component i,

    with weights w and normal densities φ (Maitra & Melnykov 2010, J. Comput. Graph. Statist. 19,
    354-376, section 2.1: ω_j|i). The overlap of a pair is ω_ij + ω_ji, between 0 and 1 unless the
    two are equal. The event is that a quadratic form in normals stays below a threshold; its
    probability is computed by contour integration, without simulation.

    Parameters
    ----------
    mixture : Mixture or fitted GaussianMixture

    Returns
    -------
    (K, K)
        Probabilities; the diagonal is 1. Absolute errors of the integration are below 1e-8 by a
        bound that is checked in each call, and mostly below 1e-14; relative errors are about
        1e-10, down to probabilities of 1e-300, below which they become 0. To these comes what
        rounding in the covariances does: about 1e-16 of their condition number. Ties count, so
        two equal components have ω = 1 both ways. A component of weight 0 is never preferred to
        one of positive weight: its column is 0, its row 1.

    Raises
    ------
    InvalidParameterError
        If `mixture` is of another kind.
    NotFittedError
        If it is an estimator that was not fitted.
    BayesGMMError
        If the error bound exceeds 1e-8.

    Examples
    --------
    >>> from bayesgmm import overlap, scenario
    >>> omega = overlap(scenario("overlapping_ellipses"))
    >>> round(float(omega[0, 1]), 4), round(float(omega[1, 0]), 4)
    (0.1457, 0.0529)
    """
    mixture = fitted_mixture("mixture", mixture, with_outliers=True)
    if mixture.n_components == 1:
        return np.ones((1, 1))
    pairs = Pairs.of(mixture.weights, mixture.means, mixture.covariances)
    return pairs.misclassification()
