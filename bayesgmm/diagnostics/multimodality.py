"""Modes that chains visit: a valley in the distribution of a quantity."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]

_GRID = 256
# A mode on either side of a valley has at least this proportion of the draws.
_LEAST_MASS = 0.02


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
    """

    quantity: str = ""
    depth: float = 0.0
    mass: float = 0.0


def deepest_valley(quantities: Mapping[str, Array], sizes: Mapping[str, float]) -> Valley:
    """Find the deepest valley among quantities.

    Parameters
    ----------
    quantities : mapping from name to ndarray of shape (chain, draw)
    sizes : mapping from name to float
        Their effective sample sizes, which set the bandwidth.
    """
    valley = Valley()
    for name, values in quantities.items():
        size = sizes.get(name, np.nan)
        if size >= 2:
            depth, mass = _valley(values.ravel(), size)
            if depth > valley.depth:
                valley = Valley(name, depth, mass)
    return valley


def _valley(values: Array, size: float) -> tuple[float, float]:
    """Depth and mass of the deepest valley in a Gaussian kernel density (Silverman's bandwidth)."""
    quartiles = np.quantile(values, (0.25, 0.75))
    apart = values - values.mean()
    largest = np.abs(apart).max()
    if not (np.isfinite(largest) and largest > 0.0):
        return 0.0, 0.0
    apart, spread = apart / largest, float(np.ptp(quartiles) / largest / 1.349)
    spread = min(float(apart.std()), spread if spread > 0.0 else np.inf)
    width = 0.9 * spread * min(size, len(values)) ** -0.2
    inside = np.quantile(apart, (0.5 * _LEAST_MASS, 1.0 - 0.5 * _LEAST_MASS))
    edges = np.linspace(inside[0] - 3 * width, inside[1] + 3 * width, _GRID + 1)
    step = edges[1] - edges[0]
    if not 0.0 < 4.0 * width < _GRID // 2 * step:
        return 0.0, 0.0
    reach = int(np.ceil(4.0 * width / step))
    counts = np.histogram(apart, edges)[0].astype(np.float64)
    kernel = np.exp(-0.5 * np.square(np.arange(-reach, reach + 1) * step / width))
    density = np.convolve(counts, kernel, mode="same")
    below = np.cumsum(counts) / len(apart)
    left = np.maximum.accumulate(density)
    right = np.maximum.accumulate(density[::-1])[::-1]
    lower = np.minimum(left, right)
    mass = np.minimum(below, 1.0 - below)
    enough = (mass >= _LEAST_MASS) & (lower > 0.0)
    if not enough.any():
        return 0.0, 0.0
    depth = np.where(enough, 1.0 - density / np.where(lower > 0.0, lower, 1.0), 0.0)
    place = int(depth.argmax())
    return float(depth[place]), float(mass[place])
