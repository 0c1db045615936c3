"""What an executor is, and what it opens."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from bayesgmm.arrays import Array
from bayesgmm.sources.row_source import Block, RowSource


class OpenRows(Protocol):
    """Rows opened for passes over their blocks.

    `of_block` is a pure function that can be pickled and uses no threads of its own. What it
    raises, or the source, is raised as it is, for the first block concerned and with a note that
    names the block and its rows; blocks that have not been begun are then left out.
    """

    def sum(self, of_block: Callable[[Block], Array]) -> Array:
        """Return the sum of a vector over all blocks, added in a binary tree by block number.

        Parameters
        ----------
        of_block : callable
            From a block to a vector of float64, of the same length for each.

        Raises
        ------
        ExecutorError
            If the workers are lost.
        """

    def each[T](self, of_block: Callable[[Block], T]) -> Iterator[T]:
        """Yield the value of each block in order, with a bounded number of values in memory.

        Raises
        ------
        ExecutorError
            If the workers are lost.
        """


class Executor(ABC):
    """A way to take passes over rows."""

    @abstractmethod
    def open(self, source: RowSource, block_rows: int) -> AbstractContextManager[OpenRows]:
        """Open rows for passes over blocks of `block_rows` rows, until the context ends."""


@dataclass(frozen=True, eq=False)
class LentRows(Executor):
    """Passes over rows that are open already, in the blocks that they were opened in."""

    opened: OpenRows

    def open(self, source: RowSource, block_rows: int) -> AbstractContextManager[OpenRows]:
        """Return the open rows, which stay open."""
        return nullcontext(self.opened)
