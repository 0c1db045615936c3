"""The unconstrained coordinates in which a posterior is sampled."""

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.likelihood.scaling import fit_units, moments
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.tied_covariances import TiedChart

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
    tied : TiedChart, optional
        The chart of covariances of which components share some parts, but not all.
    """

    shift: Array
    scale: Array
    frame: Array
    n_components: int
    groups: int
    axes: int
    tied: TiedChart | None = None

    @property
    def n_features(self) -> int:
        """D."""
        return len(self.shift)

    @property
    def block(self) -> int:
        """The number of coordinates of one free covariance."""
        d = self.n_features
        return self.axes or d * (d + 1) // 2

    @property
    def n_own(self) -> int:
        """Coordinates of a component's covariance that are its own."""
        if self.tied is not None:
            return self.tied.n_own
        return self.block if self.groups == self.n_components else 0

    @property
    def n_shared(self) -> int:
        """Coordinates of covariances that all components share."""
        if self.tied is not None:
            return self.tied.n_shared
        return 0 if self.groups == self.n_components else self.block

    @property
    def n_own_angles(self) -> int:
        """Coordinates of an orientation that is a component's own, in a chart of orientations."""
        if self.tied is None or self.tied.shared[2]:
            return 0
        return self.tied.sizes[2]

    @property
    def size(self) -> int:
        """The number of coordinates: K - 1 of weights, K D of means, and those of covariances."""
        k, d = self.n_components, self.n_features
        return k - 1 + k * (d + self.n_own) + self.n_shared

    @property
    def user_frame(self) -> Array:
        """The frame in the data's units, (D, D)."""
        return user_frame(self.frame, self.scale)

    def of(self, mixture: Mixture) -> Array:
        """The coordinates of a mixture, projected onto the structure, (size,)."""
        return self.of_parameters(mixture.weights, mixture.means, mixture.covariances)

    def of_parameters(self, weights: Array, means: Array, covariances: Array) -> Array:
        """Coordinates (..., size) of weights (..., K), means (..., K, D), covariances."""
        logs = np.log(np.maximum(weights, _LEAST_WEIGHT))
        frame, lead = self.user_frame, weights.shape[:-1]
        centred = (logs - logs.mean(axis=-1, keepdims=True))[..., :-1]
        whitened_means = np.linalg.solve(frame, (means - self.shift).mT).mT
        own, shared = self._of_covariances(weights, covariances)
        parts = (centred, whitened_means, own, shared)
        return np.concatenate([each.reshape(*lead, -1) for each in parts], axis=-1)

    def _of_covariances(self, weights: Array, covariances: Array) -> tuple[Array, Array]:
        """Coordinates of each covariance (..., K, n_own), and those that all share."""
        if self.tied is not None:
            return self.tied.of(weights, covariances)
        frame, groups = self.user_frame, covariances
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
        if self.groups < self.n_components:
            return np.empty((*weights.shape, 0)), q[..., 0, :]
        return q, q[..., 0, :0]

    def blocks(self, u: Array) -> tuple[Array, Array]:
        """The coordinates of each component, (..., K, size), and those that all share.

        A component has its centred log weight, D coordinates of its mean, and those of its
        covariance that are its own.
        """
        k, d = self.n_components, self.n_features
        lead, logs = u.shape[:-1], u[..., : k - 1]
        last = -logs.sum(axis=-1, keepdims=True)
        parts = [np.concatenate((logs, last), axis=-1)[..., np.newaxis]]
        end = k - 1 + k * d
        parts.append(u[..., k - 1 : end].reshape(*lead, k, d))
        after = end + k * self.n_own
        parts.append(u[..., end:after].reshape(*lead, k, self.n_own))
        return np.concatenate(parts, axis=-1), u[..., after:]

    def of_blocks(self, components: Array, shared: Array) -> Array:
        """The inverse of `blocks`."""
        d, lead = self.n_features, components.shape[:-2]
        parts = (components[..., :-1, 0], components[..., 1 : d + 1], components[..., d + 1 :])
        return np.concatenate([*(each.reshape(*lead, -1) for each in parts), shared], axis=-1)

    def near(
        self, components: Array, shared: Array, centre: Array, shared_centre: Array
    ) -> tuple[Array, Array]:
        """Coordinates of the same mixtures, with axes nearest to those of a component.

        Orientations have several coordinates for the same axes.

        Parameters
        ----------
        components, shared : ndarray of shape (T, K, size) and (T, n_shared)
            As of `blocks`.
        centre, shared_centre : ndarray of shape (size,) and (n_shared,)
            The same of one component.
        """
        if self.tied is None:
            return components, shared
        d = 1 + self.n_features
        own, shared = self.tied.near(components[..., d:], shared, centre[d:], shared_centre)
        return np.concatenate((components[..., :d], own), axis=-1), shared

    def log_jacobian(self, u: Array) -> float:
        """Log of |d(weights, means, covariances) / du| at u (size,), in the data's units.

        Weights are K - 1 of them. Where components share parts of their covariances, it is that of
        the structure's volume (`TiedChart.log_measure`).
        """
        components, shared = self.blocks(u)
        d, k = self.n_features, self.n_components
        frame = np.diagonal(self.user_frame)
        value = np.log(k) + log_softmax(components[:, 0]).sum() + k * np.log(frame).sum()
        own = components[:, 1 + d :]
        if self.tied is not None:
            return float(value) + self.tied.log_measure(own, shared)
        q = own if self.groups == k else shared[np.newaxis]
        if self.axes:
            logs = 2.0 * (np.log(frame[: self.axes]) - q)
            return float(value + (np.log(2.0) + logs).sum())
        of_factors = q[:, [i * (i + 3) // 2 for i in range(d)]]
        logs = of_factors - np.log(frame)  # of P_ii
        powers = np.arange(1, d + 1) - 2.0 * (d + 1)
        each = d * np.log(2.0) + (powers * logs).sum(axis=1) + of_factors.sum(axis=1)
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
    tied = None
    if structure.shares_parts(n_components, d):
        tied = _tied_chart(structure, n_components, user_frame(frame, units.scale), near)
    return Coordinates(units.shift, units.scale, frame, n_components, groups, axes, tied)


def user_frame(frame: Array, scale: Array) -> Array:
    """A frame (D, D) or (D,) of rows multiplied by a scale, in the data's units, (D, D)."""
    return np.asarray((np.diag(frame) if frame.ndim == 1 else frame) / scale[:, np.newaxis])


def _tied_chart(
    structure: Structure, n_components: int, frame: Array, near: Mixture | None
) -> TiedChart:
    """The chart of a structure that shares parts, with a frame (D, D) in the data's units."""
    if structure.diagonal:
        return TiedChart(structure, n_components, np.diagonal(frame), None)
    reference, (_, shape, orientation) = None, structure.letters
    if shape != orientation:
        reference = np.eye(len(frame))
        if near is not None:
            # Volumes do not count, as a wide component has no clearer axes.
            sizes = np.trace(near.covariances, axis1=1, axis2=2)
            reference = np.linalg.eigh(np.tensordot(near.weights / sizes, near.covariances, 1))[1]
            reference = reference[:, ::-1] * np.sign(np.linalg.det(reference[:, ::-1]))
    return TiedChart(structure, n_components, frame, reference)


def free_blocks(structure: Structure, n_components: int, n_features: int) -> tuple[int, int]:
    """Covariances of a structure, and variances in each (0: all of a matrix)."""
    groups = n_components
    if not structure.shares_parts(n_components, n_features):
        free = structure.n_covariance_parameters(n_components, n_features)
        groups = free // structure.n_covariance_parameters(1, n_features)
    return groups, structure.n_variances(n_features) or 0
