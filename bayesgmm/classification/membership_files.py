"""Memberships of all rows of a source in a file that memory need not hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import check_kind
from bayesgmm.classification.membership_columns import Model, membership_columns
from bayesgmm.data.coercion import Names, column_names, unique_names
from bayesgmm.data.file_access import PathLike, as_path, written_in_parts
from bayesgmm.display import plural
from bayesgmm.em.streamed_fit import BLOCK_ROWS
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.executors.chosen_executor import as_executor
from bayesgmm.executors.executor import Executor
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.sources.npy_file import GrowingNpy
from bayesgmm.sources.row_source import Block, RowSource

type Columns = dict[str, NDArray[Any]]

_SUFFIXES = (".parquet", ".npy")


@dataclass(frozen=True, slots=True)
class _BlockColumns:
    """From a block to the columns of the file that is written."""

    model: Model
    feature_names: tuple[str, ...] | None

    def __call__(self, block: Block) -> Columns:
        found = membership_columns(self.model, block.data)
        if self.feature_names is None:
            return {name: each for name, each in found.items() if name.startswith("probability_")}
        names = unique_names([*self.feature_names, *found]) or ()
        return dict(zip(names, [*block.x.T, *found.values()], strict=True))


def write_memberships(
    model: Model,
    rows: RowSource,
    path: PathLike,
    *,
    executor: Executor | None = None,
    force: bool = False,
) -> None:
    """Write the component of each row and its probabilities to a file, a block at a time.

    Parameters
    ----------
    model : Mixture, fitted GaussianMixture or GaussianMixtureClassifier
    rows : what `open_rows` returns
        With the columns of the model.
    path : path
        Ends in .parquet: the columns of the rows, followed by component (or class), probability,
        and probability_k of each component k; with noise or outliers, their probability last, and
        component -1 for noise. Ends in .npy: the probabilities alone, (n, K). The file appears
        whole, or not at all.
    executor : Executor, optional
        None: the active Dask client, or as many threads as there are processors.
    force : bool
        Replace an existing file.

    Raises
    ------
    InputError
        If the rows have other columns than the model, or cannot be read.
    InvalidParameterError
        If an argument is of another kind, or the path ends in something else.
    FileError
        If the file cannot be written, or exists already.
    ExecutorError
        If the workers are lost.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import GaussianMixture, load_dataset, open_rows, write_memberships
    >>> rows = open_rows(load_dataset("faithful").X)
    >>> fit = GaussianMixture(2, random_state=0).fit(rows)
    >>> write_memberships(fit, rows, "memberships.npy", force=True)
    >>> np.load("memberships.npy").shape
    (272, 2)
    """
    mixture = fitted_mixture("model", model, with_outliers=True)
    check_kind("rows", rows, RowSource, "what open_rows returns")
    suffix = suffix_of(path)
    _check_columns(mixture, rows)
    names = column_names(rows.feature_names, rows.n_features) if suffix == ".parquet" else None
    of_block = _BlockColumns(model, None if names is None else tuple(names))
    write = _write_npy if names is None else _write_parquet
    with (
        written_in_parts(path, force=force) as file,
        as_executor(executor).open(rows, BLOCK_ROWS) as opened,
    ):
        write(file, opened.each(of_block))


def suffix_of(path: PathLike) -> str:
    """Return what the name of a file of memberships ends in, .parquet or .npy."""
    suffix = as_path(path).suffix.lower()
    if suffix not in _SUFFIXES:
        raise InvalidParameterError(
            f"A file of memberships must end in {' or '.join(_SUFFIXES)}, unlike {str(path)!r}."
        )
    return suffix


def _check_columns(mixture: Mixture, rows: RowSource) -> None:
    names: Names = mixture.feature_names
    if rows.n_features != mixture.n_features or (
        names is not None and rows.feature_names not in (None, names)
    ):
        found = _columns(rows.feature_names, rows.n_features)
        raise InputError(
            f"The model has {_columns(names, mixture.n_features)}, but {rows.describe()} has "
            f"{found}. Choose the columns of the model with open_rows(..., columns=)."
        )


def _columns(names: Names, n: int) -> str:
    return (
        plural(n, "column") if names is None else f"the columns {', '.join(map(repr, names)):.1000}"
    )


def _write_npy(path: Path, blocks: Iterator[Columns]) -> None:
    with GrowingNpy(path) as file:
        for columns in blocks:
            file.append(np.column_stack([*columns.values()]))


def _write_parquet(path: Path, blocks: Iterator[Columns]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer: Any = None
    try:
        for columns in blocks:
            batch = pa.table(columns)
            if writer is None:
                writer = pq.ParquetWriter(path, batch.schema)
            writer.write_table(batch)
    finally:
        if writer is not None:
            writer.close()
