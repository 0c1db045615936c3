"""What the workers of a cluster run; each function is found by its name there."""

from collections.abc import Callable
from dataclasses import dataclass

from bayesgmm.arrays import Array
from bayesgmm.executors.row_blocks import RowBlocks
from bayesgmm.executors.summation_tree import sum_in_tree
from bayesgmm.sources.row_source import Block, RowSource, SequentialSource


@dataclass(frozen=True)
class LoadGroup:
    """Read the blocks of a group."""

    source: RowSource
    blocks: RowBlocks
    group: int

    def __call__(self, first: int) -> list[Block]:
        """Return the blocks from the number `first` on."""
        numbers = range(first, min(first + self.group, len(self.blocks)))
        if isinstance(self.source, SequentialSource):
            # Read at once: block by block, the parts of a file would be decoded again and again.
            start, stop = self.blocks.bounds(first)[0], self.blocks.bounds(numbers[-1])[1]
            rows = self.source.read(start, stop)._replace(first_row=start)
            return [rows.part(*self.blocks.bounds(i)) for i in numbers]
        loaded = []
        for i in numbers:
            with self.blocks.named(i):
                loaded.append(self.blocks.read(self.source, i))
        return loaded


@dataclass(frozen=True)
class Given[T]:
    """A value that travels in a task, and so is still there when a worker is lost."""

    value: T

    def __call__(self) -> T:
        """Return the value."""
        return self.value


def sum_of_group(
    loaded: list[Block], first: int, of_block: Callable[[Block], Array], blocks: RowBlocks
) -> Array:
    """Return the sum of the blocks of a group, whose first has the number `first`."""
    vectors = (
        value_of_loaded(block, first + j, of_block, blocks) for j, block in enumerate(loaded)
    )
    return sum_in_tree(vectors)


def value_in_group[T](
    loaded: list[Block],
    first: int,
    number: int,
    of_block: Callable[[Block], T],
    blocks: RowBlocks,
) -> T:
    """Return the value of the block of a number in its group."""
    return value_of_loaded(loaded[number - first], number, of_block, blocks)


def value_of_loaded[T](
    block: Block, number: int, of_block: Callable[[Block], T], blocks: RowBlocks
) -> T:
    """Return the value of a block; its number is added to an exception."""
    with blocks.named(number):
        return of_block(block)
