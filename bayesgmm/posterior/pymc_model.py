"""The posterior as a PyMC model, for inspection, extension and prior predictive draws.

Priors, coordinates and likelihood are those of the core's ``log_posterior.hpp``. The densities of
the priors are those of `bayesgmm.priors.families`, applied to PyTensor's tensors.
"""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.transforms import Transform

from bayesgmm.arguments import check_count, check_kind
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.data.degeneracy import check_enough_rows
from bayesgmm.data.validation import check_data
from bayesgmm.em.component_order import check_reference
from bayesgmm.estimator.gaussian_mixture import GaussianMixture, fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates, coordinates
from bayesgmm.posterior.mixture_distribution import marginal_mixture
from bayesgmm.priors.families import LKJ, Family
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors

type Array = NDArray[np.float64]


def mixture_model(
    X: Any,
    n_components: int,
    *,
    covariance_type: str | Structure = "full",
    priors: Priors | None = None,
    init: GaussianMixture | Mixture | None = None,
) -> pm.Model:
    """The posterior that `sample_posterior` draws from, as a PyMC model.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        Finite numbers.
    n_components : int
        K.
    covariance_type : str or Structure
        "full", "tied", "diag", "spherical", or mclust's code of one of these.
    priors : Priors, optional
        None: the defaults of `Priors`, in the data's own units.
    init : GaussianMixture or Mixture, optional
        A fit of these rows. Its pooled covariance within components scales the coordinates in
        which samplers move; the posterior is the same.

    Returns
    -------
    pm.Model
        Data ``X`` (row, feature), to be replaced by rows of any number with ``pm.set_data``;
        variables ``weights`` (component), ``means`` (component, feature), ``covariances``
        (component, feature, feature_bis), and ``rows``, which is observed. Where components share
        a covariance, or have variances alone, those are a variable of their own, from which
        ``covariances`` follows.

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
    data = check_data(X)
    structure = as_structure(covariance_type)
    check_enough_rows(data.X, n_components)
    resolved = (priors or Priors()).for_data(data, n_components, structure)
    d = data.X.shape[1]
    near = None if init is None else fitted_mixture("init", init)
    if near is not None:
        check_reference("init", near, (n_components, d), data.feature_names)
    frame = coordinates(data.X, n_components, structure, near)
    names = list(data.feature_names or (f"x{j}" for j in range(d)))
    coords = {"component": np.arange(n_components), "feature": names, "feature_bis": names}
    with pm.Model(coords=coords) as model:
        observed = pm.Data("X", data.X, dims=("row", "feature"))
        if n_components == 1:
            weights = pm.Deterministic("weights", pt.ones(1), dims="component")
        else:
            weights = pm.Dirichlet("weights", resolved.concentration, dims="component")
        means = pm.Normal(
            "means",
            np.asarray(resolved.mean_location),
            np.asarray(resolved.mean_sd),
            dims=("component", "feature"),
            transform=FrameTransform(frame),
        )
        _add_rows(weights, means, _free_covariances(resolved, frame), frame, observed)
    return model


def free_covariances_name(frame: Coordinates) -> str:
    """The name of the variable of free covariances, or variances."""
    shared = "shared_" if frame.groups < frame.n_components else ""
    return shared + ("variances" if frame.axes else "covariances")


def _free_covariances(priors: ResolvedPriors, frame: Coordinates) -> Any:
    """The variable of free covariances (G, D, D), or variances (G, J)."""
    family, d, groups = priors.covariances, frame.n_features, frame.groups
    if frame.axes:
        start = np.full((groups, frame.axes), frame.user_frame[0, 0] ** 2)
        transform: Transform = VariancesTransform(frame)
    else:
        start = np.tile(frame.user_frame @ frame.user_frame.T, (groups, 1, 1))
        transform = CovariancesTransform(frame)
    layout: dict[str, Any] = {"shape": start.shape}
    if not frame.axes and groups == frame.n_components:
        layout = {"dims": ("component", "feature", "feature_bis")}
    return pm.CustomDist(
        free_covariances_name(frame),
        dist=lambda size: _draw(family, groups, d),
        logp=lambda value: family.log_density(value, count=groups, xp=pt),
        support_point=lambda rv, size: pt.constant(start),
        signature="->(g,j)" if frame.axes else "->(g,d,e)",
        class_name=type(family).__name__,
        transform=transform,
        **layout,
    )


def _add_rows(weights: Any, means: Any, free: Any, frame: Coordinates, observed: Any) -> None:
    """The variable `covariances` where it is not free, and the observed rows."""
    k, d = frame.n_components, frame.n_features
    each = pt.repeat(free, k, axis=0) if frame.groups < k else free
    if frame.axes and frame.axes < d:
        each = pt.repeat(each, d, axis=1)
    if frame.axes or frame.groups < k:
        whole = each[:, :, np.newaxis] * pt.eye(d) if frame.axes else each
        pm.Deterministic("covariances", whole, dims=("component", "feature", "feature_bis"))
    marginal_mixture(
        "rows",
        weights,
        means,
        covariances=each,
        covariance_type="diag" if frame.axes else "full",
        observed=observed,
        dims=("row", "feature"),
    )


# --- coordinates ----------------------------------------------------------------------------------


class FrameTransform(Transform):  # type: ignore[misc]
    """Means mu = shift + A m."""

    name = "frame"

    def __init__(self, frame: Coordinates) -> None:
        self._shift, self._frame = frame.shift, frame.user_frame
        self._inverse = np.linalg.solve(self._frame, np.eye(len(self._frame)))

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates m of means."""
        return (value - self._shift) @ self._inverse.T

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Means in the data's units."""
        return self._shift + value @ self._frame.T

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |A| for each component."""
        return pt.zeros(value.shape[:-1]) + np.log(np.diagonal(self._frame)).sum()


class CovariancesTransform(Transform):  # type: ignore[misc]
    """Sigma = A (Q' Q)^-1 A'; the coordinates are the rows of Q, with logs of its diagonal."""

    name = "frame"

    def __init__(self, frame: Coordinates) -> None:
        self._frame = frame.user_frame
        d = frame.n_features
        self._rows, self._columns = np.tril_indices(d)
        self._identity = np.eye(d)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates of covariances: rows of Q, (G, D (D + 1) / 2)."""
        inverse = np.linalg.solve(self._frame, self._identity)
        lower = inverse @ pt.linalg.cholesky(value)
        factors = pt.linalg.solve_triangular(lower, self._identity, lower=True, b_ndim=2)
        packed = factors[..., self._rows, self._columns]
        return pt.where(self._rows == self._columns, pt.log(pt.abs(packed)), packed)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Covariances in the data's units."""
        entries = pt.where(self._rows == self._columns, pt.exp(value), value)
        d = len(self._identity)
        factors = pt.zeros((*(value.shape[i] for i in range(value.ndim - 1)), d, d))
        factors = factors[..., self._rows, self._columns].set(entries)
        inverse = pt.linalg.solve_triangular(factors, self._identity, lower=True, b_ndim=2)
        lower = self._frame @ inverse
        return lower @ lower.mT

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of |dSigma / dq| = 2^D prod_i P_ii^(i - 2 (D + 1)) Q_ii |dP / dQ|, summed."""
        d = len(self._identity)
        logs = np.log(np.diagonal(self._frame))
        diagonal = value[..., self._rows == self._columns]
        powers = np.arange(1, d + 1) - 2.0 * (d + 1)
        constant = d * np.log(2.0) - (powers * logs).sum() - (np.arange(d, 0, -1) * logs).sum()
        return ((powers + 1.0) * diagonal).sum() + constant * value.shape[0]


class VariancesTransform(Transform):  # type: ignore[misc]
    """Variances sigma^2 = (A / exp q)^2."""

    name = "frame"

    def __init__(self, frame: Coordinates) -> None:
        self._logs = np.log(np.diagonal(frame.user_frame)[: frame.axes])

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Logs of inverse standard deviations."""
        return self._logs - 0.5 * pt.log(value)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Variances in the data's units."""
        return pt.exp(2.0 * (self._logs - value))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |d sigma^2 / dq| of all variances together."""
        return (np.log(2.0) + 2.0 * (self._logs - value)).sum()


# --- priors of covariances ------------------------------------------------------------------------


def _draw(family: Family, groups: int, d: int) -> Any:
    """Covariances (G, D, D), or variances (G, J), from their prior."""
    if isinstance(family, LKJ):
        location = np.asarray(family.log_scale_location)
        sds = pt.exp(pm.Normal.dist(location, family.log_scale_spread, size=(groups, d)))
        lower = sds[:, :, np.newaxis] * pm.LKJCorr.dist(n=d, eta=family.eta, size=(groups,))
        return lower @ lower.mT
    nu, p, scale = family.terms
    if scale.ndim == 1:
        c = scale if p is None else pm.ChiSquared.dist(p, size=scale.shape) / scale
        return c / pm.ChiSquared.dist(nu, size=(groups, len(scale)))
    if p is None:
        half = np.linalg.cholesky(scale)
    else:
        half = np.linalg.cholesky(np.linalg.inv(scale)) @ _bartlett(p, 1, d)[0]
    inverse = pt.linalg.solve_triangular(_bartlett(nu, groups, d), np.eye(d), lower=True, b_ndim=2)
    lower = half @ inverse.mT
    return lower @ lower.mT


def _bartlett(df: float, groups: int, d: int) -> Any:
    """Lower triangular T with T T' ~ Wishart(df, I), (G, D, D)."""
    chi = pt.sqrt(pm.ChiSquared.dist(df - np.arange(d), size=(groups, d)))
    noise = pm.Normal.dist(size=(groups, d, d)) * np.tril(np.ones((d, d)), -1)
    return noise + chi[:, :, np.newaxis] * np.eye(d)
