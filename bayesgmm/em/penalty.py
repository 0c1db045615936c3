"""Penalised likelihood: a covariance structure together with priors, maximised by ECM.

What is maximised is the log-likelihood plus the log prior density of weights, means and
covariances. A scale of the covariances that has a prior of its own is integrated out. (Jointly
with the covariances it has no mode: with two components of one feature the joint density under
Richardson and Green's prior grows without bound as the scale and one variance go to zero
together, whatever the data.) It takes part as missing data do, through its mean given the
covariances, so that each step is closed and none loses (Meng & Rubin 1993, Biometrika 80,
267-278): weights, then means given covariances, then covariances given means.

A conjugate prior of a covariance is as good as rows: to the M-step of any structure it is a number
of them to add to N_k, and a scatter to add to W_k.
"""

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import Parameters
from bayesgmm.errors import InvalidParameterError
from bayesgmm.model import (
    LKJ,
    Gamma,
    InverseGamma,
    InverseWishart,
    ResolvedPriors,
    Statistics,
    Structure,
    Wishart,
)

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
        self._excess = np.asarray(priors.concentration) - 1.0
        self._centre = np.asarray(priors.mean_location)
        self._precision = 1.0 / np.asarray(priors.mean_sd) ** 2

    @property
    def learns_scale(self) -> bool:
        """Whether the scale of the covariances has a prior of its own."""
        return self._family.hierarchical

    def log_prior(self, theta: Parameters) -> float:
        """Log prior density of parameters, nats, in the units of the fit."""
        return self.priors.log_density_of(*theta)

    def least_share(self, counts: Array) -> float:
        """The smallest weight that a step would give, as a number of rows."""
        return float((counts + self._excess).min())

    def step(self, statistics: Statistics, theta: Parameters) -> Parameters:
        """One ECM step from theta, at which the statistics were taken."""
        counts = statistics.counts
        weights = (counts + self._excess) / (statistics.weight + self._excess.sum())
        firsts = statistics.firsts
        share = np.divide(
            firsts,
            counts[:, np.newaxis],
            out=np.zeros_like(firsts),
            where=counts[:, np.newaxis] > 0,
        )
        steps = self._mean_steps(statistics, theta)
        # The scatter about the component's own mean, and the square of what the prior takes off.
        off = steps - share
        if statistics.seconds.ndim == 3:
            own = statistics.seconds - firsts[:, :, np.newaxis] * share[:, np.newaxis, :]
            pulled = off[:, :, np.newaxis] * off[:, np.newaxis, :] * counts[:, None, None]
        else:
            own = statistics.seconds - firsts * share
            pulled = off**2 * counts[:, np.newaxis]
        scale = self._family.expected_scale(self.priors.parts(theta.covariances))
        scatters = own + pulled + self.pseudo_scatter(scale)
        covariances = self._structure.covariances(
            counts + self.pseudo_counts, scatters, theta.covariances
        )
        return Parameters(weights, statistics.centres + steps, covariances)

    def _mean_steps(self, statistics: Statistics, theta: Parameters) -> Array:
        """Steps (K, D) to the means that maximise the penalised likelihood given covariances.

        (N_k Sigma_k^-1 + S^-1) step = Sigma_k^-1 A_k + S^-1 (m - mu_k), multiplied by Sigma_k.
        """
        counts, firsts = statistics.counts, statistics.firsts
        pull = self._precision * (self._centre - theta.means)
        if theta.covariances.ndim == 2:
            right = firsts + theta.covariances * pull
            return right / (counts[:, np.newaxis] + theta.covariances * self._precision)
        right = firsts + np.einsum("kij,kj->ki", theta.covariances, pull)
        left = theta.covariances * self._precision
        diagonal = np.einsum("kii->ki", left)
        diagonal += counts[:, np.newaxis]
        return np.linalg.solve(left, right[:, :, np.newaxis])[:, :, 0]

    def pseudo_scatter(self, scale: Array) -> Array:
        """Scatter that the prior counts for, of the shape of one component's."""
        if isinstance(self._family, InverseGamma):
            variances = np.broadcast_to(2.0 * scale / self._together, self._centre.shape)
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
