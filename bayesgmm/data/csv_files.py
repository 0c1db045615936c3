"""CSV: reading, with delimiter and header detected, and writing, exact to the last bit."""

import csv
import io
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import EXACT, is_large_integer, unique_names
from bayesgmm.data.tables import Table, Text, shortest
from bayesgmm.errors import InputError

# Tabs, semicolons and bars are rarer in numbers and words than commas are.
_DELIMITERS = ("\t", ";", "|", ",")
_MISSING = {"", "na", "n/a", "nan", "null", "none", "<na>"}
_CHUNK = 2**15
_SNIFFED_LINES = 50
_LONGEST_LINE = 2**26
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

type Record = tuple[int, list[str]]  # the number of a line, and its cells


def read_csv(stream: TextIO, name: str, delimiter: str | None, header: bool | None) -> Table:
    """Read a stream of lines, opened with ``newline=""``; see `table_files.read_table`.

    Messages call the file `name`.
    """
    try:
        lines = _lines(stream, name)
        sniffed = list(itertools.islice(lines, _SNIFFED_LINES))
        delimiter = _find_delimiter(sniffed) if delimiter is None else delimiter
        records = _records(itertools.chain(sniffed, lines), delimiter)
        first = next((cells for _, cells in records if cells), None)
        if not first:
            raise InputError(f"{name} has no rows.")
        if header is None:
            header = not any(map(_is_number, first))
        if not header:
            records = itertools.chain([(1, first)], records)
        names = unique_names(first) if header else None
        return Table(names, _columns(records, len(first), name, header))
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text: {error}. Save it as UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{name} is not readable CSV: {error}.") from error


def _lines(stream: TextIO, name: str) -> Iterator[str]:
    """Yield the lines of a stream; refuse endless ones (/dev/zero is one)."""
    for number, line in enumerate(iter(partial(stream.readline, _LONGEST_LINE), ""), 1):
        if len(line) == _LONGEST_LINE:
            raise InputError(
                f"Line {number} of {name} is longer than {_LONGEST_LINE // 2**20} million "
                "characters."
            )
        yield line


def _find_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that cuts all lines into equally many cells (over one), else blanks."""
    filled = [line for line in lines if line.strip()]
    for candidate in _DELIMITERS:
        widths = {len(record) for record in csv.reader(filled, delimiter=candidate)}
        if len(widths) == 1 and widths != {1}:
            return candidate
    # Rows of different lengths: the delimiter exists, and the error to come names the line.
    for candidate in _DELIMITERS:
        if filled and all(candidate in line for line in filled):
            return candidate
    if filled and all(_is_number(cell) for line in filled[1:] for cell in line.split()):
        return " "
    return ","


def _records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """Yield records; blank lines between others have no cells, and those at the end are dropped."""
    if delimiter == " ":
        split: Iterable[Record] = enumerate((line.split() for line in lines), 1)
    else:
        reader = csv.reader(lines, delimiter=delimiter)
        split = ((reader.line_num, cells) for cells in reader)
    blank: list[Record] = []
    for number, cells in split:
        if len(cells) < 2 and not "".join(cells).strip():
            blank.append((number, []))
        else:
            yield from [*blank, (number, cells)]
            blank.clear()


def _columns(records: Iterator[Record], width: int, name: str, header: bool) -> list[Array | Text]:
    """Turn records into columns, some thousand rows at a time."""
    columns = [_Column() for _ in range(width)]
    n = 0
    rows = _rows(records, width, name, "header" if header else "first line")
    while chunk := list(itertools.islice(rows, _CHUNK)):
        for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
            column.extend(cells, n)
        n += len(chunk)
    if not n:
        raise InputError(f"{name} has no rows{' below its header' if header else ''}.")
    return [column.whole() for column in columns]


def _rows(records: Iterator[Record], width: int, name: str, first: str) -> Iterator[list[str]]:
    for number, cells in records:
        if not cells and width > 1:
            continue
        row = cells or [""]  # In a table of one column, a blank line is a missing cell.
        if len(row) != width:
            raise InputError(
                f"Line {number} of {name} has {len(row)} cell{'s' * (len(row) != 1)}, but the "
                f"{first} has {width}."
            )
        yield row


@dataclass
class _Column:
    """A growing column: numbers, up to the first cell that float64 does not hold."""

    parts: list[Array | list[str]] = field(default_factory=list)
    odd: tuple[int, bool] | None = None

    def extend(self, cells: Sequence[str], start: int) -> None:
        """Add the cells of the rows from `start` on."""
        if self.odd is None:
            numbers = list(map(_number, cells))
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
                cells.extend(map(shortest, part.tolist()))
            else:
                cells.extend(map(_in_short, part) if alike else part)
        return Text(cells, *self.odd)


def _first_large(cells: Sequence[str], floats: Array) -> int | None:
    """Return the index of the first integer beyond 2**53 among cells that are numbers, or None."""
    for i in np.flatnonzero(np.abs(floats) >= EXACT).tolist():
        digits = cells[i].strip().lstrip("+-").lstrip("0")
        if digits.isdecimal() and (abs(floats[i]) > EXACT or is_large_integer(int(digits))):
            return int(i)
    return None


def _in_short(cell: str) -> str:
    """Return a number in as few digits as hold it, and any other cell as it is."""
    number = _number(cell)
    if number is None or _first_large([cell], np.array([number])) is not None:
        return cell
    return shortest(number)


def _number(cell: str) -> float | None:
    """Return the number in a cell, NaN if the cell is missing, or None if it is text."""
    if _is_missing(cell):
        return math.nan
    try:
        return None if "_" in cell else float(cell)  # float() reads 1_000 as a number
    except ValueError:
        return None


def _is_missing(cell: str) -> bool:
    return cell.strip().lower() in _MISSING


def _is_number(cell: str) -> bool:
    return not _is_missing(cell) and _number(cell) is not None


def csv_text(
    names: Sequence[str], columns: Sequence[Sequence[object] | NDArray[np.generic]]
) -> str:
    """Return columns as CSV: floats to the last bit, missing values as empty cells.

    Words that a spreadsheet would run as formulas (those that begin with = + - @ and are not
    numbers) get an apostrophe in front; numbers keep their sign.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(map(_cell, names))
    lists = [each.tolist() if isinstance(each, np.ndarray) else each for each in columns]
    writer.writerows(map(_cell, row) for row in zip(*lists, strict=True))
    return buffer.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return str(value)
