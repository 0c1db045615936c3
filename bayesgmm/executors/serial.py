"""Passes by the calling thread."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from bayesgmm.arrays import Array
from bayesgmm.executors.executor import Executor, OpenRows
from bayesgmm.executors.row_blocks import RowBlocks
from bayesgmm.executors.summation_tree import sum_in_tree
from bayesgmm.sources.row_source import Block, RowSource


@dataclass(frozen=True)
class SerialExecutor(Executor):
    """Passes by the calling thread, with one block in memory at a time.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset, open_rows
    >>> from bayesgmm.executors import SerialExecutor
    >>> rows = open_rows(load_dataset("faithful").X)
    >>> GaussianMixture(2, random_state=0).fit(rows, executor=SerialExecutor()).converged_
    True
    """

    def open(self, source: RowSource, block_rows: int) -> AbstractContextManager[OpenRows]:
        """Open rows for passes over blocks of `block_rows` rows."""
        return nullcontext(_SerialRows(source, RowBlocks(source.n_rows, block_rows)))


@dataclass(frozen=True)
class _SerialRows:
    source: RowSource
    blocks: RowBlocks

    def sum(self, of_block: Callable[[Block], Array]) -> Array:
        return sum_in_tree(self.each(of_block))

    def each[T](self, of_block: Callable[[Block], T]) -> Iterator[T]:
        for i in range(len(self.blocks)):
            yield value_of_block(self.source, self.blocks, of_block, i)


def value_of_block[T](
    source: RowSource, blocks: RowBlocks, of_block: Callable[[Block], T], i: int
) -> T:
    """Read a block and return its value."""
    with blocks.named(i):
        return of_block(blocks.read(source, i))
