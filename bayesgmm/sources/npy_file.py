"""NPY files of numbers, read and written in parts without mapping them into memory."""

import math
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.data.file_access import PathLike, as_path, opened
from bayesgmm.data.table_files import unreadable_npy
from bayesgmm.errors import InputError


class NpyFile(NamedTuple):
    """Where the numbers of an NPY file are.

    Mapped pages count against limits of memory, so the file is read. It is opened for each part.

    Attributes
    ----------
    path : str
        Absolute.
    shape : tuple of int
    dtype : numpy.dtype
    by_columns : bool
        True for Fortran's order, of two axes.
    offset : int
        Position of the first number, in bytes.
    size : int
        Size of the file, in bytes.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    by_columns: bool
    offset: int
    size: int

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return entries start, ..., stop - 1 of the first axis, in the file's own type.

        Raises
        ------
        InputError
            If the file's size has changed.
        FileError
            If the file cannot be read.
        """
        m, rest = stop - start, math.prod(self.shape[1:])
        width = self.dtype.itemsize
        with opened(self.path) as file:
            if os.fstat(file.fileno()).st_size != self.size:
                raise changed(repr(self.path))
            if not self.by_columns:
                entries = np.empty((m, *self.shape[1:]), self.dtype)
                self._fill(file, self.offset + start * rest * width, entries)
                return entries
            columns = np.empty((rest, m), self.dtype)
            for j, column in enumerate(columns):
                self._fill(file, self.offset + (j * self.shape[0] + start) * width, column)
            return columns.T

    def _fill(self, file: BinaryIO, position: int, entries: NDArray[Any]) -> None:
        file.seek(position)
        content = entries.reshape(-1).view(np.uint8)
        if file.readinto(content) < content.size:  # type: ignore[attr-defined]  # buffered
            raise changed(repr(self.path))


class GrowingNpy:
    """A new NPY file of float64, to which rows are added until it is closed.

    The number of rows need not be known before: the head is completed at the end.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._shape: tuple[int, ...] = (0,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._file.seek(0)
            self._write_head()

    def append(self, rows: Array) -> None:
        """Add rows (m,) or (m, D), as many columns each time."""
        if not self._shape[0]:
            self._shape = (0, *rows.shape[1:])
            self._write_head()
        self._file.write(np.ascontiguousarray(rows).reshape(-1).view(np.uint8))
        self._shape = (self._shape[0] + len(rows), *rows.shape[1:])

    def _write_head(self) -> None:
        """Write the head, which has room for any number of rows."""
        descr = np.lib.format.dtype_to_descr(np.dtype(np.float64))
        head = {"descr": descr, "fortran_order": False, "shape": self._shape}
        np.lib.format.write_array_header_1_0(self._file, head)


def npy_file(path: PathLike) -> NpyFile:
    """Read the head of an NPY file.

    Raises
    ------
    InputError
        If it is damaged, or not an NPY file, or a stream.
    FileError
        If it cannot be opened.
    """
    path = as_path(path)
    check_seekable(path)
    name = repr(str(path))
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        try:
            shape, by_columns, dtype = _header(file)
        except Exception as error:  # NumPy's readers of headers raise errors of many types.
            raise unreadable_npy(name, error) from error
        offset = file.tell()
    needed = math.prod(shape) * dtype.itemsize
    if any(axis < 0 for axis in shape) or dtype.hasobject:
        raise unreadable_npy(name, f"its header says {dtype} of shape {shape}")
    if offset + needed > size:
        raise unreadable_npy(
            name, f"its header says {needed} bytes of numbers, and it has {size - offset}"
        )
    absolute = os.path.abspath(path)
    return NpyFile(absolute, shape, dtype, by_columns and len(shape) == 2, offset, size)


def check_seekable(path: PathLike) -> None:
    """Raise InputError for a pipe or a device, which cannot be read in parts."""
    path = as_path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(
            f"{str(path)!r} is a pipe or a device, which cannot be read more than once. Save its "
            "rows to a file first."
        )


def changed(name: str) -> InputError:
    """Return the error for a file that is no longer the one that was opened."""
    return InputError(
        f"{name} has changed since it was opened: its size is another. Open it again when it is "
        "complete."
    )


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    with warnings.catch_warnings():  # Files of Python 2 are read with a warning.
        warnings.simplefilter("ignore")
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            return np.lib.format.read_array_header_1_0(file)
        if version == (2, 0):
            return np.lib.format.read_array_header_2_0(file)
    raise ValueError("its format version is not 1.0 or 2.0")
