"""Passes by threads, each of which reads the blocks that it computes."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from bayesgmm.arguments import check_count
from bayesgmm.arrays import Array
from bayesgmm.executors.executor import Executor, OpenRows
from bayesgmm.executors.look_ahead import results_in_order
from bayesgmm.executors.row_blocks import RowBlocks
from bayesgmm.executors.serial import value_of_block
from bayesgmm.executors.summation_tree import sum_in_tree
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.sources.row_source import Block, RowSource


@dataclass(frozen=True)
class ThreadExecutor(Executor):
    """Passes by threads, with one block each in memory.

    The threads compute at once because the core releases the interpreter lock.

    Parameters
    ----------
    n_threads : int or None
        None for the environment variable ``BAYESGMM_NUM_THREADS``, or a thread for each processor
        of this process.

    Raises
    ------
    InvalidParameterError
        If `n_threads` is neither None nor an integer of at least 1.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset, open_rows
    >>> from bayesgmm.executors import ThreadExecutor
    >>> rows = open_rows(load_dataset("faithful").X)
    >>> GaussianMixture(2, random_state=0).fit(rows, executor=ThreadExecutor(2)).converged_
    True
    """

    n_threads: int | None = None

    def __post_init__(self) -> None:
        if self.n_threads is not None:
            check_count("n_threads", self.n_threads)

    @contextmanager
    def open(self, source: RowSource, block_rows: int) -> Iterator[OpenRows]:
        """Open rows for passes over blocks of `block_rows` rows; threads end with the context."""
        blocks = RowBlocks(source.n_rows, block_rows)
        threads = n_threads() if self.n_threads is None else self.n_threads
        pool = ThreadPoolExecutor(threads, thread_name_prefix="bayesgmm")
        try:
            yield _ThreadRows(source, blocks, pool, threads)
        finally:
            pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _ThreadRows:
    source: RowSource
    blocks: RowBlocks
    pool: ThreadPoolExecutor
    threads: int

    def sum(self, of_block: Callable[[Block], Array]) -> Array:
        return sum_in_tree(self.each(of_block))

    def each[T](self, of_block: Callable[[Block], T]) -> Iterator[T]:
        tasks = (
            self.pool.submit(value_of_block, self.source, self.blocks, of_block, i)
            for i in range(len(self.blocks))
        )
        # Twice the threads: while one block takes long, the other threads have work.
        yield from results_in_order(tasks, Future[T].result, Future[T].cancel, 2 * self.threads)
