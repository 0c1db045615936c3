"""Responsibilities under many mixtures at once, summed as they are made.

A posterior of T draws gives each of n rows T x K responsibilities r_tik. What is wanted of them
are sums over rows or over draws,

    S_tkj = sum_i r_tik q_ij                a table for each draw
    m_ij  = 1/T sum_t r_ti,perm_t(j)        an average for each row

and the log-likelihood of each draw. They are formed block by block of rows in the kernel's scratch
arrays: nothing of T x n x K is ever kept. The first is made in parallel over draws and the second
over blocks of rows, each sum by one thread in a fixed order: the bits do not depend on the number
of threads.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.engine.factors import factor_dense
from bayesgmm.engine.kernel import load_block, log_joint_block, normalise, workspace
from bayesgmm.engine.rows import n_threads
from bayesgmm.engine.vector import BLOCK, STRIP, log_positive
from bayesgmm.errors import InputError
from bayesgmm.model.compile import jit
from bayesgmm.model.loops import fill

type Array = NDArray[np.float64]

# Densities that one thread forms in about a millisecond; fewer are not worth a second thread.
_WORTH_THREADS = 200_000
# Parts of the work for each thread, so that all end together.
_PARTS = 4


@jit
def _factor_all(weights, means, covariances, constants, factors, offsets):
    """`factor_dense` of every draw; 0, or 1 + the first draw that has a singular covariance."""
    for t in range(means.shape[0]):
        bad = factor_dense(
            weights[t], means[t], covariances[t], constants[t], factors[t], offsets[t]
        )
        if bad > 0:
            return t + 1
    return 0


@jit
def _responsible(rows, padded, constants, factors, offsets, hard, work):
    """Responsibilities of the block in work, or 1 for the largest of each row; sum of l_b."""
    xt, _, joint, spare = work
    log_joint_block(padded, constants, factors, offsets, xt, joint)
    total = normalise(joint, rows, padded, np.empty(0), 0, spare)
    if hard:
        for b in range(rows):
            largest = 0
            for k in range(1, joint.shape[0]):
                if joint[k, b] > joint[largest, b]:
                    largest = k
            for k in range(joint.shape[0]):
                joint[k, b] = 1.0 if k == largest else 0.0
    return total


@jit
def _contract(x, units, parameters, qt, hard, first, last, work, sums, log_likelihoods):
    """Tables S_t and log-likelihoods of draws first..last-1; qt (J, rows up to a whole STRIP)."""
    constants, factors, offsets = parameters
    shift, scale = units
    n, joint = x.shape[0], work[2]
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        padded = (rows + STRIP - 1) // STRIP * STRIP
        load_block(x, start, rows, padded, shift, scale, work[0])
        for t in range(first, last):
            log_likelihoods[t] += _responsible(
                rows, padded, constants[t], factors[t], offsets[t], hard, work
            )
            for k in range(joint.shape[0]):
                for j in range(qt.shape[0]):
                    s = 0.0
                    for b in range(padded):
                        s += joint[k, b] * qt[j, start + b]
                    sums[t, k, j] += s


@jit
def _average(x, units, parameters, permutations, hard, first, last, work, out):
    """Sums over draws of permuted responsibilities, (n, K), of blocks first..last-1."""
    constants, factors, offsets = parameters
    shift, scale = units
    n, joint = x.shape[0], work[2]
    n_components = joint.shape[0]
    kept = np.zeros_like(joint)
    for block in range(first, last):
        start = block * BLOCK
        rows = min(BLOCK, n - start)
        padded = (rows + STRIP - 1) // STRIP * STRIP
        load_block(x, start, rows, padded, shift, scale, work[0])
        fill(kept, 0.0)
        for t in range(constants.shape[0]):
            _responsible(rows, padded, constants[t], factors[t], offsets[t], hard, work)
            for j in range(n_components):
                k = permutations[t, j]
                for b in range(padded):
                    kept[j, b] += joint[k, b]
        for b in range(rows):
            for j in range(n_components):
                out[start + b, j] = kept[j, b]


@jit
def _tally(allocations, q, sums):
    """sums[t, k] += q[i] for each row i of draw t that stands in component k."""
    for t in range(allocations.shape[0]):
        for i in range(allocations.shape[1]):
            k = allocations[t, i]
            for j in range(q.shape[1]):
                sums[t, k, j] += q[i, j]


@jit
def _tally_permuted(allocations, labels, out):
    """out[i, labels[t, k]] += 1 for each row i of draw t that stands in component k."""
    for t in range(allocations.shape[0]):
        for i in range(allocations.shape[1]):
            out[i, labels[t, allocations[t, i]]] += 1.0


def tally(allocations: NDArray[np.int64], q: Array, n_components: int) -> Array:
    """As `DrawnRows.contract` where each row of a draw stands in one component.

    Parameters
    ----------
    allocations : ndarray of shape (T, n)
        Components from 0 to K - 1: not checked.
    q : ndarray of shape (n, J)
    n_components : int

    Returns
    -------
    ndarray of shape (T, K, J)
    """
    sums = np.zeros((len(allocations), n_components, q.shape[1]))
    _tally(allocations, np.ascontiguousarray(q), sums)
    return sums


def tally_permuted(allocations: NDArray[np.int64], permutations: NDArray[np.intp]) -> Array:
    """As `DrawnRows.average` where each row of a draw stands in one component; (n, K)."""
    out = np.zeros((allocations.shape[1], permutations.shape[1]))
    _tally_permuted(allocations, np.argsort(permutations, axis=1), out)
    return out / len(allocations)


@jit
def _at_rows(x, units, parameters, work, densities, responsibilities):
    """Log densities (T, n) and responsibilities (T, K, n) of a few rows."""
    constants, factors, offsets = parameters
    shift, scale = units
    _, _, joint, spare = work
    n = x.shape[0]
    for start in range(0, n, BLOCK):
        rows = min(BLOCK, n - start)
        padded = (rows + STRIP - 1) // STRIP * STRIP
        load_block(x, start, rows, padded, shift, scale, work[0])
        for t in range(constants.shape[0]):
            _responsible(rows, padded, constants[t], factors[t], offsets[t], False, work)
            for b in range(rows):
                densities[t, start + b] = spare[0, b] - log_positive(spare[1, b])
                for k in range(joint.shape[0]):
                    responsibilities[t, k, start + b] = joint[k, b]


class DrawnRows:
    """Rows beside every draw of a mixture.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    weights, means, covariances : ndarrays of shape (T, K), (T, K, D), (T, K, D, D)
    hard : bool
        Replace each row's responsibilities by 1 for the largest and 0 for the others.
    threads : int, optional
        At most so many; None for as many as there are processors.

    Raises
    ------
    InputError
        If a draw has a covariance that is not positive definite.
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
        n, d = x.shape
        draws, k = weights.shape
        shift = x.mean(axis=0)
        spread = np.sqrt(np.square(x - shift).mean(axis=0))
        # A power of two near the columns' spread: no digit is lost, and no square overflows.
        exponents = -np.frexp(np.where(spread > 0.0, spread, 1.0))[1]
        scale = np.ldexp(1.0, exponents)
        self._x = np.array(x)
        self._units = (shift, scale)
        self._log_scale = float(np.log(2.0) * exponents.sum())
        self._parameters = (np.empty((draws, k)), np.zeros((draws, k, d, d)), np.empty(means.shape))
        # A weight of 0 has a log of minus infinity, which the kernel's exp takes.
        bad = _factor_all(
            np.array(weights),
            (means - shift) * scale,
            covariances * scale[:, np.newaxis] * scale,
            *self._parameters,
        )
        if bad > 0:
            raise InputError(f"A covariance of draw {bad - 1} is not positive definite.")
        self._hard = hard
        self._threads = n_threads() if threads is None else threads
        if n * draws * k < _WORTH_THREADS:
            self._threads = 1
        self.n_rows, self.n_draws, self.n_components = n, draws, k

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
        width = -(-self.n_rows // STRIP) * STRIP
        qt = np.zeros((q.shape[1], width))
        qt[:, : self.n_rows] = q.T
        sums = np.zeros((self.n_draws, self.n_components, q.shape[1]))
        log_likelihoods = np.zeros(self.n_draws)

        def part(first: int, last: int, work: Any) -> None:
            _contract(
                self._x, self._units, self._parameters, qt, self._hard, first, last, work, sums,
                log_likelihoods,
            )  # fmt: skip

        self._in_parts(part, self.n_draws)
        return sums, log_likelihoods + self.n_rows * self._log_scale

    def average(self, permutations: NDArray[np.intp]) -> Array:
        """Responsibilities averaged over draws whose component j is component permutations[t, j].

        Parameters
        ----------
        permutations : ndarray of shape (T, K)

        Returns
        -------
        ndarray of shape (n, K)
        """
        out = np.empty((self.n_rows, self.n_components))

        def part(first: int, last: int, work: Any) -> None:
            _average(
                self._x, self._units, self._parameters, permutations, self._hard, first, last,
                work, out,
            )  # fmt: skip

        self._in_parts(part, -(-self.n_rows // BLOCK))
        out /= self.n_draws
        return out

    def each(self) -> tuple[Array, Array]:
        """Every log density (T, n), in nats, and responsibility (T, K, n): for a few rows only."""
        densities = np.empty((self.n_draws, self.n_rows))
        responsibilities = np.empty((self.n_draws, self.n_components, self.n_rows))
        work = workspace(self.n_components, self._x.shape[1])
        _at_rows(self._x, self._units, self._parameters, work, densities, responsibilities)
        return densities + self._log_scale, responsibilities

    def _in_parts(self, part: Callable[[int, int, Any], None], size: int) -> None:
        """Call part(first, last, work) on ranges that cover 0..size-1, by all threads."""
        shape = (self.n_components, self._x.shape[1])
        if self._threads == 1:
            part(0, size, workspace(*shape))
            return
        ends = np.unique(np.linspace(0, size, _PARTS * self._threads + 1).astype(np.int64))
        with ThreadPoolExecutor(self._threads) as team:
            works = [
                team.submit(part, int(first), int(last), workspace(*shape))
                for first, last in pairwise(ends)
            ]
            for work in works:
                work.result()
