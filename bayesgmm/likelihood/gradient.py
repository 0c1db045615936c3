"""The gradient of the log-likelihood, from the statistics of the same pass."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arguments import check_kind
from bayesgmm.arrays import Array
from bayesgmm.errors import InputError
from bayesgmm.likelihood.statistics import Statistics
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Derivatives of the log-likelihood in a mixture's parameters, nats per unit of each.

    Attributes
    ----------
    weights : ndarray of shape (K,)
        In the weights as if they were free (not held to a sum of 1); NaN for a weight of 0,
        for which the statistics carry no information.
    means : ndarray of shape (K, D)
    covariances : ndarray of shape (K, D, D)
        Symmetric: the derivative in entry (i, j) as if (j, i) were another number. Along a
        symmetric change dSigma the log-likelihood changes by sum(covariances * dSigma).

    Examples
    --------
    >>> from bayesgmm import Mixture
    >>> from bayesgmm.likelihood import e_step, score
    >>> mixture = Mixture([0.5, 0.5], [0.0, 3.0], [1.0, 2.0])
    >>> score(e_step([[0.5], [2.0]], mixture), mixture).means.round(3)
    array([[ 0.823],
           [-0.581]])
    """

    weights: Array
    means: Array
    covariances: Array


def score(statistics: Statistics, mixture: MixtureLike) -> Score:
    r"""Gradient of the marginal log-likelihood, by Fisher's identity.

    The derivative of log p(x) is the expectation of that of log p(x, z) under the responsibilities,
    so a pass that gave the statistics gives the gradient too:

        d/dw_k = N_k / w_k,   d/dmu_k = Sigma_k^-1 A_k,
        d/dSigma_k = (Sigma_k^-1 B_k Sigma_k^-1 - N_k Sigma_k^-1) / 2.

    Parameters
    ----------
    statistics : Statistics
        Of a pass at `mixture`, with full second moments.
    mixture : Mixture or fitted GaussianMixture

    Raises
    ------
    InputError
        If the statistics were taken at other means, or are diagonal.

    References
    ----------
    Fisher, R. A. (1925), Proc. Camb. Phil. Soc. 22, 700-725; Louis, T. A. (1982), JRSS B 44,
    226-233, equation 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> from bayesgmm.likelihood import e_step, score
    >>> X = load_dataset("faithful").X
    >>> fit = GaussianMixture(2, random_state=0).fit(X)
    >>> bool(np.abs(score(e_step(X, fit), fit).means).max() < 1e-5)  # 0 at the maximum
    True
    """
    check_kind("statistics", statistics, Statistics, "the Statistics of a pass")
    mixture = fitted_mixture("mixture", mixture)
    if statistics.seconds.ndim != 3 or not np.array_equal(statistics.centres, mixture.means):
        raise InputError(
            "The score needs the full statistics of a pass at this mixture; these were taken "
            "at other means, or keep only the diagonals of the second moments."
        )
    counts = statistics.counts
    factors = np.linalg.cholesky(mixture.covariances)
    weights = np.full(len(counts), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        np.divide(counts, mixture.weights, out=weights, where=mixture.weights > 0.0)
        excess = statistics.seconds - counts[:, np.newaxis, np.newaxis] * mixture.covariances

    def solve_both(matrices: Array) -> Array:
        """Sigma^-1 M Sigma^-1 through two solves with the Cholesky factor on either side."""
        half = np.linalg.solve(factors, matrices)
        half = np.linalg.solve(factors.mT, half)
        half = np.linalg.solve(factors, half.mT)
        return np.linalg.solve(factors.mT, half)

    first = np.linalg.solve(factors, statistics.firsts[:, :, np.newaxis])
    first = np.linalg.solve(factors.mT, first)[:, :, 0]
    gradient = solve_both(excess)
    if not all(np.isfinite(each).all() for each in (first, gradient)) or np.isinf(weights).any():
        raise InputError(
            "The score is beyond float64. Rescale the columns, or divide the weights of the rows "
            "by a constant."
        )
    return Score(weights, first, 0.25 * gradient + 0.25 * gradient.mT)
