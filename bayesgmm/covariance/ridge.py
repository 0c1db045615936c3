"""scikit-learn's `reg_covar`: a constant on the diagonal of every covariance."""

import numpy as np
from numpy.typing import NDArray

from bayesgmm.covariance.structures import Structure

type Array = NDArray[np.float64]


class Regularised(Structure):
    """A structure whose scatters get N_k times `amounts` (D,) on their diagonals in each M-step.

    For the structures that scikit-learn has, that adds the amounts to the covariances' diagonals.
    """

    def __init__(self, structure: Structure, amounts: Array) -> None:
        self._structure = structure
        self.amounts = amounts
        self.code, self.name, self.words = structure.code, structure.name, structure.words
        self.diagonal, self.scales_by_column = structure.diagonal, structure.scales_by_column
        self.features, self.letters = structure.features, structure.letters

    def covariances(self, counts: Array, scatters: Array, near: Array | None = None) -> Array:
        # As good as rows of that variance: the covariances stay in the structure.
        added = counts[:, np.newaxis] * self.amounts
        if not self.diagonal:
            added = added[:, :, np.newaxis] * np.eye(len(self.amounts))
        return self._structure.covariances(counts, scatters + added, near)

    def nearest(self, weights: Array, covariances: Array) -> Array:
        return self._structure.nearest(weights, covariances)

    def compact(self, covariances: Array) -> Array:
        return self._structure.compact(covariances)

    def expand(self, compact: Array, n_components: int, n_features: int) -> Array:
        return self._structure.expand(compact, n_components, n_features)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return self._structure.n_covariance_parameters(n_components, n_features)
