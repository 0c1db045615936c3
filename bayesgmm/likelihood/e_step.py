"""Rows to be passed over, and one pass over them."""

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import check_count, check_kind
from bayesgmm.core import native
from bayesgmm.data.validation import check_sample_weight
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.statistics import Statistics
from bayesgmm.mixture.mixture import Mixture

type Array = NDArray[np.float64]


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

    Parameters and statistics of a pass are in those units. Rows whose entries are missing will come
    as several `Rows`, one per pattern of what was seen: their statistics add.

    Attributes
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    row_weights : ndarray of shape (n,), optional
        How often each row counts.
    shift, scale : ndarray of shape (D,), optional
    threads : int, optional
        At most so many; None for `n_threads`. No bit of a result depends on it.
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
        """How many threads a pass may use."""
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
            If a covariance is not positive definite; `component` says which.
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
    x: Array, mixture: Mixture, row_weights: Array | None = None, *, threads: int | None = None
) -> Statistics:
    """Expected sufficient statistics of rows under a mixture, by one pass.

    Parameters
    ----------
    x : array-like of shape (n, D)
        Finite.
    mixture : Mixture
    row_weights : ndarray of shape (n,), optional
    threads : int, optional
        At most so many; None for as many as there are processors. The result has the same bits.

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
    check_kind("mixture", mixture, Mixture, "a Mixture")
    x = mixture.check_rows(x)
    row_weights = check_sample_weight(row_weights, len(x))
    threads = None if threads is None else check_count("threads", threads)
    shift = mixture.mean()
    rows = Rows(x, row_weights, shift, threads=threads)
    found = rows.e_step(mixture.weights, mixture.means - shift, mixture.covariances)
    return Statistics(
        mixture.means,
        found.log_likelihood,
        found.weight,
        found.counts,
        found.firsts,
        found.seconds,
    )
