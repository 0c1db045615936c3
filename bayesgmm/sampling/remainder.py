"""The log posterior of many rows near its mode: a quadratic form of all, the remainder of a part.

With the gradient 0 at the mode m and the second derivatives -P, both of all rows,

    l(u) = l(m) - (u - m)' P (u - m) / 2 + r(u).

The remainder r is of third order. It is estimated by that of a part of the rows that weighs as much
as all, whose own value, gradient and second derivatives at m are taken off. As u - m is of the
order of 1 / sqrt(n), the estimate has an error of the order of 1 / sqrt(n m) for a part of m rows.
The prior is the same in both, so that it enters exactly.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data
from bayesgmm.posterior.log_density import Posterior, Problem
from bayesgmm.sampling.many_points import log_densities
from bayesgmm.sampling.posterior_modes import Mode
from bayesgmm.sampling.streamed_posterior import StreamedPosterior

# Step of the differences of gradients.
_STEP = 1e-5
# Pieces of the part from which the error of its remainder is estimated.
_PIECES = 20


def precision(problem: Problem | StreamedPosterior, u: Array) -> Array:
    """Minus the second derivatives (size, size), by central differences of the gradient."""
    steps = _STEP * np.eye(len(u))
    slopes = log_densities(problem, np.concatenate((u - steps, u + steps)))[1]
    derivatives = (slopes[: len(u)] - slopes[len(u) :]) / (2.0 * _STEP)
    return np.asarray(0.5 * (derivatives + derivatives.T))


def quadratic(deviations: Array, matrix: Array) -> Array:
    """Half the quadratic forms of deviations (T, size), (T,)."""
    return np.asarray(0.5 * ((deviations @ matrix) * deviations).sum(axis=1))


def as_all(rows: Data, total: float) -> Data:
    """Rows that weigh as much together as all do."""
    weights = np.ones(len(rows.X)) if rows.weights is None else rows.weights
    return rows._replace(weights=weights * (total / weights.sum()))


@dataclass(frozen=True, slots=True, eq=False)
class Expansion:
    """A log posterior about a point, and what it is beyond second order.

    Attributes
    ----------
    problem : Problem
    centre : ndarray of shape (size,)
    value : float
        Nats, at the centre.
    slope : ndarray of shape (size,)
    precision : ndarray of shape (size, size)
        Minus the second derivatives.
    """

    problem: Problem
    centre: Array
    value: float
    slope: Array
    precision: Array

    @classmethod
    def of(cls, problem: Problem, centre: Array) -> Self:
        """The expansion of a posterior."""
        value, slope = problem.log_density(centre)
        return cls(problem, centre, value, slope, precision(problem, centre))

    def remainder(self, u: Array) -> Array:
        """The terms of third and higher order at points (T, size), nats, (T,)."""
        deviations = u - self.centre
        known = self.value + deviations @ self.slope - quadratic(deviations, self.precision)
        return log_densities(self.problem, u)[0] - known


@dataclass(frozen=True, slots=True, eq=False)
class ManyRows:
    """The log posterior of many rows near its mode.

    Attributes
    ----------
    mode : Mode
        That of all rows.
    precision : ndarray of shape (size, size)
        The inverse of its covariance.
    part : Expansion
        About that mode, of a part of the rows that weighs as much as all.
    """

    mode: Mode
    precision: Array
    part: Expansion

    def log_density(self, u: Array) -> Array:
        """Log posterior density at points (T, size), (T,)."""
        of_all = self.mode.log_density - quadratic(u - self.mode.u, self.precision)
        return of_all + self.part.remainder(u)


def remainder_error(posterior: Posterior, part: Data, centre: Array, u: Array) -> float:
    """The standard error of the remainder of a part at points (T, size), nats.

    The root of its mean square over the points. It is found from pieces of the part; an error that
    all points share changes no weight and is not counted.

    Parameters
    ----------
    posterior : callable
    part : Data
        Rows in random order, which weigh as much as all.
    centre : ndarray of shape (size,)
    u : ndarray of shape (T, size)
    """
    found = []
    for piece in range(_PIECES):
        rows = part.take(np.arange(piece, len(part.X), _PIECES))
        expansion = Expansion.of(posterior(as_all(rows, part.total)), centre)
        found.append(expansion.remainder(u))
    remainders = np.array(found)
    remainders -= remainders.mean(axis=1, keepdims=True)
    return float(np.sqrt(remainders.var(axis=0, ddof=1).mean() / _PIECES))
