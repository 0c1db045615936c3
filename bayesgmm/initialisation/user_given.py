"""Starts given by name or as numbers, as scikit-learn makes them."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesgmm.arrays import Array, Booleans
from bayesgmm.covariance.structures import Structure
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.initialisation.starts import Start, from_responsibilities, without_rows
from bayesgmm.likelihood.scaling import Units
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.priors.objective import Objective

type Given = tuple[Array | None, Array | None, Array | None]


def given_parameters(settings: Any, d: int, structure: Structure, units: Units) -> Given:
    """weights_init, means_init and precisions_init, checked, in the fit's units."""
    k = settings.n_components
    weights = means = covariances = None
    if settings.weights_init is not None:
        weights = _numbers("weights", settings.weights_init, (k,))
        if weights.min() < 0.0 or weights.max() > 1.0:
            raise InvalidParameterError(
                "The parameter 'weights' should be in the range [0, 1], but got max value "
                f"{weights.min():.5f}, min value {weights.max():.5f}"
            )
        single = getattr(settings.weights_init, "dtype", None) == np.float32
        if abs(1.0 - weights.sum()) > (1e-6 if single else 1e-8):
            raise InvalidParameterError(
                "The parameter 'weights' should be normalized, but got sum(weights) = "
                f"{weights.sum():.5f}"
            )
    if settings.means_init is not None:
        means = (_numbers("means", settings.means_init, (k, d)) - units.shift) * units.scale
    if settings.precisions_init is not None:
        covariances = _covariances(settings.precisions_init, k, d, structure)
        zeros = np.zeros((k, d))
        covariances = units.from_user(Parameters(np.ones(k), zeros, covariances)).covariances
    return weights, means, covariances


def _covariances(value: Any, k: int, d: int, structure: Structure) -> Array:
    """Covariances of shape (K, D, D) or (K, D) from precisions in scikit-learn's shape."""
    example = np.ones((k, d)) if structure.diagonal else np.tile(np.eye(d), (k, 1, 1))
    kind = structure.name
    precisions = _numbers(f"{kind} precision", value, structure.compact(example).shape)
    if structure.diagonal:
        if precisions.min() <= 0.0:
            raise InvalidParameterError(f"'{kind} precision' should be positive")
        return structure.expand(1.0 / precisions, k, d)
    symmetric = np.abs(precisions - precisions.mT).max() <= 1e-8 * np.abs(precisions).max()
    if not symmetric or np.linalg.eigvalsh(precisions).min() <= 0.0:
        raise InvalidParameterError(f"'{kind} precision' should be symmetric, positive-definite")
    return structure.expand(np.linalg.inv(precisions), k, d)


def _numbers(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    array = as_floats(name, value)
    if array.shape != shape:
        raise InvalidParameterError(
            f"The parameter '{name}' should have the shape of {shape}, but got {array.shape}"
        )
    if not np.isfinite(array).all():
        raise InvalidParameterError(f"The parameter '{name}' has NaN or infinite entries: {array}")
    return array


def chosen_starts(
    settings: Any,
    x: Array,
    weights: Array | None,
    kept: Booleans | None,
    units: Units,
    objective: Objective,
    given: Given,
    rng: np.random.Generator,
) -> Iterator[Start]:
    """`n_init` starts by `init_params`, whose parts give way to what was given.

    `kept`: the mask of the user's rows in `x`, unless all are.
    """
    if all(each is not None for each in given):
        yield Start("given", Parameters(*given))  # type: ignore[arg-type]  # none is None
        return
    method = "kmeans" if settings.init_params is None else settings.init_params
    rows, k = units.to_fit(x), settings.n_components
    name = method if isinstance(method, str) else "callable" if callable(method) else "given groups"
    for _ in range(settings.n_init or 1):
        if isinstance(method, str):
            responsibilities = _responsibilities(method, rows, weights, k, rng)
        elif callable(method):
            seed = np.random.RandomState(int(rng.integers(2**31 - 1)))
            responsibilities = grouped(method(x, k, random_state=seed), len(x), k)
        else:
            n = len(x) if kept is None else len(kept)
            responsibilities = grouped(method, n, k)
            if kept is not None:
                responsibilities = responsibilities[:, kept]
        if weights is not None:
            responsibilities = responsibilities * weights
        made = from_responsibilities(rows, responsibilities, objective)
        if made is None or not np.isfinite(made.means).all():
            made = without_rows(rows, k, objective)
        else:
            made = _with_spread(made, rows, objective)
        parts = [part if part is not None else own for part, own in zip(given, made, strict=True)]
        yield Start(name, Parameters(*parts))


def grouped(value: Any, n: int, k: int) -> Array:
    """Responsibilities (K, n) from labels (n,), of any kind, or from responsibilities (n, K).

    Raises
    ------
    InvalidParameterError
        If they are not of n rows and K components, or responsibilities do not sum to 1.
    """
    array = np.asarray(value)
    if array.shape == (n,) and array.dtype.kind in "iubUSOf":
        groups, codes = np.unique(array, return_inverse=True)
        if len(groups) != k:
            raise InvalidParameterError(
                f"init_params holds labels of {plural(len(groups), 'group')}, but "
                f"n_components={k}. Give one group for each component."
            )
        return np.asarray(codes == np.arange(k)[:, np.newaxis], dtype=np.float64)
    if array.shape != (n, k) or array.dtype.kind not in "iubf":
        raise InvalidParameterError(
            f"init_params must hold labels of shape ({n},) or responsibilities of shape "
            f"({n}, {k}), not {array.dtype} of shape {array.shape}."
        )
    shares: Array = np.ascontiguousarray(array.T, dtype=np.float64)
    off = ~((shares >= 0.0).all(axis=0) & (np.abs(shares.sum(axis=0) - 1.0) <= 1e-6))
    if off.any():
        raise InvalidParameterError(
            f"The responsibilities in init_params must be at least 0 and sum to 1 in each row; "
            f"{int(off.sum())} of {n} rows do not (first: row {int(off.argmax())})."
        )
    return shares


def _responsibilities(
    method: str, rows: Array, weights: Array | None, k: int, rng: np.random.Generator
) -> Array:
    """Responsibilities (K, n) by scikit-learn's four recipes."""
    from sklearn.cluster import KMeans, kmeans_plusplus  # a tenth of a second, for these alone
    from sklearn.exceptions import ConvergenceWarning

    n = len(rows)
    out = np.zeros((k, n))
    seed = int(rng.integers(2**31 - 1))
    if method == "kmeans":
        with warnings.catch_warnings():
            # Of groups without rows: such a start fails, and its outcome is recorded.
            warnings.simplefilter("ignore", ConvergenceWarning)
            labels = KMeans(k, n_init=1, random_state=seed).fit(rows, sample_weight=weights).labels_
        out[labels, np.arange(n)] = 1.0
    elif method == "random":
        out = rng.random((k, n))
        out /= out.sum(axis=0)
    elif method == "random_from_data":
        p = None if weights is None else weights / weights.sum()
        out[np.arange(k), rng.choice(n, k, replace=False, p=p)] = 1.0
    else:
        _, chosen = kmeans_plusplus(rows, k, sample_weight=weights, random_state=seed)
        out[np.arange(k), chosen] = 1.0
    return out


def _with_spread(made: Parameters, rows: Array, objective: Objective) -> Parameters:
    """The rows' own covariance, where single rows were chosen and leave none."""
    k = len(made.weights)
    diagonals = made.covariances
    if not objective.structure.diagonal:
        diagonals = np.diagonal(diagonals, axis1=1, axis2=2)
    if diagonals.min() > 1e-10:
        return made
    whole = from_responsibilities(rows, np.ones((1, len(rows))), objective)
    assert whole is not None
    return made._replace(covariances=np.repeat(whole.covariances, k, axis=0))
