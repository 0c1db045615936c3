"""The unconstrained coordinates in which a posterior is sampled."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import log_softmax, logit

from bayesgmm.arrays import Array, Indices
from bayesgmm.covariance.structures import Structure
from bayesgmm.likelihood.scaling import fit_units, moments
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.held_coordinates import (
    HeldCoordinates,
    fixed,
    free,
    mean_part,
    weights_part,
)
from bayesgmm.posterior.tied_covariances import TiedChart
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.outlier_priors import NO_OUTLIERS, OutlierPriors

# The least weight at which a chain starts, and the least inflation less 1: the coordinates of 0 are
# infinite.
_LEAST_WEIGHT, _LEAST_INFLATION = 1e-6, 1e-3


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
    outliers : OutlierPriors
        What there is beside components.
    held : HeldCoordinates, optional
        The coordinates that are free, where parameters are held.
    component_groups : ndarray of shape (K,), optional
        Groups of components that labels and held values do not tell apart. None: all are one.
    """

    shift: Array
    scale: Array
    frame: Array
    n_components: int
    groups: int
    axes: int
    tied: TiedChart | None = None
    outliers: OutlierPriors = NO_OUTLIERS
    held: HeldCoordinates | None = None
    component_groups: Indices | None = None

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
    def variables(self) -> tuple[str, ...]:
        """Names of a posterior's variables, in the order of `of_parameters`."""
        return ("weights", "means", "covariances", *self.outliers.variables)

    @property
    def n_own_shape(self) -> int:
        """Coordinates of a component's covariance that are its own."""
        if self.tied is not None:
            return self.tied.n_own
        return self.block if self.groups == self.n_components else 0

    @property
    def n_own(self) -> int:
        """Coordinates of a component beside those of its weight and mean."""
        return self.n_own_shape + 2 * self.outliers.contaminated

    @property
    def n_shared_shape(self) -> int:
        """Coordinates of covariances that all components share."""
        if self.tied is not None:
            return self.tied.n_shared
        return 0 if self.groups == self.n_components else self.block

    @property
    def n_shared(self) -> int:
        """Coordinates that are of no component."""
        return self.n_shared_shape + self.outliers.noise

    @property
    def n_own_angles(self) -> int:
        """Coordinates of an orientation that is a component's own, in a chart of orientations."""
        if self.tied is None or self.tied.shared[2]:
            return 0
        return self.tied.sizes[2]

    @property
    def size(self) -> int:
        """The number of coordinates: K - 1 of weights, K D of means, and those of covariances.

        Then those of noise and outliers; fewer where parameters are held.
        """
        if self.held is not None:
            return self.held.size
        k, d = self.n_components, self.n_features
        return k - 1 + k * (d + self.n_own) + self.n_shared

    @property
    def user_frame(self) -> Array:
        """The frame in the data's units, (D, D)."""
        return user_frame(self.frame, self.scale)

    def of(self, mixture: Mixture, *outliers: Array) -> Array:
        """The coordinates of a mixture, projected onto the structure, (size,)."""
        return self.of_parameters(mixture.weights, mixture.means, mixture.covariances, *outliers)

    def of_parameters(
        self, weights: Array, means: Array, covariances: Array, *outliers: Array
    ) -> Array:
        """Coordinates (..., size) of parameters, projected onto the structure.

        Parameters
        ----------
        weights, means, covariances : ndarrays of shape (..., K), (..., K, D), (..., K, D, D)
        *outliers : ndarrays of shape (...) for the weight of noise, (..., K) for others
            In the order of `variables`.
        """
        frame, lead = self.user_frame, weights.shape[:-1]
        centred = self._centred_logs(weights)[..., :-1]
        whitened_means = np.linalg.solve(frame, (means - self.shift).mT).mT
        own, shared = self._of_covariances(weights, covariances)
        parts = (centred, whitened_means, own, shared, *self._of_outliers(*outliers))
        u = np.concatenate([each.reshape(*lead, -1) for each in parts], axis=-1)
        return u if self.held is None else self.held.free(u)

    def _centred_logs(self, weights: Array) -> Array:
        """Log weights (..., K) with the mean 0 over those that are free, and 0 for held ones."""
        logs = np.log(np.maximum(weights, _LEAST_WEIGHT))
        if self.held is None:
            return np.asarray(logs - logs.mean(axis=-1, keepdims=True))
        here = np.isnan(self.held.parameters.weights)
        some = logs[..., here]
        centred = np.zeros_like(logs)
        centred[..., here] = some - some.mean(axis=-1, keepdims=True) if here.any() else some
        return centred

    def _of_outliers(self, *outliers: Array) -> list[Array]:
        """Coordinates of noise, and of each component's outliers."""
        found, rest = [], list(outliers)
        if self.outliers.noise:
            found.append(logit(np.clip(rest.pop(0), _LEAST_WEIGHT, 1.0 - _LEAST_WEIGHT)))
        if self.outliers.contaminated:
            share, inflation = rest
            twice = np.clip(2.0 * share, _LEAST_WEIGHT, 1.0 - _LEAST_WEIGHT)
            more = np.log(np.maximum(inflation - 1.0, _LEAST_INFLATION))
            found.append(np.stack((logit(twice), more), axis=-1))
        return found

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

        A component has its centred log weight, D coordinates of its mean, those of its
        covariance that are its own, and of its outliers. Linear up to a constant.
        """
        if self.held is not None:
            u = self.held.origin + u @ self.held.basis.T
        k, d = self.n_components, self.n_features
        lead, logs = u.shape[:-1], u[..., : k - 1]
        last = -logs.sum(axis=-1, keepdims=True)
        parts = [np.concatenate((logs, last), axis=-1)[..., np.newaxis]]
        end = k - 1 + k * d
        parts.append(u[..., k - 1 : end].reshape(*lead, k, d))
        after = end + k * self.n_own_shape
        parts.append(u[..., end:after].reshape(*lead, k, self.n_own_shape))
        rest = after + self.n_shared
        parts.append(u[..., rest:].reshape(*lead, k, self.n_own - self.n_own_shape))
        return np.concatenate(parts, axis=-1), u[..., after:rest]

    def of_blocks(self, components: Array, shared: Array) -> Array:
        """The inverse of `blocks`."""
        u = self._joined(components, shared)
        return u if self.held is None else self.held.free(u)

    def deviations(self, components: Array, shared: Array) -> Array:
        """Deviations (size,) of coordinates from those (K, size) of components, and shared ones."""
        u = self._joined(components, shared)
        return u if self.held is None else np.asarray(np.abs(self.held.inverse) @ u)

    def _joined(self, components: Array, shared: Array) -> Array:
        """Blocks as coordinates of which none is held."""
        d, lead = self.n_features, components.shape[:-2]
        ends = np.cumsum((1, d, self.n_own_shape))
        logs, means, own, outliers = np.split(components, ends, axis=-1)
        parts = (logs[..., :-1, :], means, own)
        flat = [each.reshape(*lead, -1) for each in (*parts, outliers)]
        return np.concatenate([*flat[:-1], shared, flat[-1]], axis=-1)

    def shuffled(self, rng: np.random.Generator) -> Indices:
        """A random order (K,) of the components within their groups."""
        groups = self.component_groups
        if groups is None:
            return np.asarray(rng.permutation(self.n_components))
        order = np.arange(self.n_components)
        for group in np.unique(groups):
            order[groups == group] = rng.permutation(np.flatnonzero(groups == group))
        return order

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
        own, common = slice(d, d + self.n_own_shape), slice(self.n_shared_shape)
        near, near_shared = self.tied.near(
            components[..., own], shared[..., common], centre[own], shared_centre[common]
        )
        components, shared = components.copy(), shared.copy()
        components[..., own], shared[..., common] = near, near_shared
        return components, shared

    def log_jacobian(self, u: Array) -> float:
        """Log of |d(weights, means, covariances) / du| at u (size,), in the data's units.

        Weights are K - 1 of them. Where components share parts of their covariances, it is that of
        the structure's volume (`TiedChart.log_measure`). Without noise, outliers and held
        parameters.
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
    outliers: OutlierPriors = NO_OUTLIERS,
    held: HeldParameters | None = None,
    component_groups: Indices | None = None,
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
    outliers : OutlierPriors
    held : HeldParameters, optional
    component_groups : ndarray of shape (K,), optional
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
    found = Coordinates(
        units.shift,
        units.scale,
        frame,
        n_components,
        groups,
        axes,
        tied,
        outliers,
        component_groups=component_groups,
    )
    return found if held is None else replace(found, held=_free_coordinates(found, held))


def _free_coordinates(frame: Coordinates, held: HeldParameters) -> HeldCoordinates:
    """The coordinates that held parameters leave free."""
    k, d = frame.n_components, frame.n_features
    parts = [weights_part(held.weights)]
    parts += [mean_part(mean, frame.shift, frame.user_frame) for mean in held.means]
    covariances = held.covariances
    if covariances.ndim == 2:
        covariances = covariances[:, :, np.newaxis] * np.eye(d)
    known = ~np.isnan(covariances[:, 0, 0])
    example = np.where(
        known[:, np.newaxis, np.newaxis], covariances, frame.user_frame @ frame.user_frame.T
    )
    own, shared = frame._of_covariances(np.full(k, 1.0 / k), example)
    parts += [
        fixed(each) if here else free(len(each)) for each, here in zip(own, known, strict=True)
    ]
    parts.append(fixed(shared) if known.all() else free(len(shared)))
    parts.append(
        free(frame.n_shared - frame.n_shared_shape + k * (frame.n_own - frame.n_own_shape))
    )
    return HeldCoordinates.of(held, parts)


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
