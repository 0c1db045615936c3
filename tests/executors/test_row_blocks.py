"""Numbers of rows by blocks, and the note on an exception."""

import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.executors.row_blocks import RowBlocks


@pytest.mark.parametrize(
    ("n_rows", "block_rows", "expected"),
    [
        (0, 3, [(0, 0)]),
        (1, 3, [(0, 1)]),
        (3, 3, [(0, 3)]),
        (7, 3, [(0, 3), (3, 6), (6, 7)]),
        (2, 1, [(0, 1), (1, 2)]),
    ],
)
def test_bounds(n_rows, block_rows, expected):
    blocks = RowBlocks(n_rows, block_rows)
    assert [blocks.bounds(i) for i in range(len(blocks))] == expected


@pytest.mark.parametrize("block_rows", [0, -1, 2.0, True, "3", None])
def test_bad_block_rows(block_rows):
    with pytest.raises(InvalidParameterError, match="block_rows must be an integer"):
        RowBlocks(5, block_rows)


def test_note():
    with pytest.raises(KeyError) as caught, RowBlocks(7, 3).named(2):
        raise KeyError("x")
    assert caught.value.__notes__ == ["In block 2 of 3 (rows 6 to 6, counted from 0)."]


def test_note_without_rows():
    with pytest.raises(KeyError) as caught, RowBlocks(0, 3).named(0):
        raise KeyError("x")
    assert caught.value.__notes__ == ["In block 0 of 1 (no rows)."]
