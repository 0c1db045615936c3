"""Validation of a mixture's parameters, with messages that name the component and the remedy."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Set

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import has_masked, rounded_integer, unwritable
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.gaussian_densities import equilibrate

_EPS = float(np.finfo(np.float64).eps)
# Weights that miss a sum of 1, and covariances that miss symmetry, by more than this are mistakes.
_SLACK = 1e-8


def as_floats(name: str, values: ArrayLike, *, allow_nan: bool = False) -> Array:
    """Copy ``values`` to float64; what is not an array of real numbers is an error.

    Text, times, complex numbers, truth values, ragged lists, masked entries and integers beyond
    2**53 are refused, and so are infinite numbers, and NaN unless they are allowed.
    """
    if has_masked(values):
        raise InvalidParameterError(
            f"{name} has masked entries. Give every entry a value: a mixture has none missing."
        )
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidParameterError(f"{name} is ragged: {error}") from error
    except Exception as error:  # Foreign containers fail in ways of their own.
        raise InvalidParameterError(f"{name} cannot be read as an array: {error}.") from error
    if array.dtype.kind not in "iuf":
        raise InvalidParameterError(
            f"{name} must be an array of real numbers, not of dtype {array.dtype}."
        )
    if _has_truth_values(values):
        raise InvalidParameterError(f"{name} must be real numbers, without truth values.")
    where = rounded_integer(values, array)
    if where is not None:
        raise InvalidParameterError(
            f"{name} has an integer beyond 2**53 at index {where}, which float64 cannot hold. "
            "Write it as a float, with a decimal point, if its last digits do not matter."
        )
    # Adding zero turns -0.0 into 0.0, so that equal mixtures have equal bytes.
    with np.errstate(over="ignore"):
        floats = np.array(array, dtype=np.float64, order="C") + 0.0
    bad = ~np.isfinite(floats) & ~(np.isnan(floats) & allow_nan)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise InvalidParameterError(
            f"{name} must be finite, but {name}[{', '.join(map(str, where))}] is {floats[where]}."
        )
    return floats


def _has_truth_values(values: object) -> bool:
    if isinstance(values, list | tuple):
        return any(_has_truth_values(each) for each in values)
    return isinstance(values, bool | np.bool) or (
        isinstance(values, np.ndarray) and values.dtype.kind == "b"
    )


def check_weights(values: ArrayLike) -> Array:
    """Weights (K,), at least 0, divided by their sum where that misses 1 by more than rounding."""
    weights = as_floats("weights", values)
    if weights.ndim != 1 or weights.size == 0:
        raise InvalidParameterError(
            f"weights must have shape (K,) with K >= 1, not {weights.shape}."
        )
    if (weights < 0).any():
        k = int(np.argmax(weights < 0))
        raise InvalidParameterError(
            f"weights must be at least 0, but component {k} has weight {weights[k]:.6g}."
        )
    total = math.fsum(weights)
    if abs(total - 1) > _SLACK:
        raise InvalidParameterError(
            f"weights must sum to 1, but they sum to {total:.10g}. Divide them by their sum."
        )
    # Within rounding they stay as they are, so that a mixture rebuilt from its own arrays is equal.
    return weights if abs(total - 1) <= len(weights) * _EPS else weights / total


def check_means(values: ArrayLike, n_components: int) -> Array:
    """Means as (K, D); for D = 1 also from (K,)."""
    means = as_floats("means", values)
    if means.ndim == 1:
        means = means[:, None]
    if means.ndim != 2 or len(means) != n_components or means.shape[1] == 0:
        raise InvalidParameterError(
            f"means must have shape (K, D) = ({n_components}, D) to match "
            f"{plural(n_components, 'weight')} (or (K,) for one feature), not {np.shape(values)}."
        )
    return means


def check_covariances(values: ArrayLike, n_components: int, n_features: int) -> Array:
    """Covariances as (K, D, D), symmetric to the last bit and positive definite.

    For D = 1 also variances (K,). Asymmetry below 1e-8 of the scale is averaged away.
    """
    covariances = as_floats("covariances", values)
    if n_features == 1 and covariances.shape == (n_components,):
        covariances = covariances[:, None, None]
    expected = (n_components, n_features, n_features)
    if covariances.shape != expected:
        raise InvalidParameterError(
            f"covariances must have shape (K, D, D) = {expected} to match the means"
            f"{' (or (K,))' if n_features == 1 else ''}, not {covariances.shape}."
        )
    variances = np.diagonal(covariances, axis1=1, axis2=2)
    if (variances <= 0).any():
        k, j = (int(i) for i in np.argwhere(variances <= 0)[0])
        raise InvalidParameterError(
            f"covariances must be positive definite, but component {k} has variance "
            f"{variances[k, j]:.6g} in feature {j}. Drop the component or give it a positive "
            "variance."
        )
    return _check_definite(_symmetric(covariances, np.sqrt(variances)))


def _symmetric(covariances: Array, deviations: Array) -> Array:
    transposed = np.swapaxes(covariances, 1, 2)
    if (covariances == transposed).all():
        return covariances
    with np.errstate(over="ignore"):
        gap = np.abs(covariances - transposed) / deviations[:, :, None] / deviations[:, None, :]
    if not gap.max() <= _SLACK:
        k, i, j = (int(index) for index in np.unravel_index(np.argmax(gap), gap.shape))
        raise InvalidParameterError(
            f"covariances must be symmetric, but component {k} has {covariances[k, i, j]:.6g} at "
            f"({i}, {j}) and {covariances[k, j, i]:.6g} at ({j}, {i}). Use (S + S.T) / 2."
        )
    return np.asarray(0.5 * covariances + 0.5 * transposed)


def _check_definite(covariances: Array) -> Array:
    """Reject matrices that Cholesky refuses, or whose last pivots are rounding alone."""
    _, scaled = equilibrate(covariances)
    try:
        pivots = np.diagonal(np.linalg.cholesky(scaled), axis1=1, axis2=2) ** 2
        singular = pivots.min(axis=1) <= scaled.shape[-1] * _EPS
    except np.linalg.LinAlgError:
        singular = np.array([_cholesky_fails(matrix) for matrix in scaled])
    if singular.any():
        k = int(np.argmax(singular))
        least, *_, most = np.linalg.eigvalsh(scaled[k]) if scaled.shape[-1] > 1 else (0.0, 1.0)
        raise InvalidParameterError(
            f"covariances must be positive definite, but component {k} is not: with its variances "
            f"scaled to about 1, its eigenvalues run from {least:.3g} to {most:.3g}. Drop a "
            "feature that depends on the others, or add a small positive value to the diagonal."
        )
    return covariances


def _cholesky_fails(matrix: Array) -> bool:
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return True
    return False


def check_names(names: Iterable[str] | None, size: int, noun: str) -> tuple[str, ...] | None:
    """Names of features or components as a tuple of different strings that files can hold."""
    if names is None:
        return None
    no_sequence = isinstance(names, str | bytes | Mapping | Set) or not isinstance(names, Iterable)
    if no_sequence or getattr(names, "ndim", 1) == 0:
        raise InvalidParameterError(
            f"{noun}_names must be a sequence of names, not {names!r:.200}."
        )
    result = tuple(names)
    if not all(isinstance(name, str) for name in result):
        raise InvalidParameterError(f"{noun}_names must be strings, not {result!r:.200}.")
    result = tuple(str(name) for name in result)
    if len(result) != size:
        raise InvalidParameterError(
            f"{noun}_names must have one name for each of the {plural(size, noun)}, "
            f"not {len(result)}."
        )
    if len(set(result)) < len(result):
        twice = next(name for name, count in Counter(result).items() if count > 1)
        raise InvalidParameterError(f"{noun}_names must differ, but {twice!r:.80} occurs twice.")
    j = unwritable(result)
    if j is not None:
        raise InvalidParameterError(
            f"The name of {noun} {j}, {result[j]!r:.80}, has a NUL character or half of a "
            "surrogate pair, which files of results cannot hold. Rename it."
        )
    return result
