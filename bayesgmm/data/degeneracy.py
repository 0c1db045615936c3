"""Degenerate data: too few distinct rows, and constant or linearly dependent columns."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.linalg import qr, solve_triangular

from bayesgmm.arrays import Array, Booleans
from bayesgmm.data.coercion import Names, label
from bayesgmm.display import plural
from bayesgmm.errors import InputError

_EPS = float(np.finfo(np.float64).eps)
_BLOCK = 2**16
# Ranges of a column beyond which its variance does not fit into float64.
_LEAST_SPREAD, _LARGEST_SPREAD = 1e-160, 1e153


def check_enough_rows(X: Array, n_components: int) -> None:
    """Raise InputError unless X (n, D) has at least ``n_components`` distinct rows.

    Rows are read only until enough distinct ones are found.
    """
    n = len(X)
    if n_components > n:
        raise InputError(
            f"X has {plural(n, 'row')} (n_samples={n}) but n_components={n_components}. "
            f"Use at most {plural(n, 'component')}."
        )
    rows: set[bytes] = set()
    step = max(2 * n_components, 16)
    start = 0
    while start < n and len(rows) < n_components:
        # Adding zero makes -0.0 equal to 0.0 in bytes.
        block = X[start : start + step] + 0.0
        rows.update(map(bytes, block))
        start += step
        step = min(4 * step, max(_BLOCK // X.shape[1], 1))
    if len(rows) < n_components:
        count = len(rows)
        raise InputError(
            f"X has {plural(count, 'distinct row')} but n_components={n_components}. "
            f"Use at most {plural(count, 'component')}."
        )


def check_spread(X: Array, names: Names = None, *, some: bool = True) -> tuple[Array, Array]:
    """Raise InputError if a column is constant up to rounding, or its variance is beyond float64.

    Parameters
    ----------
    X : (n, D)
        NaN are ignored, also in a whole column.
    names : tuple of str, optional
        Names of the columns in messages.
    some : bool
        Refuse constant columns. False where a constant is added to the variances.

    Returns
    -------
    least, largest : (D,)
        Extremes of the columns.
    """
    least = largest = np.full(X.shape[1], np.nan)
    for block in _columns(X):
        least = np.fmin(least, np.fmin.reduce(block, axis=1))
        largest = np.fmax(largest, np.fmax.reduce(block, axis=1))
    spread = 0.5 * largest - 0.5 * least
    rounding = 2 * _EPS * np.maximum(np.abs(least), np.abs(largest))
    low = np.maximum(rounding, 0.5 * _LEAST_SPREAD) if some else -1.0
    unseen = np.isnan(spread)
    if not (unseen | ((low < spread) & (spread <= 0.5 * _LARGEST_SPREAD))).all():
        raise _bad_spread(X, least, largest, (spread <= rounding) & some, names)
    return least, largest


def check_full_rank(X: Array, names: Names = None) -> None:
    """Raise InputError if a column is constant or depends linearly on others, up to rounding.

    Dependence means that the residual of a column on the others, by QR of the centred and scaled
    columns, is at most 8 D ε of the columns' magnitude (offset included) in the root mean square.
    A cheaper test comes first: the smallest eigenvalue of the covariance matrix is far from 0.

    Parameters
    ----------
    X : (n, D)
        With NaN, only constant columns are detected.
    names : tuple of str, optional
        Names of the columns in messages.
    """
    least, largest = check_spread(X, names)
    n, d = X.shape
    if n <= d:
        raise InputError(
            f"X has rank at most {n - 1} after centring, with {plural(d, 'column')} and "
            f"n_samples={n}. Use "
            f"at least {plural(d + 1, 'row')}, fewer columns, or a diagonal covariance."
        )
    if d == 1:
        return
    middle = 0.5 * (least + largest)
    _, exponent = np.frexp(largest - least)
    unit = np.ldexp(1.0, -exponent)
    magnitude = np.maximum(np.abs(least), np.abs(largest)) * unit
    tolerance = 8 * d * _EPS * (1 + float(magnitude.max()))
    if not _clearly_independent(X, middle, unit, tolerance):
        _check_dependence(X, middle, unit, tolerance, names)


def _columns(X: Array) -> Iterator[Array]:
    """Yield transposed blocks (D, b), since NumPy reduces long rows faster than short ones."""
    step = max(_BLOCK // X.shape[1], X.shape[1])
    return (X[start : start + step].T.copy() for start in range(0, len(X), step))


def _bad_spread(
    X: Array, least: Array, largest: Array, constant: Booleans, names: Names
) -> InputError:
    n, d = X.shape
    if constant.any():
        columns = ", ".join(label(names, int(j)) for j in np.flatnonzero(constant)[:8])
        count = int(constant.sum())
        return InputError(
            f"X has rank {min(d - count, n - 1)} after centring, with {plural(d, 'column')} and "
            f"n_samples={n}: {columns} {'is' if count == 1 else 'are'} constant up to rounding (at "
            f"{least[np.argmax(constant)]:.6g}). Drop constant columns."
        )
    spread = 0.5 * largest - 0.5 * least
    odd = spread > 0.5 * _LARGEST_SPREAD
    j = int(np.argmax(odd if odd.any() else spread <= 0.5 * _LEAST_SPREAD))
    extreme = largest[j] if abs(largest[j]) >= abs(least[j]) else least[j]
    return InputError(
        f"X runs from {least[j]:.6g} to {largest[j]:.6g} in {label(names, j)} (extreme: row "
        f"{np.argmax(X[:, j] == extreme)}), and its variance does not fit into float64. Rescale "
        "the column, or remove the outlier."
    )


def _clearly_independent(X: Array, middle: Array, unit: Array, tolerance: float) -> bool:
    cross: Any = 0.0
    total: Any = 0.0
    for block in _columns(X):
        Z = (block - middle[:, None]) * unit[:, None]
        cross = cross + Z @ Z.T
        total = total + np.add.reduce(Z, axis=1)
    # The columns lie in [-1, 1], so that subtracting the mean afterwards costs few digits.
    covariance = cross / len(X) - np.multiply.outer(total, total) / len(X) ** 2
    if math.isnan(covariance.sum()):
        return True
    # The residual variance of a column on the others is at least the least eigenvalue.
    return bool(np.linalg.eigvalsh(covariance)[0] > 1e-10 + 100 * X.shape[1] * tolerance**2)


def nearly_dependent(X: Array, names: Names = None) -> list[str]:
    """Sentences on columns that depend on others up to what float64 can hold of a covariance.

    The variance of such a column given the others is at most 8 D ε of its own, which the rounding
    of a covariance's factors may hide: full covariances are then singular, if not the rows.

    Parameters
    ----------
    X : (n, D)
        If not of full rank, or with NaN, nothing is found.
    names : tuple of str, optional
        Names of the columns in messages.
    """
    n, d = X.shape
    if d == 1 or n <= d or np.isnan(X).any():
        return []
    try:
        check_full_rank(X)
    except InputError:
        return []
    least, largest = X.min(axis=0), X.max(axis=0)
    R = _triangle(X, 0.5 * (least + largest), 1.0 / (largest - least))
    found = _relations(R / np.linalg.norm(R, axis=0), np.sqrt(8 * d * _EPS), names)
    return [
        f"In X {each} up to a billionth of the variance, so that full covariances are singular up "
        "to rounding. Drop one of the columns, or use a diagonal covariance."
        for each in found[:4]
    ]


def _triangle(X: Array, middle: Array, unit: Array) -> Array:
    """The triangular factor (D, D) of the centred and scaled columns."""
    d = X.shape[1]
    R = np.empty((0, d + 1))
    for block in _columns(X):
        Z = (block - middle[:, None]) * unit[:, None]
        # The column of ones absorbs the means.
        R = np.linalg.qr(np.vstack([R, np.vstack([np.ones(Z.shape[1]), Z]).T]), mode="r")
    return R[1:, 1:]


def _check_dependence(X: Array, middle: Array, unit: Array, tolerance: float, names: Names) -> None:
    n, d = X.shape
    found = _relations(_triangle(X, middle, unit) / np.sqrt(n), tolerance, names)
    if found:
        raise InputError(
            f"X has rank {d - len(found)} after centring, with {plural(d, 'column')}: "
            f"{'; '.join(found[:4])}. Drop one column of each relation, or use a diagonal "
            "covariance."
        )


def _relations(R: Array, tolerance: float, names: Names) -> list[str]:
    """Sentences on the columns whose residual on the others, by QR of R (D, D), is too small."""
    _, pivoted, order = qr(R, mode="economic", pivoting=True)
    rank = int((np.abs(pivoted.diagonal()) > tolerance).sum())
    if rank == len(order):
        return []
    coefficients = solve_triangular(pivoted[:rank, :rank], pivoted[:rank, rank:])
    sentences = []
    for column, weights in zip(order[rank:], coefficients.T, strict=True):
        involved = np.sort(order[:rank][np.abs(weights) > 1e-6 * np.abs(weights).max()])
        others = ", ".join(label(names, int(j)) for j in involved[:8])
        sentences.append(f"{label(names, int(column))} depends linearly on {others}")
    return sentences
