"""What some features of a mixture say of the others: Gaussian mixture regression."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.errors import InputError
from bayesgmm.model.features import Feature, feature_indices
from bayesgmm.model.precise import Floats

if TYPE_CHECKING:
    from bayesgmm.model.mixture import Mixture


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Moments of the features that are not given, at each row of those that are.

    Attributes
    ----------
    mean : ndarray of shape (n, D')
        E[x_a | x_b], in the data's units.
    covariance : ndarray of shape (n, D', D')
        Cov[x_a | x_b], within components and between them.
    weights : ndarray of shape (n, K)
        How far each component stands for the row: p(component k | x_b).
    feature_names : tuple of str or None
        Of the D' features, in their order in the mixture.
    """

    mean: Floats
    covariance: Floats
    weights: Floats
    feature_names: tuple[str, ...] | None


def regress(mixture: "Mixture", X: Any, given: Sequence[Feature]) -> Regression:
    """Return the moments of the other features at each row of the given ones.

    With r_k = p(k | x_b), m_k = μ_a + Σ_ab Σ_bb⁻¹ (x_b - μ_b) and S_k = Σ_aa - Σ_ab Σ_bb⁻¹ Σ_ba of
    component k, the mean is m = Σ_k r_k m_k and the covariance Σ_k r_k (S_k + (m_k - m)(m_k - m)ᵀ)
    (Ghahramani & Jordan 1994, NIPS 6, 120-127).
    """
    known = feature_indices(given, mixture.feature_names, mixture.n_features)
    rest = [j for j in range(mixture.n_features) if j not in known]
    if not known or not rest:
        raise InputError(
            f"given={list(given)!r:.200} must leave at least one of the {mixture.n_features} "
            "features to be predicted, and name at least one."
        )
    marginal = mixture.marginal(known)
    x = marginal.check_rows(X)
    weights = marginal.responsibilities(x)
    ordered = mixture.marginal(known + rest)
    m = len(known)
    unit = np.ldexp(1.0, ordered.factors.exponents)
    lower = ordered.factors.lower
    means = np.empty((mixture.n_components, len(x), len(rest)))
    within = np.empty((mixture.n_components, len(rest), len(rest)))
    for k in range(mixture.n_components):
        shift = (x - ordered.means[k, :m]) / unit[k, :m]
        whitened = np.linalg.solve(lower[k, :m, :m], shift.T)
        moved = lower[k, m:, :m] @ whitened
        means[k] = ordered.means[k, m:] + unit[k, m:] * moved.T
        own = unit[k, m:, None] * lower[k, m:, m:]
        within[k] = own @ own.T
    mean = np.einsum("nk,kna->na", weights, means)
    apart = means - mean
    covariance = np.einsum("nk,kab->nab", weights, within)
    covariance += np.einsum("nk,kna,knb->nab", weights, apart, apart)
    return Regression(mean, covariance, weights, marginal_names(mixture, rest))


def marginal_names(mixture: "Mixture", features: list[int]) -> tuple[str, ...] | None:
    """Names of some features, where there are names."""
    names = mixture.feature_names
    return None if names is None else tuple(names[j] for j in features)
