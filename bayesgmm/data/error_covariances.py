"""The check of measurement errors: a variance or a covariance of each row, or one of all rows."""

from typing import Any

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
    if columns and names and columns != names and set(columns) == set(names):
        raise InputError(
            f"error_covariances has the columns {list(columns)!r:.200}, but X has "
            f"{list(names)!r:.200}. Give them in one order."
        )
    if array.shape == (d, d) and (d > 1 or n == 1):
        array = array[np.newaxis]
    shapes = {(n, d), (1, d), (n, d, d), (1, d, d)} | ({(n,)} if d == 1 else set())
    if array.shape not in shapes:
        raise InputError(
            f"error_covariances has the shape {array.shape}, but X has {plural(n, 'row')} of "
            f"{plural(d, 'column')}. "
            f"Give variances ({n}, {d}), covariances ({n}, {d}, {d}), or one covariance of all "
            f"rows, ({d}, {d})."
        )
    array = array.reshape(len(array), *array.shape[1:] or (1,))
    unseen = np.isnan(x) if len(array) == n else np.zeros((1, d), dtype=bool)
    if unseen.any():
        absent = unseen if array.ndim == 2 else unseen[:, :, np.newaxis] | unseen[:, np.newaxis]
        array = np.where(absent, 0.0, array)
    one = len(array) < n
    _check_finite(array, names, one)
    variances = array if array.ndim == 2 else np.einsum("nii->ni", array)
    if (variances < 0.0).any():
        row, j = (int(each[0]) for each in np.nonzero(variances < 0.0))
        raise InputError(
            f"error_covariances has the variance {variances[row, j]:.6g} in {_place(row, one)}, "
            f"{label(names, j)}: variances are at least 0. Give squared standard errors."
        )
    if array.ndim == 3:
        _check_matrices(array, names, one, _rounding(errors), _AMBIGUOUS if one and n == d else "")
    return np.ascontiguousarray(array.reshape(len(array), -1))


def unpacked(errors: Array, n_features: int) -> Array:
    """Checked errors as variances (m, D) or covariances (m, D, D)."""
    if errors.shape[1] == n_features:
        return errors
    return errors.reshape(-1, n_features, n_features)


def _rounding(errors: Any) -> float:
    """Rounding of the correlations of matrices in the precision in which they are given."""
    dtype = getattr(errors, "dtype", None)
    single = isinstance(dtype, np.dtype) and dtype.kind == "f"
    return max(_ROUNDING, _ROUNDINGS * float(np.finfo(dtype).eps)) if single else _ROUNDING


def _place(row: int, one: bool) -> str:
    return "the covariance of all rows" if one else f"row {row}"


def _check_finite(array: Array, names: Names, one: bool) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        row, j = (int(each[0]) for each in np.nonzero(bad)[:2])
        value = "NaN" if np.isnan(array[bad][0]) else "an infinite entry"
        raise InputError(
            f"error_covariances has {value} in {_place(row, one)}, {label(names, j)}. Where X was "
            "not seen, write NaN in X itself."
        )


def _check_matrices(array: Array, names: Names, one: bool, rounding: float, advice: str) -> None:
    """Refuse matrices (n, D, D) that are not symmetric, or not positive semi-definite."""
    rounding *= array.shape[1]
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
                f"error_covariances is not symmetric in {_place(start + row, one)}: "
                f"{block[row, i, j]:.6g} in {label(names, i)} and {label(names, j)}, but "
                f"{block[row, j, i]:.6g} the other way round.{advice}"
            )
        least = np.linalg.eigvalsh(scaled)[:, 0]
        if (least < -rounding).any():
            row = int(least.argmin())
            i, j = _worst_pair(scaled[row])
            raise InputError(
                "error_covariances is not positive semi-definite in "
                f"{_place(start + row, one)}: its correlations have the eigenvalue "
                f"{least[row]:.3g} (largest: {scaled[row, i, j]:.3g}, {label(names, i)} and "
                f"{label(names, j)}).{advice}"
            )


def _worst_pair(correlations: Array) -> tuple[int, int]:
    """The pair of features with the largest correlation."""
    apart = np.abs(correlations - np.diag(np.diagonal(correlations)))
    i, j = np.unravel_index(apart.argmax(), apart.shape)
    return int(i), int(j)
