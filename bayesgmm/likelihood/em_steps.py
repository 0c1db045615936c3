"""The two steps of EM: the statistics of rows under a mixture, and their maximisation."""

import os
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_kind
from bayesgmm.arrays import Array, Integers
from bayesgmm.core import native
from bayesgmm.covariance.structures import CovarianceType, as_structure
from bayesgmm.data.validation import Data, check_sample_weight
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture, observed_rows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.mixture.partial_rows import pattern_order


def n_threads() -> int:
    """Threads that a pass may use: BAYESGMM_NUM_THREADS, or the processors of this process."""
    wanted = os.environ.get("BAYESGMM_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class RowArguments(NamedTuple):
    """Rows as the core takes them."""

    x: Array
    row_weights: Array | None
    shift: Array
    scale: Array
    errors: Array | None
    known: tuple[Integers, Integers, Array] | None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Data as passes read them: (x - shift) * scale, formed block by block.

    Parameters and statistics of a pass are in those units.

    Attributes
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered; NaN where an entry was not seen.
    row_weights : ndarray of shape (n,), optional
        The number of times that each row counts.
    shift, scale : ndarray of shape (D,), optional
    errors : ndarray, optional
        Variances or covariances of the rows' errors, as in `Data`.
    labels : ndarray of shape (n,), optional
        The class of each row, -1 where it is unknown; a row of a known class comes from one of its
        components.
    classes : ndarray of shape (K,), optional
        The class of each component; None where each is a class.
    noise : ndarray of shape (n,), optional
        Log densities of rows that come from no component, in the units of the pass; the weight of
        noise is what the weights of the components leave of 1.
    threads : int, optional
        An upper limit; None for `n_threads`. Results do not depend on it, bit for bit.
    coarse : tuple of (ndarray or None)
        Distinct values of the columns that have few, as `coarse_values` finds them.
    """

    x: Array
    row_weights: Array | None = None
    shift: Array | None = None
    scale: Array | None = None
    errors: Array | None = None
    labels: Integers | None = None
    classes: Integers | None = None
    noise: Array | None = None
    threads: int | None = None
    coarse: tuple[Array | None, ...] = ()

    @classmethod
    def of(
        cls,
        data: Data,
        row_weights: Array | None = None,
        shift: Array | None = None,
        scale: Array | None = None,
        threads: int | None = None,
        noise: Noise | None = None,
    ) -> Self:
        """Rows in an order that passes are fast in: those seen in the same entries together."""
        order = pattern_order(data.X) if data.has_missing else None
        if order is not None:
            data = data.take(order)
            row_weights = None if row_weights is None else row_weights[order]
        background = None
        if noise is not None:
            background = noise.log_density(data.X)
            if scale is not None:
                background -= ~np.isnan(data.X) @ np.log(scale)
        return cls(
            data.X,
            row_weights,
            shift,
            scale,
            data.errors,
            data.labels,
            noise=background,
            threads=threads,
        )

    @property
    def n_rows(self) -> int:
        """N."""
        return len(self.x)

    @property
    def partial(self) -> bool:
        """True if rows were seen in part, or through noise."""
        return self.errors is not None or bool(np.isnan(self.x).any())

    def seen(self) -> Array:
        """The number of rows in which each column was seen, or the sum of their weights, (D,)."""
        seen = ~np.isnan(self.x)
        return np.asarray(seen.sum(axis=0) if self.row_weights is None else self.row_weights @ seen)

    @property
    def arguments(self) -> "RowArguments":
        """The rows as the core takes them."""
        d = self.x.shape[1]
        shift = np.zeros(d) if self.shift is None else self.shift
        scale = np.ones(d) if self.scale is None else self.scale
        return RowArguments(self.x, self.row_weights, shift, scale, self.errors, self.known)

    @property
    def known(self) -> tuple[Integers, Integers, Array] | None:
        """Labels, classes and log densities of noise, empty where there are none."""
        if self.labels is None and self.noise is None:
            return None
        none = np.empty(0, np.int64)
        labels, classes = (none if each is None else each for each in (self.labels, self.classes))
        return labels, classes, np.empty(0) if self.noise is None else self.noise

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
        mixture = weights, means, covariances
        bad, sums = native.e_step(*self.arguments, *mixture, self.most_threads, True)
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
    error_covariances: ArrayLike | None = None,
    n_jobs: int | None = None,
) -> Statistics:
    """Expected sufficient statistics of rows under a mixture, by one pass.

    Of rows with missing entries, or measured with errors, they are the expectations given what was
    observed.

    Parameters
    ----------
    X : array-like of shape (n, D)
        NaN are missing.
    mixture : Mixture or fitted GaussianMixture
    sample_weight : array-like of shape (n,), optional
    error_covariances : array-like, optional
        As in `Mixture.log_joint`. None: those of the fit if X are its rows.
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

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> from bayesgmm.likelihood import e_step
    >>> X = load_dataset("faithful").X
    >>> fit = GaussianMixture(2, random_state=0).fit(X)
    >>> round(e_step(X, fit).log_likelihood, 4)
    -1130.264
    """
    data = observed_rows("mixture", mixture, X, error_covariances)
    mixture = fitted_mixture("mixture", mixture)
    row_weights = check_sample_weight(sample_weight, len(data.X))
    threads = None if n_jobs is None else check_count("n_jobs", n_jobs)
    shift = mixture.mean()
    rows = Rows.of(data, row_weights, shift, threads=threads)
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

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> from bayesgmm.likelihood import e_step, m_step
    >>> X = load_dataset("faithful").X
    >>> mixture = GaussianMixture(2, random_state=0).fit(X[:100]).mixture_
    >>> for _ in range(3):
    ...     statistics = e_step(X, mixture)
    ...     print(round(statistics.log_likelihood, 3))
    ...     mixture = m_step(statistics)
    -1167.787
    -1138.948
    -1134.097
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
