"""The source of rows for whatever holds rows."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from bayesgmm.arguments import shown
from bayesgmm.data.coercion import is_frame
from bayesgmm.data.csv_files import Form
from bayesgmm.data.file_access import PathLike, as_path, opened
from bayesgmm.data.table_files import MAGIC, file_kind
from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.sources.array_rows import array_rows, takes_slices
from bayesgmm.sources.dask_rows import dask_rows, is_dask
from bayesgmm.sources.npy_rows import npy_rows
from bayesgmm.sources.parquet_rows import parquet_rows
from bayesgmm.sources.row_source import RowSource
from bayesgmm.sources.spooling import refuse_more, spooled


def open_rows(
    source: Any, *, columns: Any = None, sample_weight: Any = None, error_covariances: Any = None
) -> RowSource:
    """Return the source of rows for a file, an array, a collection or a stream.

    Parameters
    ----------
    source : path, array-like, data frame, Dask collection, iterable or RowSource
        An NPY or Parquet file, or a folder of Parquet files; a CSV, which is copied to a temporary
        file, as `spooled` does ("-" is standard input); an array, data frame or memory map; a
        dask.array or dask.dataframe; an iterable of arrays or data frames, which is copied too.
    columns : sequence of str or int, optional
        Names or positions of the features. None: all but that of the weights.
    sample_weight : array-like of shape (n,), str or int, optional
        Weights of the rows, or the name or position of their column.
    error_covariances : array-like, optional
        Measurement errors: variances (n, D) or covariances (n, D, D) of the rows, or one covariance
        of all rows, (D, D).

    Raises
    ------
    InputTypeError
        If `source` is something else, or has columns that are not of numbers.
    InputError
        If it has no rows, or what it has cannot be read.
    FileError
        If a file cannot be opened.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset, open_rows
    >>> rows = open_rows(load_dataset("faithful").frame)
    >>> rows.n_rows, rows.n_features
    (272, 2)
    >>> GaussianMixture(2, random_state=0).fit(rows).weights_.round(3)
    array([0.356, 0.644])
    """
    more = {
        "columns": columns,
        "sample_weight": sample_weight,
        "error_covariances": error_covariances,
    }
    if isinstance(source, str | os.PathLike):
        return open_path(source, **more)
    if isinstance(source, RowSource):
        refuse_more(columns, sample_weight, error_covariances)
        return source
    if is_dask(source):
        return dask_rows(source, **more)
    sparse = hasattr(source, "tocsr") or hasattr(source, "todense")
    if sparse or is_frame(source) or takes_slices(source) or _is_table(source):
        return array_rows(source, **more)
    if isinstance(source, Iterable) and not isinstance(source, bytes | Mapping | set | frozenset):
        return spooled(source, **more)
    raise InputTypeError(
        f"Rows cannot be read from {shown(source)}. Give a path, an array, a data frame, a Dask "
        "array or data frame, or an iterable of arrays or data frames."
    )


def open_path(path: PathLike, form: Form | None = None, **more: Any) -> RowSource:
    """Return the source of rows for a file or folder; `form` is that of a CSV.

    Further arguments, and errors, are those of `open_rows`.
    """
    given = as_path(path)
    if str(path) == "-" or (given.exists() and not given.is_file() and not given.is_dir()):
        return spooled(path, form=form, **more)
    kind = "parquet"
    if not given.is_dir():
        with opened(given) as file:
            kind = file_kind(given, file.read(MAGIC))
    if kind == "csv":
        return spooled(path, form=form, **more)
    if form is not None and form.notation.missing:
        raise InputError(
            f"Marks of missing values are for text, and {str(path)!r} has numbers. Write its "
            "missing entries as NaN or null."
        )
    if kind == "npy":
        return npy_rows(path, **more)
    return parquet_rows(path, **more)


def _is_table(source: Any) -> bool:
    """Return whether a list holds rows, and not arrays or frames of several rows."""
    if not isinstance(source, list | tuple):
        return False
    first = source[0] if source else None
    return not (is_frame(first) or len(getattr(first, "shape", ())) > 1)
