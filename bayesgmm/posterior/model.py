"""The model of a posterior: rows with all that is known of them, structure, priors, held values."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_kind, check_switch
from bayesgmm.arrays import Array, Indices
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.data.error_covariances import unpacked
from bayesgmm.data.validation import Data, check_data, check_labels
from bayesgmm.display import plural
from bayesgmm.em.completed_rows import with_means
from bayesgmm.em.component_order import check_reference
from bayesgmm.errors import InputTypeError, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.fitted_mixture import fitted_mixture, weighted_rows, with_errors_of
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.coordinates import Coordinates, coordinates
from bayesgmm.priors.held_parameters import HeldParameters, held_parameters
from bayesgmm.priors.outlier_priors import OutlierPriors
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sources.row_source import RowSource


@dataclass(frozen=True, eq=False)
class Model:
    """What a posterior is the posterior of.

    Attributes
    ----------
    data : Data
        Rows with their errors, weights and labels.
    n_components : int
    structure : Structure
    priors : Priors
    held : HeldParameters or None
    outliers : OutlierPriors
    noise : Noise or None
        The box of noise.
    """

    data: Data
    n_components: int
    structure: Structure
    priors: Priors
    held: HeldParameters | None
    outliers: OutlierPriors
    noise: Noise | None

    @cached_property
    def resolved(self) -> ResolvedPriors:
        """The priors in all their numbers."""
        size = self.n_components, self.structure
        return self.priors.for_data(self.data, *size, sample_weight=self.data.weights)

    @property
    def groups(self) -> Indices | None:
        """Groups (K,) of components that labels and held values do not tell apart; None: all."""
        labels, held = self.data.labels, self.held
        if labels is None and held is None:
            return None
        groups = np.zeros(self.n_components, dtype=np.int64) if held is None else held.groups
        if labels is not None:
            counted = True if self.data.weights is None else self.data.weights > 0.0
            known = np.unique(labels[(labels >= 0) & counted])
            groups = groups.astype(np.int64)
            groups[known] = len(groups) + known
        groups = np.unique(groups, return_inverse=True)[1].reshape(-1)
        return None if (groups == groups[0]).all() else np.asarray(groups, dtype=np.int64)

    @property
    def interchangeable(self) -> Indices | None:
        """Groups (K,) of components of which neither `groups` nor priors tell any apart."""
        # Labels and held values that tell components apart go with equal priors alone.
        return self.groups if self.resolved.groups is None else self.resolved.groups

    def coordinates(self, near: Mixture | None) -> Coordinates:
        """Coordinates with a frame of the rows, or of a mixture of high density."""
        filled = with_means(self.data.X, self.data.weights)
        shape = self.n_components, self.structure, near, self.data.weights
        return coordinates(filled, *shape, self.outliers, self.held, self.interchangeable)

    def constants(self) -> dict[str, tuple[tuple[str, ...], Array | Indices]]:
        """Dims and values of what is known beside the rows: the group ``constant_data``."""
        data, held = self.data, self.held
        axes = ("component", "feature", "feature_bis")
        found: dict[str, tuple[tuple[str, ...], Array | Indices]] = {}
        if data.errors is not None:
            first = "row" if len(data.errors) > 1 else "all_rows"
            errors = unpacked(data.errors, data.X.shape[1])
            found["error_covariances"] = (first, *axes[1 : errors.ndim]), errors
        if data.weights is not None:
            found["sample_weight"] = ("row",), data.weights
        if data.labels is not None:
            found["labels"] = ("row",), data.labels
        if self.groups is not None:
            found["component_group"] = axes[:1], self.groups
        if self.noise is not None:
            found["noise_lower"] = axes[1:2], self.noise.lower
            found["noise_upper"] = axes[1:2], self.noise.upper
        if held is not None:
            for name in ("weights", "means", "covariances"):
                values = getattr(held, name)
                found[f"held_{name}"] = axes[: values.ndim], values
        return found


def posterior_model(
    X: Any,
    n_components: int | None,
    covariance_type: str | Structure | None,
    priors: Priors | None,
    init: GaussianMixture | Mixture | None,
    *,
    missing: str = "at random",
    error_covariances: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    equal_weights: bool = False,
    noise_component: bool = False,
    contaminated: bool = False,
) -> Model:
    """The model of the arguments of `sample_posterior` and `mixture_model`.

    What is not given is that of `init` where this is a fit: its size, structure, held parameters,
    noise and outliers, and where X are its rows, their errors, weights and labels.

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used.
    InvalidParameterError
        If arguments contradict one another, or the fit.
    """
    if isinstance(X, RowSource):
        raise InputTypeError(
            f"X is a source of rows, {X.describe()}, but a posterior needs rows in memory. Give an "
            "array; one of np.load(path, mmap_mode='r') may stay on disk."
        )
    check_kind("fixed", fixed, Mapping | None, "a mapping of names to numbers, or None")
    noise = check_switch("noise_component", noise_component)
    pairs = check_switch("contaminated", contaminated)
    equal_weights = check_switch("equal_weights", equal_weights)
    data = check_data(X, allow_nan=missing != "raise", error_covariances=error_covariances)
    data = weighted_rows(init, with_errors_of(init, data), sample_weight)
    k, structure = _size_and_structure(n_components, covariance_type, init, data)
    found = check_labels(labels, len(data.X), k)
    held = held_parameters(fixed, equal_weights, k, data.X.shape[1], structure)
    if isinstance(init, GaussianMixture):
        found = init.labels_of(data.X) if found is None else found
        held = init._held if held is None else held
        noise, pairs = noise or init.noise_ is not None, pairs or init.contamination_ is not None
    if noise and pairs:
        raise InvalidParameterError(
            "noise_component and contaminated are two models of outliers. Use one of them."
        )
    data = data if found is None else data._replace(labels=found)
    box = Noise.around(data) if noise else None
    outliers = OutlierPriors(noise, pairs)
    model = Model(data, k, structure, priors or Priors(), held, outliers, box)
    if held is not None:
        held.check_beside(None, False, model.resolved)
    if found is not None and not model.resolved.exchangeable:
        raise InvalidParameterError(
            "labels number the components, and so do priors that differ between components or "
            "order their means. Give priors that are equal for all components."
        )
    return model


def _size_and_structure(
    n_components: int | None,
    covariance_type: str | Structure | None,
    init: GaussianMixture | Mixture | None,
    data: Data,
) -> tuple[int, Structure]:
    """The size and structure that are asked for, by name or by a fit."""
    structure = as_structure("full" if covariance_type is None else covariance_type)
    if init is None:
        return check_count("n_components", n_components), structure
    mixture = fitted_mixture("init", init, with_outliers=True)
    k = mixture.n_components
    if n_components is not None:
        k = check_count("n_components", n_components)
    _check_size(mixture, k, data)
    check_reference("init", mixture, (k, data.X.shape[1]), data.feature_names)
    if isinstance(init, Mixture):
        if covariance_type is None:
            _check_no_structure(mixture)
        return k, structure
    of_fit = as_structure(init.covariance_type)
    if covariance_type is not None and of_fit != structure:
        raise InvalidParameterError(
            f"init was fitted with covariance_type={of_fit.name!r}, but "
            f"covariance_type={structure.name!r} is asked for. Leave it out, or refit."
        )
    return k, of_fit


def _check_size(mixture: Mixture, k: int, data: Data) -> None:
    """Refuse an init of other numbers of components or features, naming both."""
    if mixture.n_components != k:
        raise InvalidParameterError(
            f"init has {plural(mixture.n_components, 'component')}, but n_components={k} is asked "
            f"for. Leave n_components out, or give a fit with n_components={k}."
        )
    d = data.X.shape[1]
    if mixture.n_features != d:
        of_init, of_rows = (
            "" if each is None else f" ({', '.join(map(repr, each)):.200})"
            for each in (mixture.feature_names, data.feature_names)
        )
        raise InvalidParameterError(
            f"init has {plural(mixture.n_features, 'feature')}{of_init}, but X has {d}{of_rows}. "
            "Give the columns to which init was fitted, or a fit to these."
        )


def _check_no_structure(mixture: Mixture) -> None:
    """Refuse a mixture that begs the question whether its structure is that of the model."""
    covariances = mixture.covariances
    if mixture.n_features == 1 or mixture.n_components == 1:
        return
    diagonal = not (covariances * (1.0 - np.eye(mixture.n_features))).any()
    equal = bool((covariances == covariances[0]).all())
    if diagonal or equal:
        words = "diagonal" if diagonal else "equal"
        raise InvalidParameterError(
            f"init is a Mixture with {words} covariances, which does not say whether those of the "
            "model are. Give covariance_type, or the fit itself as init."
        )
