"""Tables in and results out: what the command line reads and writes.

Reading takes CSV (delimiter and header found by looking), Parquet and NPY, from files and from
streams, which are read once. It runs no code of the file.
"""

import csv
import io
import itertools
import math
import os
import sys
import warnings
from collections.abc import Buffer, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from bayesgmm.data.coercion import (
    integers_too_large,
    is_large_integer,
    label,
    rounded_integer,
    unique_names,
)
from bayesgmm.data.file_access import check_target, opened, write_atomically
from bayesgmm.errors import InputError, InputTypeError

__all__ = [
    "Selection",
    "Table",
    "Text",
    "check_target",
    "csv_text",
    "harmless",
    "npy_bytes",
    "open_binary",
    "read_table",
    "row_counter",
    "select",
    "write_atomically",
]

type Floats = NDArray[np.float64]

# Tab, semicolon and bar stand in numbers and words less often than a comma does.
_DELIMITERS = ("\t", ";", "|", ",")
_MISSING = dict.fromkeys(("", "na", "n/a", "nan", "null", "none", "<na>"), "nan")
_CHUNK = 2**15
_SNIFFED_LINES = 50
_LONGEST_LINE = 2**26
_MAGIC = 6
_EXACT = 2**53
_RISKY = ("=", "+", "-", "@", "\t", "\r")


class Text(NamedTuple):
    """A column that is not all numbers.

    Attributes
    ----------
    cells : list of str
    row : int
        The first row whose cell is not a number.
    integer : bool
        Whether that cell is an integer beyond 2**53, which float64 would round.
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

    names: tuple[str, ...] | None
    columns: list[Floats | Text]


class Selection(NamedTuple):
    """What a fit takes from a table.

    Attributes
    ----------
    X : (n, D)
    feature_names : tuple of str, or None
    labels : list of n str, or None
    """

    X: Floats
    feature_names: tuple[str, ...] | None
    labels: list[str] | None


# --- reading --------------------------------------------------------------------------------------


def read_table(
    path: str | os.PathLike[str], *, delimiter: str | None = None, header: bool | None = None
) -> Table:
    """Read a file of rows; NPY and Parquet are known by their first bytes, all else is CSV.

    Parameters
    ----------
    path : path
        "-" reads standard input. A stream or a pipe is read once.
    delimiter : str, optional
        One character, or " " for any run of blanks. None: found from the first lines.
    header : bool, optional
        Whether the first line holds names. None: it does if none of its cells is a number.

    Raises
    ------
    InputError
        If the file cannot be read as a table; the message names the line.
    FileError
        If it cannot be opened.
    """
    suffix = Path(path).suffix.lower()
    with open_binary(path) as (name, file):
        magic = file.read(_MAGIC)
        if magic == b"\x93NUMPY" or suffix == ".npy":
            return _read_npy(magic + file.read(), name)
        if magic[:4] == b"PAR1" or suffix in {".parquet", ".pq"}:
            return _read_parquet(magic + file.read(), name)
        whole = io.BufferedReader(_Resumed(magic, file), _CHUNK)
        with io.TextIOWrapper(whole, encoding="utf-8-sig", newline="") as stream:
            return _read_csv(stream, name, delimiter, header)


@contextmanager
def open_binary(path: str | os.PathLike[str]) -> Iterator[tuple[str, BinaryIO]]:
    """Open a file, or take standard input for "-"; yield what messages call it, and its bytes."""
    if str(path) != "-":
        with opened(path) as file:
            yield repr(str(path)), file
    elif sys.stdin is None:
        raise InputError("Standard input is closed. Name a file, or pipe the rows in.")
    else:
        yield "standard input", sys.stdin.buffer


class _Resumed(io.RawIOBase):
    """A stream from its start, although its first bytes were read already."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        room = memoryview(buffer)
        part = self._head or self._rest.read1(len(room))  # type: ignore[attr-defined]  # buffered
        n = min(len(part), len(room))
        room[:n] = part[:n]
        self._head = part[n:] if self._head else b""
        return n


def select(
    table: Table, columns: Sequence[str] | None = None, label_column: str | None = None
) -> Selection:
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
        If a column does not exist or is taken twice, or none is left.
    InputTypeError
        If a column to be fitted holds text.
    """
    taken = None if label_column is None else _position(table, label_column)
    if columns is None:
        chosen = [j for j in range(len(table.columns)) if j != taken]
    else:
        chosen = [_position(table, column) for column in columns]
        if len(set(chosen)) < len(chosen) or taken in chosen:
            raise InputError("A column is taken twice. Name each once, and the label column apart.")
    if not chosen:
        raise InputError("No column is left to fit.")
    arrays = [_numbers(table, j) for j in chosen]
    return Selection(
        np.column_stack(arrays),
        None if table.names is None else tuple(table.names[j] for j in chosen),
        None if taken is None else _words(table.columns[taken]),
    )


def row_counter(table: Table) -> str | None:
    """Name a first column without a name that only counts the rows, as other programs write it."""
    first = table.columns[0]
    if table.names is None or table.names[0] or isinstance(first, Text) or len(first) < 3:
        return None
    counts = np.arange(len(first)) + first[0]
    return label(table.names, 0) if first[0] in (0, 1) and np.array_equal(first, counts) else None


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


def _numbers(table: Table, j: int) -> Floats:
    column = table.columns[j]
    if not isinstance(column, Text):
        return column
    where = label(table.names, j)
    if column.integer:
        raise integers_too_large(where, column.row)
    raise InputTypeError(
        f"{where[:1].upper()}{where[1:]} holds text (first: row {column.row}, "
        f"{column.cells[column.row]!r:.80}). Leave it out with --columns, or name it with "
        "--label-column if it says which group a row belongs to."
    )


def _words(column: Floats | Text) -> list[str]:
    return column.cells if isinstance(column, Text) else [_word(value) for value in column.tolist()]


def _word(value: float) -> str:
    """Write a number in as few digits as hold it."""
    short = f"{value:.15g}"
    return short if float(short) == value else repr(value)


def _read_npy(content: bytes, name: str) -> Table:
    try:
        array = _npy_array(io.BytesIO(content))
    except Exception as error:  # NumPy's readers of headers raise errors of many kinds.
        raise InputError(f"{name} is not a readable NPY file of numbers: {error}.") from error
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise InputError(
            f"{name} holds {array.dtype} of shape {array.shape}, but rows of real numbers "
            "(n, D) are needed."
        )
    if not array.size:
        raise InputError(f"{name} has no rows.")
    with np.errstate(over="ignore"):
        return Table(None, [_column(array[:, j]) for j in range(array.shape[1])])


def _npy_array(file: io.BytesIO) -> NDArray[np.generic]:
    """Return the array of an NPY file, once its header holds with the bytes that follow."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(file)
    if version not in readers:
        raise ValueError(f"its format has version {'.'.join(map(str, version))}, not 1.0 or 2.0")
    with warnings.catch_warnings():  # Files of Python 2 are read with a warning.
        warnings.simplefilter("ignore")
        shape, by_columns, dtype = readers[version](file)
    if dtype.hasobject or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"its header announces {dtype} of shape {shape!r:.80}")
    rest = file.getbuffer()[file.tell() :]
    count = math.prod(shape)
    if count * dtype.itemsize > len(rest):
        raise ValueError(
            f"its header announces {count * dtype.itemsize} bytes of numbers, and {len(rest)} are "
            "there"
        )
    array = np.frombuffer(rest, dtype, count) if count else np.empty(0, dtype)
    return array.reshape(shape, order="F" if by_columns else "C")


def _read_parquet(content: bytes, name: str) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            f"{name} is a Parquet file, which takes the package pyarrow to read. Install it, or "
            "convert the file to CSV."
        ) from None
    try:
        frame = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read()
        names = unique_names(frame.column_names)
        columns = [_arrow_column(column) for column in frame.columns]
    except InputError:
        raise
    except Exception as error:  # Damage shows as errors of many kinds, not pyarrow's own alone.
        raise InputError(f"{name} is not a readable Parquet file: {error}.") from error
    if not columns or not len(frame):
        raise InputError(f"{name} has no rows.")
    return Table(names, columns)


def _arrow_column(column: Any) -> Floats | Text:
    import pyarrow

    if pyarrow.types.is_integer(column.type):
        whole = _column(column.fill_null(0).to_numpy())
        if isinstance(whole, Text):
            return whole
    elif not pyarrow.types.is_floating(column.type):
        return Text([str(each) for each in column.to_pylist()], 0)
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _column(array: NDArray[np.generic]) -> Floats | Text:
    """Return numbers, or text where float64 would round an integer without a word."""
    first = rounded_integer(None, array)
    if first is None:
        return array.astype(np.float64)
    return Text([str(each) for each in array.tolist()], first[0], integer=True)


# --- CSV ------------------------------------------------------------------------------------------


def _read_csv(stream: TextIO, name: str, delimiter: str | None, header: bool | None) -> Table:
    try:
        lines = _lines(stream, name)
        sniffed = list(itertools.islice(lines, _SNIFFED_LINES))
        delimiter = _find_delimiter(sniffed) if delimiter is None else delimiter
        records = _records(itertools.chain(sniffed, lines), delimiter)
        _, first = next(records, (0, []))
        if not first:
            raise InputError(f"{name} has no rows.")
        if header is None:
            header = not any(_is_number(cell) for cell in first)
        if not header:
            records = itertools.chain([(1, first)], records)
        names = unique_names(first) if header else None
        columns = _columns(records, len(first), name, header)
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8 text: {error}. Save it as UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{name} is not readable CSV: {error}.") from error
    return Table(names, columns)


def _lines(stream: TextIO, name: str) -> Iterator[str]:
    """Yield the lines of a stream, and none without an end (/dev/zero has one such)."""
    for number, line in enumerate(iter(partial(stream.readline, _LONGEST_LINE), ""), 1):
        if len(line) == _LONGEST_LINE:
            raise InputError(
                f"Line {number} of {name} is longer than {_LONGEST_LINE // 2**20} million letters."
            )
        yield line


def _find_delimiter(lines: Sequence[str]) -> str:
    """Return the character that cuts every line into as many cells (more than one), else blanks."""
    filled = [line for line in lines if line.strip()]
    for candidate in _DELIMITERS:
        widths = {len(record) for record in csv.reader(filled, delimiter=candidate)}
        if len(widths) == 1 and widths != {1}:
            return candidate
    # Rows of different lengths: the delimiter is there, and a message will name the line.
    for candidate in _DELIMITERS:
        if filled and all(candidate in line for line in filled):
            return candidate
    if filled and all(_is_number(cell) for line in filled[1:] for cell in line.split()):
        return " "
    return ","


def _records(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of each line and its cells; blank lines between others are empty."""
    if delimiter == " ":
        split: Iterable[tuple[int, list[str]]] = enumerate((line.split() for line in lines), 1)
    else:
        reader = csv.reader(lines, delimiter=delimiter)
        split = ((reader.line_num, cells) for cells in reader)
    blank: list[tuple[int, list[str]]] = []
    for number, cells in split:
        if not "".join(cells).strip() and len(cells) < 2:
            blank.append((number, []))
            continue
        yield from blank
        blank.clear()
        yield number, cells


def _columns(
    records: Iterator[tuple[int, list[str]]], width: int, name: str, header: bool
) -> list[Floats | Text]:
    """Turn records into columns, some thousand rows at a time."""
    columns = [_Column([]) for _ in range(width)]
    n = 0
    while chunk := list(itertools.islice(_of_width(records, width, name, header), _CHUNK)):
        for column, cells in zip(columns, zip(*chunk, strict=True), strict=True):
            column.extend(cells, n)
        n += len(chunk)
    if not n:
        raise InputError(f"{name} has no rows{' below its header' if header else ''}.")
    return [column.whole() for column in columns]


@dataclass
class _Column:
    """A column that grows: numbers, until a cell is not one that float64 holds."""

    parts: list[Floats | list[str]]
    odd: tuple[int, bool] | None = None

    def extend(self, cells: Sequence[str], start: int) -> None:
        """Add the cells of the rows from `start` on."""
        if self.odd is None:
            try:
                floats = _floats(cells)
            except ValueError:
                self.odd = start + next(i for i, cell in enumerate(cells) if not _fits(cell)), False
            else:
                large = _first_large(cells, floats)
                if large is None:
                    self.parts.append(floats)
                    return
                self.odd = start + large, True
        self.parts.append(list(cells))

    def whole(self) -> Floats | Text:
        """Return the column."""
        if self.odd is None:
            return np.concatenate([np.asarray(part) for part in self.parts])
        # Where the first cells were taken for numbers, those among the others are written alike.
        alike = not isinstance(self.parts[0], list)
        cells: list[str] = []
        for part in self.parts:
            if not isinstance(part, list):
                cells.extend(map(_word, part.tolist()))
            else:
                cells.extend(map(_plainly, part) if alike else part)
        return Text(cells, *self.odd)


def _first_large(cells: Sequence[str], floats: Floats) -> int | None:
    """Return the row of the first integer beyond 2**53 among cells that are numbers, or None."""
    for i in np.flatnonzero(np.abs(floats) >= _EXACT).tolist():
        digits = cells[i].strip().lstrip("+-").lstrip("0")
        if digits.isdecimal() and (abs(floats[i]) > _EXACT or is_large_integer(int(digits))):
            return int(i)
    return None


def _plainly(cell: str) -> str:
    if not _fits(cell):
        return cell
    floats = _floats([cell])
    return cell if _first_large([cell], floats) is not None else _word(float(floats[0]))


def _of_width(
    records: Iterator[tuple[int, list[str]]], width: int, name: str, header: bool
) -> Iterator[list[str]]:
    for number, cells in records:
        if len(cells) == width:
            yield cells
        elif cells or width == 1:
            if not cells:  # In a table of one column, a blank line is a missing cell.
                yield [""]
                continue
            raise InputError(
                f"Line {number} of {name} has {len(cells)} cells, but the "
                f"{'header' if header else 'first line'} has {width}."
            )


def _floats(cells: Sequence[str]) -> Floats:
    words = [_MISSING.get(cell.strip().lower(), cell) for cell in cells]
    if any("_" in word for word in words):  # float() takes 1_000 for a number.
        raise ValueError
    return np.array(words, dtype=np.float64)


def _fits(cell: str) -> bool:
    try:
        _floats([cell])
    except ValueError:
        return False
    return True


def _is_number(cell: str) -> bool:
    return cell.strip().lower() not in _MISSING and _fits(cell)


# --- writing --------------------------------------------------------------------------------------


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    """Return an array as the content of an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def csv_text(
    names: Sequence[str], columns: Sequence[Sequence[object] | NDArray[np.generic]]
) -> str:
    """Return columns as CSV; floats to the last bit, missing ones as empty cells.

    Words that a spreadsheet would run (those that begin with = + - @ and are no numbers) get an
    apostrophe in front; numbers keep their sign.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([harmless(name) for name in names])
    lists = [each.tolist() if isinstance(each, np.ndarray) else each for each in columns]
    for row in zip(*lists, strict=True):
        writer.writerow([_cell(value) for value in row])
    return buffer.getvalue()


def harmless(word: str) -> str:
    """Return a word as a cell that a spreadsheet does not run."""
    return f"'{word}" if word.startswith(_RISKY) and not _is_number(word) else word


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else repr(value)
    return harmless(value) if isinstance(value, str) else str(value)
