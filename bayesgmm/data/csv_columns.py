"""Columns of a CSV: numbers in cells, decimal marks, and marks of missing values."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import EXACT, is_large_integer
from bayesgmm.data.tables import Text, shortest

# Those of R, pandas, SQL, spreadsheets, SAS, Stata and the UCI repository. Numbers such as -999
# are not among them.
_MISSING = frozenset(
    ["", "na", "n/a", "n.a.", "nan", "null", "none", "<na>", "#n/a", "#na", "?", ".", "-", "--"]
)

# Different words among the numbers of a column that can mark missing values.
_MOST_MARKS = 5

_THOUSANDS = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+\s*")


@dataclass(frozen=True, slots=True)
class Notation:
    """How the numbers and the missing values of a table are written.

    Attributes
    ----------
    decimal : {".", ","}
    missing : frozenset of str
        Marks of missing values beside the usual ones, in lower case.
    """

    decimal: str = "."
    missing: frozenset[str] = frozenset()

    def number(self, cell: str) -> float | None:
        """Return the number in a cell, NaN if the cell is missing, or None if it is text."""
        if self.is_missing(cell):
            return math.nan
        if self.decimal == ",":
            if "." in cell:
                return None  # a mark of thousands, or of decimals after all
            cell = cell.replace(",", ".")
        try:
            return None if "_" in cell else float(cell)  # float() reads 1_000 as a number
        except ValueError:
            return None

    def is_missing(self, cell: str) -> bool:
        """Return whether a cell marks a missing value."""
        word = cell.strip().lower()
        return word in _MISSING or word in self.missing

    def is_number(self, cell: str) -> bool:
        """Return whether a cell holds a number."""
        return not self.is_missing(cell) and self.number(cell) is not None

    def short(self, cell: str) -> str:
        """Return a number in as few digits as hold it, and any other cell as it is."""
        number = self.number(cell)
        if number is None or _first_large([cell], np.array([number])) is not None:
            return cell
        return self.written(number)

    def written(self, number: float) -> str:
        """Return a number in as few digits as hold it, with the decimal mark."""
        return shortest(number).replace(".", self.decimal)


@dataclass
class Column:
    """A growing column: numbers, up to the first cell that float64 does not hold."""

    notation: Notation
    parts: list[Array | list[str]] = field(default_factory=list)
    odd: tuple[int, bool] | None = None

    def extend(self, cells: Sequence[str], start: int) -> None:
        """Add the cells of the rows from `start` on."""
        if self.odd is None:
            numbers = list(map(self.notation.number, cells))
            if None in numbers:
                self.odd = start + numbers.index(None), False
            else:
                floats = np.array(numbers, dtype=np.float64)
                large = _first_large(cells, floats)
                if large is None:
                    self.parts.append(floats)
                    return
                self.odd = start + large, True
        self.parts.append(list(cells))

    def whole(self) -> Array | Text:
        """Return the column."""
        if self.odd is None:
            return np.concatenate([np.asarray(part) for part in self.parts])
        # Where the first cells were read as numbers, later numbers are written in the same form.
        alike = not isinstance(self.parts[0], list)
        cells: list[str] = []
        for part in self.parts:
            if not isinstance(part, list):
                cells.extend(map(self.notation.written, part.tolist()))
            else:
                cells.extend(map(self.notation.short, part) if alike else part)
        return Text(cells, *self.odd)


def has_decimal_commas(cells: Sequence[str], delimiter: str = ";") -> bool:
    """Return whether cells are numbers, or missing, some of them with a comma as decimal mark.

    Where the delimiter is a comma too, commas before three digits are marks of thousands.
    """
    with_commas = [cell for cell in cells if "," in cell]
    if not with_commas or (delimiter == "," and all(map(_THOUSANDS.fullmatch, with_commas))):
        return False
    return all(Notation(",").number(cell) is not None for cell in cells)


class Reading(NamedTuple):
    """How the cells of a column are read as numbers.

    Attributes
    ----------
    decimal : {".", ","}
    marks : dict of str to int
        Words that stand among the numbers, and in how many cells: marks of missing values.
    """

    decimal: str
    marks: dict[str, int]


def reading(cells: Sequence[str], delimiter: str, notation: Notation) -> Reading | None:
    """Return how a column of text is read as numbers that lack some values; None for text.

    Most cells are numbers, perhaps with decimal commas, and the others one of a few words without
    a digit. A word with one, such as <0.5, tells something of the value, and is not taken for
    missing.
    """
    for decimal in dict.fromkeys((notation.decimal, ",")):
        read = Notation(decimal, notation.missing)
        odd = Counter(each.strip() for each in cells if read.number(each) is None)
        numbers = [each for each in cells if read.is_number(each)]
        few = len(odd) <= _MOST_MARKS and odd.total() < len(numbers)
        if not few or any(letter.isdigit() for word in odd for letter in word):
            continue
        if decimal == notation.decimal or has_decimal_commas(numbers, delimiter):
            return Reading(decimal, dict(odd))
    return None


def _first_large(cells: Sequence[str], floats: Array) -> int | None:
    """Return the index of the first integer beyond 2**53 among cells that are numbers, or None."""
    for i in np.flatnonzero(np.abs(floats) >= EXACT).tolist():
        digits = cells[i].strip().lstrip("+-").lstrip("0")
        if digits.isdecimal() and (abs(floats[i]) > EXACT or is_large_integer(int(digits))):
            return int(i)
    return None
