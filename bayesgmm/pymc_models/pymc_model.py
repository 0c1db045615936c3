"""The posterior as a PyMC model, for inspection, extension and prior predictive draws.

Priors, coordinates and likelihood are those of the core's ``log_posterior.hpp``. The densities of
the priors are those of `bayesgmm.priors.families`, applied to PyTensor's tensors.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import ArrayLike
from pymc.logprob.transforms import Transform

from bayesgmm.arguments import check_count, check_kind
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.degeneracy import check_enough_rows
from bayesgmm.data.error_covariances import unpacked
from bayesgmm.em.completed_rows import with_means
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.posterior.model import Model, posterior_model
from bayesgmm.posterior.tied_covariances import TiedChart
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.pymc_models.held_variables import held_means, held_transform, held_weights
from bayesgmm.pymc_models.mixture_distribution import marginal_mixture
from bayesgmm.pymc_models.outlier_variables import noise_weight, outlier_parameters, pairs
from bayesgmm.pymc_models.prior_distributions import (
    CovariancesPrior,
    MeansPrior,
    WeightsPrior,
)
from bayesgmm.pymc_models.tied_variables import TiedTransform
from bayesgmm.pymc_models.transforms import (
    CovariancesTransform,
    MeansTransform,
    VariancesTransform,
)


def mixture_model(
    X: Any,
    n_components: int,
    *,
    covariance_type: str | Structure | None = None,
    priors: Priors | None = None,
    init: GaussianMixture | Mixture | None = None,
    error_covariances: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    fixed: Mapping[str, ArrayLike] | None = None,
    equal_weights: bool = False,
    noise_component: bool = False,
    contaminated: bool = False,
) -> pm.Model:
    """The posterior that `sample_posterior` draws from, as a PyMC model.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        NaN are missing at random, and summed out.
    n_components : int
        K.
    covariance_type : str or Structure, optional
        "full", "tied", "diag", "spherical", or mclust's code of any of the fourteen structures.
        None: that of `init` where this is a fit, else "full".
    priors : Priors, optional
        None: the defaults of `Priors`, in the data's own units. `Priors.from_resolved` makes them
        of the attribute ``priors`` of a posterior.
    init : GaussianMixture or Mixture, optional
        A fit of these rows. Its pooled covariance within components scales the coordinates in
        which samplers move; the posterior is the same.
    error_covariances : array-like, optional
        Measurement errors of the rows, as in `GaussianMixture.fit`. None: those of `init` where
        that is a fit to the same rows.
    sample_weight : array-like of shape (n,), optional
        The number of times that each row counts. None: those of `init` where that is a fit to the
        same rows.
    labels, fixed, equal_weights, noise_component, contaminated
        As in `sample_posterior`.

    Returns
    -------
    pm.Model
        Data ``X`` (row, feature), to be replaced by rows of any number with ``pm.set_data``;
        variables ``weights`` (component), ``means`` (component, feature), ``covariances``
        (component, feature, feature_bis), and ``rows``, which is observed. Where components share
        a covariance, or have variances alone, those are a variable of their own, from which
        ``covariances`` follows. It can be pickled, and sampled by all of PyMC's samplers (see
        `marginal_mixture`). Means that the priors order have an ordering transform. Covariances
        that share parts have a transform to coordinates of these, and cannot be drawn from the
        prior; nor can covariances of which some are held. Free weights and entries of means are
        variables of their own where others are held. Noise and outliers add ``noise_weight``, or
        ``outlier_proportion`` and ``inflation`` (component). What is known beside X (errors,
        weights, labels, held values, the box of noise) is also kept as data, which draws by PyMC
        have in their group ``constant_data``; the model does not follow a change of these.

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used.
    InvalidParameterError
        If another argument is out of its range, or priors do not fit the data.

    Examples
    --------
    >>> import pymc as pm
    >>> from bayesgmm import load_dataset, mixture_model
    >>> model = mixture_model(load_dataset("faithful").X, 2)
    >>> [each.name for each in model.free_RVs]
    ['weights', 'means', 'covariances']
    """
    n_components = check_count("n_components", n_components)
    check_kind("priors", priors, Priors | None, "a Priors or None")
    words = "a fitted GaussianMixture, a Mixture or None"
    check_kind("init", init, GaussianMixture | Mixture | None, words)
    found = posterior_model(
        X,
        n_components,
        covariance_type,
        priors,
        init,
        error_covariances=error_covariances,
        sample_weight=sample_weight,
        labels=labels,
        fixed=fixed,
        equal_weights=equal_weights,
        noise_component=noise_component,
        contaminated=contaminated,
    )
    check_enough_rows(found.data.X, n_components)
    near = None if init is None else fitted_mixture("init", init, with_outliers=True)
    return model_of(found, near)


def model_of(model: Model, near: Mixture | None) -> pm.Model:
    """The posterior of a model as a PyMC model, in coordinates scaled by a mixture."""
    data, priors, frame = model.data, model.resolved, model.coordinates(near)
    k, d = model.n_components, data.X.shape[1]
    names = list(data.feature_names or (f"x{j}" for j in range(d)))
    coords = {"component": np.arange(k), "feature": names, "feature_bis": names}
    with pm.Model(coords=coords) as built:
        observed = pm.Data("X", with_means(data.X, data.weights), dims=("row", "feature"))
        # PyMC refuses NaN, which it would take as a request to draw the entries.
        observed.set_value(data.X)
        _record(model.constants(), coords)
        if model.held is not None:
            weights = held_weights(priors, model.held)
            means = held_means(priors, model.held, frame)
        else:
            weights = _weights(priors)
            means = _means(priors, frame)
        covariances = _covariances(_free_covariances(priors, frame), frame)
        _add_rows(model, weights, means, covariances, observed)
    return built


def _record(
    constants: Mapping[str, tuple[tuple[str, ...], Any]], coords: Mapping[str, Any]
) -> None:
    """Data of the model that its draws keep beside them, in ``constant_data``."""
    for name, (dims, values) in constants.items():
        # Rows of X can be replaced by others, of another number.
        known = dims if set(dims) <= set(coords) else None
        kept = pm.Data(name, np.nan_to_num(values), dims=known)
        kept.set_value(values.astype(kept.dtype))


def free_covariances_name(frame: Coordinates) -> str:
    """The name of the variable of free covariances, or variances."""
    shared = "shared_" if frame.groups < frame.n_components else ""
    return shared + ("variances" if frame.axes else "covariances")


def _free_covariances(priors: ResolvedPriors, frame: Coordinates) -> Any:
    """The variable of free covariances (G, D, D), or variances (G, J)."""
    groups = frame.groups
    if frame.axes:
        start = np.full((groups, frame.axes), frame.user_frame[0, 0] ** 2)
        transform: Transform = VariancesTransform(frame)
    else:
        start = np.tile(frame.user_frame @ frame.user_frame.T, (groups, 1, 1))
        transform = CovariancesTransform(frame)
    if frame.tied is not None:
        transform = TiedTransform(frame.tied)
        if frame.tied.reference is not None:
            start = _start_along_axes(frame.tied, frame.user_frame)
    if frame.held is not None:
        held = held_transform(transform, frame, _of_coordinates(frame))
        if held is None:
            name, values = free_covariances_name(frame), _held_values(frame)
            return pm.Deterministic(name, pt.as_tensor(values))
        transform = held
    layout: dict[str, Any] = {"shape": start.shape}
    if not frame.axes and groups == frame.n_components:
        layout = {"dims": ("component", "feature", "feature_bis")}
    return CovariancesPrior(
        free_covariances_name(frame),
        family=priors.covariances,
        start=start,
        restricted=frame.tied is not None or frame.held is not None,
        transform=transform,
        **layout,
    )


def _start_along_axes(chart: TiedChart, frame: Array) -> Array:
    """Covariances (K, D, D) near those of the frame (D, D), whose axes all have a direction."""
    assert chart.reference is not None
    d, k = len(frame), chart.n_components
    steps = (
        np.linspace(0.5, -0.5, d)
        * np.linspace(1.0, 0.5 if chart.shared[2] else 1.0, k)[:, np.newaxis]
    )
    unit = np.exp(2.0 * np.log(np.diagonal(frame)).mean())
    axes = chart.reference
    return np.asarray(np.einsum("ij,kj,lj->kil", axes, unit * np.exp(steps), axes))


def _means(priors: ResolvedPriors, frame: Coordinates) -> Any:
    """The variable of the means, in order where the priors order them."""
    shape = priors.n_components, priors.n_features
    numbers = np.full(shape, priors.mean_location), np.full(shape, priors.mean_sd)
    these = priors.ordered_components
    transform = MeansTransform(frame, priors.ordered, these)
    return MeansPrior(
        "means",
        *numbers,
        feature=priors.ordered,
        components=these,
        dims=("component", "feature"),
        transform=transform,
    )


def _of_coordinates(frame: Coordinates) -> tuple[int, ...]:
    """The shape that the transform of free covariances takes their coordinates in."""
    if frame.tied is not None:
        return (frame.n_components * frame.n_own_shape + frame.n_shared_shape,)
    return frame.groups, frame.block


def _held_values(frame: Coordinates) -> Array:
    """Free covariances (G, D, D), or variances (G, J), that are all held."""
    assert frame.held is not None
    values = frame.held.parameters.covariances
    if frame.axes and values.ndim == 3:
        values = np.diagonal(values, axis1=1, axis2=2)
    values = values[: frame.groups]
    return values[:, : frame.axes] if frame.axes else values


def _possible_components(labels: Integers, model: Model) -> Booleans:
    """True (n, K), or (n, 2 K) with outliers, for the components that each row may have."""
    known = labels[:, np.newaxis]
    possible = (known < 0) | (known == np.arange(model.n_components))
    return np.tile(possible, 2) if model.outliers.contaminated else possible


def _weights(priors: ResolvedPriors) -> Any:
    """The variable of the weights; a component alone has the weight 1."""
    if priors.n_components == 1:
        return pm.Deterministic("weights", pt.ones(1), dims="component")
    return WeightsPrior("weights", priors.concentration, dims="component")


def _covariances(free: Any, frame: Coordinates) -> Any:
    """Covariances (K, D, D), or variances (K, D); adds `covariances` if others are free."""
    k, d = frame.n_components, frame.n_features
    each = pt.repeat(free, k, axis=0) if frame.groups < k else free
    if frame.axes and frame.axes < d:
        each = pt.repeat(each, d, axis=1)
    if frame.axes or frame.groups < k:
        whole = each[:, :, np.newaxis] * pt.eye(d) if frame.axes else each
        pm.Deterministic("covariances", whole, dims=("component", "feature", "feature_bis"))
    return each


def _add_rows(model: Model, weights: Any, means: Any, covariances: Any, observed: Any) -> None:
    """The observed rows, beside noise or with outliers."""
    data, outliers = model.data, model.outliers
    diagonal, noise = covariances.type.ndim == 2, None
    if outliers.contaminated:
        parameters = outlier_parameters(outliers)
        weights, means, covariances = pairs(weights, means, covariances, *parameters)
    if outliers.noise:
        noise = noise_weight(outliers, model.resolved)
    marginal_mixture(
        "rows",
        weights,
        means,
        covariances=covariances,
        covariance_type="diag" if diagonal else "full",
        observed=observed,
        error_covariances=None if data.errors is None else unpacked(data.errors, data.X.shape[1]),
        sample_weight=data.weights,
        labels=None if data.labels is None else _possible_components(data.labels, model),
        noise_weight=noise,
        dims=("row", "feature"),
    )
