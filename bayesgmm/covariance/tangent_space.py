"""Tangent directions of a covariance structure, and the second derivatives of its charts.

A structure's covariances are Sigma_k = lambda_k D_k A_k D_k' (Celeux & Govaert 1995), where volume
lambda, shape A (of determinant 1) and orientation D are each equal over components, varying, or
those of the identity. A chart around given covariances, with L_k L_k' = Sigma_k, is

    L_k exp(v_k I + S_k) L_k'                       shape and orientation free together, or none
    D_k e^(Omega_k) e^(v_k I + s_k) A_k e^(-Omega_k) D_k'      one of them common to all

with S symmetric and s diagonal, both of trace 0, and Omega skew; they are common to the components
where the structure has an E. The first derivatives are the tangent directions. The second ones are
needed where the gradient of the likelihood does not vanish across the structure.
"""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.errors import InputError

# Eigenvalues are found to some units in the last place of the largest.
_FLATTEST = 1e-14


@dataclass(frozen=True, slots=True, eq=False)
class Tangent:
    """Tangent directions of a structure at given covariances.

    Attributes
    ----------
    directions : ndarray of shape (m, K, D, D)
        Symmetric E, for the derivative L_k E L_k' of Sigma_k in each of m free parameters. Zero
        for the rotation of a sphere.
    """

    directions: Array
    _scalings: Array
    _rotations: Array | None
    _axes: Array | None

    def curvature(self, slopes: Array) -> Array:
        """The contribution of the chart's second derivatives to those of a function, (m, m).

        Parameters
        ----------
        slopes : ndarray of shape (K, D, D)
            Symmetric T: the function's slope along E is sum_k tr(T_k E_k).
        """
        if self._rotations is None:
            # exp(E) has E_i E_j, made symmetric.
            half = np.einsum("kab,ikbc,jkca->ij", slopes, *[self.directions] * 2, optimize=True)
            return np.asarray(0.5 * (half + half.T))
        assert self._axes is not None
        s, p = self._scalings, self._rotations
        inner = self._axes.mT @ slopes @ self._axes
        turned = inner @ p + p.mT @ inner
        turns = np.einsum("ikab,jkba->ij", turned, p + p.mT, optimize=True)
        mixed = np.einsum("ikaa,jka->ij", turned, s, optimize=True)
        diagonal = np.einsum("kaa,ika,jka->ij", inner, s, s, optimize=True)
        return np.asarray(diagonal + mixed + mixed.T + 0.5 * (turns + turns.T))


def covariance_tangent(structure: Structure, covariances: Array, roots: Array) -> Tangent:
    """The tangent directions of a structure.

    Parameters
    ----------
    structure : Structure
    covariances : ndarray of shape (K, D, D)
        Of the structure.
    roots : ndarray of shape (K, D, D)
        Lower triangular Cholesky factors of the covariances.
    """
    k, d, _ = covariances.shape
    letters = structure.code if d > 1 else structure.code[0] + "II"
    # A single component shares nothing.
    letters = letters.replace("E", "V") if k == 1 else letters
    volume, shape, orientation = tuple(letters)
    volumes = _over_components(np.ones((1, d)), k, common=volume == "E")
    if orientation not in ("I", shape):
        return _turning(volumes, shape == "E", orientation == "E", covariances, roots)
    scalings = volumes
    if shape != "I" and orientation == "I":
        shapes = _over_components(_traceless(d), k, common=shape == "E")
        scalings = np.concatenate((volumes, shapes))
    directions = scalings[..., np.newaxis] * np.eye(d)
    if orientation != "I":
        rows, columns = np.tril_indices(d, -1)
        off = np.zeros((len(rows), d, d))
        off[np.arange(len(rows)), rows, columns] = off[np.arange(len(rows)), columns, rows] = 1.0
        free = np.concatenate((_traceless(d)[..., np.newaxis] * np.eye(d), off))
        free = _over_components(free, k, common=shape == "E")
        directions = np.concatenate((directions, free))
    return Tangent(directions, scalings, None, None)


def _turning(
    volumes: Array, common_shape: bool, common_axes: bool, covariances: Array, roots: Array
) -> Tangent:
    """The tangent where one of shape and orientation is common and the other varies."""
    k, d, _ = covariances.shape
    if common_axes:
        # Axes of a combination in which no two directions tie unless they do in all components.
        shares = np.sqrt(np.arange(1, k + 1)) / np.trace(covariances, axis1=1, axis2=2)
        axes = np.repeat(np.linalg.eigh(np.tensordot(shares, covariances, 1))[1][None], k, axis=0)
    else:
        axes = np.linalg.eigh(covariances)[1]
    shapes = np.einsum("kja,kji,kia->ka", axes, covariances, axes)
    if (shapes.min(axis=1) <= _FLATTEST * shapes.max(axis=1)).any():
        raise InputError(
            "A covariance matrix is too close to singular for second derivatives in its axes: its "
            f"eigenvalues differ by a factor of {1.0 / _FLATTEST:.0e} or more. Rescale the columns "
            "or use method='bootstrap'."
        )
    scalings = np.concatenate((volumes, _over_components(_traceless(d), k, common=common_shape)))
    rows, columns = np.tril_indices(d, -1)
    each = np.arange(len(rows))
    skew = np.zeros((len(rows), d, d))
    skew[each, rows, columns], skew[each, columns, rows] = 1.0, -1.0
    turns = _over_components(skew, k, common=common_axes)
    m, p = len(scalings), len(turns)
    scalings = np.concatenate((scalings, np.zeros((p, k, d))))
    scale = np.sqrt(shapes)
    # A^-1/2 Omega A^1/2: rotations are scaled by the change of the covariances.
    moved = turns * scale[:, np.newaxis, :] / scale[:, :, np.newaxis]
    moved /= np.abs(moved).max(axis=(1, 2, 3), keepdims=True)
    rotations = np.concatenate((np.zeros((m, k, d, d)), moved))
    own = scalings[..., np.newaxis] * np.eye(d) + rotations + rotations.mT
    # From the axes' frame to that of the Cholesky factors, by an orthogonal matrix.
    frames = np.linalg.solve(roots, axes * scale[:, np.newaxis, :])
    return Tangent(frames @ own @ frames.mT, scalings, rotations, frames)


def _over_components(block: Array, n_components: int, *, common: bool) -> Array:
    """Directions (p or p K, K, ...) of all components, from those of one, (p, ...)."""
    if common:
        return np.repeat(block[:, np.newaxis], n_components, axis=1)
    out = np.zeros((n_components, len(block), n_components, *block.shape[1:]))
    for k in range(n_components):
        out[k, :, k] = block
    return out.reshape(-1, n_components, *block.shape[1:])


def _traceless(n_features: int) -> Array:
    """Orthonormal vectors (D - 1, D) of sum 0 (Helmert contrasts)."""
    out = np.zeros((n_features - 1, n_features))
    for j in range(1, n_features):
        out[j - 1, :j] = 1.0
        out[j - 1, j] = -j
        out[j - 1] /= np.sqrt(j * (j + 1.0))
    return out
