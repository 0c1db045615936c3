"""Columns of a table as its file holds them, and the choice of those to fit."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names, integers_too_large, label, rounded_integer
from bayesgmm.errors import InputError, InputTypeError


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
    """

    names: Names
    columns: list[Array | Text]


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
    table: Table, columns: Sequence[str] | None = None, label_column: str | None = None
) -> ChosenColumns:
    """Take the numbers to fit, and the labels, from a table.

    Parameters
    ----------
    table : Table
    columns : sequence of str, optional
        Names, or positions from 0 on. None: all but the label column.
    label_column : str, optional

    Raises
    ------
    InputError
        If a column does not exist or is named twice, or none remains.
    InputTypeError
        If a column to be fitted holds text.
    """
    labelled = None if label_column is None else _position(table, label_column)
    if columns is None:
        chosen = [j for j in range(len(table.columns)) if j != labelled]
    else:
        chosen = [_position(table, column) for column in columns]
        if len(set(chosen)) < len(chosen) or labelled in chosen:
            raise InputError(
                "A column is named twice. Name each once, and the label column apart from the "
                "columns to fit."
            )
    if not chosen:
        raise InputError("No column remains to be fitted.")
    return ChosenColumns(
        np.column_stack([_numbers(table, j) for j in chosen]),
        None if table.names is None else tuple(table.names[j] for j in chosen),
        None if labelled is None else _words(table.columns[labelled]),
    )


def row_counter(table: Table) -> str | None:
    """Return the words for a nameless first column that only numbers the rows, else None."""
    first = table.columns[0]
    if table.names is None or table.names[0] or isinstance(first, Text) or len(first) < 3:
        return None
    counts = np.arange(len(first)) + first[0]
    return label(table.names, 0) if first[0] in (0, 1) and np.array_equal(first, counts) else None


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


def _position(table: Table, word: str) -> int:
    if table.names is not None and word in table.names:
        return table.names.index(word)
    if word.isdecimal() and len(word) < 10 and int(word) < len(table.columns):
        return int(word)
    known = ", ".join(map(repr, table.names or ()))
    raise InputError(
        f"There is no column {word!r:.80}. Use "
        + (f"one of {known:.300}, or " if known else "")
        + f"a position from 0 to {len(table.columns) - 1}."
    )


def _numbers(table: Table, j: int) -> Array:
    column = table.columns[j]
    if not isinstance(column, Text):
        return column
    where = label(table.names, j)
    if column.integer:
        raise integers_too_large(f"{where} (first: row {column.row})")
    raise InputTypeError(
        f"{where[:1].upper()}{where[1:]} holds text (first: row {column.row}, "
        f"{column.cells[column.row]!r:.80}). Leave it out with --columns, or name it with "
        "--label-column if it gives the group of each row."
    )


def _words(column: Array | Text) -> list[str]:
    return column.cells if isinstance(column, Text) else list(map(shortest, column.tolist()))
