"""Rows of a Dask array or a Dask data frame."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.coercion import to_floats, unique_names
from bayesgmm.data.validation import check_shape
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.sources.chosen_rows import ChosenRows
from bayesgmm.sources.column_choice import ColumnChoice, choose_columns
from bayesgmm.sources.companions import companions
from bayesgmm.sources.refilling import all_blocks, one_block
from bayesgmm.sources.row_source import Block, check_range


@dataclass(frozen=True, eq=False, repr=False)
class DaskRows(ChosenRows):
    """Rows of a Dask array or a Dask data frame, whose parts are computed when they are read.

    Parts are computed one at a time in the thread that reads them, those of a persisted
    collection by its cluster. Only parts that overlap the rows to read are computed. Where blocks
    are much smaller than parts, use `blocks`, or a copy that `spooled` makes.

    Attributes
    ----------
    collection : dask.array.Array or dask.dataframe.DataFrame
        Of the chosen columns.
    starts : (P + 1,)
        Numbers of the first rows of its parts, and of the row after the last.
    """

    collection: Any
    starts: Integers

    def read(self, start: int, stop: int) -> Block:
        """Return rows; see `RowSource.read`."""
        check_range(start, stop, self.n_rows)
        return one_block(self._pieces(start, stop), start, stop, self.choice, self.along)

    def blocks(self, block_rows: int) -> Iterator[Block]:
        """Yield all blocks; each part is computed once. See `SequentialSource.blocks`."""
        return all_blocks(self._pieces(0, self.n_rows), block_rows, self.choice, self.along)

    def describe(self) -> str:
        """Return the kind of the collection, and the number of its parts."""
        if self.feature_names is None:
            return f"a Dask array ({plural(len(self.starts) - 1, 'chunk')})"
        return f"a Dask data frame ({plural(len(self.starts) - 1, 'partition')})"

    def _pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Yield the rows start, ..., stop - 1 by parts."""
        for p, first in enumerate(self.starts[:-1].tolist()):
            end = int(self.starts[p + 1])
            if not max(first, start) < min(end, stop):
                continue
            part = _computed(self.collection, p)
            if len(part) != end - first:
                raise InputError(
                    f"Part {p} of {self.describe()} has {plural(len(part), 'row')}, but it had "
                    f"{end - first} when it was opened. Its computation must give the same rows "
                    "each time."
                )
            lower, upper = max(start - first, 0), min(stop, end) - first
            yield to_floats(part[lower:upper], "X", first + lower)[0]


def dask_rows(
    collection: Any,
    *,
    columns: Any = None,
    sample_weight: Any = None,
    error_covariances: Any = None,
) -> DaskRows:
    """Return the rows of a Dask collection.

    Parameters
    ----------
    collection : dask.array.Array of shape (n, D), or dask.dataframe.DataFrame
        Chunks of unknown sizes, and those of a data frame, are computed once to count their rows.
    columns, sample_weight, error_covariances
        As in `open_rows`.

    Raises
    ------
    InputTypeError
        For another collection, or columns that are not of numbers.
    InputError
        If it has other than two dimensions or no rows, or weights or errors do not fit.
    """
    is_frame = _is_a(collection, "dask.dataframe", "DataFrame")
    if not (is_frame or _is_a(collection, "dask.array", "Array")):
        raise InputTypeError(
            f"A Dask {type(collection).__name__} has no rows and columns. Give a dask.array of "
            "shape (n, D) or a dask.dataframe; a series becomes one with to_frame()."
        )
    names = unique_names(collection.columns) if is_frame else None
    if not is_frame:
        check_shape(collection.shape, "X")
    width = len(collection.columns) if is_frame else int(collection.shape[1])
    choice = choose_columns(names, width, columns, sample_weight)
    collection = _with_columns(collection, choice, width)
    to_floats(collection._meta, "X")  # types that are not numbers
    starts = np.concatenate([[0], np.cumsum(_lengths(collection))]).astype(np.int64)
    n = int(starts[-1])
    check_shape((n, len(choice.features)), "X")
    along = companions(sample_weight, error_covariances, n, choice)
    return DaskRows(n, choice, along, collection, starts)


def is_dask(source: Any) -> bool:
    """Return whether an object is a collection of Dask; imports nothing."""
    return type(source).__module__.partition(".")[0] == "dask"


def _is_a(collection: Any, module: str, kind: str) -> bool:
    """Return whether a collection is of a class of a module, which is loaded if it is."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(collection, getattr(loaded, kind))


def _with_columns(collection: Any, choice: ColumnChoice, width: int) -> Any:
    """Return a collection of the chosen columns alone, each chunk with all of them."""
    positions = choice.positions
    if hasattr(collection, "blocks"):
        if positions != list(range(width)):
            collection = collection[:, positions]
        return collection if collection.numblocks[1] == 1 else collection.rechunk({1: -1})
    columns = list(collection.columns)
    if len(set(columns)) < len(columns):
        raise InputError(f"Columns of the Dask data frame share a name: {columns!r:.300}.")
    return collection[[columns[p] for p in positions]]


def _lengths(collection: Any) -> list[int]:
    """The number of rows of each part."""
    import dask

    if hasattr(collection, "blocks"):
        if not np.isnan(collection.chunks[0]).any():
            return [int(each) for each in collection.chunks[0]]
        parts = collection.to_delayed()[:, 0].tolist()
    else:
        parts = collection.to_delayed()
    lengths: tuple[int, ...] = dask.compute(*[dask.delayed(len)(each) for each in parts])
    return list(lengths)


def _computed(collection: Any, part: int) -> Any:
    """Compute a part in this thread, or where its futures are."""
    parts = collection.blocks if hasattr(collection, "blocks") else collection.partitions
    distributed = sys.modules.get("distributed")
    futures = distributed.futures_of(collection) if distributed is not None else []
    # In a task of a cluster, which this thread may be, its scheduler would wait for itself.
    return parts[part].compute(scheduler=futures[0].client if futures else "synchronous")
