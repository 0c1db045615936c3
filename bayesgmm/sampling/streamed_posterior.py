"""The log posterior density of rows that memory need not hold, by passes over their blocks.

A pass gives log densities and gradients at many points at once, and so the second derivatives. What
else needs rows (starts, coordinates, terms of third order) is of a part of them, drawn at random.
"""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.executors.executor import OpenRows
from bayesgmm.posterior.log_density import Posterior, Problem
from bayesgmm.sources.row_source import Block


@dataclass(frozen=True, slots=True, eq=False)
class _BlockDensities:
    """From a block to log likelihoods (T,) and gradients (T, size) at points, in one vector."""

    posterior: Posterior
    points: Array

    def __call__(self, block: Block) -> Array:
        rows = block.data._replace(weights=block.weights)
        if block.weights is not None:
            rows = rows.take(block.weights > 0.0)
        return _values(self.posterior(rows), self.points) - _values(
            self.posterior(rows.take(np.arange(0))), self.points
        )


def _values(problem: Problem, points: Array) -> Array:
    """Log densities and gradients at points (T, size), as one vector."""
    found = [problem.log_density(u) for u in points]
    return np.concatenate([[value for value, _ in found], *(slope for _, slope in found)])


@dataclass(frozen=True, slots=True, eq=False)
class StreamedPosterior:
    """The log posterior density of all rows, which `Problem` has for rows in memory.

    Attributes
    ----------
    posterior : callable
        From rows to their posterior; a value that can be pickled.
    part : Problem
        Of the part.
    opened : OpenRows
    """

    posterior: Posterior
    part: Problem
    opened: OpenRows

    def log_densities(self, points: Array) -> tuple[Array, Array]:
        """Log posterior densities (T,) at points (T, size), nats, and gradients (T, size)."""
        total = self.opened.sum(_BlockDensities(self.posterior, points))
        total = total + _values(self.posterior(self.part.rows.take(np.arange(0))), points)
        return total[: len(points)], total[len(points) :].reshape(points.shape)

    def log_density(self, u: Array) -> tuple[float, Array]:
        """Log posterior density at u, nats, and its gradient."""
        values, slopes = self.log_densities(u[np.newaxis])
        return float(values[0]), slopes[0]
