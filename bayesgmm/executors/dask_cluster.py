"""Passes by the workers of a Dask cluster, which hold the rows.

The blocks of a group, a node of the summation tree, are loaded by one task, whose result stays on a
worker. A pass is one task a group, and one value for each comes back. If a worker dies, Dask
runs the tasks again that led to what it held: rows are read again, and nothing but time is lost.
"""

import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import batched, chain
from typing import Any

try:
    import dask
    from distributed import Client, Future, KilledWorker, wait
    from distributed.scheduler import NoValidWorkerError, NoWorkerError
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "DaskExecutor needs dask and distributed: pip install 'bayesgmm[dask]'.", name=error.name
    ) from error

from bayesgmm.arguments import check_count, check_kind, check_number
from bayesgmm.arrays import Array
from bayesgmm.display import plural
from bayesgmm.errors import ExecutorError, InvalidParameterError
from bayesgmm.executors.executor import Executor, OpenRows
from bayesgmm.executors.look_ahead import results_in_order
from bayesgmm.executors.pickled_size import is_large
from bayesgmm.executors.row_blocks import RowBlocks
from bayesgmm.executors.summation_tree import sum_in_tree
from bayesgmm.executors.worker_tasks import Given, LoadGroup, sum_of_group, value_in_group
from bayesgmm.sources.row_source import Block, RowSource

# Fewer, and workers wait for the slowest; more, and tasks cost more than they compute.
_GROUPS_A_THREAD = 8
# One by one, sums of groups come back in twice the time.
_FETCHED_AT_ONCE = 64
# Silences Dask's advice against data in tasks.
_LARGE_TASKS = {"distributed.admin.large-graph-warning-threshold": sys.maxsize}


@dataclass(frozen=True)
class DaskExecutor(Executor):
    """Passes by the workers of a Dask cluster, which keep the rows in memory between passes.

    A sum has the bits of any other executor's, provided that the processors of the workers have the
    instruction set of this one. Rows of a source that is in this process's memory are sent once,
    and the scheduler keeps a copy for workers that take the place of lost ones; rows in files are
    read by the workers.

    Parameters
    ----------
    client : distributed.Client
        Not an asynchronous one.
    retries : int
        So many times a task is tried again after Dask has given it up, because more workers died
        with it than ``distributed.scheduler.allowed-failures`` in Dask's configuration.
    no_worker_timeout : float
        Seconds that a pass waits while there is no worker.

    Raises
    ------
    InvalidParameterError
        If a parameter is out of its range or type.

    Examples
    --------
    >>> from distributed import Client, LocalCluster
    >>> from bayesgmm import GaussianMixture, load_dataset, open_rows
    >>> from bayesgmm.executors import DaskExecutor
    >>> rows = open_rows(load_dataset("faithful").X)
    >>> with LocalCluster(1, processes=False, dashboard_address=None) as cluster:
    ...     executor = DaskExecutor(Client(cluster))
    ...     GaussianMixture(2, random_state=0).fit(rows, executor=executor).converged_
    True
    """

    client: Client
    retries: int = 10
    no_worker_timeout: float = 60.0

    def __post_init__(self) -> None:
        check_kind("client", self.client, Client, "a dask.distributed Client")
        if self.client.asynchronous:
            raise InvalidParameterError(
                "client must not be asynchronous, because passes wait for their results. Use "
                "Client(address)."
            )
        check_count("retries", self.retries, least=0)
        check_number(
            "no_worker_timeout", self.no_worker_timeout, "a number above 0", lambda t: t > 0.0
        )

    @contextmanager
    def open(self, source: RowSource, block_rows: int) -> Iterator[OpenRows]:
        """Open rows for passes over blocks of `block_rows` rows; workers hold them in the context.

        Raises
        ------
        ExecutorError
            If the cluster has no worker within `no_worker_timeout` seconds.
        """
        blocks = RowBlocks(source.n_rows, block_rows)
        cluster = _Cluster(self.client, self.retries, self.no_worker_timeout)
        threads = cluster.wait_for_threads()
        group = 1
        while group * _GROUPS_A_THREAD * threads < len(blocks):
            group *= 2
        loads = _loads(self.client, source, blocks, group)
        try:
            yield _WorkersRows(cluster, blocks, group, loads, 2 * threads + 2)
        finally:
            _release(loads)


def _loads(client: Client, source: RowSource, blocks: RowBlocks, group: int) -> list[Future]:
    """Begin to load groups of blocks."""
    load = LoadGroup(source, blocks, group)
    firsts = range(0, len(blocks), group)
    if not is_large(source):
        loads: list[Future] = client.map(load, firsts, key="load-rows", pure=False)
        return loads
    loads = []
    try:
        # There is no other copy that workers could read.
        with dask.config.set(_LARGE_TASKS):
            for first in firsts:
                loads.append(client.submit(Given(load(first)), key=_new_key("hold-rows")))
    except BaseException:
        _release(loads)
        raise
    return loads


def _new_key(name: str) -> str:
    """Return a task's key; Dask shows the name in it."""
    return f"{name}-{uuid.uuid4().hex}"


def _release(futures: Iterable[Future]) -> None:
    """Give tasks up: those that have not begun are cancelled, and results are freed."""
    for future in futures:
        future.release()


@dataclass(frozen=True)
class _WorkersRows:
    """Rows of which workers hold groups of blocks."""

    cluster: "_Cluster"
    blocks: RowBlocks
    group: int
    loads: list[Future]
    look_ahead: int

    def sum(self, of_block: Callable[[Block], Array]) -> Array:
        n = len(self.loads)
        firsts = range(0, len(self.blocks), self.group)
        with self.cluster.sent(of_block) as function:
            tasks = self.cluster.client.map(
                sum_of_group,
                self.loads,
                firsts,
                [function] * n,
                [self.blocks] * n,
                key="sum-of-rows",
                pure=False,
            )
            try:
                parts = (self.cluster.results(some) for some in batched(tasks, _FETCHED_AT_ONCE))
                return sum_in_tree(chain.from_iterable(parts))
            finally:
                _release(tasks)

    def each[T](self, of_block: Callable[[Block], T]) -> Iterator[T]:
        with self.cluster.sent(of_block) as function:
            tasks = (
                self.cluster.client.submit(
                    value_in_group,
                    self.loads[i // self.group],
                    i // self.group * self.group,
                    i,
                    function,
                    self.blocks,
                    key=_new_key("value-of-rows"),
                )
                for i in range(len(self.blocks))
            )
            values = results_in_order(
                ((task,) for task in tasks), self.cluster.results, _release, self.look_ahead
            )
            yield from chain.from_iterable(values)


@dataclass(frozen=True)
class _Cluster:
    """A client, and how long it waits."""

    client: Client
    retries: int
    no_worker_timeout: float

    def wait_for_threads(self) -> int:
        """Wait for a worker, and return the number of threads of all workers."""
        self._check_open()
        deadline = time.monotonic() + self.no_worker_timeout
        while (threads := self._n_threads()) == 0:
            if time.monotonic() > deadline:
                raise self._no_worker()
            time.sleep(self._pause())
        return threads

    @contextmanager
    def sent(self, of_block: Callable[[Block], Any]) -> Iterator[Any]:
        """Yield an argument for tasks: the function, or if it is large, a task that has it."""
        self._check_open()
        if not is_large(of_block):
            yield of_block
            return
        with dask.config.set(_LARGE_TASKS):
            task = self.client.submit(Given(of_block), key=_new_key("function-of-rows"))
        try:
            yield task
        finally:
            task.release()

    def results(self, tasks: Sequence[Future]) -> list[Any]:
        """Wait for the results of tasks; raise what the first that failed has raised.

        Raises
        ------
        ExecutorError
            If there is no worker for too long, or a task was lost too often, or all tasks were.
        """
        pause = self._pause()
        while True:
            for task in tasks:
                self._finish(task)
            fetch = partial(self.client.gather, list(tasks), asynchronous=True)
            try:
                return list(self.client.sync(fetch, callback_timeout=pause))
            except (OSError, KilledWorker, CancelledError):
                # Large results time out; of those lost meanwhile, the next wait gives the reason.
                if pause > self.no_worker_timeout and self._n_threads() == 0:
                    raise self._no_worker() from None
                pause *= 2.0

    def _finish(self, task: Future) -> None:
        """Wait until a task is finished; raise what it has raised."""
        last_worker = time.monotonic()
        retries = self.retries
        while task.status != "finished":
            try:
                wait([task], timeout=self._pause())
            except TimeoutError:
                now = time.monotonic()
                if self._n_threads() > 0:
                    last_worker = now
                elif now - last_worker > self.no_worker_timeout:
                    raise self._no_worker() from None
            except CancelledError as error:
                raise ExecutorError(
                    "The Dask scheduler no longer has the rows: the connection to it was lost, or "
                    "it was restarted. Connect a new client and repeat the call."
                ) from error
            if task.status == "error":
                self._try_again(task, retries)
                retries -= 1

    def _try_again(self, task: Future, retries: int) -> None:
        """Run a failed task again if workers died with it; raise what it has raised otherwise."""
        try:
            task.result()
        except KilledWorker as error:
            if retries == 0:
                raise _killed(error) from error
            self.client.retry([task])
        except (NoValidWorkerError, NoWorkerError) as error:
            raise self._no_worker() from error

    def _check_open(self) -> None:
        """Raise an error for a client that was closed, also by the loss of its scheduler."""
        if self.client.status in ("closing", "closed"):
            raise ExecutorError(
                "The Dask client is closed, or lost its scheduler. Connect a new client and repeat "
                "the call."
            )

    def _pause(self) -> float:
        """Return the seconds between two looks at the workers."""
        return min(1.0, self.no_worker_timeout / 4)

    def _n_threads(self) -> int:
        """Return the number of threads of all workers; 0 if the scheduler does not answer."""
        ask = self.client.scheduler.ncores
        try:
            return sum(self.client.sync(ask, callback_timeout=self.no_worker_timeout).values())
        except (TimeoutError, OSError):
            return 0

    def _no_worker(self) -> ExecutorError:
        return ExecutorError(
            f"For {plural(self.no_worker_timeout, 'second')} the Dask cluster had no worker, or "
            "its scheduler did not answer, and the pass over the rows cannot be finished. Start "
            "workers and repeat the call."
        )


def _killed(error: KilledWorker) -> ExecutorError:
    return ExecutorError(
        f"Workers died again and again while they had one group of rows (task {error.task!r}), the "
        f"last at {error.last_worker.address}. The usual cause is too little memory: start workers "
        "with more of it, or more workers, so that each has fewer rows. The logs of the workers "
        "say more."
    )
