"""Regions of a posterior, one about each mode and its relabellings."""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.labels.assignment import assign
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.sampling.posterior_modes import Mode

# Of coordinates that are formed anew, relative to 1 and themselves.
_ROUNDING = 1e-6


class Located(NamedTuple):
    """The place of points in regions.

    Attributes
    ----------
    region : ndarray of int (T,)
    u : ndarray of shape (T, size)
        The points under the labelling of their region's mode, and with the axes nearest to its own
        where orientations have several coordinates.
    own : ndarray of bool (T,)
        True where that is how the point was given.
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
    """Points under the labels and near the axes of a mode, and where these are their own."""
    k = coordinates.n_components
    components, shared = coordinates.blocks(u)
    centre, shared_centre = coordinates.blocks(mode.u)
    # `blocks` is linear up to a constant: its values at unit vectors are its matrix.
    maps, _ = coordinates.blocks(np.eye(len(mode.u)))
    maps = maps - coordinates.blocks(np.zeros(len(mode.u)))[0]
    costs, turned = np.empty((len(u), k, k)), np.empty((k, *components.shape))
    for j in range(k):
        # Axes that components share are turned once.
        if j == 0 or coordinates.n_own_angles:
            near, shared = coordinates.near(components, shared, centre[j], shared_centre)
        turned[j] = near
        apart = (turned[j] - centre[j]).reshape(len(u) * k, -1)
        spread = maps[:, j].T @ mode.covariance @ maps[:, j]
        costs[:, j] = _squares(apart, spread, held=coordinates.held is not None).reshape(len(u), k)
    order = assign(costs, coordinates.component_groups).permutations
    moved = turned[np.arange(k), np.arange(len(u))[:, np.newaxis], order]
    found = coordinates.of_blocks(moved, shared)
    own = (order == np.arange(k)).all(axis=1)
    return found, own & (np.abs(found - u) <= _ROUNDING * (1.0 + np.abs(u))).all(axis=1)


def _squares(apart: Array, covariance: Array, *, held: bool = False) -> Array:
    """Squared Mahalanobis lengths of vectors (T, size), (T,); `held`: some do not vary."""
    if held:
        return np.asarray(
            ((apart @ np.linalg.pinv(covariance, hermitian=True)) * apart).sum(axis=1)
        )
    z = apart @ np.linalg.inv(np.linalg.cholesky(covariance)).T
    return np.asarray(np.square(z).sum(axis=1))
