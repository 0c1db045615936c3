"""Rows of a Parquet file, or of all Parquet files of a folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.coercion import to_floats, unique_names
from bayesgmm.data.file_access import PathLike, as_path, opened
from bayesgmm.data.table_files import no_rows, unreadable_parquet
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMError, InputError
from bayesgmm.sources.chosen_rows import ChosenRows
from bayesgmm.sources.column_choice import ColumnChoice, choose_columns
from bayesgmm.sources.companions import companions
from bayesgmm.sources.npy_file import changed, check_seekable
from bayesgmm.sources.refilling import all_blocks, one_block
from bayesgmm.sources.row_source import Block, check_range

_SUFFIXES = {".parquet", ".pq"}
# Rows that are decoded at a time.
_BATCH = 2**16
# Bytes of each column that are read at a time.
_BUFFER = 2**18


class _File(NamedTuple):
    """A Parquet file: what of it is read.

    Attributes
    ----------
    path : str
        Absolute.
    size : int
        In bytes.
    columns : tuple of (str, int)
        Names in the file, and which of several columns of that name it is.
    starts : (G + 1,) array
        Global numbers of the first rows of its G row groups, and of the row after the last.
    """

    path: str
    size: int
    columns: tuple[tuple[str, int], ...]
    starts: Integers


@dataclass(frozen=True, eq=False, repr=False)
class ParquetRows(ChosenRows):
    """Rows of Parquet files.

    Row groups that overlap the rows to read are decoded from their beginnings on, a part at a
    time. Blocks that are much smaller than row groups are better read with `blocks`, or from a
    copy that `spooled` makes.

    Attributes
    ----------
    name : str
        The file or folder, in words.
    files : tuple of _File
    """

    name: str
    files: tuple[_File, ...]

    def read(self, start: int, stop: int) -> Block:
        """Return rows; see `RowSource.read`."""
        check_range(start, stop, self.n_rows)
        return one_block(self._pieces(start, stop), start, stop, self.choice, self.along)

    def blocks(self, block_rows: int) -> Iterator[Block]:
        """Yield all blocks; each row group is decoded once. See `SequentialSource.blocks`."""
        return all_blocks(self._pieces(0, self.n_rows), block_rows, self.choice, self.along)

    def describe(self) -> str:
        """Return the name of the file, or that of the folder and the number of its files."""
        return self.name

    def _pieces(self, start: int, stop: int) -> Iterator[Array]:
        """Yield rows start, ..., stop - 1 in parts of at most `_BATCH` rows."""
        for file in self.files:
            if file.starts[0] < stop and start < file.starts[-1]:
                yield from _pieces_of_file(file, start, stop, self.choice.weight is not None)


def parquet_rows(
    path: PathLike, *, columns: Any = None, sample_weight: Any = None, error_covariances: Any = None
) -> ParquetRows:
    """Return the rows of a Parquet file, or of those of a folder in the order of their names.

    Parameters
    ----------
    path : path
        A file, or a folder whose files end in .parquet or .pq. Names that begin with a dot or an
        underscore are left out.
    columns, sample_weight, error_covariances
        As in `open_rows`.

    Raises
    ------
    InputTypeError
        If a column is not of numbers.
    InputError
        If a file is damaged, or lacks columns that another has; if there are no files, or no rows.
    FileError
        If a file cannot be opened.
    """
    paths = _paths(path)
    choice, files = _scanned(paths, columns, sample_weight)
    n = int(files[-1].starts[-1]) if files else 0
    name = repr(str(path))
    if not n:
        raise no_rows(name)
    along = companions(sample_weight, error_covariances, n, choice)
    if as_path(path).is_dir():
        name = f"{name} ({plural(len(paths), 'file')})"
    return ParquetRows(n, choice, along, name, tuple(files))


def _pieces_of_file(file: _File, start: int, stop: int, weighted: bool) -> Iterator[Array]:
    """Yield the rows start, ..., stop - 1 that a file has, by global numbers."""
    groups = [
        g for g, (first, end) in enumerate(pairwise(file.starts)) if first < stop and start < end
    ]
    position, end = int(file.starts[groups[0]]), int(file.starts[groups[-1] + 1])
    with _parquet_file(file.path, file.size) as parquet:
        names = list(dict.fromkeys(name for name, _ in file.columns))
        for batch in parquet.iter_batches(_BATCH, groups, columns=names, use_threads=False):
            first = max(start - position, 0)
            part = batch.slice(first, max(min(stop - position, len(batch)) - first, 0))
            if len(part):
                yield _floats(part, file.columns, position + first, weighted)
            position += len(batch)
            if position >= stop:
                return
    if position != end:
        raise changed(repr(file.path))


def _floats(
    batch: Any, columns: tuple[tuple[str, int], ...], first_row: int, weighted: bool
) -> Array:
    """Convert columns of a record batch, the last of which are weights."""
    import pyarrow

    names = batch.schema.names
    floats = np.empty((len(batch), len(columns)))
    for j, (name, which) in enumerate(columns):
        places = [place for place, each in enumerate(names) if each == name]
        column = batch.column(places[which])
        if pyarrow.types.is_floating(column.type):
            floats[:, j] = column.to_numpy(zero_copy_only=False)
        elif pyarrow.types.is_null(column.type):
            floats[:, j] = np.nan
        else:
            subject = "sample_weight" if weighted and j == len(columns) - 1 else "X"
            table = pyarrow.table([column], names=[name])
            floats[:, j] = to_floats(table, subject, first_row)[0][:, 0]
    return floats


@contextmanager
def _parquet_file(path: str, size: int | None = None) -> Iterator[Any]:
    """Open a Parquet file, of a known size if it is given; errors of its decoding are InputErrors.

    Without the buffer, all pages of a row group would be in memory.
    """
    import pyarrow.parquet

    with opened(path) as stream:
        if size is not None and os.fstat(stream.fileno()).st_size != size:
            raise changed(repr(path))
        try:
            with pyarrow.parquet.ParquetFile(
                stream, pre_buffer=False, buffer_size=_BUFFER
            ) as parquet:
                yield parquet
        except (BayesGMMError, MemoryError):
            raise
        except Exception as error:  # Damage shows as errors of many types, not pyarrow's alone.
            raise unreadable_parquet(repr(path), error) from error


def _paths(path: PathLike) -> list[str]:
    """Return the absolute paths of the files, in the order of their names."""
    given = as_path(path)
    check_seekable(given)
    if not given.is_dir():
        return [os.path.abspath(given)]
    found = sorted(
        each
        for each in given.iterdir()
        if each.suffix.lower() in _SUFFIXES and each.name[0] not in "._" and each.is_file()
    )
    if not found:
        raise InputError(
            f"The folder {str(given)!r} has no files that end in .parquet or .pq. Name the folder "
            "that holds them; folders within it are not searched."
        )
    return [os.path.abspath(each) for each in found]


def _scanned(
    paths: list[str], columns: Any, sample_weight: Any
) -> tuple[ColumnChoice, list[_File]]:
    """Read the heads of files, and find the columns in each."""
    choice: ColumnChoice | None = None
    known: dict[str, None] = {}  # names of the first file's columns
    files: list[_File] = []
    n, model = 0, ""
    for path in paths:
        with _parquet_file(path) as parquet:
            metadata, schema = parquet.metadata, parquet.schema_arrow
            sizes = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
        names = unique_names(schema.names) or ()
        if not sum(sizes):
            continue
        if choice is None:
            choice = choose_columns(names, len(names), columns, sample_weight)
            known, model = dict.fromkeys(names), path
        wanted = [list(known)[j] for j in choice.positions]
        if not set(wanted) <= set(names) or (columns is None and set(known) != set(names)):
            raise _different(path, names, model, tuple(known))
        places = [names.index(each) for each in wanted]
        found = tuple((schema.names[p], schema.names[:p].count(schema.names[p])) for p in places)
        empty = schema.empty_table().to_batches() or [_no_batch(schema)]
        _floats(empty[0], found, 0, choice.weight is not None)  # types that are not numbers
        starts = n + np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        n = int(starts[-1])
        files.append(_File(path, Path(path).stat().st_size, found, starts))
    return choice or ColumnChoice((), None, None), files


def _no_batch(schema: Any) -> Any:
    import pyarrow

    return pyarrow.record_batch([pyarrow.array([], each.type) for each in schema], schema=schema)


def _different(path: str, names: tuple[str, ...], model: str, known: tuple[str, ...]) -> InputError:
    return InputError(
        f"{path!r} has the columns {list(names)!r:.300}, but {model!r} has {list(known)!r:.300}. "
        "Name columns that all files have, or leave one of them out of the folder."
    )
