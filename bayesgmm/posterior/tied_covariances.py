"""Coordinates of covariances of which the components share some parts.

The formulas, and the measure in which densities are stated, are those of
``covariance_coordinates.hpp``.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure

# The least step between the shapes of two axes of which coordinates are taken: below it the axes
# of a start have no order.
_LEAST_STEP = 1e-6


class Parts(NamedTuple):
    """Coordinates of the parts of each component, shared or its own.

    Attributes
    ----------
    volume : ndarray of shape (..., K, 1)
    shape, orientation : ndarray of shape (..., K, size)
    """

    volume: Array
    shape: Array
    orientation: Array


@dataclass(frozen=True, slots=True, eq=False)
class TiedChart:
    """Coordinates of the covariances of a structure that shares parts of them.

    Attributes
    ----------
    structure : Structure
    n_components : int
    frame : ndarray of shape (D, D) or (D,)
        A in the data's units, or its diagonal for variances.
    reference : ndarray of shape (D, D), or None
        Axes, as columns, about which orientations have coordinates; None where they have none.
    """

    structure: Structure
    n_components: int
    frame: Array
    reference: Array | None

    @property
    def shared(self) -> tuple[bool, bool, bool]:
        """Whether components share volume, shape and orientation."""
        volume, shape, orientation = (letter != "V" for letter in self.structure.code)
        return volume, shape, orientation

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Coordinates of a volume, a shape and an orientation."""
        d = len(self.frame)
        if self.reference is not None:
            return 1, d - 1, d * (d - 1) // 2
        return 1, (d if self.frame.ndim == 1 else d * (d + 1) // 2) - 1, 0

    @property
    def n_own(self) -> int:
        """Coordinates of one component's covariance that are its own."""
        return sum(size for size, shared in zip(self.sizes, self.shared, strict=True) if not shared)

    @property
    def n_shared(self) -> int:
        """Coordinates that all components share."""
        return sum(size for size, shared in zip(self.sizes, self.shared, strict=True) if shared)

    def of(self, weights: Array, covariances: Array) -> tuple[Array, Array]:
        """Coordinates (..., K, n_own) and (..., n_shared) of covariances (..., K, D, D).

        Covariances that are not of the structure are projected onto it; parts that components
        share are averages by their weights (..., K).
        """
        volume = (self._log_det - 0.5 * np.linalg.slogdet(covariances)[1]) / len(self.frame)
        normalised = covariances * np.exp(2.0 * volume)[..., np.newaxis, np.newaxis]
        if self.reference is not None:
            shape, orientation = self._along_axes(weights, normalised)
        else:
            shape = self._by_factors(weights, normalised)
            orientation = shape[..., :0]
        volume = _averaged(weights, volume[..., np.newaxis], self.shared[0])
        own, common = [], []
        for part, shared in zip((volume, shape, orientation), self.shared, strict=True):
            if shared:
                common.append(part[..., 0, :])
            else:
                own.append(part)
        none = volume[..., :0]
        return np.concatenate([none, *own], axis=-1), np.concatenate(
            [none[..., 0, :], *common], axis=-1
        )

    def parts(self, own: Array, shared: Array) -> Parts:
        """The coordinates of each part, from those of components and those that all share."""
        found, ends = [], [0, 0]
        for size, common in zip(self.sizes, self.shared, strict=True):
            start = ends[common]
            ends[common] += size
            part = (shared[..., np.newaxis, :] if common else own)[..., start : start + size]
            found.append(np.broadcast_to(part, (*own.shape[:-1], size)))
        return Parts(*found)

    def log_measure(self, own: Array, shared: Array) -> float:
        """Log of the density of the measure in coordinates (K, n_own) and (n_shared,).

        The measure is the Fisher metric's volume times prod |Sigma_k|^((D + 1) / 2), with which a
        density in the covariances becomes one in these coordinates; for variances, that of their
        logs times the variances.
        """
        volume, shape, orientation = self.parts(own, shared)
        d, diagonal = len(self.frame), self.frame.ndim == 1
        log_dets = 2.0 * self._log_det - 2.0 * d * volume
        value = (1.0 if diagonal else 0.5 * (d + 1.0)) * log_dets.sum()
        if diagonal:
            return float(value)
        shapes = shape[:1] if self.shared[1] else shape
        if self.reference is None:
            logs = _complete(shapes[:, [i * (i + 3) // 2 for i in range(d - 1)]])
            return float(value + (logs @ (np.arange(1.0, d + 1.0) - d)).sum())
        s = self._spectrum(shape)
        if self.shared[1]:
            value += shapes.sum()
        turned = orientation[:1] if self.shared[2] else orientation
        value += np.log(np.cosh(turned)).sum()
        value -= (d - 1.0) * np.linalg.slogdet(np.eye(d) - _skew(turned, d))[1].sum()
        i, j = np.tril_indices(d, -1)
        squares = np.sinh(s[:, i] - s[:, j]) ** 2
        squares = squares.sum(axis=0) if self.shared[2] else squares
        return float(value + 0.5 * np.log(squares).sum())

    def near(
        self, own: Array, shared: Array, centre: Array, shared_centre: Array
    ) -> tuple[Array, Array]:
        """Coordinates of the same covariances, with the axes nearest to those of another.

        Orientations have other coordinates for the same axes, as these may be reversed, and put in
        another order where components do not share their shape.

        Parameters
        ----------
        own : ndarray of shape (T, K, n_own)
        shared : ndarray of shape (T, n_shared)
        centre, shared_centre : ndarray of shape (n_own,) and (n_shared,)
            The coordinates of one covariance.
        """
        if self.reference is None:
            return own, shared
        d = len(self.frame)
        _, shapes, angles = self.parts(own, shared)
        _, _, about = self.parts(centre[np.newaxis], shared_centre)
        axes = _rotation(about, d)
        turned, order = _nearest(axes.mT @ _rotation(angles, d), in_any_order=self.shared[2])
        new = _angles(axes @ turned)
        own, shared = own.copy(), shared.copy()
        if self.shared[2]:
            shared[:, -new.shape[-1] :] = new[:, 0]
            own[..., -(d - 1) :] = np.take_along_axis(_complete(shapes), order, axis=-1)[..., :-1]
        else:
            own[..., -new.shape[-1] :] = new
        return own, shared

    @property
    def _log_det(self) -> float:
        """Log |A|."""
        diagonal = self.frame if self.frame.ndim == 1 else np.diagonal(self.frame)
        return float(np.log(diagonal).sum())

    def _by_factors(self, weights: Array, normalised: Array) -> Array:
        """Shapes (..., K, size) of covariances by triangular or diagonal factors."""
        d = len(self.frame)
        if self.frame.ndim == 1:
            q = np.log(self.frame) - 0.5 * np.log(np.diagonal(normalised, axis1=-2, axis2=-1))
            return _averaged(weights, q - q.mean(axis=-1, keepdims=True), self.shared[1])[..., :-1]
        half = np.linalg.solve(self.frame, normalised)
        whitened = _averaged(weights, np.linalg.solve(self.frame, half.mT), self.shared[1])
        lower = np.linalg.cholesky(whitened)
        factors = np.linalg.solve(lower, np.broadcast_to(np.eye(d), lower.shape))
        logs = np.log(np.diagonal(factors, axis1=-2, axis2=-1))
        factors = factors * np.exp(-logs.mean(axis=-1))[..., np.newaxis, np.newaxis]
        i, j = np.tril_indices(d)
        q = factors[..., i, j]
        q[..., i == j] = np.log(q[..., i == j])
        return q[..., :-1]

    def _along_axes(self, weights: Array, normalised: Array) -> tuple[Array, Array]:
        """Shapes and orientations (..., K, size)."""
        assert self.reference is not None
        k = self.n_components
        if self.shared[2]:
            # Axes of a combination in which no two directions tie unless they do in all components.
            shares = np.sqrt(np.arange(1.0, k + 1.0)) / np.trace(normalised, axis1=-2, axis2=-1)
            mixed = (shares[..., np.newaxis, np.newaxis] * normalised).sum(axis=-3, keepdims=True)
            axes = np.linalg.eigh(mixed)[1]
        else:
            axes = np.linalg.eigh(normalised)[1][..., ::-1]
        turned, _ = _nearest(self.reference.T @ axes, in_any_order=self.shared[2])
        axes = self.reference @ turned
        variances = np.einsum("...ji,...jl,...li->...i", axes, normalised, axes)
        s = -0.5 * np.log(variances)
        s -= s.mean(axis=-1, keepdims=True)
        if self.shared[1]:
            steps = np.diff(_averaged(weights, s, common=True), axis=-1)
            shape = np.log(np.maximum(steps, _LEAST_STEP))
        else:
            shape = s[..., :-1]
        orientation = _angles(turned)
        return shape, np.broadcast_to(orientation, (*shape.shape[:-1], orientation.shape[-1]))

    def _spectrum(self, shape: Array) -> Array:
        """Shapes s (K, D) beside orientations, of sum 0."""
        if not self.shared[1]:
            return _complete(shape)
        s = np.cumsum(np.pad(np.exp(shape), ((0, 0), (1, 0))), axis=1)
        return np.asarray(s - s.mean(axis=1, keepdims=True))


def _averaged(weights: Array, part: Array, common: bool) -> Array:
    """A part of each component (..., K, ...), or its average by the weights for all of them."""
    if not common:
        return part
    shares = weights.reshape(*weights.shape, *(1,) * (part.ndim - weights.ndim))
    axis = weights.ndim - 1
    return np.broadcast_to((shares * part).sum(axis=axis, keepdims=True), part.shape)


def _complete(numbers: Array) -> Array:
    """Numbers (..., D) of sum 0, from all but the last."""
    return np.concatenate((numbers, -numbers.sum(axis=-1, keepdims=True)), axis=-1)


def _skew(z: Array, d: int) -> Array:
    """Skew matrices O (..., D, D) of coordinates z: entries sinh z below the diagonal."""
    out = np.zeros((*z.shape[:-1], d, d))
    i, j = np.tril_indices(d, -1)
    out[..., i, j] = np.sinh(z)
    return out - out.mT


def _rotation(z: Array, d: int) -> Array:
    """Rotations (I - O)^-1 (I + O) of coordinates."""
    skew = _skew(z, d)
    return np.asarray(np.linalg.solve(np.eye(d) - skew, np.eye(d) + skew))


def _angles(turned: Array) -> Array:
    """The inverse of `_rotation`."""
    d = turned.shape[-1]
    skew = np.linalg.solve((turned + np.eye(d)).mT, (turned - np.eye(d)).mT).mT
    i, j = np.tril_indices(d, -1)
    return np.arcsinh(skew[..., i, j])


def _nearest(turned: Array, *, in_any_order: bool) -> tuple[Array, Indices]:
    """Rotations near the identity with the axes of orthogonal matrices (..., D, D), as columns.

    The columns may be reversed, and put in another order, which is returned as well, (..., D).
    """
    d = turned.shape[-1]
    order = np.broadcast_to(np.arange(d), turned.shape[:-1])
    if in_any_order:
        flat = np.square(turned.reshape(-1, d, d))
        order = native.assign_all(-flat)[0].reshape(turned.shape[:-1])
        turned = np.take_along_axis(turned, order[..., np.newaxis, :], axis=-1)
    diagonal = np.diagonal(turned, axis1=-2, axis2=-1)
    signs = np.where(diagonal < 0.0, -1.0, 1.0)
    turned = turned * signs[..., np.newaxis, :]
    # A reflection becomes a rotation with the axis reversed that is farthest from its own.
    reflected = np.linalg.det(turned) < 0.0
    least = np.abs(diagonal).argmin(axis=-1)
    flip = reflected[..., np.newaxis] & (np.arange(d) == least[..., np.newaxis])
    return turned * np.where(flip, -1.0, 1.0)[..., np.newaxis, :], order
