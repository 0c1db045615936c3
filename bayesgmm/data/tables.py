"""Columns of a table as its file holds them, and the choice of those to fit."""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.coercion import Names, integers_too_large, label, rounded_integer
from bayesgmm.errors import InputError, InputTypeError

# A unit behind a name.
_UNIT = re.compile(r"\s*(\([^()]*\)|\[[^\[\]]*\])\s*$")
# Numbers that often stand for a missing value.
_MARKS = (-99.0, -999.0, -9999.0, -99999.0)


class Text(NamedTuple):
    """A column that is not all numbers.

    Attributes
    ----------
    cells : list of str
    row : int
        The first row whose cell is not a number.
    integer : bool
        True if that cell is an integer beyond 2**53, which float64 would round.
    """

    cells: list[str]
    row: int
    integer: bool = False


class Table(NamedTuple):
    """Columns as a file holds them.

    Attributes
    ----------
    names : tuple of D different str, or None
    columns : list of D columns
        Each an array (n,) of float64 with NaN where a cell is missing, or `Text`.
    notes : tuple of str
        Sentences on what was assumed in reading the file.
    cells : list of D lists of n str, or None
        The text of a CSV's cells, if it was kept.
    marks : tuple of str
        Delimiter and decimal mark.
    lines : (n,), or None
        The lines of a CSV, counted from 1, that hold the rows.
    """

    names: Names
    columns: list[Array | Text]
    notes: tuple[str, ...] = ()
    cells: list[list[str]] | None = None
    marks: tuple[str, str] = (",", ".")
    lines: Integers | None = None


class ChosenColumns(NamedTuple):
    """Columns of a table to be fitted, and the labels of its rows.

    Attributes
    ----------
    X : (n, D)
    feature_names : tuple of str, or None
    labels : list of n str, or None
    """

    X: Array
    feature_names: Names
    labels: list[str] | None


def select(
    table: Table,
    columns: Sequence[str] | None = None,
    label_column: str | None = None,
    exclude: Sequence[str] = (),
) -> ChosenColumns:
    """Take the numbers to fit, and the labels, from a table.

    Parameters
    ----------
    table : Table
    columns : sequence of str, optional
        Names, or positions from 0 on. None: all but the label column and `exclude`.
    label_column : str, optional
    exclude : sequence of str
        Columns to leave out.

    Raises
    ------
    InputError
        If a column does not exist or is named twice, is empty, or none remains.
    InputTypeError
        If columns to be fitted hold text.
    """
    chosen = chosen_columns(table, columns, label_column, exclude)
    return ChosenColumns(
        _numbers(table, chosen),
        None if table.names is None else tuple(table.names[j] for j in chosen),
        None if label_column is None else words(table.columns[_position(table, label_column)]),
    )


def chosen_columns(
    table: Table,
    columns: Sequence[str] | None,
    label_column: str | None,
    exclude: Sequence[str],
) -> list[int]:
    """Return the positions of the columns to fit; see `select`."""
    labelled = None if label_column is None else _position(table, label_column)
    excluded = {_position(table, column) for column in exclude}
    if columns is None:
        named = [j for j in range(len(table.columns)) if j != labelled]
    else:
        named = [_position(table, column) for column in columns]
        if len(set(named)) < len(named) or labelled in named:
            raise InputError(
                "A column is named twice. Name each once, and the label column apart from the "
                "columns to fit."
            )
    chosen = [j for j in named if j not in excluded]
    if not chosen:
        raise InputError("No column remains to be fitted.")
    return chosen


def column_of(table: Table, name: str) -> Array | Text:
    """Return a column by its name or position."""
    return table.columns[_position(table, name)]


def same_name(one: str, other: str) -> bool:
    """Return whether names are equal, apart from a unit in brackets behind one of them."""
    if one == other:
        return True
    return _UNIT.sub("", one) == other or one == _UNIT.sub("", other)


def is_empty(column: Array | Text) -> bool:
    """Return whether all cells of a column are missing."""
    return not isinstance(column, Text) and bool(np.isnan(column).all())


def row_counters(table: Table, chosen: Sequence[int]) -> list[int]:
    """Return the columns that only number the rows, by consecutive integers from any on.

    Three rows are enough where the column has no name, as that of the row names of R and pandas;
    ten where it has one, which may be that of a measurement.
    """
    n = len(table.columns[0].cells if isinstance(table.columns[0], Text) else table.columns[0])
    least = {j: 10 if table.names is None or table.names[j] else 3 for j in chosen}
    return [
        j
        for j in chosen
        if n >= least[j]
        and not isinstance(column := table.columns[j], Text)
        and float(column[0]).is_integer()
        and np.array_equal(column, np.arange(n) + column[0])
    ]


def stands_above(column: Array | Text) -> bool:
    """Return whether the first number is an integer farther from the others than these lie apart.

    So is a year above measurements.
    """
    if isinstance(column, Text) or len(column) < 3 or not float(column[0]).is_integer():
        return False
    others = column[1:][~np.isnan(column[1:])]
    if not others.size:
        return False
    least, most = others.min(), others.max()
    return bool(max(least - column[0], column[0] - most) > most - least)


def suspected_mark(column: Array | Text) -> float | None:
    """Return the number of a column that often marks a missing value (-999), else None.

    It lies further below the other numbers than these lie apart.
    """
    if isinstance(column, Text) or is_empty(column):
        return None
    least = float(np.nanmin(column))
    others = column[column > least]
    if least not in _MARKS or not others.size:
        return None
    return least if others.min() - least > others.max() - others.min() else None


def as_column(array: NDArray[np.generic]) -> Array | Text:
    """Return numbers as float64, or as text where float64 would round an integer."""
    first = rounded_integer(None, array)
    if first is None:
        return array.astype(np.float64)
    return Text([str(each) for each in array.tolist()], first[0], integer=True)


def shortest(value: float) -> str:
    """Return a number in as few digits as hold it."""
    short = f"{value:.15g}"
    return short if float(short) == value else repr(value)


def words(column: Array | Text) -> list[str]:
    """Return the cells of a column as text, missing ones as nan."""
    return column.cells if isinstance(column, Text) else list(map(shortest, column.tolist()))


def column_position(names: Names, n_columns: int, word: str) -> int:
    """Return the position of a column, given by its name or by its position as text.

    Raises
    ------
    InputError
        If there is no such column.
    """
    if names is not None and word in names:
        return names.index(word)
    if word.isdecimal() and len(word) < 10 and int(word) < n_columns:
        return int(word)
    known = ", ".join(map(repr, names or ()))
    raise InputError(
        f"There is no column {word!r:.80}. Use "
        + (f"one of {known:.300}, or " if known else "")
        + f"a position from 0 to {n_columns - 1}."
    )


def _position(table: Table, word: str) -> int:
    return column_position(table.names, len(table.columns), word)


def _numbers(table: Table, chosen: Sequence[int]) -> Array:
    """Return columns as an array, or raise an error that names all that cannot be fitted."""
    columns = [table.columns[j] for j in chosen]
    for j, column in zip(chosen, columns, strict=True):
        if isinstance(column, Text) and column.integer:
            raise integers_too_large(f"{label(table.names, j)} (first: row {column.row})")
    texts = {j: each for j in chosen if isinstance(each := table.columns[j], Text)}
    if texts:
        places = {j: f"row {each.row}, {each.cells[each.row]!r:.80}" for j, each in texts.items()}
        if len(texts) == 1:
            ((j, place),) = places.items()
            where = label(table.names, j)
            found = f"{where[:1].upper()}{where[1:]} holds text (first: {place})."
        else:
            all_places = "; ".join(f"{label(table.names, j)}: {places[j]}" for j in places)
            found = f"{len(texts)} columns hold text (first: {all_places:.2000})."
        raise InputTypeError(found)
    empty = [label(table.names, j) for j in chosen if is_empty(table.columns[j])]
    if empty:
        raise InputError(f"All values are missing in {'; '.join(empty):.2000}.")
    return np.column_stack([column for column in columns if not isinstance(column, Text)])
