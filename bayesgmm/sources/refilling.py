"""Blocks of equal numbers of rows from pieces of any sizes."""

from collections.abc import Iterable, Iterator

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.sources.column_choice import ColumnChoice
from bayesgmm.sources.companions import Companions
from bayesgmm.sources.row_source import Block


def one_block(
    pieces: Iterable[Array], start: int, stop: int, choice: ColumnChoice, along: Companions
) -> Block:
    """Return the rows start, ..., stop - 1, which come in pieces, with what comes along."""
    rows = next(refilled(pieces, max(stop - start, 1)), None)
    if rows is None:
        rows = np.empty((0, len(choice.positions)))
    return _block(rows, start, choice, along)


def all_blocks(
    pieces: Iterable[Array], block_rows: int, choice: ColumnChoice, along: Companions
) -> Iterator[Block]:
    """Yield all rows, which come in pieces, in blocks of `block_rows` rows."""
    start = 0
    for rows in refilled(pieces, block_rows):
        yield _block(rows, start, choice, along)
        start += len(rows)


def refilled(pieces: Iterable[Array], block_rows: int) -> Iterator[Array]:
    """Yield rows that come in pieces (m, D) of any sizes in C-ordered blocks of `block_rows` rows.

    The last block may have fewer rows. Where a block lies within a piece, it is not copied.
    """
    block, filled = np.empty((0, 0)), 0
    for piece in pieces:
        at = 0
        while at < len(piece):
            taken = min(block_rows - filled, len(piece) - at)
            part = piece[at : at + taken]
            at += taken
            if taken == block_rows:
                yield part
                continue
            if filled == 0:
                block = np.empty((block_rows, piece.shape[1]))
            block[filled : filled + taken] = part
            filled = (filled + taken) % block_rows
            if filled == 0:
                yield block
    if filled:
        yield block[:filled]


def _block(rows: Array, start: int, choice: ColumnChoice, along: Companions) -> Block:
    """Take rows apart, whose last column are weights if the choice has them."""
    if choice.weight is None:
        return along.block(rows, start)
    d = len(choice.features)
    return along.block(np.ascontiguousarray(rows[:, :d]), start, rows[:, d].copy())
