"""The log posterior density of a mixture, computed by the core."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.data.validation import Data
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.priors.prior_numbers import prior_numbers
from bayesgmm.priors.resolved_priors import ResolvedPriors


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The log posterior density of a mixture given rows, as a function of coordinates.

    Attributes
    ----------
    coordinates : Coordinates
    rows : Data
    arrays : tuple
        Rows, scaling, priors and frame, which the header points into.
    header : ndarray of int64
        The core's ``struct Problem``, as an argument of its C functions.
    """

    coordinates: Coordinates
    rows: Data
    arrays: tuple[Any, ...]
    header: NDArray[np.int64]

    def log_density(self, u: Array) -> tuple[float, Array]:
        """Log posterior density at u with respect to u, nats, and its gradient.

        NaN or infinite outside the range of float64.
        """
        return native.log_density(self.header, u)

    def parameters(self, u: Array) -> tuple[Array, Array, Array]:
        """Weights (K,), means (K, D) and covariances (K, D, D) at u, in the data's units."""
        k, d = self.coordinates.n_components, self.coordinates.n_features
        out = native.expand(self.header, u)
        means = out[k : k + k * d].reshape(k, d)
        return out[:k], means, out[k + k * d :].reshape(k, d, d)


def problem(rows: Data, priors: ResolvedPriors, coordinates: Coordinates) -> Problem:
    """The posterior of rows under priors.

    Parameters
    ----------
    rows : Data
    priors : ResolvedPriors
        An order of the means is left aside: the density is that of components in any order.
    coordinates : Coordinates
    """
    priors = priors.without_order()
    # The normalising constant, which the core omits, from the priors' own density at one point.
    alone = _assemble(rows.take(np.arange(0)), priors, coordinates, 0.0)
    # Where components share parts, the density is 0 at 0: there axes have no direction.
    origin = np.zeros(coordinates.size)
    if coordinates.tied is not None:
        origin = np.linspace(0.0, 0.5, coordinates.size)
    kernel, _ = alone.log_density(origin)
    parameters = alone.parameters(origin)
    density = priors.log_density(Mixture(*parameters))
    density += coordinates.log_jacobian(origin)
    seen = Rows.of(rows, rows.weights).seen()
    constant = density - kernel + (seen * np.log(coordinates.scale)).sum()
    return _assemble(rows, priors, coordinates, float(constant))


def _assemble(
    data: Data, priors: ResolvedPriors, coordinates: Coordinates, constant: float
) -> Problem:
    shift, scale, frame = coordinates.shift, coordinates.scale, coordinates.frame
    # Copies, of the type and layout that the core points to.
    prior = prior_numbers(priors.transformed(shift, scale))
    inverse = 1.0 / frame if frame.ndim == 1 else np.linalg.solve(frame, np.eye(len(frame)))
    rows = Rows.of(data, data.weights)
    x, weights, errors = rows.x, rows.row_weights, rows.errors
    arrays = (np.ascontiguousarray(x), np.array(shift), np.array(scale), np.array(frame), inverse)
    sharing = _sharing(coordinates)
    header = native.problem(x, weights, *arrays[1:3], errors, prior, sharing, *arrays[3:], constant)
    return Problem(coordinates, data, (*arrays, weights, errors, prior, sharing), header)


def _sharing(coordinates: Coordinates) -> tuple[bool, bool, bool, bool, Array]:
    """The fields of the core's ``struct Sharing``."""
    tied = coordinates.tied
    if tied is None:
        return False, False, False, False, np.empty((0, 0))
    reference = np.empty((0, 0)) if tied.reference is None else np.array(tied.reference, order="C")
    return True, *tied.shared, reference
