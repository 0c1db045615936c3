"""Fits with many maxima: rows, a number of components, and a structure.

"overlap": rows of random mixtures of prescribed overlap, fitted with the number of components and
the structure that they were drawn from: K = 3 to 8, five structures, D = 2 to 5, an average overlap
of .01 to .1 and 30 to 120 rows a component. "surplus": 500 rows fitted with one component more than
they were drawn from, components of which up to a third lie within the reach of another.

The rows of a fit depend on the name of its set and its number alone.
"""

from typing import NamedTuple

import numpy as np

from bayesgmm import Mixture, random_mixture
from bayesgmm.arrays import Array

STRUCTURES = ("VVV", "EEE", "VVI", "VII", "VEV")
SETS = ("overlap", "surplus")
SIZE = 300


class HardFit(NamedTuple):
    """One fit of a set: `X` (n, D), K and the structure's code."""

    name: str
    number: int
    X: Array
    n_components: int
    structure: str


def hard_fit(name: str, number: int) -> HardFit:
    """The fit of this number, from 0 to 299, of a set."""
    rng = np.random.default_rng([SETS.index(name), number])
    structure = STRUCTURES[number % 5]
    k = 3 + number // 5 % 6
    d = int(rng.integers(2, 6))
    if name == "overlap":
        overlap = float(np.exp(rng.uniform(np.log(0.01), np.log(0.1))))
        truth = random_mixture(k, d, average_overlap=overlap, covariance_type=structure, rng=rng)
        n = k * int(rng.integers(30, 121))
    else:
        n, truth = 500, _crowded(k - 1, d, structure, rng)
    return HardFit(name, number, truth.sample(n, rng=rng)[0], k, structure)


def _crowded(k: int, d: int, structure: str, rng: np.random.Generator) -> Mixture:
    """A mixture whose closest two components have an overlap of .05 to .35, unequal in size."""
    overlap = float(rng.uniform(0.05, 0.35))
    if k == 1:
        return random_mixture(1, d, covariance_type=structure, rng=rng)
    drawn = random_mixture(k, d, max_overlap=overlap, covariance_type=structure, rng=rng)
    return Mixture(rng.dirichlet(np.full(k, 3.0)), drawn.means, drawn.covariances)
