"""Coercion of arrays, lists and data frames to float64; errors name the entry at fault."""

import numbers
import os
import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.data.text_entries import advice_on_text, path_given
from bayesgmm.errors import InputError, InputTypeError

Names = tuple[str, ...] | None

# float64 holds every integer up to this one.
EXACT = 2**53

# The types that NumPy gives to lists with larger integers beside fractions.
_WIDE = (np.dtype(np.float64), np.dtype(np.longdouble))

_UNMASK = "Drop their rows, or fill them with NaN where missing values are allowed."


def to_floats(X: Any, name: str, first_row: int = 0) -> tuple[Array, Names]:
    """Return X as a C-ordered float64 array of its own shape, and its column names, if any.

    Missing values (None, pd.NA) become NaN. Messages number the rows from `first_row` on.

    Raises
    ------
    InputTypeError
        For text, times, categories, masked entries, sparse input and other non-numeric values.
    InputError
        For ragged lists, complex numbers, and integers that float64 cannot hold.
    """
    if hasattr(X, "tocsr") or (hasattr(X, "todense") and not hasattr(X, "dask")):
        raise InputTypeError(f"Sparse input {name} is not supported. Use {name}.toarray().")
    if isinstance(X, str | os.PathLike):
        raise path_given(X, name)
    if isinstance(X, np.ma.MaskedArray):
        return _masked_to_floats(X, name, first_row), None
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        columns = [(X.columns[j], X.iloc[:, j]) for j in range(X.shape[1])]
        return _columns_to_floats(columns, len(X), name, first_row)
    if _is_other_frame(X):
        return _other_frame_to_floats(X, name, first_row)
    return _array_to_floats(_as_array(X, name, first_row), name, first_row), None


def is_frame(X: Any) -> bool:
    """Return whether X is a data frame in memory, of pandas or another package."""
    pandas = sys.modules.get("pandas")
    return (pandas is not None and isinstance(X, pandas.DataFrame)) or _is_other_frame(X)


def label(names: Names, column: int) -> str:
    """Return the words for a column in a message: its name in quotes, or its index."""
    if names is None:
        return f"column {column}"
    return f"column {names[column]!r:.80}" if names[column] else f"column {column}, without a name"


def integers_too_large(place: str, name: str | None = None) -> InputError:
    """Return the error for integers of a file, or of the input `name`, that float64 would round."""
    subject = "Integers" if name is None else f"Input {name} has integers"
    return InputError(
        f"{subject} beyond 2**53 in {place}, which float64 cannot hold. Subtract an offset from "
        "them first."
    )


def unique_names(columns: Iterable[Any]) -> Names:
    """Return a string for each column, with repeated names numbered; None if no name is text."""
    columns = list(columns)
    if not any(isinstance(column, str) for column in columns):
        return None
    given = set(map(str, columns))
    names: dict[str, None] = {}  # ordered, unlike a set
    counts: dict[str, int] = {}
    for text in map(str, columns):
        name, count = text, counts.get(text, 1)
        while name in names or (count > 1 and name in given):
            count += 1
            name = f"{text} ({count})"
        names[name] = None
        counts[text] = count
    return tuple(names)


def repeated_names(columns: Sequence[str]) -> list[str]:
    """Return a sentence on each name, not empty, of several columns, with their new names."""
    new = unique_names(columns) or ()
    places: dict[str, list[int]] = {}
    for j, text in enumerate(columns):
        places.setdefault(text, []).append(j)
    return [
        f"the columns {', '.join(map(str, where)):.200} have the same name, {text!r:.80}, and are "
        f"called {', '.join(repr(new[j]) for j in where):.300}."
        for text, where in places.items()
        if text and len(where) > 1
    ]


def column_names(names: Names, n_columns: int) -> tuple[str, ...]:
    """Return the names of columns, or x0, x1, ... if they have none."""
    return names or tuple(f"x{j}" for j in range(n_columns))


def unwritable(names: Iterable[str]) -> int | None:
    """Return the position of the first name that files of results cannot hold, or None."""
    for j, name in enumerate(names):
        if "\0" in name or any("\ud800" <= letter <= "\udfff" for letter in name):
            return j
    return None


def has_masked(values: Any, depth: int = 4) -> bool:
    """Return whether an array has masked entries, or nested lists do, where NumPy drops masks."""
    if isinstance(values, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(values)
        return mask.dtype == np.bool and bool(mask.any())
    if depth and isinstance(values, list | tuple):
        return any(
            has_masked(each, depth - 1)
            for each in values
            if isinstance(each, list | tuple | np.ma.MaskedArray)
        )
    return False


def rounded_integer(values: Any, array: NDArray[Any]) -> tuple[int, ...] | None:
    """Return the index of the first integer that float64 would round, or None.

    Parameters
    ----------
    values : array-like
        The source of `array`. Beside fractions, NumPy turns the integers of a list into floats.
    array : ndarray
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        if array.size and (array.max() > EXACT or array.min() < -EXACT):
            return tuple(np.argwhere((array > EXACT) | (array < -EXACT))[0].tolist())
    elif array.dtype in _WIDE and isinstance(values, list | tuple):
        candidates = np.argwhere(np.abs(array) >= EXACT)
        if len(candidates):
            entries = np.asarray(values, dtype=object)
            for index in candidates.tolist():
                if is_large_integer(entries[tuple(index)]):
                    return tuple(index)
    return None


def is_large_integer(value: Any) -> bool:
    """Return whether a number is an integer beyond 2**53, written as one."""
    if isinstance(value, Decimal):
        whole = value.as_tuple().exponent == 0
    else:
        whole = isinstance(value, numbers.Rational) and value.denominator == 1
    return whole and abs(int(value)) > EXACT


def _place(index: tuple[int, ...], first_row: int, where: str = "") -> str:
    """Return the words for an entry's column (`where`, if it is known) and row."""
    where = where or (label(None, index[1]) if len(index) == 2 else "its entries")
    return f"{where} (first: row {first_row + index[0]})" if index else where


def _as_array(X: Any, name: str, first_row: int) -> NDArray[Any]:
    if has_masked(X):
        raise InputTypeError(f"Input {name} has masked entries in its lists. {_UNMASK}")
    try:
        array = np.asarray(X)
        if array.dtype.kind in "USMm" and not isinstance(X, np.ndarray):
            # NumPy turns numbers beside text into text: the entries themselves are examined.
            array = np.asarray(X, dtype=object)
    except ValueError as error:
        raise InputError(f"Input {name} is ragged: its rows differ in length.") from error
    except Exception as error:  # Containers of other packages raise errors of any type.
        raise InputTypeError(
            f"Input {name} is a {type(X).__name__!r}, which NumPy cannot read: {error}. Convert it "
            "to a NumPy array first."
        ) from error
    index = None if array is X else rounded_integer(X, array)
    if index is not None:
        raise integers_too_large(_place(index, first_row), name)
    return array


def _masked_to_floats(X: Any, name: str, first_row: int) -> Array:
    floats = _array_to_floats(np.asarray(X), name, first_row)
    return np.where(np.ma.getmaskarray(X), np.nan, floats) if has_masked(X) else floats


def _array_to_floats(array: NDArray[Any], name: str, first_row: int) -> Array:
    kind = array.dtype.kind
    _check_exact(array, name, first_row)
    if kind in "biuf":
        with np.errstate(over="ignore"):
            return np.require(array, dtype=np.float64, requirements=["C", "A"])
    if kind == "O":
        return _objects_to_floats(array, name, first_row)
    where = "" if array.ndim < 2 else label(None, 0)
    raise _not_numbers(
        str(array.dtype), name, where, kind, map(str, array.flat if kind in "UT" else ())
    )


def _check_exact(array: NDArray[Any], name: str, first_row: int, where: str = "") -> None:
    index = rounded_integer(None, array)
    if index is not None:
        raise integers_too_large(_place(index, first_row, where), name)


def _not_numbers(
    kind_name: str, name: str, where: str, kind: str, values: Iterable[Any] = ()
) -> InputError | InputTypeError:
    place = f" in {where}" if where else ""
    if kind == "c":
        return InputError(f"Complex data not supported: input {name} has {kind_name}{place}.")
    words = {"M": "times", "m": "time spans", "U": "text", "T": "text", "S": "bytes"}
    what = words.get(kind, "non-numeric values")
    return InputTypeError(f"Input {name} has {what} ({kind_name}){place}. {advice_on_text(values)}")


def _objects_to_floats(array: NDArray[Any], name: str, first_row: int, where: str = "") -> Array:
    floats = np.empty(array.shape, dtype=np.float64)
    for index, value in np.ndenumerate(array):
        if type(value) is float:
            floats[index] = value
        elif value is None or type(value).__name__ == "NAType":
            floats[index] = np.nan
        elif isinstance(value, numbers.Real | Decimal | np.bool):
            floats[index] = _object_to_float(value, name, _place(index, first_row, where))
        else:
            below = array[index[0] :, *index[1:]] if index else array
            texts = (entry for entry in below.flat if isinstance(entry, str))
            raise _foreign_entry(value, name, _place(index or (0,), first_row, where), texts)
    return floats


def _object_to_float(value: Any, name: str, place: str) -> float:
    try:
        if not is_large_integer(value):
            return float(value)
    except Exception as error:  # Numbers of other packages run code of their own.
        raise InputError(
            f"Input {name} has a {type(value).__name__} in {place} that float64 cannot hold: "
            f"{error}."
        ) from error
    raise integers_too_large(place, name)


def _foreign_entry(
    value: Any, name: str, place: str, texts: Iterable[str]
) -> InputError | InputTypeError:
    if isinstance(value, numbers.Complex):
        return InputError(f"Complex data not supported: input {name} has them in {place}.")
    if isinstance(value, np.ma.MaskedArray):
        return InputTypeError(f"Input {name} has masked entries in {place}. {_UNMASK}")
    if isinstance(value, str):
        return InputTypeError(f"Input {name} has text in {place}. {advice_on_text(texts)}")
    # scikit-learn's checks look for these words of float().
    return InputTypeError(
        f"Input {name} has a non-numeric entry in {place}: float() argument must be a string "
        f"or a real number, not {type(value).__name__!r}."
    )


def _columns_to_floats(
    columns: list[tuple[Any, Any]], n: int, name: str, first_row: int
) -> tuple[Array, Names]:
    """Convert the columns of a pandas frame, one by one, straight into their places."""
    names = unique_names(key for key, _ in columns)
    floats = np.empty((n, len(columns)))
    for j, (key, column) in enumerate(columns):
        where = f"column {key!r:.80}"
        dtype = column.dtype
        if type(dtype).__name__ == "SparseDtype":
            raise InputTypeError(f"Sparse input {name} is not supported: {where} is {dtype}.")
        kind = getattr(dtype, "kind", "V")
        if str(dtype) == "object":
            floats[:, j] = _objects_to_floats(column.to_numpy(), name, first_row, where)
        elif kind in "biuf":
            if kind in "iu":
                whole = column.fillna(0) if column.hasnans else column
                _check_exact(whole.to_numpy(dtype=f"{kind}8"), name, first_row, where)
            floats[:, j] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        else:
            kind = "U" if str(dtype) in {"str", "string"} else kind
            raise _not_numbers(str(dtype), name, where, kind, column if kind == "U" else ())
    return floats, names


def _is_other_frame(X: Any) -> bool:
    return hasattr(X, "__dataframe__") or type(X).__module__.partition(".")[0] == "polars"


def _other_frame_to_floats(X: Any, name: str, first_row: int) -> tuple[Array, Names]:
    """Convert polars, pyarrow and other frames through narwhals."""
    import narwhals as nw  # a tenth of a second, needed for such frames alone

    if type(X).__module__.partition(".")[0] == "pyarrow" and hasattr(X, "rename_columns"):
        # narwhals takes only tables, not batches, and only those whose names differ.
        pyarrow = sys.modules["pyarrow"]
        if isinstance(X, pyarrow.RecordBatch):
            X = pyarrow.Table.from_batches([X])
        X = X.rename_columns(list(unique_names(X.column_names) or ()))
    try:
        frame = nw.from_native(X, eager_only=True, pass_through=True)
    except Exception as error:  # Packages of frames raise errors of any type.
        raise InputTypeError(
            f"Input {name} is a {type(X).__name__} that cannot be read: {error}. Convert it to a "
            "NumPy array first."
        ) from error
    if not isinstance(frame, nw.DataFrame):
        raise InputTypeError(
            f"Input {name} is a {type(X).__name__}. Convert it to a table or array in memory."
        )
    floats = np.empty(frame.shape)
    for j in range(frame.shape[1]):
        column: Any = frame[:, j]
        where = f"column {column.name!r:.80}"
        if column.dtype.is_integer():
            _check_exact(column.fill_null(0).to_numpy(), name, first_row, where)
        elif column.dtype == nw.Decimal:
            entries = np.array(column.to_list(), dtype=object)
            floats[:, j] = _objects_to_floats(entries, name, first_row, where)
            continue
        elif not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
            kind = "M" if column.dtype.is_temporal() else "U" if column.dtype == nw.String else "V"
            texts = column.to_list() if kind == "U" else ()
            raise _not_numbers(str(column.dtype), name, where, kind, texts)
        floats[:, j] = column.cast(nw.Float64).to_numpy()
    return floats, unique_names(frame.columns)
