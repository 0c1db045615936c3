"""The tree in which vectors of blocks are added.

Neighbours are added, then neighbours of neighbours: the tree over block numbers of
``core/likelihood/pairwise_summation.hpp``. The order of the additions depends on the number of
blocks alone, and not on who computes them or when. The sum of 2^g blocks from a multiple of 2^g on
is a node of the tree, so that sums of such groups are added as the blocks themselves are.
"""

from collections.abc import Iterable

from bayesgmm.arrays import Array
from bayesgmm.errors import InvalidParameterError


def sum_in_tree(vectors: Iterable[Array]) -> Array:
    """Return the sum of one or more vectors given in order, with log2(n) + 2 of them in memory."""
    nodes: list[Array] = []
    for count, vector in enumerate(vectors, start=1):
        nodes.append(vector)
        complete = count
        while complete % 2 == 0:
            _add_last_two(nodes)
            complete //= 2
    while len(nodes) > 1:
        _add_last_two(nodes)
    return nodes[0]


def _add_last_two(nodes: list[Array]) -> None:
    right, left = nodes.pop(), nodes.pop()
    # Arrays of other shapes might be broadcast without a word.
    if left.shape != right.shape:
        raise InvalidParameterError(
            "of_block must return vectors of one length for all blocks, not arrays of the shapes "
            f"{left.shape} and {right.shape}."
        )
    nodes.append(left + right)
