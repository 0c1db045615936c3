"""Responsibilities under many mixtures at once, summed as they are made.

A posterior of T draws gives each of n rows T x K responsibilities r_tik. Of interest
are their sums over rows or over draws,

    S_tkj = sum_i r_tik q_ij                a table for each draw
    m_ij  = 1/T sum_t r_ti,perm_t(j)        an average for each row

and the log-likelihood of each draw. They are formed block by block of rows: nothing of T x n x K is
ever kept.
"""

import numpy as np

from bayesgmm.arrays import Array, Indices, Integers
from bayesgmm.core import native
from bayesgmm.data.degeneracy import check_spread
from bayesgmm.errors import InputError
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.mixture.gaussian_densities import LOG_2


def tally(allocations: Integers, q: Array, n_components: int) -> Array:
    """`DrawnRows.contract` for draws that allocate each row to one component.

    Parameters
    ----------
    allocations : ndarray of shape (T, n)
        Components from 0 to K - 1.
    q : ndarray of shape (n, J)
    n_components : int

    Returns
    -------
    ndarray of shape (T, K, J)
    """
    return native.tally(allocations, np.ascontiguousarray(q), n_components)


def tally_permuted(allocations: Integers, permutations: Indices) -> Array:
    """`DrawnRows.average` for draws that allocate each row to one component, (n, K)."""
    counts = native.tally_permuted(allocations, np.argsort(permutations, axis=1))
    return counts / len(allocations)


class DrawnRows:
    """Rows under every draw of a mixture.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    weights, means, covariances : ndarrays of shape (T, K), (T, K, D), (T, K, D, D)
    hard : bool
        Replace each row's responsibilities by 1 for the largest and 0 for the others.
    threads : int, optional
        An upper limit; None for the number of processors.

    Notes
    -----
    InputError is raised if rows or draws are too wide for float64, and by every method if a draw
    has a covariance that is not positive definite.
    """

    def __init__(
        self,
        x: Array,
        weights: Array,
        means: Array,
        covariances: Array,
        *,
        hard: bool = False,
        threads: int | None = None,
    ) -> None:
        check_spread(x, some=False)
        shift = (x / len(x)).sum(axis=0)
        spread = np.sqrt(np.square(x - shift).mean(axis=0))
        # A power of two near the columns' spread: no digit is lost, and no square overflows.
        exponents = -np.frexp(np.where(spread > 0.0, spread, 1.0))[1]
        scale = np.ldexp(1.0, exponents)
        self._log_scale = float(LOG_2 * exponents.sum())
        with np.errstate(over="ignore"):
            moved = (means - shift) * scale
            scaled = covariances * scale[:, np.newaxis] * scale
        if not (np.isfinite(moved).all() and np.isfinite(scaled).all()):
            raise InputError(
                "The draws are so much wider than the rows that their densities are beyond "
                "float64: give the rows that were fitted, in the same units."
            )
        # A weight of 0 has a log of minus infinity, which the kernel's exp takes.
        self._arguments = (
            np.ascontiguousarray(x),
            shift,
            scale,
            np.ascontiguousarray(weights),
            moved,
            scaled,
        )
        self._hard = hard
        self._threads = n_threads() if threads is None else threads
        self.n_rows, self.n_draws, self.n_components = len(x), *weights.shape

    def contract(self, q: Array) -> tuple[Array, Array]:
        """Sums over rows of responsibilities times q, and the log-likelihood of each draw.

        Parameters
        ----------
        q : ndarray of shape (n, J)

        Returns
        -------
        sums : ndarray of shape (T, K, J)
        log_likelihoods : ndarray of shape (T,)
            Nats.
        """
        bad, sums, log_likelihoods = native.drawn_tables(
            *self._arguments, self._hard, self._threads, np.ascontiguousarray(q)
        )
        self._checked(bad)
        return sums, log_likelihoods + self.n_rows * self._log_scale

    def average(self, permutations: Indices) -> Array:
        """Responsibilities averaged over draws whose component j is component permutations[t, j].

        Parameters
        ----------
        permutations : ndarray of shape (T, K)

        Returns
        -------
        ndarray of shape (n, K)
        """
        bad, out = native.drawn_average(
            *self._arguments, self._hard, self._threads, np.ascontiguousarray(permutations)
        )
        self._checked(bad)
        return out

    def densities(self) -> Array:
        """Every log density (T, n), in nats."""
        bad, densities, _ = native.drawn_densities(*self._arguments, True, self._threads)
        self._checked(bad)
        return densities + self._log_scale

    def each(self) -> tuple[Array, Array]:
        """Every log density (T, n), in nats, and responsibility (T, K, n): for a few rows only."""
        bad, densities, responsibilities = native.drawn_densities(
            *self._arguments, False, self._threads
        )
        self._checked(bad)
        return densities + self._log_scale, responsibilities

    def _checked(self, bad: int) -> None:
        if bad:
            raise InputError(f"A covariance of draw {bad - 1} is not positive definite.")
