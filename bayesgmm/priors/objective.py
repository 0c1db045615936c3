"""The objective of EM: the log-likelihood within a covariance structure, or a penalised one.

A penalised likelihood adds the log prior density of weights, means and covariances. A scale of the
covariances that has a prior of its own is integrated out. (Jointly with the covariances it has no
mode: with two components of one feature the joint density under Richardson and Green's prior grows
without bound as the scale and one variance go to zero together, whatever the data.)
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans
from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.families import LKJ, ConjugateFamily
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.prior_numbers import PriorNumbers, prior_numbers
from bayesgmm.priors.resolved_priors import ResolvedPriors

# Ratio of variances from which on a component on the bound is flat beside all rows.
_LOOSE = 1e4


def check_penalty(priors: ResolvedPriors) -> None:
    """Refuse priors under which the penalised likelihood has no maximum or no closed M-step."""
    if isinstance(priors.covariances, LKJ):
        raise InvalidParameterError(
            "EM has no closed M-step under an LKJ prior. Use covariances='inverse-wishart' for a "
            "penalised fit, or sample_posterior for this prior."
        )
    least = min(priors.concentration)
    if least < 1.0:
        raise InvalidParameterError(
            f"Under concentration={least:g} < 1 the density of the weights has no maximum: it "
            "grows without bound as a weight goes to 0. Use at least 1 for a penalised fit, or "
            "sample_posterior and filled_components for this prior."
        )


class ModelArguments(NamedTuple):
    """An objective as the core takes it."""

    letters: tuple[int, int, int]
    ridge: Array | None
    prior: PriorNumbers | None
    held: tuple[Booleans, Booleans, Booleans] | None
    contaminated: bool
    variance_ratio: float


@dataclass(frozen=True, slots=True)
class Objective:
    """A covariance structure, with priors, a ridge or held parameters if there are any.

    All are in the units of the fit.

    Attributes
    ----------
    structure : Structure
    priors : ResolvedPriors or None
        Conjugate priors that penalise the likelihood.
    ridge : tuple of float (D,), or None
        In each M-step, N_k times these amounts are added to the diagonals of the scatter matrices.
        For scikit-learn's structures that adds the amounts to the covariances' diagonals
        (`reg_covar`); in all, the covariances stay in the structure.
    held : HeldParameters or None
        Parameters over which nothing is maximised. A run begins at their values.
    contaminated : bool
        True if each component has outliers: runs are on pairs of Gaussians.
    eigenvalue_ratio : float
        Largest ratio of the variances of two components in any direction; infinite for no bound.
    """

    structure: Structure
    priors: ResolvedPriors | None = None
    ridge: tuple[float, ...] | None = None
    held: HeldParameters | None = None
    contaminated: bool = False
    eigenvalue_ratio: float = np.inf

    @property
    def is_bounded(self) -> bool:
        """True if EM maximises under the bound; otherwise runs that pass it are refused.

        Free structures have such an M-step. On a loose bound every component would be so flat that
        it is refused all the same.
        """
        holds = self.held is not None and bool(self.held.masks[2].any())
        return self.eigenvalue_ratio <= _LOOSE and self.structure.free and not holds

    @property
    def arguments(self) -> ModelArguments:
        """The objective as the core takes it."""
        return ModelArguments(
            self.structure.letters,
            None if self.ridge is None else np.array(self.ridge),
            None if self.priors is None else prior_numbers(self.priors),
            None if self.held is None else self.held.masks,
            self.contaminated,
            self.eigenvalue_ratio if self.is_bounded else np.inf,
        )

    def covariances(self, counts: Array, scatters: Array) -> Array:
        """M-step of the covariances for a start, with their prior's scale at its prior mean.

        Parameters and errors are those of `Structure.covariances`.
        """
        return self.structure.covariances(*self._with_pseudo_data(counts, scatters))

    def about_each(self, counts: Array, scatters: Array) -> tuple[Booleans, Array]:
        """The same for several starts, approximately, as `Structure.about_each`."""
        return self.structure.about_each(*self._with_pseudo_data(counts, scatters))

    def _with_pseudo_data(self, counts: Array, scatters: Array) -> tuple[Array, Array]:
        """Counts (..., K) and scatter matrices with what the ridge and the prior add to them."""
        diagonal = self.structure.diagonal
        if self.ridge is not None:
            added = counts[..., np.newaxis] * np.array(self.ridge)
            if not diagonal:
                added = added[..., np.newaxis] * np.eye(len(self.ridge))
            scatters = scatters + added
        if self.priors is not None:
            assert isinstance(self.priors.covariances, ConjugateFamily)
            count, scatter = pseudo_data(self.priors, self.priors.covariances.mean_scale)
            counts = counts + count
            scatters = scatters + (
                np.diagonal(scatter, axis1=-2, axis2=-1) if diagonal else scatter
            )
        return counts, scatters


def pseudo_data(priors: ResolvedPriors, scale: Array) -> tuple[float, Array]:
    """The observations that a conjugate prior of covariances is equivalent to, in each component.

    Parameters
    ----------
    priors : ResolvedPriors
    scale : ndarray of shape (J,) or (D, D), with an axis of components in front where it differs
        Of the covariances' family.

    Returns
    -------
    count : float
        Added to N_k in an M-step of the covariances.
    scatter : ndarray of shape (D, D), or (K, D, D) where scales differ
        Added to W_k.
    """
    d = priors.n_features
    # A shared covariance counts once for K components, a spherical variance once for D features.
    copies = priors.n_covariances / priors.n_components
    together = d if priors.n_axes == 1 else 1
    family = priors.covariances
    assert isinstance(family, ConjugateFamily)
    c = family.factor * scale
    if priors.n_axes is not None:
        c = np.broadcast_to(c / together, (*c.shape[:-1], d))[..., np.newaxis] * np.eye(d)
    return copies * (family.terms.nu + family.terms.size + 1.0) / together, copies * c
