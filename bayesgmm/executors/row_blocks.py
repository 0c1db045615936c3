"""Rows in numbered blocks: what a source of rows offers, and which rows a block holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from bayesgmm.arguments import check_count
from bayesgmm.arrays import Array


class Block(Protocol):
    """Consecutive rows in memory.

    Attributes
    ----------
    x : ndarray of shape (n, D)
    weights : ndarray of shape (n,) or None
    errors : ndarray or None
        Error covariances of the rows.
    """

    @property
    def x(self) -> Array: ...  # noqa: D102 - see the class
    @property
    def weights(self) -> Array | None: ...  # noqa: D102
    @property
    def errors(self) -> Array | None: ...  # noqa: D102


class RowSource(Protocol):
    """A value that can be pickled and reads any consecutive rows, from several threads at once."""

    @property
    def n_rows(self) -> int:
        """Number of rows."""

    def read(self, start: int, stop: int) -> Block:
        """Return the rows from `start` up to, not including, `stop`; none if they are equal."""


@dataclass(frozen=True)
class RowBlocks:
    """Numbers of rows by blocks; no rows at all are one empty block.

    Attributes
    ----------
    n_rows : int
    block_rows : int
        Rows of each block but the last, which holds the rest.
    """

    n_rows: int
    block_rows: int

    def __post_init__(self) -> None:
        check_count("block_rows", self.block_rows)

    def __len__(self) -> int:
        return max(1, -(-self.n_rows // self.block_rows))

    def bounds(self, block: int) -> tuple[int, int]:
        """Return the first row of a block and the first row after it."""
        start = block * self.block_rows
        return start, min(start + self.block_rows, self.n_rows)

    @contextmanager
    def named(self, block: int) -> Iterator[None]:
        """Add the number of a block, and those of its rows, to an exception as a note."""
        try:
            yield
        except Exception as error:
            start, stop = self.bounds(block)
            rows = f"rows {start} to {stop - 1}, counted from 0" if stop > start else "no rows"
            error.add_note(f"In block {block} of {len(self)} ({rows}).")
            raise
