"""Tables from files and streams: CSV, Parquet and NPY, read once and without running their code."""

import io
import os
import sys
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import unique_names
from bayesgmm.data.csv_columns import Notation
from bayesgmm.data.csv_files import Form, read_csv
from bayesgmm.data.file_access import opened
from bayesgmm.data.file_kinds import foreign_kind
from bayesgmm.data.tables import Table, Text, as_column
from bayesgmm.errors import InputError

# First bytes of a file, by which its kind is found.
MAGIC = 6


def read_table(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    header: bool | None = None,
    decimal: str = ".",
    na: Collection[str] = (),
    keep_cells: bool = False,
) -> Table:
    """Read a file of rows: NPY or Parquet by its first bytes or its suffix, otherwise CSV.

    A CSV is in UTF-8, in UTF-16, or else in Windows-1252, which contains Latin-1.

    Parameters
    ----------
    path : path
        "-" reads standard input. A stream or a pipe is read once.
    delimiter : str, optional
        One character, or " " for any run of blanks. None: found from the first lines.
    header : bool, optional
        True if the first line holds names. None: it does if none of its cells is a number.
    decimal : {".", ","}
        Decimal mark of a CSV.
    na : collection of str
        Further marks of missing values. Numbers are compared by value, in files of all kinds.
    keep_cells : bool
        Keep the text of a CSV's cells.

    Raises
    ------
    InputError
        If the file cannot be read as a table; the message names the line.
    FileError
        If it cannot be opened.
    """
    with open_binary(path) as (name, file):
        magic = file.read(MAGIC)
        foreign = foreign_kind(magic)
        if foreign is not None:
            raise InputError(f"{name} is {foreign.noun}, not a table of rows. {foreign.remedy}.")
        kind = file_kind(path, magic)
        if kind == "npy":
            table = _read_npy(magic + file.read(), name)
        elif kind == "parquet":
            table = _read_parquet(magic + file.read(), name)
        else:
            notation = Notation(decimal, frozenset(mark.strip().lower() for mark in na))
            form = Form(delimiter, header, notation, keep_cells)
            with text_stream(magic, file) as stream:
                table = read_csv(stream, name, form)
    marks = [number for number in map(Notation(decimal).number, na) if number is not None]
    if not marks:
        return table
    columns = [
        each if isinstance(each, Text) else np.where(np.isin(each, marks), np.nan, each)
        for each in table.columns
    ]
    return table._replace(columns=columns)


def file_kind(path: str | os.PathLike[str], magic: bytes) -> Literal["npy", "parquet", "csv"]:
    """Return the kind of a file by its first `MAGIC` bytes or its suffix."""
    suffix = Path(path).suffix.lower()
    if magic == b"\x93NUMPY" or suffix == ".npy":
        return "npy"
    if magic[:4] == b"PAR1" or suffix in {".parquet", ".pq"}:
        return "parquet"
    return "csv"


def text_stream(magic: bytes, file: BinaryIO) -> io.TextIOWrapper:
    """Return a file whose first bytes have been read as text, from its start, for `read_csv`."""
    encoding, errors = _encoding(magic)
    whole: Any = _Resumed(magic, file)
    return io.TextIOWrapper(whole, encoding, errors, newline="")


def _encoding(magic: bytes) -> tuple[str, str]:
    """Return the encoding of text by its first bytes, and the treatment of other bytes."""
    if magic[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return "utf-16", "strict"
    zeros = [not byte for byte in magic]
    if any(zeros) and not all(zeros):  # UTF-16 without a mark, of mostly ASCII letters
        if all(zeros[1::2]) and not any(zeros[::2]):
            return "utf-16-le", "strict"
        if all(zeros[::2]) and not any(zeros[1::2]):
            return "utf-16-be", "strict"
    return "utf-8-sig", "surrogateescape"


@contextmanager
def open_binary(path: str | os.PathLike[str]) -> Iterator[tuple[str, BinaryIO]]:
    """Open a file, or standard input for "-"; yield its name in messages, and its stream."""
    if str(path) != "-":
        with opened(path) as file:
            yield repr(str(path)), file
    elif sys.stdin is None:
        raise InputError("Standard input is closed. Name a file, or pipe the rows in.")
    else:
        yield "standard input", sys.stdin.buffer


class _Resumed(io.BufferedIOBase):
    """A stream whose first bytes have been read, from its start."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        head, self._head = self._head, b""
        return head or self._rest.read1(size)  # type: ignore[attr-defined]  # buffered


def _read_npy(content: bytes, name: str) -> Table:
    try:
        with warnings.catch_warnings():  # Files of Python 2 are read with a warning.
            warnings.simplefilter("ignore")
            if content[6:7] > b"\2":
                raise ValueError("its format version is not 1.0 or 2.0")
            array = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except Exception as error:  # NumPy's readers of headers raise errors of many types.
        raise unreadable_npy(name, error) from error
    if array.ndim == 1:
        array = array[:, np.newaxis]
    check_npy(name, array.shape, array.dtype)
    with np.errstate(over="ignore"):
        return Table(None, [as_column(array[:, j]) for j in range(array.shape[1])])


def check_npy(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Raise InputError for an array of a file that does not hold rows of numbers (n, D)."""
    if len(shape) != 2 or dtype.kind not in "iuf":
        raise InputError(
            f"{name} holds {dtype} of shape {shape}, but rows of real numbers (n, D) are needed."
        )
    if 0 in shape:
        raise no_rows(name)


def unreadable_npy(name: str, cause: object) -> InputError:
    """Return the error for a file that is not an NPY file of numbers."""
    return InputError(f"{name} is not a readable NPY file of numbers: {cause}.")


def unreadable_parquet(name: str, cause: object) -> InputError:
    """Return the error for a file that is not a Parquet file."""
    return InputError(f"{name} is not a readable Parquet file: {cause}.")


def no_rows(name: str) -> InputError:
    """Return the error for a file without rows."""
    return InputError(f"{name} has no rows.")


def _read_parquet(content: bytes, name: str) -> Table:
    import pyarrow
    import pyarrow.parquet

    try:
        frame = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content)).read()
        names = unique_names(frame.column_names)
        columns = [_arrow_column(column) for column in frame.columns]
    except Exception as error:  # Damage shows as errors of many types, not pyarrow's own alone.
        raise unreadable_parquet(name, error) from error
    if not columns or not len(frame):
        raise no_rows(name)
    return Table(names, columns)


def _arrow_column(column: Any) -> Array | Text:
    import pyarrow

    if pyarrow.types.is_integer(column.type):
        whole = as_column(column.fill_null(0).to_numpy())
        if isinstance(whole, Text):
            return whole
    elif not pyarrow.types.is_floating(column.type):
        return Text([str(each) for each in column.to_pylist()], 0)
    return np.asarray(column.to_numpy(), dtype=np.float64)


def npy_bytes(array: NDArray[np.generic]) -> bytes:
    """Return an array as the content of an NPY file."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
