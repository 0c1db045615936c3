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


class _Centre(NamedTuple):
    """A mode in the blocks of `Coordinates`, and maps that whiten deviations from it."""

    mode: Mode
    components: Array
    shared: Array
    whiten_components: list[Array]
    whiten: Array


class Regions:
    """The regions of modes: where the Laplace approximation of each is the largest.

    They depend on neither the labels of points nor those of the modes.

    Parameters
    ----------
    modes : list of Mode
    coordinates : Coordinates
    """

    def __init__(self, modes: list[Mode], coordinates: Coordinates) -> None:
        self._coordinates = coordinates
        self._centres = [_centre(each, coordinates) for each in modes]

    def locate(self, u: Array) -> Located:
        """The regions of points (T, size).

        Components are first matched to those of each mode, by the Mahalanobis distance of a
        component's own coordinates.
        """
        found = [self._matched(u, each) for each in self._centres]
        densities = [
            mode.log_density - 0.5 * np.square((moved - mode.u) @ whiten).sum(axis=1)
            for (mode, *_, whiten), (moved, _) in zip(self._centres, found, strict=True)
        ]
        region, each = np.array(densities).argmax(axis=0), np.arange(len(u))
        return Located(
            region,
            np.array([moved for moved, _ in found])[region, each],
            np.array([own for _, own in found])[region, each],
        )

    def _matched(self, u: Array, centre: _Centre) -> tuple[Array, Booleans]:
        """Points under the labels and near the axes of a mode, and where these are their own."""
        frame = self._coordinates
        k = frame.n_components
        components, shared = frame.blocks(u)
        costs, turned = np.empty((len(u), k, k)), np.empty((k, *components.shape))
        for j, (own_centre, whiten) in enumerate(
            zip(centre.components, centre.whiten_components, strict=True)
        ):
            # Axes that components share are turned once.
            if j == 0 or frame.n_own_angles:
                near, shared = frame.near(components, shared, own_centre, centre.shared)
            turned[j] = near
            costs[:, j] = np.square((near - own_centre) @ whiten).sum(axis=-1)
        order = assign(costs, frame.component_groups).permutations
        moved = turned[np.arange(k), np.arange(len(u))[:, np.newaxis], order]
        found = frame.of_blocks(moved, shared)
        own = (order == np.arange(k)).all(axis=1)
        return found, own & (np.abs(found - u) <= _ROUNDING * (1.0 + np.abs(u))).all(axis=1)


def _centre(mode: Mode, coordinates: Coordinates) -> _Centre:
    components, shared = coordinates.blocks(mode.u)
    # `blocks` is linear up to a constant: its values at unit vectors are its matrix.
    maps = coordinates.blocks(np.eye(len(mode.u)))[0]
    maps = maps - coordinates.blocks(np.zeros(len(mode.u)))[0]
    spreads = [maps[:, j].T @ mode.covariance @ maps[:, j] for j in range(len(components))]
    whiten = np.linalg.inv(np.linalg.cholesky(mode.covariance)).T
    return _Centre(mode, components, shared, [_whitening(each) for each in spreads], whiten)


def _whitening(covariance: Array) -> Array:
    """A matrix W with W W' = covariance^-1 in the directions that vary, and 0 in the others.

    The weight of a single component does not vary, nor do held coordinates.
    """
    values, vectors = np.linalg.eigh(covariance)
    varying = values > len(values) * np.finfo(float).eps * values.max()
    return np.asarray(vectors[:, varying] / np.sqrt(values[varying]))
