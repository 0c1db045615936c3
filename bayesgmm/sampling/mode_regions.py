"""Regions of a posterior, one about each mode and its relabellings."""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.core import native
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.sampling.posterior_modes import Mode


class Located(NamedTuple):
    """The place of points in regions.

    Attributes
    ----------
    region : ndarray of int (T,)
    u : ndarray of shape (T, size)
        The points under the labelling of their region's mode.
    own : ndarray of bool (T,)
        True where that is the labelling that the point had.
    """

    region: Indices
    u: Array
    own: Booleans


def locate(u: Array, modes: list[Mode], coordinates: Coordinates) -> Located:
    """The region of each point: the mode whose Laplace approximation is largest there.

    Components are first matched to those of each mode, by the Mahalanobis distance of a
    component's own coordinates. Regions depend on neither the labels of points nor those of the
    modes.

    Parameters
    ----------
    u : ndarray of shape (T, size)
    modes : list of Mode
    coordinates : Coordinates
    """
    found = [_matched(u, each, coordinates) for each in modes]
    densities = [
        mode.log_density - 0.5 * _squares(moved - mode.u, mode.covariance)
        for mode, (moved, _) in zip(modes, found, strict=True)
    ]
    region, each = np.array(densities).argmax(axis=0), np.arange(len(u))
    return Located(
        region,
        np.array([moved for moved, _ in found])[region, each],
        np.array([own for _, own in found])[region, each],
    )


def _matched(u: Array, mode: Mode, coordinates: Coordinates) -> tuple[Array, Booleans]:
    """Points under the labels of a mode, and where these are their own."""
    k = coordinates.n_components
    components, shared = coordinates.blocks(u)
    centre, _ = coordinates.blocks(mode.u)
    # `blocks` is linear, so that its values at unit vectors are its matrix.
    maps, _ = coordinates.blocks(np.eye(len(mode.u)))
    costs = np.empty((len(u), k, k))
    for j in range(k):
        apart = (components - centre[j]).reshape(len(u) * k, -1)
        spread = maps[:, j].T @ mode.covariance @ maps[:, j]
        costs[:, j] = _squares(apart, spread).reshape(len(u), k)
    order = native.assign_all(costs)[0]
    moved = np.take_along_axis(components, order[..., np.newaxis], axis=1)
    return coordinates.of_blocks(moved, shared), (order == np.arange(k)).all(axis=1)


def _squares(apart: Array, covariance: Array) -> Array:
    """Squared Mahalanobis lengths of vectors (T, size), (T,)."""
    z = apart @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    return np.asarray(np.square(z).sum(axis=1))
