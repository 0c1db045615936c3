"""The check of measurement errors: a variance or a covariance of each row, or one of all rows."""

from typing import Any, NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names, label, to_floats
from bayesgmm.display import plural
from bayesgmm.errors import InputError

# Rounding of correlations, at least, and in units of the precision of the array that is given.
_ROUNDING, _ROUNDINGS = 1e-10, 8.0
_AMBIGUOUS = (
    " As many rows as columns: (D, D) is one covariance of all rows. Give variances of each row as "
    "diagonal matrices (n, D, D)."
)
_BLOCK = 2**16


def check_error_covariances(errors: Any, x: Array, names: Names = None) -> Array | None:
    """Return the errors of rows x (n, D) as the core takes them; None for None.

    Parameters
    ----------
    errors : array-like
        Variances (n, D) or covariances (n, D, D) of the rows, or one covariance of all rows, (D, D)
        or (1, D, D), or its variances, (1, D). Where n = D, (D, D) is one covariance of all rows.
        Entries of features that x has as NaN are not read. A frame whose columns are named as those
        of x has them in the same order.
    x : ndarray of shape (n, D)
    names : tuple of str, optional
        Of the columns, for messages.

    Returns
    -------
    ndarray of shape (n, D), (n, D * D), (1, D) or (1, D * D)

    Raises
    ------
    InputTypeError
        If they are not numbers.
    InputError
        If shape or columns do not fit, an entry is not finite or negative where it is a variance,
        or a matrix is not symmetric and positive semi-definite; the message names row and column.
    """
    if errors is None:
        return None
    array, columns = to_floats(errors, "error_covariances")
    n, d = x.shape
    check_error_columns(columns, names)
    array = array.reshape(error_shape(array.shape, n, d))
    one = len(array) < n
    if len(array) == n:
        array = without_unseen(array, x)
    advice = _AMBIGUOUS if one and n == d else ""
    check_error_entries(
        array, names, one=one, rounding=rounding_of(getattr(errors, "dtype", None)), advice=advice
    )
    return np.ascontiguousarray(array.reshape(len(array), -1))


def check_error_columns(columns: Names, names: Names) -> None:
    """Raise InputError if a frame of errors has the columns of X in another order."""
    if columns and names and columns != names and set(columns) == set(names):
        raise InputError(
            f"error_covariances has the columns {list(columns)!r:.200}, but X has "
            f"{list(names)!r:.200}. Give them in one order."
        )


def error_shape(shape: tuple[int, ...], n: int, d: int) -> tuple[int, ...]:
    """Return a shape that the user gives for n rows of d columns with its axis of rows.

    Returns
    -------
    (n, D), (1, D), (n, D, D) or (1, D, D)

    Raises
    ------
    InputError
        For another shape.
    """
    if shape == (d, d) and (d > 1 or n == 1):
        return (1, d, d)
    if shape == (n,) and d == 1:
        return (n, 1)
    if shape not in {(n, d), (1, d), (n, d, d), (1, d, d)}:
        raise InputError(
            f"error_covariances has the shape {shape}, but X has {plural(n, 'row')} of "
            f"{plural(d, 'column')}. "
            f"Give variances ({n}, {d}), covariances ({n}, {d}, {d}), or one covariance of all "
            f"rows, ({d}, {d})."
        )
    return shape


def without_unseen(errors: Array, x: Array) -> Array:
    """Return errors (m, D) or (m, D, D) with 0 in place of those of entries that x has as NaN."""
    unseen = np.isnan(x)
    if not unseen.any():
        return errors
    absent = unseen if errors.ndim == 2 else unseen[:, :, np.newaxis] | unseen[:, np.newaxis]
    return np.where(absent, 0.0, errors)


def check_error_entries(
    errors: Array,
    names: Names,
    *,
    one: bool,
    rounding: float,
    advice: str = "",
    first_row: int = 0,
) -> None:
    """Check entries of error covariances of rows that begin with the row `first_row`.

    Parameters
    ----------
    errors : (m, D) or (m, D, D)
    names : tuple of str, optional
    one : bool
        The one row is that of all rows.
    rounding : float
        Of correlations, in units of 1; see `rounding_of`.
    advice : str
        Added to messages on matrices.
    first_row : int

    Raises
    ------
    InputError
        As `check_error_covariances` does.
    """
    place = _Place(names, one, first_row)
    _check_finite(errors, place)
    variances = errors if errors.ndim == 2 else np.einsum("nii->ni", errors)
    if (variances < 0.0).any():
        row, j = (int(each[0]) for each in np.nonzero(variances < 0.0))
        raise InputError(
            f"error_covariances has the variance {variances[row, j]:.6g} in {place.of(row)}, "
            f"{label(names, j)}: variances are at least 0. Give squared standard errors."
        )
    if errors.ndim == 3:
        _check_matrices(errors, place, rounding, advice)


def unpacked(errors: Array, n_features: int) -> Array:
    """Checked errors as variances (m, D) or covariances (m, D, D)."""
    if errors.shape[1] == n_features:
        return errors
    return errors.reshape(-1, n_features, n_features)


def rounding_of(dtype: Any) -> float:
    """Rounding of the correlations of matrices that are given as a type of numbers."""
    single = isinstance(dtype, np.dtype) and dtype.kind == "f"
    return max(_ROUNDING, _ROUNDINGS * float(np.finfo(dtype).eps)) if single else _ROUNDING


class _Place(NamedTuple):
    """Where the rows of a check are: names of columns, one covariance of all, the first row."""

    names: Names
    one: bool
    first_row: int

    def of(self, row: int) -> str:
        return "the covariance of all rows" if self.one else f"row {self.first_row + row}"


def _check_finite(array: Array, place: _Place) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        row, j = (int(each[0]) for each in np.nonzero(bad)[:2])
        value = "NaN" if np.isnan(array[bad][0]) else "an infinite entry"
        raise InputError(
            f"error_covariances has {value} in {place.of(row)}, {label(place.names, j)}. Where "
            "X was not seen, write NaN in X itself."
        )


def _check_matrices(array: Array, place: _Place, rounding: float, advice: str) -> None:
    """Refuse matrices (n, D, D) that are not symmetric, or not positive semi-definite."""
    rounding *= array.shape[1]
    names = place.names
    for start in range(0, len(array), _BLOCK):
        block = array[start : start + _BLOCK]
        # In units of the standard errors, which may differ by many powers of ten.
        unit = np.sqrt(np.einsum("nii->ni", block))
        unit[unit == 0.0] = 1.0
        scaled = block / unit[:, :, np.newaxis] / unit[:, np.newaxis]
        skew = np.abs(scaled - scaled.mT) > rounding
        if skew.any():
            row, i, j = (int(each[0]) for each in np.nonzero(skew))
            raise InputError(
                f"error_covariances is not symmetric in {place.of(start + row)}: "
                f"{block[row, i, j]:.6g} in {label(names, i)} and {label(names, j)}, but "
                f"{block[row, j, i]:.6g} the other way round.{advice}"
            )
        least = np.linalg.eigvalsh(scaled)[:, 0]
        if (least < -rounding).any():
            row = int(least.argmin())
            i, j = _worst_pair(scaled[row])
            raise InputError(
                "error_covariances is not positive semi-definite in "
                f"{place.of(start + row)}: its correlations have the eigenvalue "
                f"{least[row]:.3g} (largest: {scaled[row, i, j]:.3g}, {label(names, i)} and "
                f"{label(names, j)}).{advice}"
            )


def _worst_pair(correlations: Array) -> tuple[int, int]:
    """The pair of features with the largest correlation."""
    apart = np.abs(correlations - np.diag(np.diagonal(correlations)))
    i, j = np.unravel_index(apart.argmax(), apart.shape)
    return int(i), int(j)
