"""The unconstrained coordinates in which a posterior is sampled."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure, structures
from bayesgmm.errors import InvalidParameterError
from bayesgmm.likelihood.scaling import fit_units, moments
from bayesgmm.mixture.mixture import Mixture

# The least weight at which a chain starts: the coordinates of a weight of 0 are infinite.
_LEAST_WEIGHT = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Unconstrained coordinates of mixtures; the formulas are in ``log_posterior.hpp``.

    Attributes
    ----------
    shift, scale : ndarray of shape (D,)
        Rows are read as (x - shift) * scale.
    frame : ndarray of shape (D, D), lower triangular, or (D,)
        A Cholesky factor of a typical covariance of components, in those units. Means and
        covariances are whitened by it.
    n_components : int
    groups : int
        Number of free covariances: K, or 1 where all components share one.
    axes : int
        Free variances of a covariance: D, or 1 where all features share one; 0 for matrices.
    """

    shift: Array
    scale: Array
    frame: Array
    n_components: int
    groups: int
    axes: int

    @property
    def n_features(self) -> int:
        """D."""
        return len(self.shift)

    @property
    def block(self) -> int:
        """The number of coordinates of one covariance."""
        d = self.n_features
        return self.axes or d * (d + 1) // 2

    @property
    def size(self) -> int:
        """The number of coordinates: K - 1 of weights, K D of means, and those of covariances."""
        k, d = self.n_components, self.n_features
        return k - 1 + k * d + self.groups * self.block

    @property
    def user_frame(self) -> Array:
        """The frame in the data's units, (D, D)."""
        frame = np.diag(self.frame) if self.frame.ndim == 1 else self.frame
        return frame / self.scale[:, np.newaxis]

    def of(self, mixture: Mixture) -> Array:
        """The coordinates of a mixture, projected onto the structure, (size,)."""
        return self.of_parameters(mixture.weights, mixture.means, mixture.covariances)

    def of_parameters(self, weights: Array, means: Array, covariances: Array) -> Array:
        """Coordinates (..., size) of weights (..., K), means (..., K, D), covariances."""
        logs = np.log(np.maximum(weights, _LEAST_WEIGHT))
        frame, lead = self.user_frame, weights.shape[:-1]
        whitened_means = np.linalg.solve(frame, (means - self.shift).mT).mT
        groups = covariances
        if self.groups < self.n_components:
            groups = (weights[..., np.newaxis, np.newaxis] * groups).sum(axis=-3, keepdims=True)
        half = np.linalg.solve(frame, groups)
        whitened = np.linalg.solve(frame, half.mT)
        if self.axes:
            variances = np.diagonal(whitened, axis1=-2, axis2=-1)
            if self.axes < self.n_features:
                variances = variances.mean(axis=-1, keepdims=True)
            q = -0.5 * np.log(variances)
        else:
            lower = np.linalg.cholesky(whitened)
            factors = np.linalg.solve(lower, np.broadcast_to(np.eye(lower.shape[-1]), lower.shape))
            i, j = np.tril_indices(self.n_features)
            q = factors[..., i, j]
            q[..., i == j] = np.log(q[..., i == j])
        centred = (logs - logs.mean(axis=-1, keepdims=True))[..., :-1]
        parts = (centred, whitened_means.reshape(*lead, -1), q.reshape(*lead, -1))
        return np.concatenate(parts, axis=-1)

    def blocks(self, u: Array) -> tuple[Array, Array]:
        """The coordinates of each component, (..., K, size), and those that all share.

        A component has its centred log weight, D coordinates of its mean and, unless all share
        one, those of its covariance.
        """
        k, d = self.n_components, self.n_features
        lead, logs = u.shape[:-1], u[..., : k - 1]
        last = -logs.sum(axis=-1, keepdims=True)
        parts = [np.concatenate((logs, last), axis=-1)[..., np.newaxis]]
        end = k - 1 + k * d
        parts.append(u[..., k - 1 : end].reshape(*lead, k, d))
        if self.groups < k:
            return np.concatenate(parts, axis=-1), u[..., end:]
        parts.append(u[..., end:].reshape(*lead, k, self.block))
        return np.concatenate(parts, axis=-1), u[..., :0]

    def of_blocks(self, components: Array, shared: Array) -> Array:
        """The inverse of `blocks`."""
        d, lead = self.n_features, components.shape[:-2]
        parts = (components[..., :-1, 0], components[..., 1 : d + 1], components[..., d + 1 :])
        return np.concatenate([*(each.reshape(*lead, -1) for each in parts), shared], axis=-1)

    def log_jacobian(self, weights: Array, covariances: Array) -> float:
        """Log of |d(weights, means, covariances) / du|, in the data's units.

        weights (K,), of which K - 1 are free; covariances (G, D, D).
        """
        frame = np.diagonal(self.user_frame)
        d = self.n_features
        value = np.log(self.n_components) + np.log(weights).sum()
        value += self.n_components * np.log(frame).sum()
        if self.axes:
            variances = np.diagonal(covariances, axis1=1, axis2=2)[:, : self.axes]
            return float(value + np.log(2.0 * variances).sum())
        # P_ii is one over the i-th entry of the Cholesky factor of Sigma.
        logs = -np.log(np.diagonal(np.linalg.cholesky(covariances), axis1=1, axis2=2))
        powers = np.arange(1, d + 1) - 2.0 * (d + 1)
        each = d * np.log(2.0) + (powers * logs).sum(axis=1) + (logs + np.log(frame)).sum(axis=1)
        each -= (np.arange(d, 0, -1) * np.log(frame)).sum()
        return float(value + each.sum())


def coordinates(
    x: Array,
    n_components: int,
    structure: Structure,
    near: Mixture | None = None,
    row_weights: Array | None = None,
) -> Coordinates:
    """The coordinates for a posterior of these rows.

    Parameters
    ----------
    x : ndarray of shape (n, D)
    n_components : int
    structure : Structure
    near : Mixture, optional
        A mixture of high posterior density, whose pooled covariance within components makes the
        frame. None: the columns' standard deviations make it.
    row_weights : ndarray of shape (n,), optional

    Raises
    ------
    InvalidParameterError
        If components share a part of their covariances alone (volumes, shapes or axes).
    """
    d = x.shape[1]
    groups, axes = free_blocks(structure, n_components, d)
    units = fit_units(x, row_weights, structure)
    if near is None:
        within = np.diag(np.square(moments(x, row_weights)[1] * units.scale))
    else:
        within = np.tensordot(near.weights, near.covariances, 1)
        within = within * units.scale * units.scale[:, np.newaxis]
    deviations = np.sqrt(np.diagonal(within))
    frame = deviations if axes else np.linalg.cholesky(within)
    if axes == 1:
        frame = np.full(d, np.sqrt(np.mean(deviations**2)))
    return Coordinates(units.shift, units.scale, frame, n_components, groups, axes)


def free_blocks(structure: Structure, n_components: int, n_features: int) -> tuple[int, int]:
    """Free covariances of a structure, and free variances in each (0: all of a matrix).

    Raises
    ------
    InvalidParameterError
        If components share a part of their covariances alone.
    """
    if not _whole(structure, n_components, n_features):
        known = [each.name for each in structures() if _whole(each, 2, 2)]
        raise InvalidParameterError(
            f"Under covariance_type={structure.name!r} components share parts of their "
            f"covariances, which posteriors do not support. Use one of {', '.join(known)}."
        )
    free = structure.n_covariance_parameters(n_components, n_features)
    groups = free // structure.n_covariance_parameters(1, n_features)
    return groups, structure.n_variances(n_features) or 0


def _whole(structure: Structure, n_components: int, n_features: int) -> bool:
    """True if each component has a covariance of its own."""
    each = structure.n_covariance_parameters(1, n_features)
    free = structure.n_covariance_parameters(n_components, n_features)
    return free in (each, n_components * each)
