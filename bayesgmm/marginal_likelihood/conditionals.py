"""The conditional distributions of a Gibbs sampler, which are also a proposal.

Given allocations of the rows, covariances and means, each block of parameters has a conjugate
distribution: weights Dirichlet, means normal, covariances inverse Wishart. A mixture of the
products of these over draws from the posterior is close to the posterior itself
(Frühwirth-Schnatter 2004, section 3.2), and its average over all K! labellings is a sum of
permanents: log densities of component j at place k are linear in functions of the component.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln, multigammaln

from bayesgmm.arrays import Array, Integers
from bayesgmm.core import native
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.marginal_likelihood.many_mixtures import (
    Model,
    Moments,
    Parameters,
    log_dets_of_covariances,
)
from bayesgmm.marginal_likelihood.stacked_matrices import (
    cholesky,
    inverse,
    log_dets,
    multiply,
    solve,
)

# Numbers of log densities that are formed at a time.
_BLOCK = 300_000


@dataclass(frozen=True, slots=True, eq=False)
class Conditionals:
    """S sets of conditional distributions.

    Attributes
    ----------
    concentration : ndarray of shape (S, K)
    mean, precision : ndarray of shape (S, K, D) and (S, K, D, D)
        Of the means.
    df : ndarray of shape (S, m)
        Degrees of freedom of the covariances' inverse-Wishart distributions.
    scale : ndarray of shape (S, m, D, D) or (S, m, J)
    """

    concentration: Array
    mean: Array
    precision: Array
    df: Array
    scale: Array

    @classmethod
    def stacked(cls, sets: "Sequence[Conditionals]") -> "Conditionals":
        """All sets, one after another."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(each, name) for each in sets]) for name in names))

    def take(self, index: Integers) -> "Conditionals":
        """Some of these sets."""
        return Conditionals(
            self.concentration[index],
            self.mean[index],
            self.precision[index],
            self.df[index],
            self.scale[index],
        )

    def draw(self, rng: np.random.Generator) -> Parameters:
        """One mixture from each set."""
        weights, means = self.draw_weights(rng), self.draw_means(rng)
        return Parameters(weights, means, draw_inverses(self.df, self.scale, rng))

    def draw_weights(self, rng: np.random.Generator) -> Array:
        """Weights (S, K)."""
        gammas = np.maximum(rng.standard_gamma(self.concentration), 1e-300)
        return np.asarray(gammas / gammas.sum(axis=1, keepdims=True))

    def draw_means(self, rng: np.random.Generator) -> Array:
        """Means (S, K, D)."""
        upper = cholesky(self.precision).mT
        return np.asarray(self.mean + solve(upper, rng.standard_normal(self.mean.shape)))


def draw_inverses(df: Array, scale: Array, rng: np.random.Generator) -> Array:
    """Draws from Wishart(df, scale^-1), one for each df (S, m).

    Of matrices (S, m, D, D), by Bartlett's decomposition, or of variances (S, m, J) each.
    """
    if scale.ndim == 3:
        return np.asarray(rng.chisquare(df[..., np.newaxis], scale.shape) / scale)
    d = scale.shape[-1]
    a = np.tril(rng.standard_normal(scale.shape), -1)
    diagonal = np.arange(d)
    a[..., diagonal, diagonal] = np.sqrt(rng.chisquare(df[..., np.newaxis] - diagonal))
    if d == 1:
        return np.asarray(np.square(a) / scale)
    root = a.mT @ inverse(cholesky(scale))
    return np.asarray(root.mT @ root)


def conditionals(model: Model, at: Parameters, of: Moments, scale: Array) -> Conditionals:
    """Given the sums of allocated rows, means and covariances, and the scale C of their prior."""
    priors, (counts, firsts, _) = model.priors, of
    precisions, shares = at.precisions(), np.square(1.0 / np.asarray(priors.mean_sd))
    precision = counts[..., np.newaxis, np.newaxis] * precisions + np.diag(shares)
    right = multiply(precisions, firsts) + shares * np.asarray(priors.mean_location)
    mean = solve(precision, right)
    concentration = np.asarray(priors.concentration) + counts
    return Conditionals(concentration, mean, precision, *of_covariances(model, at.means, of, scale))


def of_covariances(model: Model, means: Array, of: Moments, scale: Array) -> tuple[Array, Array]:
    """Degrees of freedom (S, m) and scales (S, m, ...) of the covariances, given the means."""
    counts, firsts, seconds = of
    cross = means[..., :, np.newaxis] * firsts[..., np.newaxis, :]
    square = means[..., :, np.newaxis] * means[..., np.newaxis, :]
    scatter = seconds - cross - cross.mT + counts[..., np.newaxis, np.newaxis] * square
    df = counts
    if model.priors.n_covariances == 1:
        scatter, df = scatter.sum(axis=1, keepdims=True), df.sum(axis=1, keepdims=True)
    if model.variances:
        scatter = np.diagonal(scatter, axis1=-2, axis2=-1)
        if model.priors.n_axes == 1:
            df = df * scatter.shape[-1]
            scatter = scatter.sum(axis=-1, keepdims=True)
    return model.terms.nu + df, scale[:, np.newaxis] + scatter


class Proposal:
    """The equal mixture of S sets of conditional distributions, over all labellings.

    Parameters
    ----------
    sets : Conditionals
        A multiple of eight of them.
    """

    def __init__(self, sets: Conditionals) -> None:
        self._sets = sets
        s, k = sets.concentration.shape
        self._constant = np.log(s) + gammaln(k + 1.0)
        logs = (sets.concentration - 1.0, *_normal_coefficients(sets))
        coefficients = np.concatenate([_flat(each, 2) for each in logs], axis=2)
        constants = _constants_of_components(sets)
        constants += gammaln(sets.concentration.sum(axis=1, keepdims=True)) / k
        of_covariances = _wishart_coefficients(sets)
        self._shared = of_covariances[:, 0] if len(of_covariances[0]) < k else None
        parts = [constants[..., np.newaxis], coefficients]
        if self._shared is None:
            parts.append(of_covariances)
        # Places before sets, so that the sets of a place are neighbours.
        table = np.concatenate(parts, axis=2).transpose(1, 0, 2)
        self._coefficients = np.ascontiguousarray(table.reshape(k * s, -1).T)

    def draw(self, n: int, rng: np.random.Generator) -> Parameters:
        """Draw n mixtures."""
        return self._sets.take(rng.integers(len(self._sets.df), size=n)).draw(rng)

    def log_density(self, at: Parameters) -> Array:
        """Log density (T,) in weights, means and covariances, averaged over labellings."""
        s, k = self._sets.concentration.shape
        functions, shared = _functions(at), None
        if self._shared is None:
            functions = np.concatenate((functions, _covariance_functions(at)), axis=2)
        else:
            shared = _covariance_functions(at)[:, 0] @ self._shared.T
        out = np.empty(len(functions))
        step = max(_BLOCK // (s * k * k), 1)

        def form(start: int) -> None:
            block = slice(start, start + step)
            logs = (functions[block] @ self._coefficients).reshape(-1, k, k, s)
            if shared is not None:
                logs[:, 0] += shared[block, np.newaxis]
            out[block] = native.log_sums_of_permanents(logs)

        with ThreadPoolExecutor(n_threads()) as pool:
            list(pool.map(form, range(0, len(out), step)))
        return np.asarray(out - self._constant)


def _flat(array: Array, axes: int) -> Array:
    return array.reshape(*array.shape[:axes], -1)


def _normal_coefficients(sets: Conditionals) -> tuple[Array, Array]:
    """Coefficients of mu, and of mu mu', in the log densities of the means."""
    return multiply(sets.precision, sets.mean), -0.5 * sets.precision


def _constants_of_components(sets: Conditionals) -> Array:
    """What of the log densities of weights and means depends on the place alone, (S, K)."""
    d = sets.mean.shape[-1]
    square = np.einsum("skd,skde,ske->sk", sets.mean, sets.precision, sets.mean)
    log_det = log_dets(sets.precision)
    value = 0.5 * (log_det - d * np.log(2.0 * np.pi) - square)
    return np.asarray(value - gammaln(sets.concentration))


def _wishart_coefficients(sets: Conditionals) -> Array:
    """Coefficients of 1, log|Sigma| and Sigma^-1 in the log densities of covariances."""
    variances = sets.scale.ndim == 3
    d = 1 if variances else sets.scale.shape[-1]
    blocks = sets.scale.shape[-1] if variances else 1
    constant = 0.5 * sets.df * log_dets_of_covariances(sets.scale, variances)
    constant -= blocks * (0.5 * sets.df * d * np.log(2.0) + multigammaln(0.5 * sets.df, d))
    parts = (constant, -0.5 * (sets.df + d + 1.0), -0.5 * sets.scale)
    return np.concatenate([_flat(each, 2) for each in parts], axis=2)


def _functions(at: Parameters) -> Array:
    """The functions of a component that its weight and mean enter by, (T, K, 2 + D + D^2)."""
    squares = at.means[..., :, np.newaxis] * at.means[..., np.newaxis, :]
    parts = (np.ones_like(at.weights), np.log(at.weights), at.means, squares)
    return np.concatenate([_flat(each, 2) for each in parts], axis=2)


def _covariance_functions(at: Parameters) -> Array:
    """Those of covariances, (T, m, ...)."""
    log_det = -log_dets_of_covariances(at.inverses, at.inverses.ndim == 3)
    parts = (np.ones_like(log_det), log_det, at.inverses)
    return np.concatenate([_flat(each, 2) for each in parts], axis=2)
