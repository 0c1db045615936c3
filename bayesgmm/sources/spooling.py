"""A copy on disk, made in one pass, of rows that cannot be read in blocks, or only slowly."""

import errno
import os
import shutil
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names
from bayesgmm.data.csv_files import Form
from bayesgmm.data.error_covariances import unpacked
from bayesgmm.data.file_access import PathLike, temporary_folder
from bayesgmm.errors import FileError, InputError, InvalidParameterError
from bayesgmm.sources.npy_file import GrowingNpy, npy_file
from bayesgmm.sources.npy_rows import NpyRows, npy_rows
from bayesgmm.sources.row_source import Block, RowSource, blocks_in_order
from bayesgmm.sources.streams import NamedBlock, blocks_of_chunks, blocks_of_csv

_BLOCK_ROWS = 2**16
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, eq=False, repr=False)
class SpooledRows:
    """Rows in a temporary file, which is removed when this is closed or no longer used.

    Works as a context manager. When it is pickled it becomes the rows of the same file, which do
    not keep it from being removed.

    Attributes
    ----------
    rows : NpyRows
        Of the copy.
    folder, name : str
        The folder of the copy alone, and what was copied, in words.
    """

    rows: NpyRows
    folder: str
    name: str
    _remove: Any = field(init=False)  # weakref.finalize, whose type is not generic at run time

    def __post_init__(self) -> None:
        remove = weakref.finalize(self, _remove_folder, self.folder, os.getpid())
        object.__setattr__(self, "_remove", remove)

    @property
    def n_rows(self) -> int:
        """The number of rows."""
        return self.rows.n_rows

    @property
    def n_features(self) -> int:
        """The number of features."""
        return self.rows.n_features

    @property
    def feature_names(self) -> Names:
        """Their names, if they have any."""
        return self.rows.feature_names

    def __reduce__(self) -> Any:
        return _rows_alone, (self.rows,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, start: int, stop: int) -> Block:
        """Return rows; see `RowSource.read`."""
        if not self._remove.alive:
            raise InputError(
                f"The copy of {self.name} on disk was closed, and removed. Read its rows before "
                "that, or make another copy."
            )
        return self.rows.read(start, stop)

    def describe(self) -> str:
        """Return the words for what was copied."""
        return self.name

    def close(self) -> None:
        """Remove the file."""
        self._remove()


def spooled(
    source: Any,
    folder: PathLike | None = None,
    *,
    columns: Any = None,
    sample_weight: Any = None,
    error_covariances: Any = None,
    form: Form | None = None,
) -> SpooledRows:
    """Copy rows in one pass to a temporary NPY file of float64.

    Parameters
    ----------
    source : path, RowSource or iterable
        A CSV file ("-" is standard input), a source of rows, or arrays or data frames of rows,
        one after another. An iterable is read once, a chunk at a time.
    folder : path, optional
        Where to make the file. None: the system's folder of temporary files.
    columns : sequence of str or int, optional
        Names or positions of the features of a CSV or of chunks. None: all but that of the
        weights.
    sample_weight : array-like of shape (n,), str or int, optional
        Weights of the rows, or the name or position of their column.
    error_covariances : array-like, optional
        Measurement errors, as `bayesgmm.data.error_covariances` takes them.
    form : Form, optional
        Delimiter, header, decimal mark and marks of missing values of a CSV.

    Raises
    ------
    InputTypeError, InputError
        If there are no rows, or an entry is not a number; the message names its row.
    FileError
        If a file cannot be read, or there is no room for the copy; nothing is left of it.
    """
    expected: int | None = None
    if isinstance(source, RowSource):
        refuse_more(columns, sample_weight, error_covariances)
        name, blocks, expected = source.describe(), _blocks_of_source(source), source.n_rows
    elif isinstance(source, str | os.PathLike):
        name = "standard input" if str(source) == "-" else repr(str(source))
        blocks = blocks_of_csv(source, columns, sample_weight, form or Form())
    else:
        name, blocks = "a stream", blocks_of_chunks(source, columns, sample_weight)
    made = temporary_folder(folder)
    try:
        copy = _copy(blocks, made, expected)
        if copy is None:
            raise InputError(f"There are no rows in {name}.")
        return SpooledRows(_opened(copy, made, sample_weight, error_covariances), made, name)
    except BaseException:
        shutil.rmtree(made)
        raise


def refuse_more(columns: Any, sample_weight: Any, error_covariances: Any) -> None:
    """Raise InvalidParameterError where something is given that a source has already."""
    more = {
        "columns": columns,
        "sample_weight": sample_weight,
        "error_covariances": error_covariances,
    }
    for name, value in more.items():
        if value is not None:
            raise InvalidParameterError(
                f"{name} cannot be given beside a source of rows. Give it when the source is made."
            )


class _Copy(NamedTuple):
    """What was copied: names of features, names of files, errors of all rows."""

    names: Names
    files: tuple[str, ...]
    common_errors: Array | None


def _copy(blocks: Iterator[NamedBlock], folder: str, expected: int | None) -> _Copy | None:
    """Write blocks to NPY files, one for x and one for each thing that comes along."""
    files: dict[str, GrowingNpy] = {}
    names: Names = None
    common: Array | None = None
    needed = written = 0
    try:
        with ExitStack() as stack:
            for found, block in blocks:
                parts = _parts(block)
                if not files:
                    names = found
                    common = None if "errors" in parts else block.errors
                    row_bytes = sum(each.nbytes for each in parts.values()) // len(block.x)
                    needed = row_bytes * (expected or 0)
                    free = shutil.disk_usage(folder).free
                    if free < needed:
                        raise _no_room(errno.ENOSPC, folder, f"{needed:,}", free)
                    for name in parts:
                        files[name] = stack.enter_context(GrowingNpy(Path(folder, f"{name}.npy")))
                for name, file in files.items():
                    written += parts[name].nbytes
                    file.append(parts[name])
    except OSError as error:
        if isinstance(error, FileError) or error.errno not in _FULL:
            raise
        words = f"{needed:,}" if needed else f"at least {written:,}"
        raise _no_room(error.errno, folder, words, shutil.disk_usage(folder).free) from error
    return _Copy(names, tuple(files), common) if files else None


def _parts(block: Block) -> dict[str, Array]:
    """Return the parts of a block that have an entry for each of its rows."""
    parts = {"x": block.x, "weights": block.weights, "errors": block.errors}
    return {
        name: part for name, part in parts.items() if part is not None and len(part) == len(block.x)
    }


def _no_room(number: int, folder: str, needed: str, free: int) -> FileError:
    place = os.path.dirname(folder)
    return FileError(
        number,
        f"There is no room in {place!r} for a copy of the rows: {needed} bytes are needed, and "
        f"{free:,} are free. Free some space, raise the limit on the size of files, or name a "
        "folder on another disk.",
        place,
    )


def _opened(copy: _Copy, folder: str, sample_weight: Any, error_covariances: Any) -> NpyRows:
    """Return the rows of a copy, with what was copied along, or is given."""
    files = {name: npy_file(Path(folder, f"{name}.npy")) for name in copy.files}
    n, d = files["x"].shape
    errors = files.get("errors")
    if errors is not None:
        matrices = errors.shape[1] != d
        error_covariances = errors._replace(shape=(n, d, d)) if matrices else errors
    elif copy.common_errors is not None:
        error_covariances = unpacked(copy.common_errors, d)
    return npy_rows(
        files["x"].path,
        sample_weight=files.get("weights", sample_weight),
        error_covariances=error_covariances,
        feature_names=copy.names,
    )


def _rows_alone(rows: NpyRows) -> NpyRows:
    return rows


def _remove_folder(folder: str, process: int) -> None:
    """Remove a folder in the process that made it, and not in one that was forked from it."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)


def _blocks_of_source(source: RowSource) -> Iterator[NamedBlock]:
    for block in blocks_in_order(source, _BLOCK_ROWS):
        yield source.feature_names, block
