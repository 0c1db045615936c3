"""The reader of posteriors: draws, rows and estimates by the names of variables."""

from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.arguments import check_names
from bayesgmm.arrays import Array
from bayesgmm.data.coercion import label
from bayesgmm.data.validation import Data, check_data
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InputTypeError, InvalidParameterError
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.draws import Draws
from bayesgmm.priors.held_parameters import HeldParameters

# What a posterior must be, in words.
KINDS = "an xarray DataTree or Dataset (xarray.open_datatree(path) reads a file)"
type Posterior = xr.DataTree | xr.Dataset


# The axes of draws.
SAMPLE_DIMS = ("chain", "draw")


_DEFAULT = {"weights": "weights", "means": "means", "covariances": "covariances"}


# The words for a component's scale, of which a posterior has one.
_SCALES = ("covariances", "variances", "standard_deviations")


_EM = ("em_weights", "em_means", "em_covariances")


# Fields of `Data`, and the variables of ``constant_data`` that hold them.
_STORED = {"errors": "error_covariances", "weights": "sample_weight", "labels": "labels"}


_PAIRS = ("outlier_proportion", "inflation")


_OUTLIERS = {name: name for name in ("noise_weight", *_PAIRS)}


_SUM_TOLERANCE = 1e-6


# Largest ratio of distances to standard deviations, or of either to 1.
_RANGE = 1e150


def read_draws(posterior: Posterior, variables: Mapping[str, str] | None = None) -> Draws:
    """Read weights, means and covariances.

    Parameters
    ----------
    posterior : DataTree or Dataset
        A tree with a group ``posterior``, or that group alone.
    variables : mapping, optional
        Names of the variables in the tree. Keys: "weights", "means" and one of "covariances",
        "variances" and "standard_deviations"; the keys themselves are the default names. After
        (chain, draw) means have the axes (component, feature), or (component) for one feature;
        covariances (component, feature, feature), or (feature, feature) if all components share
        one, or (component) for one feature; variances and standard deviations
        (component, feature), (component), or none if they are shared.

    Raises
    ------
    InputTypeError
        If `posterior` is neither a DataTree nor a Dataset.
    InputError
        If a group, a variable, an axis or the box of noise is missing, if shapes are inconsistent,
        or if a draw does not describe a mixture; the message says which draw.
    """
    group = posterior_group(posterior)
    names = variable_names(variables)
    weights = _values(group, names, "weights")
    means = _values(group, names, "means")
    if weights.ndim != 3:
        raise InputError(
            f"The variable {names['weights']!r} must have the axes (chain, draw, component), but "
            f"has {_axes(group, names['weights'])}."
        )
    if means.ndim == 3:
        means = means[..., np.newaxis]
    if means.ndim != 4 or means.shape[2] != weights.shape[2]:
        raise InputError(
            f"The variable {names['means']!r} must have the axes (chain, draw, component, feature) "
            f"with {plural(weights.shape[2], 'component')} as {names['weights']!r} has, but has "
            f"{_axes(group, names['means'])}."
        )
    word = next(each for each in _SCALES if each in names)
    covariances = _covariances(word, _values(group, names, word), means.shape)
    if covariances is None:
        raise InputError(
            f"The variable {names[word]!r} has {_axes(group, names[word])}, which does not fit "
            f"{word} of {plural(means.shape[2], 'component')} in "
            f"{plural(means.shape[3], 'feature')}."
        )
    draws = Draws(weights, means, covariances, _feature_names(group[names["means"]]))
    _check(draws, names, word)
    return _with_outliers(draws, posterior)


def _with_outliers(draws: Draws, posterior: Posterior) -> Draws:
    """The draws with noise, outliers and groups, where they are named as by `sample_posterior`."""
    group, constant = posterior_group(posterior), _constants(posterior)
    if "outlier_proportion" in group:
        share, inflation = (_values(group, _OUTLIERS, each) for each in _PAIRS)
        draws = replace(draws, outliers=(share, inflation))
    if "noise_weight" in group:
        if "noise_lower" not in constant:
            raise InputError(
                "The posterior has a weight of noise, 'noise_weight', but not the box of noise, "
                "'noise_lower' and 'noise_upper' of the group 'constant_data'. Give the whole tree "
                "of sample_posterior, or of draws of mixture_model, or add the two to that group."
            )
        box = Noise(np.nan, constant["noise_lower"].values, constant["noise_upper"].values)
        draws = replace(draws, noise=box, noise_weight=_values(group, _OUTLIERS, "noise_weight"))
    if "component_group" in constant:
        draws = replace(draws, groups=constant["component_group"].values.astype(np.int64))
    return replace(draws, held="held_weights" in constant)


def read_rows(posterior: Posterior, n_features: int, X: Any = None) -> Data:
    """The fitted rows: X, or the variable of the group ``observed_data``; (n, D).

    X that are the rows of that group have the errors and weights that are stored with them.

    Raises
    ------
    InputError
        If the group is missing, if none or several of its variables could be the rows, or if the
        number of columns is not `n_features`.
    """
    if X is None:
        candidates = observed(posterior, n_features)
        if len(candidates) != 1:
            raise InputError(
                f"The group 'observed_data' has {len(candidates)} variables with {n_features} "
                f"columns of numbers ({', '.join(map(repr, candidates)) or 'none'}). Give the "
                "rows as X."
            )
        (X,) = candidates.values()
        rows = rows_of(X, n_features, "the posterior's means have")
        return rows._replace(**_stored(posterior))
    return as_stored(posterior, rows_of(X, n_features, "the posterior's means have"))


def as_stored(posterior: Any, rows: Data) -> Data:
    """Rows with the posterior's errors, weights and labels if they are the rows that it stores.

    Those that the rows have are kept.
    """
    stored = _stored(posterior)
    if stored and has_rows(posterior):
        own = read_rows(posterior, rows.X.shape[1])
        if np.array_equal(own.X, rows.X, equal_nan=True):
            absent = {name: each for name, each in stored.items() if getattr(rows, name) is None}
            rows = rows._replace(**absent)
    return rows


def _stored(posterior: Any) -> dict[str, Any]:
    """Errors, weights and labels of the fitted rows as `Data` has them."""
    group = _constants(posterior)
    found = {
        name: np.ascontiguousarray(group[variable].values)
        for name, variable in _STORED.items()
        if variable in group
    }
    if "errors" in found:
        found["errors"] = found["errors"].reshape(len(found["errors"]), -1)
    if "labels" in found:
        found["labels"] = found["labels"].astype(np.int64)
    return found


def _constants(posterior: Any) -> xr.Dataset:
    """The group ``constant_data``; without variables where there is none."""
    if not isinstance(posterior, xr.DataTree) or "constant_data" not in posterior.children:
        return xr.Dataset()
    return posterior["constant_data"].to_dataset()


def rows_if_known(posterior: Posterior, n_features: int, X: Any = None) -> Data | None:
    """The fitted rows as `read_rows` returns them; None if they are not known."""
    return read_rows(posterior, n_features, X) if has_rows(posterior, X) else None


def has_rows(posterior: Posterior, X: Any = None) -> bool:
    """True if the fitted rows are given or stored in the posterior."""
    return X is not None or (
        isinstance(posterior, xr.DataTree) and "observed_data" in posterior.children
    )


def read_estimate(posterior: Posterior) -> Mixture | None:
    """EM's estimate that `sample_posterior` stores in ``constant_data``; None if it is missing."""
    group = _constants(posterior)
    if not all(name in group.data_vars for name in _EM):
        return None
    weights, means, covariances = (group[name].values for name in _EM)
    return Mixture(weights, means, covariances, _feature_names(group["em_means"]))


def estimated_outliers(posterior: Posterior) -> tuple[Noise | None, Contamination | None]:
    """The noise and the outliers of EM's estimate that `sample_posterior` stores."""
    group = _constants(posterior)
    noise = outliers = None
    if "em_noise_weight" in group:
        box = (group["noise_lower"].values, group["noise_upper"].values)
        noise = Noise(float(group["em_noise_weight"]), *box)
    if "em_outlier_proportion" in group:
        outliers = Contamination(*(group[f"em_{name}"].values for name in _PAIRS))
    return noise, outliers


def held_values(posterior: Posterior) -> HeldParameters | None:
    """The parameters that the posterior holds at given values."""
    group = _constants(posterior)
    names = [f"held_{name}" for name in _DEFAULT]
    if not set(names) <= set(group):
        return None
    return HeldParameters(*(group[name].values for name in names))


def rows_of(X: Any, n_features: int, owner: str) -> Data:
    """Rows (n, D); for D = 1 also from (n,). `owner` precedes D in the error message.

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, or has another number of columns.
    """
    if n_features == 1 and getattr(X, "ndim", None) == 1:
        X = np.asarray(X)[:, np.newaxis]
    elif n_features == 1 and isinstance(X, list | tuple) and X and isinstance(X[0], Real):
        X = np.array(X)[:, np.newaxis]
    data = check_data(X, allow_nan=True, allow_unseen=True)
    if data.X.shape[1] != n_features:
        raise InputError(f"X has {plural(data.X.shape[1], 'feature')}, but {owner} {n_features}.")
    return data


def posterior_group(posterior: Posterior) -> xr.Dataset:
    """The posterior's variables.

    Raises
    ------
    InputTypeError
        If `posterior` is neither a DataTree nor a Dataset.
    InputError
        If the tree has no group ``posterior``.
    """
    if isinstance(posterior, xr.Dataset):
        return posterior
    if not isinstance(posterior, xr.DataTree):
        raise InputTypeError(
            f"posterior must be {KINDS}, not {type(posterior).__name__}. "
            "arviz.convert_to_datatree converts most other forms."
        )
    if "posterior" not in posterior.children:
        groups = ", ".join(sorted(posterior.children)) or "none"
        raise InputError(f"The tree has no group 'posterior'. Its groups: {groups}.")
    return posterior["posterior"].to_dataset()


def variable_names(variables: Mapping[str, str] | None) -> dict[str, str]:
    """Names of the variables that hold weights, means and one kind of scale.

    Raises
    ------
    InvalidParameterError
        If a key is unknown, or several kinds of scale are named.
    """
    given = check_names("variables", variables)
    unknown = sorted(set(given) - {"weights", "means", *_SCALES})
    scales = [each for each in _SCALES if each in given]
    if unknown or len(scales) > 1:
        wrong = f"unknown: {', '.join(unknown)}" if unknown else f"not both: {', '.join(scales)}"
        raise InvalidParameterError(
            "variables names 'weights', 'means' and one of 'covariances', 'variances' and "
            f"'standard_deviations' ({wrong})."
        )
    return {key: name for key, name in _DEFAULT.items() if key not in _SCALES or not scales} | given


def component_dims(group: xr.Dataset, variables: Mapping[str, str] | None = None) -> set[str]:
    """Names of the axes of components: one each of weights, of means and of a scale not shared."""
    names = variable_names(variables)
    dims = {str(_sample_first(group, names[each], each).dims[2]) for each in ("weights", "means")}
    n_components = group[names["weights"]].size // _n_samples(group)
    word = next(each for each in _SCALES if each in names)
    scale = _sample_first(group, names[word], word)
    means = _sample_first(group, names["means"], "means")
    shared = scale.ndim == 2 or (word == "covariances" and scale.ndim == means.ndim == 4)
    if not shared and scale.shape[2] == n_components:
        dims.add(str(scale.dims[2]))
    return dims


def _n_samples(group: xr.Dataset) -> int:
    return int(np.prod([group.sizes[each] for each in SAMPLE_DIMS]))


def _sample_first(group: xr.Dataset, name: str, word: str) -> xr.DataArray:
    if name not in group.data_vars:
        known = ", ".join(map(str, group.data_vars)) or "none"
        raise InputError(
            f"The posterior has no variable {name!r}. Its variables: {known}. Name the one that "
            f"holds its {word} by variables={{{word!r}: ...}}."
        )
    array = group[name]
    missing = [each for each in SAMPLE_DIMS if each not in array.dims]
    if missing:
        raise InputError(
            f"The variable {name!r} has no axis {' and '.join(map(repr, missing))}: "
            f"its axes are {_axes(group, name)}."
        )
    return array.transpose(*SAMPLE_DIMS, ...)


def _values(group: xr.Dataset, names: Mapping[str, str], word: str) -> Array:
    array = _sample_first(group, names[word], word)
    if array.dtype.kind not in "fiu":
        raise InputTypeError(f"The variable {names[word]!r} holds {array.dtype}, not numbers.")
    if array.size == 0:
        raise InputError(f"The variable {names[word]!r} is empty: {_axes(group, names[word])}.")
    values: Array = np.ascontiguousarray(array.values, dtype=np.float64)
    bad = ~np.isfinite(values).reshape(*values.shape[:2], -1).all(axis=-1)
    if bad.any():
        chain, draw = np.argwhere(bad)[0]
        raise InputError(
            f"The variable {names[word]!r} is not finite in {bad.sum()} of {bad.size} draws "
            f"(first: chain {chain}, draw {draw})."
        )
    return values


def _axes(group: xr.Dataset, name: str) -> str:
    array = group[name]
    return ", ".join(f"{dim}: {size}" for dim, size in zip(array.dims, array.shape, strict=True))


def _covariances(word: str, values: Array, shape: tuple[int, ...]) -> Array | None:
    """Covariances (chain, draw, K, D, D) from any form of scale; None if its shape does not fit."""
    sampled, (k, d) = shape[:2], shape[2:]
    own = values.shape[2:]
    if word == "covariances" and own in {(k, d, d), (d, d)}:
        full = values if own == (k, d, d) else values[:, :, np.newaxis]
        return np.ascontiguousarray(np.broadcast_to(full, (*sampled, k, d, d)))
    if word == "covariances" and d > 1:
        return None
    if own not in {(k, d), (k,), ()}:
        return None
    spread = values.reshape(*sampled, *own, *[1] * (2 - len(own)))
    variances = np.square(spread) if word == "standard_deviations" else spread
    diagonals = np.zeros((*sampled, k, d, d))
    diagonals[..., np.arange(d), np.arange(d)] = variances
    return diagonals


def _feature_names(means: xr.DataArray) -> tuple[str, ...] | None:
    """Names on the axis after that of the components."""
    dims = [dim for dim in means.dims if dim not in SAMPLE_DIMS]
    if len(dims) < 2 or dims[1] not in means.coords:
        return None
    labels = means.coords[dims[1]].values
    return tuple(map(str, labels)) if labels.dtype.kind in "OUT" else None


def _check(draws: Draws, names: Mapping[str, str], word: str) -> None:
    """Refuse draws with invalid weights or variances, as of a variable of another meaning."""
    off = np.abs(draws.weights.sum(axis=-1) - 1.0)
    wrong = (off > _SUM_TOLERANCE) | (draws.weights < 0).any(axis=-1)
    if wrong.any():
        chain, draw = np.argwhere(wrong)[0]
        raise InputError(
            f"The variable {names['weights']!r} does not hold mixing proportions: in {wrong.sum()} "
            f"of {wrong.size} draws one is negative or their sum is not 1 (first: chain {chain}, "
            f"draw {draw}, sum {draws.weights[chain, draw].sum():.6g})."
        )
    variances = np.diagonal(draws.covariances, axis1=-2, axis2=-1)
    flat = ~(variances > 0).all(axis=-1)
    if flat.any():
        chain, draw, component = np.argwhere(flat)[0]
        raise InputError(
            f"The variable {names[word]!r} has a variance that is not positive in "
            f"{plural(flat.any(axis=-1).sum(), 'draw')} (first: chain {chain}, draw {draw}, "
            "component "
            f"{component}). State by variables={{...}} whether it holds covariances, variances or "
            "standard deviations."
        )
    _check_range(draws, variances)


def _check_range(draws: Draws, variances: Array) -> None:
    """Refuse draws whose squared standard deviations or distances overflow or underflow."""
    d = draws.n_features
    means = draws.means.reshape(-1, d)
    scales = np.sqrt(variances).reshape(-1, d)
    least = scales.min(axis=0)
    extent = np.maximum(scales.max(axis=0), 0.5 * means.max(axis=0) - 0.5 * means.min(axis=0))
    far = (least < 1.0 / _RANGE) | (extent > _RANGE * np.minimum(least, 1.0))
    if far.any():
        j = int(far.argmax())
        raise InputError(
            f"The draws of {label(draws.feature_names, j)} have standard deviations from "
            f"{least[j]:.3g} to {scales[:, j].max():.3g} and means from "
            f"{means[:, j].min():.3g} to {means[:, j].max():.3g}; their squares exceed the range "
            "of float64. Rescale the column and fit again."
        )


def observed(posterior: Posterior, n_features: int) -> dict[str, NDArray[Any]]:
    """The variables of ``observed_data`` that may be the rows, unchecked.

    Raises
    ------
    InputError
        If the group is missing.
    """
    if not has_rows(posterior):
        raise InputError(
            "The posterior has no group 'observed_data' with the fitted rows. Give them as X."
        )
    group = posterior["observed_data"].to_dataset()
    return {
        str(name): array.values
        for name, array in group.data_vars.items()
        if array.dtype.kind in "fiu"
        and (array.shape[1:] == (n_features,) or (n_features == 1 and array.ndim == 1))
    }
