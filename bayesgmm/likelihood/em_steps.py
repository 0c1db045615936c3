"""The two steps of EM: the statistics of rows under a mixture, and their maximisation."""

import os
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_kind
from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.covariance.structures import CovarianceType, as_structure
from bayesgmm.data.validation import check_sample_weight
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture
from bayesgmm.mixture.mixture import Mixture


def n_threads() -> int:
    """Threads that a pass may use: BAYESGMM_NUM_THREADS, or the processors of this process."""
    wanted = os.environ.get("BAYESGMM_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Data as passes read them: (x - shift) * scale, formed block by block.

    Parameters and statistics of a pass are in those units.

    Attributes
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    row_weights : ndarray of shape (n,), optional
        The number of times that each row counts.
    shift, scale : ndarray of shape (D,), optional
    threads : int, optional
        An upper limit; None for `n_threads`. Results do not depend on it, bit for bit.
    """

    x: Array
    row_weights: Array | None = None
    shift: Array | None = None
    scale: Array | None = None
    threads: int | None = None

    @property
    def arguments(self) -> tuple[Array, Array | None, Array, Array]:
        """The rows as the core takes them: x, row_weights, shift, scale."""
        d = self.x.shape[1]
        shift = np.zeros(d) if self.shift is None else self.shift
        return self.x, self.row_weights, shift, np.ones(d) if self.scale is None else self.scale

    @property
    def most_threads(self) -> int:
        """The number of threads that a pass may use."""
        return n_threads() if self.threads is None else self.threads

    def e_step(self, weights: Array, means: Array, covariances: Array) -> Statistics:
        """Statistics of all rows under a mixture.

        Parameters
        ----------
        weights : ndarray of shape (K,)
        means : ndarray of shape (K, D)
        covariances : ndarray of shape (K, D, D), or (K, D) variances

        Raises
        ------
        SingularCovarianceError
            If a covariance is not positive definite, that of `component`.
        """
        bad, sums = native.e_step(*self.arguments, weights, means, covariances, self.most_threads)
        if bad:
            raise SingularCovarianceError(bad - 1)
        return statistics_of(sums, means, covariances.shape)


def statistics_of(sums: Array, means: Array, shape: tuple[int, ...]) -> Statistics:
    """The sums of a pass at `means`, by name; second moments in the shape of covariances."""
    k, d = means.shape
    return Statistics(
        means,
        float(sums[0]),
        float(sums[1]),
        sums[2 : 2 + k],
        sums[2 + k : 2 + k + k * d].reshape(k, d),
        sums[2 + k + k * d :].reshape(shape),
    )


def e_step(
    X: ArrayLike,
    mixture: MixtureLike,
    sample_weight: ArrayLike | None = None,
    *,
    n_jobs: int | None = None,
) -> Statistics:
    """Expected sufficient statistics of rows under a mixture, by one pass.

    Parameters
    ----------
    X : array-like of shape (n, D)
        Finite.
    mixture : Mixture or fitted GaussianMixture
    sample_weight : array-like of shape (n,), optional
    n_jobs : int, optional
        Threads, at most; None for as many as there are processors. The result has the same bits.

    Returns
    -------
    Statistics
        About the mixture's means, with full second moments (K, D, D).

    Raises
    ------
    InputError, InputTypeError
        If the rows or their weights cannot be used.
    InvalidParameterError
        If another argument is of another kind.
    """
    mixture = fitted_mixture("mixture", mixture)
    x = mixture.check_rows(X)
    row_weights = check_sample_weight(sample_weight, len(x))
    threads = None if n_jobs is None else check_count("n_jobs", n_jobs)
    shift = mixture.mean()
    rows = Rows(x, row_weights, shift, threads=threads)
    found = rows.e_step(mixture.weights, mixture.means - shift, mixture.covariances)
    return replace(found, centres=mixture.means)


def m_step(
    statistics: Statistics,
    covariance_type: CovarianceType = "full",
    *,
    mixture: MixtureLike | None = None,
) -> Mixture:
    """The mixture that maximises the expected log-likelihood of a pass.

    Parameters
    ----------
    statistics : Statistics
        With full second moments, as `e_step` makes them.
    covariance_type : str or Structure
    mixture : Mixture or fitted GaussianMixture, optional
        That of the pass. The M-steps of VEI, VEE, VEV, EVE and VVE iterate; from its covariances
        they never lose likelihood, which EM needs.

    Raises
    ------
    InvalidParameterError
        If an argument is of another kind, or there is no such structure.
    SingularCovarianceError
        If a component has too little weight for a covariance of the structure.

    References
    ----------
    Celeux, G. and Govaert, G. (1995), Pattern Recognition 28, 781-793; Browne, R. P. and
    McNicholas, P. D. (2014), Statistics and Computing 24, 203-210 (EVE and VVE).
    """
    check_kind("statistics", statistics, Statistics, "the Statistics of a pass")
    start = None if mixture is None else fitted_mixture("mixture", mixture)
    structure = as_structure(covariance_type, statistics.n_features)
    weights, means, scatters = statistics.moments()
    near = None if start is None else start.covariances
    if structure.diagonal:
        scatters = np.einsum("kii->ki", scatters).copy()
        near = None if start is None else start.variances
    covariances = structure.covariances(statistics.counts, scatters, near)
    return Parameters(weights, means, covariances).mixture()
