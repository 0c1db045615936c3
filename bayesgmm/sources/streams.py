"""Blocks of rows that can be read once: of a CSV, and of an iterable of chunks."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from bayesgmm.arguments import shown
from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names, integers_too_large, is_frame, label, to_floats
from bayesgmm.data.csv_files import Form, csv_pieces
from bayesgmm.data.file_access import PathLike
from bayesgmm.data.table_files import MAGIC, file_kind, open_binary, text_stream
from bayesgmm.data.tables import Table, Text
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.sources.array_rows import frame_names, part_of
from bayesgmm.sources.column_choice import ColumnChoice, choose_columns
from bayesgmm.sources.row_source import Block

type NamedBlock = tuple[Names, Block]


def blocks_of_csv(
    path: PathLike, columns: Any, sample_weight: Any, form: Form
) -> Iterator[NamedBlock]:
    """Yield the rows of a CSV, some thousand at a time.

    Raises
    ------
    InputTypeError
        If a column has text.
    InputError
        If the file is not a CSV, or has lines of different lengths, or no rows.
    FileError
        If it cannot be opened.
    """
    with open_binary(path) as (name, file):
        magic = file.read(MAGIC)
        if file_kind(path, magic) != "csv":
            raise InputError(
                f"{name} is not a CSV, and other files cannot be read as streams. Save it as a "
                "file, and name that."
            )
        choice: ColumnChoice | None = None
        start = 0
        with text_stream(magic, file) as lines:
            for table in csv_pieces(lines, name, form):
                if choice is None:
                    choice = choose_columns(table.names, len(table.columns), columns, sample_weight)
                x = np.column_stack([_numbers(table, j, start) for j in choice.features])
                weight = choice.weight
                weights = None if weight is None else _numbers(table, weight, start)
                yield choice.feature_names, Block(x, weights)
                start += len(x)


def blocks_of_chunks(chunks: Any, columns: Any, sample_weight: Any) -> Iterator[NamedBlock]:
    """Yield the rows of arrays or data frames that come one after another.

    Raises
    ------
    InputTypeError
        If this is not an iterable of arrays or frames, or an entry is not a number.
    InputError
        If the columns of chunks differ.
    """
    choice: ColumnChoice | None = None
    known: tuple[Names, int] = None, 0
    start = 0
    for number, chunk in enumerate(_members(chunks)):
        values = chunk if is_frame(chunk) or hasattr(chunk, "shape") else to_floats(chunk, "X")[0]
        if len(values.shape) != 2:
            raise InputError(
                f"Chunk {number} of the stream has the shape {tuple(values.shape)}. Give chunks "
                "of rows and columns: arrays of shape (m, D), or data frames."
            )
        if not len(values):
            continue
        found = frame_names(values), int(values.shape[1])
        if choice is None:
            known, choice = found, choose_columns(*found, columns, sample_weight)
        elif found != known:
            raise InputError(
                f"Chunk {number} of the stream has {_columns(*found)}, but those before it have "
                f"{_columns(*known)}. All chunks must have the same columns in the same order."
            )
        x = to_floats(part_of(values, 0, len(values), choice.features), "X", start)[0]
        weights = None
        if choice.weight is not None:
            column = part_of(values, 0, len(values), [choice.weight])
            weights = to_floats(column, "sample_weight", start)[0].ravel()
        yield choice.feature_names, Block(x, weights)
        start += len(x)


def _members(chunks: Any) -> Iterable[Any]:
    if isinstance(chunks, Iterable) and not isinstance(chunks, str | bytes | Mapping):
        return chunks
    raise InputTypeError(
        f"Rows cannot be read from {shown(chunks)}. Give an iterable of arrays or data frames."
    )


def _columns(names: Names, width: int) -> str:
    return plural(width, "column") if names is None else f"the columns {list(names)!r:.300}"


def _numbers(table: Table, position: int, start: int) -> Array:
    """A column of a piece of a CSV whose first row is row `start` of the file."""
    column = table.columns[position]
    if not isinstance(column, Text):
        return column
    where, row = label(table.names, position), start + column.row
    if column.integer:
        raise integers_too_large(f"{where} (first: row {row})")
    raise InputTypeError(
        f"There is text in {where} (first: row {row}, {column.cells[column.row]!r:.80}). "
        "Convert it to numbers, or choose other columns."
    )
