"""Rows held open for repeated passes, by one thread or several."""

import threading
import time
import weakref
from types import TracebackType
from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from bayesgmm.engine.factors import factor
from bayesgmm.engine.kernel import workspace
from bayesgmm.engine.processors import move_to, others
from bayesgmm.engine.summation import (
    CHUNK,
    NEXT,
    STOP,
    await_groups,
    finish_pass,
    follow_passes,
    lead_pass,
    serial_pass,
)
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.model import Mixture, Statistics
from bayesgmm.model.compile import unlocked

type Array = NDArray[np.float64]

# Below so many multiplications a pass ends before a second thread has begun.
_WORTH_THREADS = 400_000
# Looks at a shared number (about a third of a nanosecond each) before a thread goes to sleep.
_PATIENCE = 1_000_000
_NO_WEIGHTS = np.empty(0)


def n_threads() -> int:
    """Threads that a pass may use: NUMBA_NUM_THREADS, or the processors of this process."""
    return int(numba.config.NUMBA_NUM_THREADS)


class Opened(NamedTuple):
    """The buffers of one `Rows`, as the functions of `summation` and `factors` take them.

    Attributes
    ----------
    size : int
        Length of the vector of sums.
    moments : tuple of int
        The shape in which covariances come: (K, D, D), or (K, D) where D variances are enough.
    """

    data: Any
    parameters: Any
    work: Any
    stack: Array
    size: int
    moments: tuple[int, ...]


class Rows:
    """Data opened for passes at many parameters; a context manager.

    All buffers are made once, so a pass allocates only the sums that it returns. Rows may be
    given as they are and read in other units, (x - shift) * scale, which the pass forms block by
    block; parameters and statistics are then in those units.

    Rows whose entries are missing will come as several `Rows`, one per pattern of what was seen:
    their statistics add.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    row_weights : ndarray of shape (n,), optional
        How often each row counts.
    n_components : int
        K of the mixtures to come.
    diagonal : bool
        Whether covariances come as (K, D) variances.
    shift, scale : ndarray of shape (D,), optional
        The units in which rows are read.
    threads : int, optional
        At most so many; None for as many as there are processors.
    """

    def __init__(
        self,
        x: Array,
        row_weights: Array | None,
        n_components: int,
        *,
        diagonal: bool,
        shift: Array | None = None,
        scale: Array | None = None,
        threads: int | None = None,
    ) -> None:
        n, d = x.shape
        # One feature: full covariances are variances, and the lighter kernel serves both.
        self._dense = not diagonal and d > 1
        self._shape = (n_components, d) if diagonal else (n_components, d, d)
        self._owners = (x, row_weights)
        self._data = (
            unlocked(x),
            _NO_WEIGHTS if row_weights is None else unlocked(row_weights),
            np.zeros(d) if shift is None else shift,
            np.ones(d) if scale is None else scale,
        )
        moments = (n_components, d, d) if self._dense else (n_components, d)
        self._parameters = (
            np.empty(n_components),
            np.empty((n_components, d)),
            np.empty(moments),
            np.empty((n_components, d)),
        )
        self._size = 2 + n_components * (1 + d) + int(np.prod(moments))
        chunks = max(-(-n // CHUNK), 1)
        work = n * n_components * (10 + d * d)
        wanted = n_threads() if threads is None else threads
        self._threads = wanted if work > _WORTH_THREADS else 1
        # Enough groups that threads finish together; their size does not change any sum.
        groups = 1 if self._threads == 1 else max(32, 8 * self._threads)
        self._chunks_a_group = 1
        while self._chunks_a_group * groups < chunks:
            self._chunks_a_group *= 2
        n_groups = -(-chunks // self._chunks_a_group)
        self._threads = min(self._threads, n_groups)
        self._levels = self._chunks_a_group.bit_length() + 1
        self._work = workspace(n_components, d)
        self._stack = np.empty((self._levels, self._size))
        self._team: _Team | None = None
        if self._threads > 1:
            self._parts = np.empty((n_groups, self._size))

    def __enter__(self) -> "Rows":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._team is not None:
            self._team.dismiss()
            self._team = None

    def e_step(self, weights: Array, means: Array, covariances: Array) -> Statistics:
        """Statistics of all rows under a mixture.

        Parameters
        ----------
        weights : ndarray of shape (K,)
        means : ndarray of shape (K, D)
        covariances : ndarray of shape (K, D, D), or (K, D) if `diagonal`

        Raises
        ------
        SingularCovarianceError
            If a covariance is not positive definite; `component` says which.
        """
        flat = covariances if self._dense else covariances.reshape(means.shape)
        bad = factor(weights, means, flat, *self._parameters)
        if bad:
            raise SingularCovarianceError(bad - 1)
        if self._threads == 1:
            sums = np.empty(self._size)
            serial_pass(self._data, self._parameters, self._work, self._stack, sums)
        else:
            sums = self._pass_by_team()
        return self.statistics(means, sums)

    def opened(self) -> Opened:
        """What compiled code needs to make passes by itself, in one thread.

        Raises
        ------
        ValueError
            If the rows were opened for several.
        """
        if not self.brief:
            raise ValueError("rows opened for several threads have no room for passes of one")
        moments = self._parameters[2].shape if self._dense else self._parameters[1].shape
        return Opened(self._data, self._parameters, self._work, self._stack, self._size, moments)

    @property
    def brief(self) -> bool:
        """Whether a pass is too short for a second thread."""
        return self._threads == 1

    def statistics(self, means: Array, sums: Array) -> Statistics:
        """The sums of a pass at `means`, by name."""
        k, d = means.shape
        return Statistics(
            means,
            float(sums[0]),
            float(sums[1]),
            sums[2 : 2 + k],
            sums[2 + k : 2 + k + k * d].reshape(k, d),
            sums[2 + k + k * d :].reshape(self._shape),
        )

    def _pass_by_team(self) -> Array:
        if self._team is None:
            size = self._parameters[1].shape
            self._team = _Team(
                (self._data, self._parameters),
                [(workspace(*size), np.empty_like(self._stack)) for _ in range(self._threads - 1)],
                self._chunks_a_group,
                self._parts,
            )
            # Rows that are dropped without `with` send their threads home too.
            weakref.finalize(self, self._team.dismiss)
        self._team.lead(self._work, self._stack)
        finish_pass(self._parts, self._parameters)
        sums: Array = self._parts[0].copy()
        return sums


class _Team:
    """Threads that take part in the passes of one `Rows`.

    Between two passes a thread first looks for the next one without sleeping, so that passes of
    less than a millisecond gain from it; after `_PATIENCE` looks it sleeps until it is woken. A
    thread that is late, or never comes, costs nothing but its help: whoever leads the pass takes
    every group that nobody else has taken.
    """

    def __init__(
        self,
        shared: tuple[Any, Any],
        scratch: list[tuple[Any, Array]],
        chunks_a_group: int,
        parts: Array,
    ) -> None:
        self._shared = shared
        self._chunks_a_group = chunks_a_group
        self._parts = parts
        self._control = np.zeros(8, dtype=np.int64)
        self._control[NEXT] = len(parts)
        self._asleep = [False] * len(scratch)
        self._wake = [threading.Semaphore(0) for _ in scratch]
        self._processors = others()
        self._members = [
            threading.Thread(target=self._follow, args=(i, *each), daemon=True, name="bayesgmm")
            for i, each in enumerate(scratch)
        ]
        for member in self._members:
            member.start()

    def lead(self, work: Any, stack: Array) -> None:
        """Make one pass; every group's sums are in `parts` when it returns."""
        for i, asleep in enumerate(self._asleep):
            if asleep:
                self._asleep[i] = False
                self._wake[i].release()
        finished = lead_pass(
            self._control, *self._shared, work, stack, self._chunks_a_group, self._parts, _PATIENCE
        )
        while not finished:
            # Another thread holds a group and was put aside by the system: let it run.
            time.sleep(5e-5)
            finished = await_groups(self._control, len(self._parts), _PATIENCE)

    def dismiss(self) -> None:
        """Send the threads home, and wait until they are gone."""
        if self._control[STOP]:
            return
        self._control[STOP] = 1
        for wake in self._wake:
            wake.release()
        for member in self._members:
            member.join()

    def _follow(self, i: int, work: Any, stack: Array) -> None:
        move_to(self._processors)
        while not self._control[STOP]:
            follow_passes(
                self._control,
                *self._shared,
                work,
                stack,
                self._chunks_a_group,
                self._parts,
                _PATIENCE,
            )
            if not self._control[STOP]:
                self._asleep[i] = True
                self._wake[i].acquire()


def e_step(
    x: Array, mixture: Mixture, row_weights: Array | None = None, *, threads: int | None = None
) -> Statistics:
    """Expected sufficient statistics of rows under a mixture, by one pass.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    mixture : Mixture
    row_weights : ndarray of shape (n,), optional
    threads : int, optional
        At most so many; None for as many as there are processors. The result has the same bits.

    Returns
    -------
    Statistics
        About the mixture's means, with full second moments (K, D, D).
    """
    shift = mixture.mean()
    means = mixture.means - shift
    with Rows(
        x, row_weights, mixture.n_components, diagonal=False, shift=shift, threads=threads
    ) as rows:
        found = rows.e_step(mixture.weights, means, mixture.covariances)
    return Statistics(
        mixture.means,
        found.log_likelihood,
        found.weight,
        found.counts,
        found.firsts,
        found.seconds,
    )
