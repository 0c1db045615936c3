"""CSV: reading, with encoding, delimiter and header found, and writing, exact to the last bit."""

import csv
import io
import itertools
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Indices
from bayesgmm.data.coercion import Names, column_names, repeated_names, unique_names
from bayesgmm.data.csv_columns import Column, Notation, has_decimal_commas
from bayesgmm.data.tables import Table, words
from bayesgmm.display import plural
from bayesgmm.errors import InputError

# Tabs, semicolons and bars are rarer in numbers and words than commas are.
_DELIMITERS = ("\t", ";", "|", ",")
_CHUNK = 2**15
_SNIFFED_LINES = 50
_LONGEST_LINE = 2**26
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Blanks between a delimiter and its cell are not of the cell.
_reader = partial(csv.reader, skipinitialspace=True)

type Record = tuple[int, list[str]]  # the number of a line, and its cells


class Form(NamedTuple):
    """The form of a CSV, as the user gives it.

    Attributes
    ----------
    delimiter : str, optional
        One character, or " " for any run of blanks. None: found from the first lines.
    header : bool, optional
        True if the first line holds names. None: it does if none of its cells is a number.
    notation : Notation
    keep_cells : bool
        Keep the text of all cells, to be written again.
    """

    delimiter: str | None = None
    header: bool | None = None
    notation: Notation = Notation()
    keep_cells: bool = False


class _Layout(NamedTuple):
    """The head of a CSV, and the rows below it."""

    names: Names
    width: int
    delimiter: str
    notes: list[str]  # complete when all rows have been read
    rows: Iterator[Record]

    def chunks(self) -> Iterator[list[Record]]:
        """Yield some thousand rows at a time."""
        while chunk := list(itertools.islice(self.rows, _CHUNK)):
            yield chunk


def read_csv(stream: TextIO, name: str, form: Form) -> Table:
    """Read a stream of lines, opened with ``newline=""``; see `table_files.read_table`.

    Messages call the file `name`.
    """
    notation = form.notation
    with _errors_as_sentences(name):
        layout = _layout(stream, name, form)
        kept = [list[str]() for _ in range(layout.width)] if form.keep_cells else None
        columns = [Column(notation) for _ in range(layout.width)]
        lines = array("q")
        for chunk in layout.chunks():
            for j, column in enumerate(zip(*(cells for _, cells in chunk), strict=True)):
                columns[j].extend(column, len(lines))
                if kept is not None:
                    kept[j].extend(column)
            lines.extend(number for number, _ in chunk)
        if not lines:
            raise _no_rows(name, layout)
        whole = [column.whole() for column in columns]
        marks = layout.delimiter, notation.decimal
        return Table(layout.names, whole, tuple(layout.notes), kept, marks, np.array(lines))


def csv_pieces(stream: TextIO, name: str, form: Form) -> Iterator[Table]:
    """Yield what `read_csv` returns in tables of some thousand rows, and hold one at a time.

    Whether a column is text is decided for each table by itself.
    """
    with _errors_as_sentences(name):
        layout = _layout(stream, name, form)
        marks = layout.delimiter, form.notation.decimal
        empty = True
        for chunk in layout.chunks():
            columns = []
            for column_cells in zip(*(cells for _, cells in chunk), strict=True):
                column = Column(form.notation)
                column.extend(column_cells, 0)
                columns.append(column.whole())
            yield Table(layout.names, columns, tuple(layout.notes), None, marks)
            empty = False
        if empty:
            raise _no_rows(name, layout)


@contextmanager
def _errors_as_sentences(name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeError as error:
        raise InputError(
            f"{name} is text of no known encoding: {error}. Save it as UTF-8."
        ) from error
    except csv.Error as error:
        raise InputError(f"{name} is not readable CSV: {error}.") from error


def _layout(stream: TextIO, name: str, form: Form) -> _Layout:
    """Find delimiter and header from the first lines."""
    notes: list[str] = []
    lines = _lines(stream, name, notes)
    sniffed = list(itertools.islice(lines, _SNIFFED_LINES))
    delimiter = form.delimiter or _find_delimiter(sniffed, form.notation)
    records = _records(itertools.chain(sniffed, lines), delimiter)
    number, first = next((each for each in records if each[1]), (0, []))
    if not first:
        raise InputError(f"{name} has no rows.")
    header = form.header
    if header is None:
        header = not any(map(form.notation.is_number, first))
    if not header:
        records = itertools.chain([(number, first)], records)
    given = [cell.strip() for cell in first]
    names = unique_names(given) if header else None
    if header:
        notes += repeated_names(given)
    rows = _rows(records, len(first), name, "header" if header else "first line")
    return _Layout(names, len(first), delimiter, notes, rows)


def _no_rows(name: str, layout: _Layout) -> InputError:
    return InputError(f"{name} has no rows{' below its header' if layout.names else ''}.")


def _lines(stream: TextIO, name: str, notes: list[str]) -> Iterator[str]:
    """Yield the lines of a stream; refuse endless ones (/dev/zero is one).

    Bytes that are not UTF-8 arrive as escapes. If no letter beyond ASCII comes before them, the
    text is read as Windows-1252, which contains Latin-1, with a note.
    """
    utf_8 = western = False
    for number, line in enumerate(iter(partial(stream.readline, _LONGEST_LINE), ""), 1):
        if len(line) == _LONGEST_LINE:
            raise InputError(
                f"Line {number} of {name} is longer than {_LONGEST_LINE // 2**20} million "
                "characters."
            )
        if line.isascii():
            yield line
            continue
        escaped = any("\udc80" <= letter <= "\udcff" for letter in line)
        if escaped and utf_8:
            raise InputError(
                f"Line {number} of {name} is not UTF-8 text, but lines above it are. Save it as "
                "UTF-8."
            )
        if escaped and not western:
            western = True
            notes.append(f"{name} is not UTF-8 text and was read as Windows-1252 (Latin-1).")
        utf_8 = not western
        yield line.encode("utf-8", "surrogateescape").decode("cp1252") if western else line


def _find_delimiter(lines: Sequence[str], notation: Notation) -> str:
    """Return the delimiter that cuts all lines into equally many cells (over one), else blanks."""
    filled = [line for line in lines if line.strip()]
    rows = [line.split() for line in filled]
    body = rows[1:] or rows
    if not any(other in line for line in filled for other in "\t;|") and _commas_in_blanks(body):
        return " "
    for candidate in _DELIMITERS:
        cut = list(_reader(filled, delimiter=candidate))
        if candidate == notation.decimal and not any("," in each for row in cut for each in row):
            continue  # decimal marks, unless cells with commas are quoted
        if len({*map(len, cut)}) == 1 and len(cut[0]) > 1:
            return candidate
    # Rows of different lengths: the delimiter exists, and the error to come names the line.
    for candidate in _DELIMITERS:
        if filled and candidate != notation.decimal and all(candidate in line for line in filled):
            return candidate
    if any(len(row) > 1 for row in body):
        numbers = [
            all(notation.number(cell) is not None for cell in column)
            for column in zip(*body, strict=False)
        ]
        if all(numbers) or (any(numbers) and len({*map(len, rows)}) == 1):
            return " "
    # One column: a delimiter that is not a decimal mark.
    numbers_alone = "," not in "".join(filled[:1]) and has_decimal_commas(filled[1:])
    return ";" if notation.decimal == "," or numbers_alone else ","


def _commas_in_blanks(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether rows that are cut by blanks hold numbers with decimal commas."""
    if len({*map(len, rows)}) != 1 or len(rows[0]) < 2:
        return False
    cells = [cell for row in rows for cell in row]
    return has_decimal_commas(cells) and not any(cell.strip(",") != cell for cell in cells)


def _records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """Yield records; blank lines between others have no cells, and those at the end are dropped."""
    if delimiter == " ":
        split: Iterable[Record] = enumerate((line.split() for line in lines), 1)
    else:
        reader = _reader(lines, delimiter=delimiter)
        split = ((reader.line_num, cells) for cells in reader)
    blank: list[Record] = []
    for number, cells in split:
        if len(cells) < 2 and not "".join(cells).strip():
            blank.append((number, []))
        else:
            yield from [*blank, (number, cells)]
            blank.clear()


def _rows(records: Iterator[Record], width: int, name: str, first: str) -> Iterator[Record]:
    for number, cells in records:
        if not cells and width > 1:
            continue
        row = cells or [""]  # In a table of one column, a blank line is a missing cell.
        if len(row) != width:
            raise InputError(
                f"Line {number} of {name} has {plural(len(row), 'cell')}, but the "
                f"{first} has {width}."
            )
        yield number, row


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


def extended_csv(
    table: Table, kept: Indices, names: Sequence[str], columns: Sequence[NDArray[np.generic]]
) -> str:
    """Return rows of a table with further columns, as CSV.

    The table's cells are written as they were read, if they were kept, with its own delimiter and
    decimal mark; those of other files in as few digits as hold them.

    Parameters
    ----------
    table : Table
    kept : (m,)
        Indices of the rows to write.
    names : sequence of str
        Names of the further columns, numbered where the table has them already.
    columns : sequence of (m,) arrays
    """
    delimiter, decimal = table.marks
    cells = table.cells or [words(column) for column in table.columns]
    added = [
        [
            _cell(each) if isinstance(each, str) else _cell(each).replace(".", decimal)
            for each in column.tolist()
        ]
        for column in columns
    ]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    writer.writerow(unique_names([*column_names(table.names, len(cells)), *names]) or ())
    rows = kept.tolist()
    writer.writerows(zip(*([each[i] for i in rows] for each in cells), *added, strict=True))
    return buffer.getvalue()


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    if isinstance(value, str) and value.startswith(_FORMULA) and not Notation().is_number(value):
        return f"'{value}"
    return str(value)
