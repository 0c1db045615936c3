"""The log posterior density of a mixture, computed by the core."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.data.validation import Data
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.priors.outlier_priors import NO_OUTLIERS, OutlierPriors
from bayesgmm.priors.prior_numbers import prior_numbers
from bayesgmm.priors.resolved_priors import ResolvedPriors


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The log posterior density of a mixture given rows, as a function of coordinates.

    Attributes
    ----------
    coordinates : Coordinates
    rows : Data
        With labels, where known.
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

    def parameters(self, u: Array) -> tuple[Array, ...]:
        """Parameters at u, in the data's units, in the order of `Coordinates.variables`.

        Weights (K,), means (K, D) and covariances (K, D, D); then the weight of noise (), and
        shares and inflation (K,) of outliers, where there are such.
        """
        shapes = parameter_shapes(self.coordinates)
        ends = np.cumsum([int(np.prod(each)) for each in shapes])
        parts = np.split(native.expand(self.header, u), ends[:-1])
        return tuple(part.reshape(each) for part, each in zip(parts, shapes, strict=True))


# From rows to their posterior.
type Posterior = Callable[[Data], Problem]


def parameter_shapes(coordinates: Coordinates) -> list[tuple[int, ...]]:
    """Shapes of a draw's parameters, in the order of `Coordinates.variables`."""
    k, d = coordinates.n_components, coordinates.n_features
    shapes: list[tuple[int, ...]] = [(k,), (k, d), (k, d, d)]
    return shapes + [() if name == "noise_weight" else (k,) for name in coordinates.variables[3:]]


def problem(
    rows: Data, priors: ResolvedPriors, coordinates: Coordinates, noise: Noise | None = None
) -> Problem:
    """The posterior of rows under priors.

    Parameters
    ----------
    rows : Data
    priors : ResolvedPriors
        An order of the means is left aside: the density is that of components in any order.
    coordinates : Coordinates
        Where these hold parameters, the density is right up to a constant.
    noise : Noise, optional
        The box of noise, where `coordinates` have its weight.
    """
    priors = priors.without_order()
    # The normalising constant, which the core omits, from the priors' own density at one point.
    plain = replace(coordinates, outliers=NO_OUTLIERS, held=None)
    alone = _assemble(rows.take(np.arange(0)), priors, plain, None, 0.0)
    # Where components share parts, the density is 0 at 0: there axes have no direction.
    origin = np.zeros(plain.size)
    if coordinates.tied is not None:
        origin = np.linspace(0.0, 0.5, plain.size)
    kernel, _ = alone.log_density(origin)
    density = priors.log_density(Mixture(*alone.parameters(origin)))
    density += plain.log_jacobian(origin)
    density += _of_outliers(coordinates.outliers, priors)
    seen = Rows.of(rows, rows.weights).seen()
    constant = density - kernel + (seen * np.log(coordinates.scale)).sum()
    return _assemble(rows, priors, coordinates, noise, float(constant))


def _of_outliers(outliers: OutlierPriors, priors: ResolvedPriors) -> float:
    """The log of the normalising constants of the priors of noise and outliers."""
    constant = 0.0
    if outliers.noise:
        constant -= betaln(outliers.noise_concentration, sum(priors.concentration))
    if outliers.contaminated:
        of_inflation = 0.5 * np.log(2.0 / np.pi) - np.log(outliers.spread)
        constant += priors.n_components * (of_inflation - betaln(*outliers.share))
    return float(constant)


def _assemble(
    data: Data,
    priors: ResolvedPriors,
    coordinates: Coordinates,
    noise: Noise | None,
    constant: float,
) -> Problem:
    shift, scale, frame = coordinates.shift, coordinates.scale, coordinates.frame
    # Copies, of the type and layout that the core points to.
    prior = prior_numbers(priors.transformed(shift, scale))
    inverse = 1.0 / frame if frame.ndim == 1 else np.linalg.solve(frame, np.eye(len(frame)))
    rows = Rows.of(data, data.weights, np.array(shift), np.array(scale), noise=noise)
    if coordinates.outliers.contaminated and rows.labels is not None:
        rows = replace(rows, classes=np.tile(np.arange(priors.n_components), 2))
    seen = replace(rows, x=np.ascontiguousarray(rows.x)).arguments
    shape = (prior, _sharing(coordinates), coordinates.outliers.numbers, np.array(frame), inverse)
    held = _held(coordinates)
    header = native.problem(*seen, *shape, held, constant)
    return Problem(coordinates, data, (seen, shape, held), header)


def _held(coordinates: Coordinates) -> tuple[Array, Array, Array]:
    """Held weights, and the linear function of free coordinates; empty where nothing is held."""
    held = coordinates.held
    if held is None:
        return np.empty(0), np.empty(0), np.empty((0, 0))
    return held.parameters.weights, held.origin, held.basis


def _sharing(coordinates: Coordinates) -> tuple[bool, bool, bool, bool, Array]:
    """The fields of the core's ``struct Sharing``."""
    tied = coordinates.tied
    if tied is None:
        return False, False, False, False, np.empty((0, 0))
    reference = np.empty((0, 0)) if tied.reference is None else np.array(tied.reference, order="C")
    return True, *tied.shared, reference
