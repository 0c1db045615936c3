"""Pairwise overlap of a mixture's components: exact probabilities of misclassification."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import BayesGMMError
from bayesgmm.model.mixture import Mixture
from bayesgmm.model.precise import equilibrate
from bayesgmm.simulation.quadratic_form import quadratic_form_cdf

__all__ = ["Pairs", "overlap"]

Floats = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
# Distances and ratios of scales are cut here: far beyond where probabilities underflow, near
# enough for squares.
_FAR = 1e140
_ACCURACY = 1e-8


@dataclass(frozen=True, eq=False)
class Pairs:
    """All ordered pairs of components (i, j), i != j, as quadratic forms in normals.

    With X = μ_i + L_i z, B = L_j⁻¹ L_i = U S Vᵀ, h = L_j⁻¹ (μ_j - μ_i) and y = Vᵀ z,

        w_j φ_j(X) >= w_i φ_i(X)  <=>  Σ_l (a_l y_l² + b_l y_l) <= t - hᵀh,
        a_l = s_l² - 1,  b_l = -2 s_l (Uᵀ h)_l,  t = 2 log(w_j / w_i) + log |Σ_i| - log |Σ_j|

    (Maitra & Melnykov 2010, J. Comput. Graph. Statist. 19, theorem 1; there in the eigenvectors
    of BᵀB, with the case a_l = 0 apart). Multiplying all covariances by c only divides b by √c and
    hᵀh by c, so that a search for c factorises once.

    Attributes
    ----------
    weights : (K,)
    a, b : (K (K - 1), D)
    thresholds : (K (K - 1),)
        t, where a weight of 0 counts as 1.
    distances : (K (K - 1),)
        hᵀh.
    """

    weights: Floats
    a: Floats
    b: Floats
    thresholds: Floats
    distances: Floats

    @classmethod
    def of(cls, weights: Floats, means: Floats, covariances: Floats) -> "Pairs":
        """Factorise the pairs of components with weights (K,), means and covariances."""
        n_components, n_features = means.shape
        # L_i = 2^e_i M_i row by row: no product below leaves the range of doubles.
        exponents, scaled = equilibrate(covariances)
        M = np.linalg.cholesky(scaled)
        log_pivots = np.log(np.diagonal(M, axis1=1, axis2=2)).sum(axis=1)
        log_pivots += np.log(2.0) * exponents.sum(axis=1)
        log_weights = np.log(np.where(weights > 0, weights, 1.0))
        # t of the pair (i, j) is 2 (level_j - level_i).
        level = log_weights - log_pivots
        a, b, thresholds, distances = [], [], [], []
        for i in range(n_components):
            others = np.delete(np.arange(n_components), i)
            unit = exponents[others]
            ratio = exponents[i] - unit
            with np.errstate(over="ignore"):
                # Halves, for the difference of two means may overflow.
                apart = np.ldexp(0.5 * means[others] - 0.5 * means[i], 1 - unit)
                apart = np.clip(apart, -_FAR, _FAR)
                L_i = np.clip(np.ldexp(M[i], ratio[:, :, None]), -_FAR, _FAR)
            h = np.linalg.solve(M[others], apart[:, :, None])
            U, S, _ = np.linalg.svd(np.linalg.solve(M[others], L_i))
            b.append(-2 * S * (np.swapaxes(U, 1, 2) @ h)[:, :, 0])
            distances.append(np.square(h[:, :, 0]).sum(axis=1))
            square = (S - 1) * (S + 1)
            # Equal covariances come out equal only to rounding.
            noise = 8 * n_features * _EPS * np.maximum(S.max(axis=1, keepdims=True) ** 2, 1.0)
            a.append(np.where(np.abs(square) <= noise, 0.0, square))
            thresholds.append(2 * (level[others] - level[i]))
        return cls(
            weights,
            np.concatenate(a).reshape(-1, n_features),
            np.concatenate(b).reshape(-1, n_features),
            np.concatenate(thresholds),
            np.concatenate(distances),
        )

    @cached_property
    def _off_diagonal(self) -> NDArray[np.bool_]:
        return ~np.eye(len(self.weights), dtype=bool)

    def misclassification(self, multiplier: float = 1.0) -> Floats:
        """Return ω (K, K) with all covariances times ``multiplier``, which may be infinite.

        At infinity, ω is that of components with these covariances around one centre.
        """
        b = self.b / np.sqrt(multiplier)
        x = self.thresholds - self.distances / multiplier
        # Components that are equal up to rounding tie, whatever the rounding is.
        tie = ~self.a.any(axis=1) & ~b.any(axis=1) & (np.abs(x) <= 1e-12)
        probabilities, errors = quadratic_form_cdf(self.a, b, np.where(tie, 0.0, x))
        if not (errors <= _ACCURACY).all():
            raise BayesGMMError(
                f"The overlap has an error of up to {errors.max():.1e}. Covariances of condition "
                "numbers beyond 1e12 can cause this; rescale or drop dependent features."
            )
        omega = np.ones((len(self.weights),) * 2)
        omega[self._off_diagonal] = probabilities
        omega[:, self.weights == 0] = 0.0
        omega[self.weights == 0] = 1.0
        np.fill_diagonal(omega, 1.0)
        return omega

    def average_overlap(self, multiplier: float = 1.0) -> float:
        """Mean over the pairs of ω_ij + ω_ji, with all covariances times ``multiplier``."""
        omega = self.misclassification(multiplier)
        return float(2 * omega[self._off_diagonal].mean())

    def max_overlap(self, multiplier: float = 1.0) -> float:
        """Largest ω_ij + ω_ji of a pair, with all covariances times ``multiplier``."""
        omega = self.misclassification(multiplier)
        return float((omega + omega.T)[self._off_diagonal].max())


def overlap(mixture: Mixture) -> Floats:
    """Return the probabilities that a row of one component looks more like one of another.

    ω_ij = P(w_j φ_j(X) >= w_i φ_i(X)),  X drawn from component i,

    with weights w and normal densities φ (Maitra & Melnykov 2010, J. Comput. Graph. Statist. 19,
    354-376, section 2.1: ω_j|i). The overlap of a pair is ω_ij + ω_ji, between 0 and 1 unless the
    two are equal. The event is that a quadratic form in normals stays below a threshold; its
    probability is computed by contour integration, without simulation.

    Parameters
    ----------
    mixture : Mixture

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
    BayesGMMError
        If the error bound exceeds 1e-8.

    Examples
    --------
    >>> from bayesgmm.simulation import overlap, scenario
    >>> omega = overlap(scenario("overlapping_ellipses"))
    >>> round(float(omega[0, 1]), 4), round(float(omega[1, 0]), 4)
    (0.1457, 0.0529)
    """
    if mixture.n_components == 1:
        return np.ones((1, 1))
    pairs = Pairs.of(mixture.weights, mixture.means, mixture.covariances)
    return pairs.misclassification()
