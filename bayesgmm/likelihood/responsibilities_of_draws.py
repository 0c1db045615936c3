"""Responsibilities under many mixtures at once, summed as they are made.

A posterior of T draws gives each of n rows T x K responsibilities r_tik. Of interest
are their sums over rows or over draws,

    S_tkj = sum_i r_tik q_ij                a table for each draw
    m_ij  = 1/T sum_t r_ti,perm_t(j)        an average for each row

and the log-likelihood of each draw. They are formed block by block of rows: nothing of T x n x K is
ever kept.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesgmm.arrays import Array, Indices, Integers
from bayesgmm.core import native
from bayesgmm.data.degeneracy import check_spread
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.mixture.gaussian_densities import LOG_2
from bayesgmm.mixture.noise import Noise


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
    rows : Data
        A row of known label comes from its component.
    weights, means, covariances : ndarrays of shape (T, K), (T, K, D), (T, K, D, D)
        With `noise`, its weight is what the weights leave of 1. With `pairs`, of 2 K Gaussians, of
        which k and k + K are one component.
    pairs : bool
    noise : Noise, optional
        The box of noise.
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
        rows: Data,
        weights: Array,
        means: Array,
        covariances: Array,
        *,
        pairs: bool = False,
        noise: Noise | None = None,
        hard: bool = False,
        threads: int | None = None,
    ) -> None:
        x = rows.X
        check_spread(x, some=False)
        seen = ~np.isnan(x)
        counts = np.maximum(seen.sum(axis=0), 1)
        shift = (x / counts).sum(axis=0, where=seen)
        spread = np.sqrt(np.square(x - shift).sum(axis=0, where=seen) / counts)
        # A power of two near the columns' spread: no digit is lost, and no square overflows.
        exponents = -np.frexp(np.where(spread > 0.0, spread, 1.0))[1]
        scale = np.ldexp(1.0, exponents)
        self._log_scales = LOG_2 * (seen @ exponents)
        v = np.ones(len(x)) if rows.weights is None else rows.weights
        self._log_scale = float(v @ self._log_scales)
        with np.errstate(over="ignore"):
            moved = (means - shift) * scale
            scaled = covariances * scale[:, np.newaxis] * scale
        if not (np.isfinite(moved).all() and np.isfinite(scaled).all()):
            raise InputError(
                "The draws are so much wider than the rows that their densities are beyond "
                "float64: give the rows that were fitted, in the same units."
            )
        # A weight of 0 has a log of minus infinity, which the kernel's exp takes.
        k = weights.shape[1] // 2 if pairs else weights.shape[1]
        self._arguments = (
            np.ascontiguousarray(x),
            rows.weights,
            shift,
            scale,
            rows.errors,
            self._known(rows, noise, k, pairs),
            (np.ascontiguousarray(weights), moved, scaled, pairs),
        )
        self._hard = hard
        self._threads = n_threads() if threads is None else threads
        self.n_rows, self.n_draws, self.n_components = len(x), len(weights), k

    def _known(
        self, rows: Data, noise: Noise | None, k: int, pairs: bool
    ) -> tuple[Integers, Integers, Array] | None:
        """Labels, the classes of Gaussians, and log densities of noise in the rows' units."""
        if rows.labels is None and noise is None:
            return None
        none = np.empty(0, dtype=np.int64)
        labels = none if rows.labels is None else rows.labels
        classes = np.tile(np.arange(k), 2) if pairs and rows.labels is not None else none
        background = np.empty(0)
        if noise is not None:
            background = noise.log_density(rows.X) - self._log_scales
        return labels, classes, background

    def contract(self, q: Array) -> tuple[Array, Array]:
        """Sums over rows of responsibilities times q, and the log-likelihood of each draw.

        Rows count by their weights.

        Parameters
        ----------
        q : ndarray of shape (n, J)

        Returns
        -------
        sums : ndarray of shape (T, K, J)
        log_likelihoods : ndarray of shape (T,)
            Nats.
        """
        sums, log_likelihoods = self._computed(
            native.drawn_tables, self._hard, self._threads, np.ascontiguousarray(q)
        )
        return sums, log_likelihoods + self._log_scale

    def average(self, permutations: Indices) -> Array:
        """Responsibilities averaged over draws whose component j is component permutations[t, j].

        Parameters
        ----------
        permutations : ndarray of shape (T, K)

        Returns
        -------
        ndarray of shape (n, K)
        """
        permutations = np.ascontiguousarray(permutations)
        return self._computed(native.drawn_average, self._hard, self._threads, permutations)[0]

    def densities(self) -> Array:
        """Every log density (T, n), in nats."""
        return self._computed(native.drawn_densities, True, self._threads)[0] + self._log_scales

    def each(self) -> tuple[Array, Array]:
        """Every log density (T, n), in nats, and responsibility (T, K, n): for a few rows only."""
        densities, responsibilities = self._computed(native.drawn_densities, False, self._threads)
        return densities + self._log_scales, responsibilities

    def allocate(self, seed: int) -> Integers:
        """A component of each row in each draw (T, n), at random by its responsibilities.

        K stands for noise. The result depends on the seed, not on the number of threads.
        """
        arguments = (self._hard, self._threads, seed)
        bad, allocations = native.drawn_allocations(*self._arguments, *arguments)
        self._check(bad)
        return allocations

    def _computed(self, function: Callable[..., Any], *more: Any) -> list[Array]:
        arrays: list[Array]
        bad, *arrays = function(*self._arguments, *more)
        self._check(bad)
        return arrays

    def _check(self, bad: int) -> None:
        if bad:
            raise InputError(f"A covariance of draw {bad - 1} is not positive definite.")
