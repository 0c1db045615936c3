"""Modes that chains visit: a valley in the distribution of a quantity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.arrays import Array

# Effective draws in a window, and in addition a proportion of them all: the error of a window's
# density is at most 15 %, and less where there are more windows.
_WINDOW, _SHARE = 40, 0.01
# Windows that a mode has to fill, eight standard deviations from the other, to be found in nearly
# every sample.
_SEEN = 2.25


@dataclass(frozen=True)
class Valley:
    """The deepest valley between two modes.

    Attributes
    ----------
    quantity : str
        Empty if no quantity has one.
    depth : float
        1 minus the density in the valley, in units of the lower of the two modes: 0 without a
        valley, 1 if it is empty.
    mass : float
        Proportion of the draws on its smaller side.
    least : float
        Proportion of the draws below which a mode may not show in the quantity of least effective
        size, however far away it is. Quantities of few distinct values show none.
    """

    quantity: str = ""
    depth: float = 0.0
    mass: float = 0.0
    least: float = 1.0


def deepest_valley(quantities: Mapping[str, Array], sizes: Mapping[str, float]) -> Valley:
    """Find the deepest valley among quantities.

    Parameters
    ----------
    quantities : mapping from name to ndarray of shape (chain, draw)
    sizes : mapping from name to float
        Their effective sample sizes, which set the width of the windows.
    """
    valley, widest = Valley(), 0.0
    for name, values in quantities.items():
        size = sizes.get(name, np.nan)
        if size >= 2:
            window = _WINDOW / min(size, values.size) + _SHARE
            depth, mass = _valley(values.ravel(), window)
            widest = max(widest, window)
            if depth > valley.depth:
                valley = Valley(name, depth, mass)
    return replace(valley, least=min(_SEEN * widest, 1.0) if widest else 1.0)


def _valley(values: Array, window: float) -> tuple[float, float]:
    """Depth and mass of the deepest valley in the density by spacings.

    The density within m successive order statistics is m divided by their distance, so its relative
    error is that of m draws wherever it lies, in a mode as in a tail.
    """
    unit = np.abs(values).max()
    if not (np.isfinite(unit) and unit > 0.0):
        return 0.0, 0.0
    ordered = np.sort(values) / unit
    step = int(np.ceil(len(ordered) * window))
    if len(ordered) <= 2 * step:
        return 0.0, 0.0
    distances = ordered[step:] - ordered[:-step]
    # Equal draws have no distance: their density is bounded by the others'.
    positive = distances[distances > 0.0]
    if not positive.size:
        return 0.0, 0.0
    distances = np.maximum(distances, positive.min())
    nearest_left = np.minimum.accumulate(distances)
    nearest_right = np.minimum.accumulate(distances[::-1])[::-1]
    depth = 1.0 - np.maximum(nearest_left, nearest_right) / distances
    place = int(depth.argmax())
    middle = (place + 0.5 * step) / len(ordered)
    return float(depth[place]), float(min(middle, 1.0 - middle))
