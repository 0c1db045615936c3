"""Expected sufficient statistics of rows under a mixture, the result of one pass."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.core import native
from bayesgmm.errors import InputError
from bayesgmm.mixture.mixture import Mixture


class Parameters(NamedTuple):
    """Weights (K,), means (K, D) and covariances (K, D, D) or (K, D) between two passes."""

    weights: Array
    means: Array
    covariances: Array

    def permuted(self, order: Indices) -> "Parameters":
        """The parameters whose component k is this one's component ``order[k]``."""
        return Parameters(*(np.ascontiguousarray(each[order]) for each in self))

    def mixture(
        self,
        feature_names: tuple[str, ...] | None = None,
        component_names: tuple[str, ...] | None = None,
    ) -> Mixture:
        """The mixture of the parameters, with diagonal covariances written out."""
        weights, means, covariances = self
        if covariances.ndim == 2:
            covariances = covariances[:, :, np.newaxis] * np.eye(means.shape[1])
        return Mixture(weights, means, covariances, feature_names, component_names)


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    """Sums over rows x_b with weights v_b and responsibilities r_kb, about the mixture's means.

    Moments are taken about `centres`, the means at which the responsibilities were computed, never
    about the origin: for data near 1e8 raw second moments lose every digit of a variance.
    Statistics of two sets of rows at the same parameters add up to those of their union.

    Attributes
    ----------
    centres : ndarray of shape (K, D)
        The means mu_k at which the pass was made.
    log_likelihood : float
        Sum of v_b log p(x_b), nats.
    weight : float
        Sum of the row weights; the number of rows if every row counts once.
    counts : ndarray of shape (K,)
        N_k = sum_b r_kb.
    firsts : ndarray of shape (K, D)
        A_k = sum_b r_kb (x_b - mu_k).
    seconds : ndarray of shape (K, D, D) or (K, D)
        B_k = sum_b r_kb (x_b - mu_k)(x_b - mu_k)', or its diagonal where the covariances are
        diagonal.

    Examples
    --------
    >>> from bayesgmm import load_dataset, scenario
    >>> from bayesgmm.likelihood import e_step
    >>> mixture, X = scenario("rusty_machine"), [[-3.0], [0.0], [3.0], [3.5]]
    >>> whole, parts = e_step(X, mixture), e_step(X[:2], mixture) + e_step(X[2:], mixture)
    >>> whole.counts.round(3), parts.counts.round(3)
    (array([1.015, 0.985, 2.   ]), array([1.015, 0.985, 2.   ]))
    """

    centres: Array
    log_likelihood: float
    weight: float
    counts: Array
    firsts: Array
    seconds: Array

    def __add__(self, other: Any) -> "Statistics":
        if not isinstance(other, Statistics):
            return NotImplemented
        if self.seconds.shape != other.seconds.shape:
            raise InputError(
                f"Statistics of shapes {self.seconds.shape} and {other.seconds.shape} do not add: "
                "both must come from mixtures of one shape and covariance structure."
            )
        if self.centres is not other.centres and not np.array_equal(self.centres, other.centres):
            component = int(np.argmax(np.any(self.centres != other.centres, axis=1)))
            raise InputError(
                f"These statistics are taken about different means (component {component}: "
                f"{self.centres[component]} and {other.centres[component]}) and do not add. "
                "Make both passes at the same parameters."
            )
        return Statistics(
            self.centres,
            self.log_likelihood + other.log_likelihood,
            self.weight + other.weight,
            self.counts + other.counts,
            self.firsts + other.firsts,
            self.seconds + other.seconds,
        )

    @property
    def n_components(self) -> int:
        """K."""
        return int(self.centres.shape[0])

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.centres.shape[1])

    def moments(self) -> tuple[Array, Array, Array]:
        """Maximum-likelihood weights and means, and the scatter of each component about its mean.

        Returns
        -------
        weights : ndarray of shape (K,)
            N_k / sum of the row weights.
        means : ndarray of shape (K, D)
            mu_k + A_k / N_k.
        scatters : ndarray of shape (K, D, D) or (K, D)
            W_k = B_k - A_k A_k' / N_k, from which every covariance structure makes its
            covariances.
        """
        means, scatters = native.moments(self.centres, self.counts, self.firsts, self.seconds)
        return self.counts / self.weight, means, scatters.reshape(self.seconds.shape)
