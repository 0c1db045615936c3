"""The check of measurement errors: a variance or a covariance of each row, or one of all rows."""

from typing import Any

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names, label, to_floats
from bayesgmm.errors import InputError

# Eigenvalues of a covariance below minus this share of the largest are negative beyond rounding.
_ROUNDING = 1e-10
_BLOCK = 2**16


def check_error_covariances(errors: Any, x: Array, names: Names = None) -> Array | None:
    """Return the errors of rows x (n, D) as the core takes them; None for None.

    Parameters
    ----------
    errors : array-like
        Variances (n, D) or covariances (n, D, D) of the rows, or one covariance of all rows, (D, D)
        or (1, D, D), or its variances, (1, D). Where n = D, (D, D) is one covariance of all rows.
        Entries of features that x has as NaN are not read.
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
        If the shape does not fit, an entry is not finite or negative where it is a variance, or a
        matrix is not symmetric and positive semi-definite; the message names row and column.
    """
    if errors is None:
        return None
    array, _ = to_floats(errors, "error_covariances")
    n, d = x.shape
    if array.shape == (d, d) and (d > 1 or n == 1):
        array = array[np.newaxis]
    shapes = {(n, d), (1, d), (n, d, d), (1, d, d)} | ({(n,)} if d == 1 else set())
    if array.shape not in shapes:
        raise InputError(
            f"error_covariances has the shape {array.shape}, but X has {n} rows of {d} columns. "
            f"Give variances ({n}, {d}), covariances ({n}, {d}, {d}), or one covariance of all "
            f"rows, ({d}, {d})."
        )
    array = array.reshape(len(array), *array.shape[1:] or (1,))
    unseen = np.isnan(x) if len(array) == n else np.zeros((1, d), dtype=bool)
    if unseen.any():
        absent = unseen if array.ndim == 2 else unseen[:, :, np.newaxis] | unseen[:, np.newaxis]
        array = np.where(absent, 0.0, array)
    _check_finite(array, names)
    variances = array if array.ndim == 2 else np.einsum("nii->ni", array)
    if (variances < 0.0).any():
        row, j = (int(each[0]) for each in np.nonzero(variances < 0.0))
        raise InputError(
            f"error_covariances has the variance {variances[row, j]:.6g} in row {row}, "
            f"{label(names, j)}: variances are at least 0. Give squared standard errors."
        )
    if array.ndim == 3:
        _check_matrices(array)
    return np.ascontiguousarray(array.reshape(len(array), -1))


def unpacked(errors: Array, n_features: int) -> Array:
    """Checked errors as variances (m, D) or covariances (m, D, D)."""
    if errors.shape[1] == n_features:
        return errors
    return errors.reshape(-1, n_features, n_features)


def _check_finite(array: Array, names: Names) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        row, j = (int(each[0]) for each in np.nonzero(bad)[:2])
        raise InputError(
            f"error_covariances has {array[bad][0]} in row {row}, {label(names, j)}. Where X was "
            "not seen, write NaN in X itself."
        )


def _check_matrices(array: Array) -> None:
    """Refuse matrices (n, D, D) that are not symmetric, or not positive semi-definite."""
    for start in range(0, len(array), _BLOCK):
        block = array[start : start + _BLOCK]
        size = np.abs(block).max(axis=(1, 2))
        skew = np.abs(block - block.mT).max(axis=(1, 2)) > 1e-8 * size
        if skew.any():
            row = start + int(skew.argmax())
            raise InputError(f"error_covariances is not symmetric in row {row}.")
        # In units of the standard errors, which may differ by many powers of ten.
        unit = np.sqrt(np.einsum("nii->ni", block))
        unit[unit == 0.0] = 1.0
        least = np.linalg.eigvalsh(block / unit[:, :, np.newaxis] / unit[:, np.newaxis])[:, 0]
        if (least < -_ROUNDING * block.shape[1]).any():
            row = start + int(least.argmin())
            raise InputError(
                f"error_covariances is not positive semi-definite in row {row}: its correlations "
                f"have the eigenvalue {least.min():.3g}."
            )
