"""Tables in and results out: what the command line reads and writes.

Reading takes CSV (delimiter and header found by looking), Parquet and NPY, and runs no code of the
file. Writing is atomic: a file appears whole or not at all, and takes no other's place unasked.
"""

import contextlib
import csv
import io
import itertools
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.model.tables import label, unique_names

type Floats = NDArray[np.float64]

# Tab, semicolon and bar stand in numbers and words less often than a comma does.
_DELIMITERS = ("\t", ";", "|", ",")
_MISSING = dict.fromkeys(("", "na", "n/a", "nan", "null", "none", "<na>"), "nan")
_CHUNK = 2**15
_SNIFFED_LINES = 50
_RISKY = ("=", "+", "-", "@", "\t", "\r")


class Text(NamedTuple):
    """A column that is not all numbers.

    Attributes
    ----------
    cells : list of str
    row : int
        The first row whose cell is no number.
    """

    cells: list[str]
    row: int


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
        "-" reads CSV from standard input.
    delimiter : str, optional
        One character, or " " for any run of blanks. None: found from the first lines.
    header : bool, optional
        Whether the first line holds names. None: it does if none of its cells is a number.

    Raises
    ------
    InputError
        If the file cannot be read as a table; the message names the line.
    OSError
        If it cannot be opened.
    """
    if str(path) == "-":
        stream = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        return _read_csv(stream, "standard input", delimiter, header)
    source = Path(path)
    with source.open("rb") as file:
        magic = file.read(6)
    if magic == b"\x93NUMPY" or source.suffix.lower() == ".npy":
        return _read_npy(source)
    if magic[:4] == b"PAR1" or source.suffix.lower() in {".parquet", ".pq"}:
        return _read_parquet(source)
    with source.open(encoding="utf-8-sig", newline="") as stream:
        return _read_csv(stream, repr(str(source)), delimiter, header)


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
    if word.isdecimal() and int(word) < len(table.columns):
        return int(word)
    known = ", ".join(map(repr, table.names or ()))
    raise InputError(
        f"There is no column {word!r:.80}. Use "
        + (f"one of {known:.300}, or " if known else "")
        + f"a position from 0 to {len(table.columns) - 1}."
    )


def _numbers(table: Table, j: int) -> Floats:
    column = table.columns[j]
    if isinstance(column, Text):
        raise InputTypeError(
            f"{label(table.names, j).capitalize()} holds text (first: row {column.row}, "
            f"{column.cells[column.row]!r:.80}). Leave it out with --columns, or name it with "
            "--label-column if it says which group a row belongs to."
        )
    return column


def _words(column: Floats | Text) -> list[str]:
    return column.cells if isinstance(column, Text) else [f"{value:.15g}" for value in column]


def _read_npy(path: Path) -> Table:
    try:
        with path.open("rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, EOFError, MemoryError, SyntaxError) as error:
        raise InputError(f"{str(path)!r} is no readable NPY file of numbers: {error}") from error
    if array.ndim == 1:
        array = array[:, np.newaxis]
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise InputError(
            f"{str(path)!r} holds {array.dtype} of shape {array.shape}, but rows of real numbers "
            "(n, D) are needed."
        )
    if not array.size:
        raise InputError(f"{str(path)!r} has no rows.")
    _check_integers(array, None)
    return Table(None, [array[:, j].astype(np.float64) for j in range(array.shape[1])])


def _read_parquet(path: Path) -> Table:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise InputError(
            f"{str(path)!r} is a Parquet file, which takes the package pyarrow to read. Install "
            "it, or convert the file to CSV."
        ) from None
    try:
        frame = pyarrow.parquet.ParquetFile(path).read()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{str(path)!r} is no readable Parquet file: {error}") from error
    names = unique_names(frame.column_names)
    columns: list[Floats | Text] = []
    for j, column in enumerate(frame.columns):
        kind = column.type
        if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind):
            if pyarrow.types.is_integer(kind):
                _check_integers(column.drop_null().to_numpy()[:, np.newaxis], (names or ())[j:])
            columns.append(np.asarray(column.to_numpy(), dtype=np.float64))
        else:
            columns.append(Text([str(each) for each in column.to_pylist()], 0))
    if not columns or not len(frame):
        raise InputError(f"{str(path)!r} has no rows.")
    return Table(names, columns)


def _check_integers(array: NDArray[np.generic], names: tuple[str, ...] | None) -> None:
    """Refuse integers that float64 would round without a word."""
    if array.dtype.kind in "iu" and array.size:
        large = (array > 2**53) | (array < -(2**53))  # type: ignore[operator]  # integers compare
        if large.any():
            row, column = (int(i) for i in np.argwhere(large)[0])
            raise InputError(
                f"Integers beyond 2**53 in {label(names, column)} (first: row {row}), which "
                "float64 cannot hold. Subtract an offset from them first."
            )


# --- CSV ------------------------------------------------------------------------------------------


def _read_csv(stream: TextIO, name: str, delimiter: str | None, header: bool | None) -> Table:
    try:
        sniffed = list(itertools.islice(stream, _SNIFFED_LINES))
        delimiter = _find_delimiter(sniffed) if delimiter is None else delimiter
        records = _records(itertools.chain(sniffed, stream), delimiter)
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
        raise InputError(f"{name} is no UTF-8 text: {error}. Save it as UTF-8.") from error
    except csv.Error as error:
        raise InputError(f"{name} is no readable CSV: {error}.") from error
    return Table(names, columns)


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
    parts: list[list[NDArray[np.float64] | list[str]]] = [[] for _ in range(width)]
    first_text: list[int | None] = [None] * width
    n = 0
    while chunk := list(itertools.islice(_of_width(records, width, name, header), _CHUNK)):
        for j, cells in enumerate(zip(*chunk, strict=True)):
            try:
                parts[j].append(_floats(cells))
            except ValueError:
                if first_text[j] is None:
                    first_text[j] = n + next(i for i, cell in enumerate(cells) if not _fits(cell))
                parts[j].append(list(cells))
            if first_text[j] is not None and not isinstance(parts[j][-1], list):
                parts[j][-1] = list(cells)
        n += len(chunk)
    if not n:
        raise InputError(f"{name} has no rows{' below its header' if header else ''}.")
    return [
        np.concatenate([np.asarray(part) for part in each]) if row is None else _text(each, row)
        for each, row in zip(parts, first_text, strict=True)
    ]


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


def _text(parts: list[NDArray[np.float64] | list[str]], row: int) -> Text:
    cells: list[str] = []
    for part in parts:
        cells.extend(part if isinstance(part, list) else (f"{value:.15g}" for value in part))
    return Text(cells, row)


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


def check_target(path: str | os.PathLike[str], *, force: bool) -> None:
    """Raise at once what would keep `write_atomically` from writing, before a long computation.

    Raises
    ------
    OSError
        FileExistsError without `force`; else as opening the file would.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(target))
    if target.exists() and not force:
        raise FileExistsError(17, "There is such a file already; --force replaces it", str(target))
    if not target.parent.is_dir():
        raise FileNotFoundError(2, "There is no such folder", str(target.parent))
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(13, "The folder cannot be written to", str(target.parent))


def write_atomically(path: str | os.PathLike[str], content: bytes, *, force: bool) -> None:
    """Write a file in one step: it appears whole or not at all.

    Parameters
    ----------
    path : path
    content : bytes
    force : bool
        Replace a file that is there.

    Raises
    ------
    OSError
        If it cannot be written, or exists and `force` is false.
    """
    target = Path(path)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; these get the permissions that a plain open would give.
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        if force:
            Path(temporary).replace(target)
        else:
            _move_unless_there(temporary, target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()


def _move_unless_there(temporary: str, target: Path) -> None:
    try:
        os.link(temporary, target)
    except FileExistsError:
        check_target(target, force=False)
        raise
    except OSError:  # A file system without hard links: the check is then as good as it gets.
        check_target(target, force=False)
        Path(temporary).replace(target)


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
