"""Rows of an NPY file."""

from dataclasses import dataclass
from typing import Any

from bayesgmm.data.coercion import Names, to_floats
from bayesgmm.data.file_access import PathLike
from bayesgmm.data.table_files import check_npy
from bayesgmm.data.validation import check_feature_names
from bayesgmm.sources.column_choice import ColumnChoice, choose_columns
from bayesgmm.sources.companions import Companions, companions
from bayesgmm.sources.npy_file import NpyFile, npy_file
from bayesgmm.sources.row_source import Block, check_range


@dataclass(frozen=True, eq=False, init=False, repr=False)
class NpyRows:
    """Rows of an NPY file, of any type of real numbers, in C or Fortran order.

    Parameters
    ----------
    path : path
        A file of shape (n, D), or (n,) for one feature.
    columns : sequence of str or int, optional
        Names or positions of the features. None: all but that of the weights.
    sample_weight : array-like of shape (n,), str or int, optional
        Weights of the rows, or the name or position of their column.
    error_covariances : array-like, optional
        Measurement errors, as `bayesgmm.data.error_covariances` takes them.
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

    n_rows: int
    n_features: int
    feature_names: Names
    _file: NpyFile
    _choice: ColumnChoice
    _along: Companions

    def __init__(
        self,
        path: PathLike,
        *,
        columns: Any = None,
        sample_weight: Any = None,
        error_covariances: Any = None,
        feature_names: tuple[str, ...] | None = None,
    ) -> None:
        file = npy_file(path)
        if len(file.shape) == 1:
            file = file._replace(shape=(*file.shape, 1))
        check_npy(repr(str(path)), file.shape, file.dtype)
        n, width = file.shape
        by_column = isinstance(sample_weight, str | int)
        given = None if feature_names is None else check_feature_names(feature_names, width)
        choice = choose_columns(given, width, columns, sample_weight if by_column else None)
        d, names = len(choice.features), choice.feature_names
        weights = None if by_column else sample_weight
        along = companions(weights, error_covariances, n, d, names)
        values: dict[str, Any] = {"n_rows": n, "n_features": d, "feature_names": names}
        for name, value in {**values, "_file": file, "_choice": choice, "_along": along}.items():
            object.__setattr__(self, name, value)

    def read(self, start: int, stop: int) -> Block:
        """Return rows; see `RowSource.read`."""
        check_range(start, stop, self.n_rows)
        entries = self._file.read(start, stop)
        features, weight = self._choice.features, self._choice.weight
        weights = None
        if weight is not None:
            weights, _ = to_floats(entries[:, weight], "sample_weight", start)
        if features != tuple(range(entries.shape[1])):
            entries = entries[:, features]
        x, _ = to_floats(entries, "X", start)
        return self._along.block(x, start, weights)

    def describe(self) -> str:
        """Return the name of the file."""
        return repr(self._file.path)
