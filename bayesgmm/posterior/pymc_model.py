"""The posterior as a PyMC model: to look at, to change, to draw from before there are data.

The same priors, coordinates and likelihood as ``log_posterior.hpp`` of the core has in compiled
code, written down a second time in PyTensor: a test holds the two equal.
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
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates, coordinates
from bayesgmm.posterior.pytensor_op import marginal_mixture
from bayesgmm.priors.families import LKJ, Gamma, InverseGamma, InverseWishart, Wishart
from bayesgmm.priors.priors import Priors, ResolvedPriors

type Array = NDArray[np.float64]


def mixture_model(
    X: Any,
    n_components: int,
    *,
    covariance_type: str | Structure = "full",
    priors: Priors | None = None,
    near: Mixture | None = None,
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
    near : Mixture, optional
        A fit of these rows. Its covariance within components makes the coordinates in which
        samplers move; the posterior is the same.

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
    check_kind("near", near, Mixture | None, "a Mixture or None")
    priors = priors or Priors()
    data = check_data(X)
    structure = as_structure(covariance_type)
    check_enough_rows(data.X, n_components)
    resolved = priors.for_data(X, n_components, structure)
    frame = coordinates(data.X, n_components, structure, near)
    d = data.X.shape[1]
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
    """What the variable is called that holds the free covariances, or variances."""
    shared = "shared_" if frame.groups < frame.n_components else ""
    return shared + ("variances" if frame.axes else "covariances")


def _free_covariances(priors: ResolvedPriors, frame: Coordinates) -> Any:
    """The variable of free covariances (G, D, D), or variances (G, J)."""
    core = "(g,j)" if frame.axes else "(g,d,e)"
    d = frame.n_features
    shape = (frame.groups, frame.axes) if frame.axes else (frame.groups, d, d)
    prior = _prior(priors, frame)
    middle = np.square(frame.user_frame[:1, :1]) if frame.axes else None
    start = (
        np.full(shape, middle[0, 0])
        if middle is not None
        else np.array([frame.user_frame @ frame.user_frame.T] * frame.groups)
    )
    dims = None
    if not frame.axes and frame.groups == frame.n_components:
        dims = ("component", "feature", "feature_bis")
    return pm.CustomDist(
        free_covariances_name(frame),
        dist=lambda size: prior.draw(),
        logp=prior.log_density,
        support_point=lambda rv, size: pt.constant(start),
        signature=f"->{core}",
        class_name=type(priors.covariances).__name__,
        transform=VariancesTransform(frame) if frame.axes else CovariancesTransform(frame),
        **({"dims": dims} if dims else {"shape": shape}),
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
        """M."""
        return (value - self._shift) @ self._inverse.T

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Means in the data's units."""
        return self._shift + value @ self._frame.T

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of |A|, for each component."""
        return pt.zeros(value.shape[:-1]) + np.log(np.diagonal(self._frame)).sum()


class CovariancesTransform(Transform):  # type: ignore[misc]
    """Sigma = A (Q' Q)^-1 A', with Q in rows, logs in the place of its diagonal."""

    name = "frame"

    def __init__(self, frame: Coordinates) -> None:
        self._frame = frame.user_frame
        d = frame.n_features
        self._rows, self._columns = np.tril_indices(d)
        self._identity = np.eye(d)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Rows of Q, (G, D (D + 1) / 2)."""
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
        """Of all groups: |dSigma / dq| = 2^D prod_i P_ii^(i - 2 (D + 1)) Q_ii |dP / dQ|."""
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
        """Of all variances together."""
        return (np.log(2.0) + 2.0 * (self._logs - value)).sum()


# --- priors of covariances ------------------------------------------------------------------------


class _Variances:
    """Inverse-gamma variances (G, J); a gamma-distributed scale is integrated out."""

    def __init__(self, family: InverseGamma, groups: int, axes: int) -> None:
        self._a, self._shape = family.shape, (groups, axes)
        self._hyper = family.scale if isinstance(family.scale, Gamma) else None
        given = family.scale if self._hyper is None else self._hyper.rate
        self._rates = np.broadcast_to(np.asarray(given, dtype=np.float64), (axes,))
        self._constant = family.log_density(np.ones(self._shape), None) - self._kernel(
            np.full(axes, float(groups))
        )

    def _kernel(self, sums: Any) -> Any:
        """Of the scale's part, given sums of 1 / sigma^2 (J,)."""
        if self._hyper is None:
            return -(self._rates * sums).sum()
        shape = self._hyper.shape + self._shape[0] * self._a
        log = np.log if isinstance(sums, np.ndarray) else pt.log
        return -shape * log(self._rates + sums).sum()

    def log_density(self, value: Any) -> Any:
        return (
            self._constant
            - (self._a + 1.0) * pt.log(value).sum()
            + self._kernel((1.0 / value).sum(axis=0))
        )

    def draw(self) -> Any:
        scale = self._rates
        if self._hyper is not None:
            scale = pm.Gamma.dist(self._hyper.shape, self._rates, size=(self._shape[1],))
        return scale / pm.Gamma.dist(self._a, 1.0, size=self._shape)


class _Matrices:
    """Inverse-Wishart covariances (G, D, D); a Wishart-distributed scale is integrated out."""

    def __init__(self, family: InverseWishart, groups: int, d: int) -> None:
        assert family.df is not None
        self._df, self._groups, self._d = family.df, groups, d
        self._hyper = family.scale if isinstance(family.scale, Wishart) else None
        given = family.scale if self._hyper is None else self._hyper.scale
        self._scale = np.asarray(given, dtype=np.float64)
        identity = np.array([np.eye(d)] * groups)
        at_identity = -0.5 * groups * np.trace(self._scale)
        if self._hyper is not None:
            assert self._hyper.df is not None
            self._inverse = np.linalg.inv(self._scale)
            self._post = self._hyper.df + groups * self._df
            total = self._inverse + groups * np.eye(d)
            at_identity = -0.5 * self._post * np.linalg.slogdet(total)[1]
        self._constant = family.log_density(identity, None) - at_identity

    def log_density(self, value: Any) -> Any:
        lower = pt.linalg.cholesky(value)
        factors = pt.linalg.solve_triangular(lower, np.eye(self._d), lower=True, b_ndim=2)
        logs = pt.log(pt.diagonal(factors, axis1=-2, axis2=-1)).sum()
        inverses = (factors.mT @ factors).sum(axis=0)
        if self._hyper is None:
            scale = -0.5 * (self._scale * inverses).sum()
        else:
            total = pt.linalg.cholesky(self._inverse + inverses)
            scale = -self._post * pt.log(pt.diagonal(total)).sum()
        return self._constant + (self._df + self._d + 1.0) * logs + scale

    def draw(self) -> Any:
        half = np.linalg.cholesky(self._scale)
        if self._hyper is not None:
            assert self._hyper.df is not None
            half = half @ _bartlett(self._hyper.df, 1, self._d)[0]
        factors = _bartlett(self._df, self._groups, self._d)
        inverse = pt.linalg.solve_triangular(factors, np.eye(self._d), lower=True, b_ndim=2)
        lower = half @ inverse.mT
        return lower @ lower.mT


def _bartlett(df: float, groups: int, d: int) -> Any:
    """Lower triangular T with T T' ~ Wishart(df, I), (G, D, D)."""
    chi = pt.sqrt(pm.ChiSquared.dist(df - np.arange(d), size=(groups, d)))
    noise = pm.Normal.dist(size=(groups, d, d)) * np.tril(np.ones((d, d)), -1)
    return noise + chi[:, :, np.newaxis] * np.eye(d)


class _Separate:
    """Log-normal standard deviations and LKJ correlations, (G, D, D)."""

    def __init__(self, family: LKJ, groups: int, d: int) -> None:
        self._eta, self._spread = family.eta, family.log_scale_spread
        self._groups, self._d = groups, d
        self._location = np.asarray(family.log_scale_location, dtype=np.float64)
        identity = np.array([np.eye(d)] * groups)
        at_identity = -0.5 * groups * np.square(self._location / self._spread).sum()
        self._constant = family.log_density(identity) - at_identity

    def log_density(self, value: Any) -> Any:
        lower = pt.linalg.cholesky(value)
        log_det = 2.0 * pt.log(pt.diagonal(lower, axis1=-2, axis2=-1)).sum()
        logs = 0.5 * pt.log(pt.diagonal(value, axis1=-2, axis2=-1))
        z = (logs - self._location) / self._spread
        drift = 2.0 * (self._eta - 1.0) + self._d + 1.0
        return (
            self._constant
            + (self._eta - 1.0) * log_det
            - drift * logs.sum()
            - 0.5 * pt.square(z).sum()
        )

    def draw(self) -> Any:
        sds = pt.exp(pm.Normal.dist(self._location, self._spread, size=(self._groups, self._d)))
        lower = sds[:, :, np.newaxis] * pm.LKJCorr.dist(
            n=self._d, eta=self._eta, size=(self._groups,)
        )
        return lower @ lower.mT


def _prior(priors: ResolvedPriors, frame: Coordinates) -> _Variances | _Matrices | _Separate:
    family = priors.covariances
    if isinstance(family, InverseGamma):
        return _Variances(family, frame.groups, frame.axes)
    if isinstance(family, InverseWishart):
        return _Matrices(family, frame.groups, frame.n_features)
    return _Separate(family, frame.groups, frame.n_features)
