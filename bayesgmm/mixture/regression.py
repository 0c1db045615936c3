"""Gaussian mixture regression: moments of some features given the others."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.display import plural
from bayesgmm.errors import InputError
from bayesgmm.mixture.feature_choice import Feature, feature_indices
from bayesgmm.results import Result

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ConditionalMoments(Result):
    """Moments of the features that are not given, at each row of those that are.

    Attributes
    ----------
    mean : ndarray of shape (n, D')
        E[x_a | x_b], in the data's units.
    covariance : ndarray of shape (n, D', D')
        Cov[x_a | x_b], within components and between them.
    weights : ndarray of shape (n, K)
        Conditional probability of each component, p(component k | x_b).
    feature_names : tuple of str or None
        Of the D' features, in their order in the mixture.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
    >>> waiting = fit.mixture_.regress([[3.0]], given=[0])
    >>> waiting.mean.round(1), (waiting.covariance**0.5).round(1), waiting.weights.round(2)
    (array([[71.3]]), array([[[6.9]]]), array([[0.12, 0.88]]))
    """

    mean: Array
    covariance: Array
    weights: Array
    feature_names: tuple[str, ...] | None

    def _paragraphs(self) -> list[str]:
        n, d = self.mean.shape
        return [f"Conditional moments of {plural(d, 'feature')} at {plural(n, 'row')}"]


# Numbers of rows x components x features that a block of rows may hold.
_BLOCK = 2**18


def regress(mixture: "Mixture", X: Any, given: Feature | Iterable[Feature]) -> ConditionalMoments:
    """Return the moments of the other features at each row of the given ones.

    With r_k = p(k | x_b), m_k = μ_a + Σ_ab Σ_bb⁻¹ (x_b - μ_b) and S_k = Σ_aa - Σ_ab Σ_bb⁻¹ Σ_ba of
    component k, the mean is m = Σ_k r_k m_k and the covariance Σ_k r_k (S_k + (m_k - m)(m_k - m)ᵀ)
    (Ghahramani & Jordan 1994, NIPS 6, 120-127).
    """
    known = feature_indices(given, mixture.feature_names, mixture.n_features)
    rest = [j for j in range(mixture.n_features) if j not in known]
    if not known or not rest:
        raise InputError(
            f"given={given!r:.200} must leave at least one of the "
            f"{plural(mixture.n_features, 'feature')} to be predicted, and name at least one."
        )
    marginal = mixture.marginal(known)
    x = marginal.check_rows(X)
    ordered = mixture.marginal(known + rest)
    m, n, k, d = len(known), len(x), mixture.n_components, len(rest)
    within = conditional_covariances(ordered, m)
    found = ConditionalMoments(
        np.empty((n, d)), np.empty((n, d, d)), np.empty((n, k)), marginal_names(mixture, rest)
    )
    size = max(_BLOCK // (k * (m + d) * d), 64)
    for start in range(0, n, size):
        rows = slice(start, start + size)
        with np.errstate(over="ignore", invalid="ignore"):
            means = conditional_means(ordered, x[rows])
            weights = marginal.responsibilities(x[rows])
            # A component without weight may be beyond float64 there.
            absent = (weights == 0.0).T
            means[absent] = 0.0
            mean = np.einsum("nk,kna->na", weights, means)
            means -= mean
            means[absent] = 0.0
        covariance = np.einsum("nk,kab->nab", weights, within)
        covariance += np.einsum("nk,kna,knb->nab", weights, means, means)
        found.mean[rows], found.covariance[rows], found.weights[rows] = mean, covariance, weights
        if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
            raise InputError(
                "The moments of the other features are beyond float64 at a row of X: it lies too "
                "far from the mixture. Leave out rows that are not of its kind."
            )
    return found


def conditional_means(mixture: "Mixture", x: Array) -> Array:
    """Means (K, n, D - m) of the last features given the first m, x (n, m), in each component."""
    m, factors = x.shape[1], mixture.factors
    unit = np.ldexp(1.0, factors.exponents)
    shift = (x - mixture.means[:, None, :m]) / unit[:, None, :m]
    whitened = np.linalg.solve(factors.lower[:, :m, :m], np.swapaxes(shift, 1, 2))
    moved = np.swapaxes(factors.lower[:, m:, :m] @ whitened, 1, 2)
    return np.asarray(mixture.means[:, None, m:] + unit[:, None, m:] * moved)


def conditional_covariances(mixture: "Mixture", m: int) -> Array:
    """Covariances (K, D - m, D - m) of the last features given the first m, in each component."""
    unit = np.ldexp(1.0, mixture.factors.exponents)
    own = unit[:, m:, None] * mixture.factors.lower[:, m:, m:]
    return np.asarray(own @ np.swapaxes(own, 1, 2))


def marginal_names(mixture: "Mixture", features: list[int]) -> tuple[str, ...] | None:
    """Names of some features, where there are names."""
    names = mixture.feature_names
    return None if names is None else tuple(names[j] for j in features)
