"""Variables of a PyMC model of which some parts are held at given values."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from scipy.linalg import block_diag

from bayesgmm.arrays import Array
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.posterior.held_coordinates import mean_part
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.pymc_models.prior_distributions import WeightsPrior


class AffineTransform(Transform):  # type: ignore[misc]
    """Values offset + M v of coordinates v; M is square."""

    name = "frame"

    def __init__(self, offset: Array, matrix: Array) -> None:
        self._offset, self._matrix = offset, matrix
        self._inverse = np.linalg.inv(matrix)
        self._log_det = float(np.linalg.slogdet(matrix)[1])

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Coordinates of values."""
        return (value - self._offset) @ self._inverse.T

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Values at coordinates."""
        return self._offset + value @ self._matrix.T

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log |det M|."""
        return pt.constant(self._log_det)


class HeldTransform(Transform):  # type: ignore[misc]
    """Another transform at coordinates u = origin + basis v, of the shape of `like`."""

    name = "held"

    def __init__(self, inner: Transform, origin: Array, basis: Array, shape: tuple[int, ...]):
        self._inner, self._origin, self._basis, self._shape = inner, origin, basis, shape
        self._inverse = np.linalg.pinv(basis)

    def _all(self, value: Any) -> Any:
        return (self._origin + self._basis @ value).reshape(self._shape)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """Free coordinates of values."""
        u = self._inner.forward(value, *inputs)
        return self._inverse @ (u.reshape((len(self._origin),)) - self._origin)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """Values at free coordinates."""
        return self._inner.backward(self._all(value), *inputs)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """That of the inner transform: right up to a constant."""
        return self._inner.log_jac_det(self._all(value), *inputs)


def held_weights(priors: ResolvedPriors, held: HeldParameters) -> Any:
    """Weights (K,): those that are free share what held ones leave, by a Dirichlet distribution."""
    free = np.flatnonzero(np.isnan(held.weights))
    left = 1.0 - np.nansum(held.weights)
    values = pt.as_tensor(np.nan_to_num(held.weights, nan=left))
    if len(free) > 1:
        concentration = np.array(priors.concentration)[free]
        shares = WeightsPrior("free_weights", concentration)
        values = values[free].set(left * shares)
    return pm.Deterministic("weights", values, dims="component")


def held_means(priors: ResolvedPriors, held: HeldParameters, frame: Coordinates) -> Any:
    """Means (K, D), of which the free entries are a variable."""
    free = np.isnan(held.means)
    values = pt.as_tensor(np.nan_to_num(held.means))
    if free.any():
        location, sd = (
            np.broadcast_to(each, free.shape)[free]
            for each in (priors.mean_location, priors.mean_sd)
        )
        parts = [mean_part(mean, frame.shift, frame.user_frame) for mean in held.means]
        # In the data's units, free entries at v = 0 and their steps.
        pairs = zip(parts, free, strict=True)
        steps = [(frame.user_frame @ basis)[here] for (_, basis), here in pairs]
        offset = np.broadcast_to(frame.shift, free.shape)[free]
        matrix = block_diag(*steps)
        entries = pm.Normal("free_means", location, sd, transform=AffineTransform(offset, matrix))
        values = values[np.nonzero(free)].set(entries)
    return pm.Deterministic("means", values, dims=("component", "feature"))


def held_transform(
    inner: Transform, frame: Coordinates, shape: tuple[int, ...]
) -> Transform | None:
    """The transform of covariances of which some are held; None if all are."""
    assert frame.held is not None
    k, d = frame.n_components, frame.n_features
    first = k - 1 + k * d
    rows = slice(first, first + k * frame.n_own_shape + frame.n_shared_shape)
    origin, basis = frame.held.origin[rows], frame.held.basis[rows]
    basis = basis[:, basis.any(axis=0)]
    return HeldTransform(inner, origin, basis, shape) if basis.size else None
