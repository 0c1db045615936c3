"""Rows in numbered blocks: which rows a block holds."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bayesgmm.arguments import check_count
from bayesgmm.sources.row_source import Block, RowSource


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

    def read(self, source: RowSource, block: int) -> Block:
        """Read a block, which then knows its place among all rows."""
        start, stop = self.bounds(block)
        return source.read(start, stop)._replace(first_row=start)

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
