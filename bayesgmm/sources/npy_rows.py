"""Rows of an NPY file."""

from dataclasses import dataclass
from typing import Any

from bayesgmm.data.coercion import to_floats
from bayesgmm.data.file_access import PathLike
from bayesgmm.data.table_files import check_npy
from bayesgmm.data.validation import check_feature_names
from bayesgmm.sources.chosen_rows import ChosenRows
from bayesgmm.sources.column_choice import choose_columns
from bayesgmm.sources.companions import companions
from bayesgmm.sources.npy_file import NpyFile, npy_file
from bayesgmm.sources.row_source import Block, check_range


@dataclass(frozen=True, eq=False, repr=False)
class NpyRows(ChosenRows):
    """Rows of an NPY file.

    Attributes
    ----------
    name : str
        The file, in words.
    file : NpyFile
    """

    name: str
    file: NpyFile

    def read(self, start: int, stop: int) -> Block:
        """Return rows; see `RowSource.read`."""
        check_range(start, stop, self.n_rows)
        entries = self.file.read(start, stop)
        features, weight = self.choice.features, self.choice.weight
        weights = None
        if weight is not None:
            weights, _ = to_floats(entries[:, weight], "sample_weight", start)
        if features != tuple(range(entries.shape[1])):
            entries = entries[:, features]
        x, _ = to_floats(entries, "X", start)
        return self.along.block(x, start, weights)

    def describe(self) -> str:
        """Return the name of the file."""
        return self.name


def npy_rows(
    path: PathLike,
    *,
    columns: Any = None,
    sample_weight: Any = None,
    error_covariances: Any = None,
    feature_names: tuple[str, ...] | None = None,
) -> NpyRows:
    """Return the rows of an NPY file, of any type of real numbers, in C or Fortran order.

    Parameters
    ----------
    path : path
        A file of shape (n, D), or (n,) for one feature.
    columns, sample_weight, error_covariances
        As in `open_rows`.
    feature_names : sequence of different str, optional
        Names of all columns.

    Raises
    ------
    InputError
        If the file is damaged or does not hold rows of real numbers, or weights or errors do not
        fit.
    FileError
        If the file cannot be opened.
    """
    file, name = npy_file(path), repr(str(path))
    if len(file.shape) == 1:
        file = file._replace(shape=(*file.shape, 1))
    check_npy(name, file.shape, file.dtype)
    n, width = file.shape
    given = None if feature_names is None else check_feature_names(feature_names, width)
    choice = choose_columns(given, width, columns, sample_weight)
    along = companions(sample_weight, error_covariances, n, choice)
    return NpyRows(n, choice, along, name, file)
