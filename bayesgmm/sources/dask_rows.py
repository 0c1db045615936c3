"""Rows of a Dask array or a Dask data frame."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.coercion import Names, to_floats, unique_names
from bayesgmm.data.validation import check_shape
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.sources.column_choice import ColumnChoice, choose_columns
from bayesgmm.sources.companions import Companions, companions
from bayesgmm.sources.refilling import all_blocks, one_block
from bayesgmm.sources.row_source import Block, check_range


@dataclass(frozen=True, eq=False, init=False, repr=False)
class DaskRows:
    """Rows of a Dask array or a Dask data frame, whose parts are computed when they are read.

    Parts are computed one at a time in the thread that reads them, those of a persisted
    collection by its cluster. Only parts that overlap the rows to read are computed. Where blocks
    are much smaller than parts, use `blocks`, or a copy that `spooled` makes.

    Parameters
    ----------
    collection : dask.array.Array of shape (n, D), or dask.dataframe.DataFrame
        Chunks of unknown sizes, and those of a data frame, are computed once to count their rows.
    columns : sequence of str or int, optional
        Names or positions of the features. None: all but that of the weights.
    sample_weight : array-like of shape (n,), str or int, optional
        Weights of the rows, or the name or position of their column.
    error_covariances : array-like, optional
        Measurement errors, as `bayesgmm.data.error_covariances` takes them.

    Raises
    ------
    InputTypeError
        For another collection, or columns that are not of numbers.
    InputError
        If it has other than two dimensions or no rows, or weights or errors do not fit.
    """

    n_rows: int
    n_features: int
    feature_names: Names
    _collection: Any
    _starts: Integers
    _choice: ColumnChoice
    _along: Companions

    def __init__(
        self,
        collection: Any,
        columns: Any = None,
        sample_weight: Any = None,
        error_covariances: Any = None,
    ) -> None:
        is_frame = _is_a(collection, "dask.dataframe", "DataFrame")
        if not (is_frame or _is_a(collection, "dask.array", "Array")):
            raise InputTypeError(
                f"A Dask {type(collection).__name__} has no rows and columns. Give a dask.array of "
                "shape (n, D) or a dask.dataframe; a series becomes one with to_frame()."
            )
        names = unique_names(collection.columns) if is_frame else None
        if is_frame:
            width = len(collection.columns)
        else:
            check_shape(collection.shape, "X")
            width = int(collection.shape[1])
        by_column = isinstance(sample_weight, str | int)
        choice = choose_columns(names, width, columns, sample_weight if by_column else None)
        collection = _with_columns(collection, choice, width)
        to_floats(collection._meta, "X")  # types that are not numbers
        starts = np.concatenate([[0], np.cumsum(_lengths(collection))]).astype(np.int64)
        n, d = int(starts[-1]), len(choice.features)
        check_shape((n, d), "X")
        weights = None if by_column else sample_weight
        along = companions(weights, error_covariances, n, d, choice.feature_names)
        values: dict[str, Any] = {"n_rows": n, "n_features": d, "_collection": collection}
        values |= {"feature_names": choice.feature_names, "_starts": starts}
        for name, value in {**values, "_choice": choice, "_along": along}.items():
            object.__setattr__(self, name, value)

    def read(self, start: int, stop: int) -> Block:
        """Return rows; see `RowSource.read`."""
        check_range(start, stop, self.n_rows)
        return one_block(self._pieces(start, stop), start, stop, self._choice, self._along)

    def blocks(self, block_rows: int) -> Iterator[Block]:
        """Yield all blocks; each part is computed once. See `SequentialSource.blocks`."""
        return all_blocks(self._pieces(0, self.n_rows), block_rows, self._choice, self._along)

    def describe(self) -> str:
        """Return the kind of the collection, and the number of its parts."""
        if self.feature_names is None:
            return f"a Dask array ({plural(len(self._starts) - 1, 'chunk')})"
        return f"a Dask data frame ({plural(len(self._starts) - 1, 'partition')})"

    def _pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Yield the rows start, ..., stop - 1 by parts."""
        for p, first in enumerate(self._starts[:-1].tolist()):
            end = int(self._starts[p + 1])
            if not max(first, start) < min(end, stop):
                continue
            part = _computed(self._collection, p)
            if len(part) != end - first:
                raise InputError(
                    f"Part {p} of {self.describe()} has {plural(len(part), 'row')}, but it had "
                    f"{end - first} when it was opened. Its computation must give the same rows "
                    "each time."
                )
            lower, upper = max(start - first, 0), min(stop, end) - first
            yield to_floats(part[lower:upper], "X", first + lower)[0]


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
