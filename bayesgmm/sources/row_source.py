"""The protocol of a source of rows, and its blocks."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, Self, runtime_checkable

import numpy as np

from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.coercion import Names
from bayesgmm.data.validation import Data
from bayesgmm.errors import InvalidParameterError


class Block(NamedTuple):
    """A contiguous part of the rows.

    Attributes
    ----------
    x : (m, D)
        C-ordered float64, NaN where an entry is missing.
    weights : (m,), optional
    errors : (m, D), (m, D * D), (1, D) or (1, D * D), optional
        Variances or covariances of the rows' measurement errors; one row for all of them. The form
        of `bayesgmm.data.validation.Data`: (m, D, D) with m = D could be mistaken for variances.
    first_row : int
        The number of its first row among all, which executors fill in.
    """

    x: Array
    weights: Array | None = None
    errors: Array | None = None
    first_row: int = 0

    @property
    def data(self) -> Data:
        """The rows and their errors as checked data; weights are kept beside them."""
        return Data(self.x, None, bool(np.isnan(self.x).any()), self.errors)

    def take(self, chosen: slice | Booleans | Integers) -> Self:
        """Return some of the rows, with what comes along; `first_row` stays."""
        errors = self.errors
        if errors is not None and len(errors) == len(self.x):
            errors = errors[chosen]
        weights = None if self.weights is None else self.weights[chosen]
        return self._replace(x=self.x[chosen], weights=weights, errors=errors)

    def part(self, start: int, stop: int) -> Self:
        """Return the rows of the numbers start, ..., stop - 1 among all."""
        places = slice(start - self.first_row, stop - self.first_row)
        return self.take(places)._replace(first_row=start)


@runtime_checkable
class RowSource(Protocol):
    """Rows that are read in blocks: a value that can be pickled, and without a hidden state."""

    @property
    def n_rows(self) -> int:
        """The number of rows, at least 1."""
        ...

    @property
    def n_features(self) -> int:
        """The number of features."""
        ...

    @property
    def feature_names(self) -> Names:
        """Their names, if they have any."""
        ...

    def read(self, start: int, stop: int) -> Block:
        """Return the rows start, start + 1, ..., stop - 1, with their weights and errors.

        Raises
        ------
        InputError
            If an entry is not a number that float64 holds, or if the rows have changed since the
            source was opened. Weights, errors and infinities are checked by `scan` alone.
        """
        ...

    def describe(self) -> str:
        """Return a few words for messages: "'rows.npy'", "'folder' (12 files)", "an array"."""
        ...


@runtime_checkable
class SequentialSource(RowSource, Protocol):
    """A source that reads all its rows in order with less work than block by block."""

    def blocks(self, block_rows: int) -> Iterator[Block]:
        """Yield the blocks 0, 1, ... of `block_rows` rows, the last one perhaps with fewer."""
        ...


def blocks_in_order(source: RowSource, block_rows: int) -> Iterator[Block]:
    """Yield all blocks of a source, of `block_rows` rows each, the last one perhaps with fewer."""
    if isinstance(source, SequentialSource):
        yield from source.blocks(block_rows)
        return
    for start in range(0, source.n_rows, block_rows):
        yield source.read(start, min(start + block_rows, source.n_rows))


def check_range(start: int, stop: int, n_rows: int) -> None:
    """Raise InvalidParameterError for rows that a source does not have."""
    if not 0 <= start <= stop <= n_rows:
        raise InvalidParameterError(
            f"Rows {start} to {stop} cannot be read: the source has the rows 0 to {n_rows}. Give "
            f"start and stop with 0 <= start <= stop <= {n_rows}."
        )
