"""Rows of an array or a data frame in memory, or of a memory map."""

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesgmm.data.coercion import Names, is_frame, to_floats, unique_names
from bayesgmm.data.validation import check_shape
from bayesgmm.sources.chosen_rows import ChosenRows
from bayesgmm.sources.column_choice import choose_columns
from bayesgmm.sources.companions import companions
from bayesgmm.sources.npy_file import changed
from bayesgmm.sources.row_source import Block, check_range


@dataclass(frozen=True, eq=False, repr=False)
class ArrayRows(ChosenRows):
    """Rows of an array, a data frame or a memory map.

    When it is pickled it holds all rows, those of a memory map too; `NpyRows` holds a path.

    Attributes
    ----------
    rows : array or data frame of shape (n, any)
    mapped : (str, int) or None
        The file of a memory map, and its size in bytes.
    """

    rows: Any
    mapped: tuple[str, int] | None

    def read(self, start: int, stop: int) -> Block:
        """Return rows, without a copy of a C-ordered float64 array; see `RowSource.read`."""
        check_range(start, stop, self.n_rows)
        if self.mapped is not None and isinstance(self.rows, np.memmap):
            path, size = self.mapped  # pages beyond the end of a file would end the process
            if os.stat(path).st_size < size:
                raise changed(repr(path))
        features, weight = self.choice.features, self.choice.weight
        part = part_of(self.rows, start, stop, features)
        x, _ = to_floats(part, "X", start)
        weights = None
        if weight is not None:
            column, _ = to_floats(part_of(self.rows, start, stop, [weight]), "sample_weight", start)
            weights = column.ravel()
        return self.along.block(x, start, weights)

    def describe(self) -> str:
        """Return the kind of the rows."""
        if isinstance(self.rows, np.memmap) and self.mapped is not None:
            return repr(self.mapped[0])
        return "a data frame" if is_frame(self.rows) else "an array"


def array_rows(
    X: Any, *, columns: Any = None, sample_weight: Any = None, error_covariances: Any = None
) -> ArrayRows:
    """Return the rows of an array, a data frame or a memory map.

    Nothing is copied or converted as a whole but lists: blocks are converted when they are read.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Any array that has a shape and takes slices of rows.
    columns, sample_weight, error_covariances
        As in `open_rows`.

    Raises
    ------
    InputTypeError
        If X has text, times or other types that are not numbers.
    InputError
        If X is not two-dimensional or is empty, or weights or errors do not fit.
    """
    if not (is_frame(X) or takes_slices(X)):
        X, _ = to_floats(X, "X")
    shape = tuple(X.shape)
    check_shape(shape, "X")
    n, width = shape
    choice = choose_columns(frame_names(X), width, columns, sample_weight)
    to_floats(part_of(X, 0, 1, choice.positions), "X")  # types that are not numbers
    along = companions(sample_weight, error_covariances, n, choice)
    filename = X.filename if isinstance(X, np.memmap) else None
    mapped = None if filename is None else (str(filename), os.stat(filename).st_size)
    return ArrayRows(n, choice, along, X, mapped)


def takes_slices(X: Any) -> bool:
    """Return whether X is an array of any package, slices of which are its rows."""
    return all(hasattr(X, each) for each in ("shape", "dtype", "__getitem__"))


def frame_names(X: Any) -> Names:
    """Return the names of the columns of a frame, made different; None for an array."""
    if not is_frame(X):
        return None
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return unique_names(X.columns)
    if hasattr(X, "column_names"):
        return unique_names(X.column_names)
    import narwhals as nw

    return unique_names(nw.from_native(X, eager_only=True).columns)


def part_of(X: Any, start: int, stop: int, columns: tuple[int, ...] | list[int]) -> Any:
    """Return rows and columns of an array or frame, as what X is."""
    positions = list(columns)
    if not is_frame(X):
        part = X[start:stop]
        return part if positions == list(range(X.shape[1])) else part[:, positions]
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return X.iloc[start:stop, positions]
    if hasattr(X, "column_names"):  # pyarrow's, whose names may repeat
        return X.slice(start, stop - start).select(positions)
    import narwhals as nw

    return nw.from_native(X, eager_only=True)[start:stop, positions].to_native()
