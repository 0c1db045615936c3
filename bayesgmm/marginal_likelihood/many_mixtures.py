"""Parameters of many mixtures at once, and their posterior density, in the units of the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, multigammaln

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.validation import Data
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows, tally
from bayesgmm.marginal_likelihood.stacked_matrices import inverse, log_dets
from bayesgmm.priors.families import ConjugateFamily, Terms
from bayesgmm.priors.resolved_priors import ResolvedPriors


@dataclass(frozen=True, slots=True, eq=False)
class Parameters:
    """T mixtures of one structure.

    Attributes
    ----------
    weights : ndarray of shape (T, K)
    means : ndarray of shape (T, K, D)
    inverses : ndarray of shape (T, m, D, D) or (T, m, J)
        Of the covariances, or of J variances, with m = K, or 1 where components share one.
    """

    weights: Array
    means: Array
    inverses: Array

    @classmethod
    def stacked(cls, mixtures: "Sequence[Parameters]") -> "Parameters":
        """All mixtures, one after another."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(each, name) for each in mixtures]) for name in names))

    def take(self, index: Any) -> "Parameters":
        """Some of these mixtures."""
        return Parameters(self.weights[index], self.means[index], self.inverses[index])

    def precisions(self) -> Array:
        """Inverses of all components' covariances, (T, K, D, D)."""
        t, k, d = self.means.shape
        if self.inverses.ndim == 4:
            return np.broadcast_to(self.inverses, (t, k, d, d))
        out = np.zeros((t, k, d, d))
        out[..., np.arange(d), np.arange(d)] = self.inverses
        return out


def log_dets_of_covariances(matrices: Array, variances: bool) -> Array:
    """Log determinants of the last two axes, or sums of logs over the last one."""
    return np.asarray(np.log(matrices).sum(axis=-1)) if variances else log_dets(matrices)


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Rows, and conjugate priors that are equal for all components.

    Attributes
    ----------
    rows : Data
    priors : ResolvedPriors
        In the units of the rows.
    """

    rows: Data
    priors: ResolvedPriors

    @property
    def family(self) -> ConjugateFamily:
        """The prior of the covariances."""
        family = self.priors.covariances
        assert isinstance(family, ConjugateFamily)
        return family

    @property
    def terms(self) -> Terms:
        """The numbers of the covariances' prior."""
        return self.family.terms

    @property
    def variances(self) -> bool:
        """True if covariances are variances along the features."""
        return self.priors.n_axes is not None

    def drawn(self, at: Parameters) -> DrawnRows:
        """The rows under each mixture."""
        covariances = inverse(at.precisions())
        return DrawnRows(self.rows, at.weights, at.means, covariances)

    def log_density(self, at: Parameters) -> Array:
        """Log of likelihood times prior (T,), normalised in weights, means and covariances."""
        likelihood = self.drawn(at).contract(np.empty((len(self.rows.X), 0)))[1]
        priors, k = self.priors, at.weights.shape[1]
        a, sd = priors.concentration[0], np.asarray(priors.mean_sd)
        value = likelihood + (a - 1.0) * np.log(at.weights).sum(axis=1)
        value += gammaln(k * a) - k * gammaln(a)
        z = (at.means - np.asarray(priors.mean_location)) / sd
        value -= 0.5 * np.square(z).sum(axis=(1, 2))
        value -= k * (np.log(sd) + 0.5 * np.log(2.0 * np.pi)).sum()
        return np.asarray(value + self._log_density_of_covariances(at.inverses))

    def _log_density_of_covariances(self, inverses: Array) -> Array:
        """`ConjugateFamily.log_density` of T sets of covariances, with the scale integrated out."""
        nu, p, own = self.terms
        m, d, variances = inverses.shape[1], self.terms.size, self.variances
        blocks = own.shape[-1] if variances else 1
        value = 0.5 * (nu + d + 1.0) * log_dets_of_covariances(inverses, variances).sum(axis=1)
        value -= m * blocks * multigammaln(0.5 * nu, d)
        log_det = log_dets_of_covariances(own[0], variances)
        if p is None:
            value += 0.5 * m * nu * (log_det - blocks * d * np.log(2.0))
            return np.asarray(value - 0.5 * (own[0] * inverses).reshape(len(value), -1).sum(axis=1))
        post = p + m * nu
        value += 0.5 * p * log_det
        value += blocks * (multigammaln(0.5 * post, d) - multigammaln(0.5 * p, d))
        total = own[0] + inverses.sum(axis=1)
        return np.asarray(value - 0.5 * post * log_dets_of_covariances(total, variances))


class Moments(NamedTuple):
    """Sums of the rows of each component in T allocations.

    Attributes
    ----------
    counts : ndarray of shape (T, K)
    firsts : ndarray of shape (T, K, D)
    seconds : ndarray of shape (T, K, D, D)
        Of the products of two features.
    """

    counts: Array
    firsts: Array
    seconds: Array


def moments_of(model: Model, allocations: Integers) -> Moments:
    """The sums of allocated rows (T, n)."""
    x, k = model.rows.X, model.priors.n_components
    n, d = x.shape
    products = (x[:, :, np.newaxis] * x[:, np.newaxis, :]).reshape(n, d * d)
    table = tally(allocations, np.column_stack((np.ones(n), x, products)), k)
    counts, firsts, seconds = np.split(table, [1, 1 + d], axis=2)
    return Moments(counts[..., 0], firsts, seconds.reshape(*table.shape[:2], d, d))
