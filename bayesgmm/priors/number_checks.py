"""Numbers of priors as plain values, checked."""

from collections.abc import Callable
from typing import Any

import numpy as np

from bayesgmm.errors import InvalidParameterError

type Vector = tuple[float, ...]
type Matrix = tuple[Vector, ...]


def frozen(value: Any) -> Any:
    """Numbers and arrays as floats and nested tuples of floats; any other value unchanged."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return frozen(value.item())
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(frozen(each) for each in value)
    if isinstance(value, np.number | int) and not isinstance(value, bool):
        return float(value)
    return value


def check_number(owner: Any, name: str, value: Any, least: float = -np.inf) -> None:
    """Refuse anything but finite numbers above `least`."""
    try:
        array = np.asarray(value, dtype=np.float64)
        sound = bool(array.size and np.isfinite(array).all() and (array > least).all())
    except (TypeError, ValueError):
        sound = False
    if not sound or isinstance(value, bool | str):
        raise InvalidParameterError(
            f"{type(owner).__name__}({name}=...) must be finite and greater than {least:g}, not "
            f"{value!r:.80}."
        )


def check_positive(owner: Any, name: str, value: Any) -> None:
    """Refuse anything but finite numbers above 0."""
    check_number(owner, name, value, 0.0)


def check_matrix(owner: Any, name: str, value: Any) -> None:
    """Refuse anything but a symmetric positive definite matrix, or one for each component."""
    try:
        matrix = np.asarray(value, dtype=np.float64)
        sound = matrix.ndim in (2, 3) and bool((matrix == matrix.mT).all())
        np.linalg.cholesky(matrix)
    except (TypeError, ValueError, np.linalg.LinAlgError):
        sound = False
    if not sound:
        raise InvalidParameterError(
            f"{type(owner).__name__}({name}=...) must be a symmetric positive definite matrix "
            f"(D, D), or one for each component (K, D, D), not {value!r:.120}."
        )


def freeze(
    owner: Any, hyperprior: type[Any] | None = None, **checks: Callable[[Any, str, Any], None]
) -> None:
    """Replace the fields named in `checks` by plain values, and check those that are numbers."""
    for name, check in checks.items():
        value = frozen(getattr(owner, name))
        object.__setattr__(owner, name, value)
        if value is not None and not (hyperprior and isinstance(value, hyperprior)):
            check(owner, name, value)


def vector(name: str, value: Any, *, positive: bool, rows: bool = False) -> Any:
    """Finite numbers as a tuple; with `rows`, maybe one for each component."""
    try:
        array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        array = np.empty(0)
    if not 1 <= array.ndim <= 1 + rows or not array.size or not np.isfinite(array).all():
        shapes = "(D,) or (K, D)" if rows else "(D,)"
        raise InvalidParameterError(f"{name} must be finite numbers {shapes}, not {value!r:.80}.")
    if positive and array.min() <= 0.0:
        raise InvalidParameterError(f"{name} must be greater than 0, not {value!r:.80}.")
    return frozen(array)


def vector_of(name: str, value: Any, size: int) -> Vector:
    """Numbers as a tuple of `size`; a single number is repeated."""
    array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if array.shape == (1,):
        array = np.repeat(array, size)
    if array.shape != (size,):
        raise misfit(name, array.shape, (size,))
    return tuple(array.tolist())


def vector_or_rows(name: str, value: Any, count: int, size: int) -> Any:
    """Numbers as a tuple of `size`, or as `count` of these; equal ones are kept once."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim < 2:
        return vector_of(name, array, size)
    if array.shape != (count, size):
        raise misfit(name, array.shape, (size,), count)
    return once(array)


def once(values: Any) -> Any:
    """The numbers of each component as plain values; those of one where all are equal."""
    array = np.asarray(values, dtype=np.float64)
    return frozen(array[0] if (array == array[0]).all() else array)


def misfit(
    name: str, found: tuple[int, ...], wanted: tuple[int, ...], count: int = 1
) -> InvalidParameterError:
    """The error for numbers of a shape that does not suit the data."""
    each = f", or {(count, *wanted)} for each component" if count > 1 else ""
    return InvalidParameterError(
        f"The priors' {name} has shape {found}, but the data need {wanted}{each}."
    )
