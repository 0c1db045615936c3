"""Weights and measurement errors that come along with the rows of a source."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names, to_floats
from bayesgmm.data.error_covariances import (
    check_error_columns,
    check_error_entries,
    error_shape,
    rounding_of,
    without_unseen,
)
from bayesgmm.data.validation import check_weight_shape
from bayesgmm.sources.column_choice import ColumnChoice
from bayesgmm.sources.npy_file import NpyFile
from bayesgmm.sources.row_source import Block

type Entries = NDArray[Any] | NpyFile


class Companions(NamedTuple):
    """What comes along with the rows, converted to float64 when it is read.

    Attributes
    ----------
    weights : (n,) array or file, optional
    errors : array or file of n entries, optional
        Variances or covariances of the rows' measurement errors.
    error_axes : tuple of int
        The axes of one entry of `errors`: (D,) or (D, D).
    common_errors : (1, D) or (1, D * D), optional
        Errors of all rows.
    """

    weights: Entries | None = None
    errors: Entries | None = None
    error_axes: tuple[int, ...] = ()
    common_errors: Array | None = None

    def block(self, x: Array, start: int, weights: Array | None = None) -> Block:
        """Return rows x (m, D), the first of which is row `start`, with what comes along.

        Parameters
        ----------
        x : (m, D)
        start : int
        weights : (m,), optional
            Weights that were read with the rows.
        """
        stop = start + len(x)
        if self.weights is not None:
            weights = _read(self.weights, start, stop, "sample_weight")
        errors = self.common_errors
        if self.errors is not None:
            each = _read(self.errors, start, stop, "error_covariances")
            each = without_unseen(each.reshape(len(x), *self.error_axes), x)
            errors = each.reshape(len(x), int(np.prod(self.error_axes)))
        return Block(x, weights, errors)


def companions(
    sample_weight: Any, error_covariances: Any, n: int, choice: ColumnChoice
) -> Companions:
    """Check the shapes of what comes along with n rows.

    Parameters
    ----------
    sample_weight : array-like of shape (n,), NpyFile, str or int, optional
        Arrays, and memory maps, are converted block by block. A str or int is a column, which is
        read with the rows.
    error_covariances : array-like, optional
        As `bayesgmm.data.error_covariances.check_error_covariances` takes it, or an `NpyFile` of
        variances or covariances of each row.
    n : int
    choice : ColumnChoice
        Of the features that are read.

    Raises
    ------
    InputTypeError, InputError
        If they are not numbers, or have other shapes. Of weights and errors of each row, the
        entries are not checked.
    """
    d, names = len(choice.features), choice.feature_names
    weights = None
    if sample_weight is not None and choice.weight is None:
        weights = sample_weight
        if not isinstance(weights, NpyFile):
            weights, _ = _entries(weights, "sample_weight")
        check_weight_shape(weights.shape, n)
    if error_covariances is None:
        return Companions(weights)
    if isinstance(error_covariances, NpyFile):
        return Companions(weights, error_covariances, error_covariances.shape[1:])
    errors, columns = _entries(error_covariances, "error_covariances")
    check_error_columns(columns, names)
    errors = errors.reshape(error_shape(errors.shape, n, d))
    if len(errors) == n:
        return Companions(weights, errors, errors.shape[1:])
    common, _ = to_floats(errors, "error_covariances")
    check_error_entries(common, names, one=True, rounding=rounding_of(errors.dtype))
    return Companions(weights, None, (), common.reshape(1, -1))


def _entries(values: Any, name: str) -> tuple[NDArray[Any], Names]:
    """Arrays of real numbers as they are, for conversion in parts; all else as float64."""
    plain = isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray)
    if plain and values.dtype.kind in "biuf":
        return values, None
    return to_floats(values, name)


def _read(entries: Entries, start: int, stop: int, name: str) -> Array:
    part = entries.read(start, stop) if isinstance(entries, NpyFile) else entries[start:stop]
    floats, _ = to_floats(part, name, start)
    return floats
