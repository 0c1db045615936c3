"""Penalised likelihood: a covariance structure together with priors.

What is maximised is the log-likelihood plus the log prior density of weights, means and
covariances. A scale of the covariances that has a prior of its own is integrated out. (Jointly
with the covariances it has no mode: with two components of one feature the joint density under
Richardson and Green's prior grows without bound as the scale and one variance go to zero
together, whatever the data.) The steps are those of the core's EM loop.
"""

import numpy as np
from numpy.typing import NDArray

from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.core_arguments import prior_numbers
from bayesgmm.priors.families import LKJ, Gamma, InverseGamma, InverseWishart, Wishart
from bayesgmm.priors.priors import ResolvedPriors

type Array = NDArray[np.float64]


def check_penalty(priors: ResolvedPriors) -> None:
    """Refuse priors under which the penalised likelihood has no maximum or no closed step."""
    if isinstance(priors.covariances, LKJ):
        raise InvalidParameterError(
            "An LKJ prior leaves EM without a closed M-step. Use covariances='inverse-wishart' for "
            "a penalised fit, or sample_posterior for this prior."
        )
    if priors.concentration[0] < 1.0:
        raise InvalidParameterError(
            f"Under concentration={priors.concentration[0]:g} < 1 the density of the weights has "
            "no maximum: it grows without bound as a weight goes to 0. Use at least 1."
        )


class Penalised(Structure):
    """A structure whose parameters have priors, in the units of the fit.

    Parameters
    ----------
    structure : Structure
    priors : ResolvedPriors
        For its number of components, of features, and its code.
    """

    def __init__(self, structure: Structure, priors: ResolvedPriors) -> None:
        self._structure, self.priors = structure, priors
        self.code, self.name, self.words = structure.code, structure.name, structure.words
        self.diagonal, self.scales_by_column = structure.diagonal, structure.scales_by_column
        assert not isinstance(priors.covariances, LKJ)
        self._family: InverseGamma | InverseWishart = priors.covariances
        k, d = priors.n_components, priors.n_features
        # A spherical variance stands for D of them, a shared covariance for K.
        self._together = d if priors.n_axes == 1 else 1
        self._copies = priors.n_covariances / k
        pseudo = self._family.pseudo_count(d if priors.n_axes is None else self._together)
        self.pseudo_counts = np.full(k, pseudo * self._copies)
        self.letters = structure.letters
        self.numbers = prior_numbers(priors)

    @property
    def learns_scale(self) -> bool:
        """Whether the scale of the covariances has a prior of its own."""
        return self._family.hierarchical

    def pseudo_scatter(self, scale: Array) -> Array:
        """Scatter that the prior counts for, of the shape of one component's."""
        if isinstance(self._family, InverseGamma):
            variances = np.broadcast_to(2.0 * scale / self._together, self.priors.n_features)
            scale = variances if self.diagonal else np.diag(variances)
        return scale * self._copies

    # --- the structure itself, for starts and proposals ---------------------------------------

    def covariances(self, counts: Array, scatters: Array, near: Array | None = None) -> Array:
        """The M-step with the scale of the covariances at its prior mean: to begin from."""
        scale = self._family.scale
        mean = scale.mean if isinstance(scale, Gamma | Wishart) else np.asarray(scale)
        pseudo = self.pseudo_scatter(mean)
        return self._structure.covariances(counts + self.pseudo_counts, scatters + pseudo, near)

    def nearest(self, weights: Array, covariances: Array) -> Array:
        return self._structure.nearest(weights, covariances)

    def compact(self, covariances: Array) -> Array:
        return self._structure.compact(covariances)

    def expand(self, compact: Array, n_components: int, n_features: int) -> Array:
        return self._structure.expand(compact, n_components, n_features)

    def n_covariance_parameters(self, n_components: int, n_features: int) -> int:
        return self._structure.n_covariance_parameters(n_components, n_features)
