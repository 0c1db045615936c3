"""A posterior as the compiled code takes it: rows, priors and coordinates in two arrays."""

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.engine.log_posterior import FIXED, LEARNED, SEPARATE, c_functions
from bayesgmm.model import (
    Gamma,
    InverseGamma,
    InverseWishart,
    Mixture,
    ResolvedPriors,
    Wishart,
)
from bayesgmm.model.compile import unlocked
from bayesgmm.posterior.coordinates import Coordinates

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """The log posterior density of a mixture given rows, as a function of coordinates.

    Attributes
    ----------
    coordinates : Coordinates
    rows : ndarray of shape (n, D)
    numbers : ndarray
        Units, priors and frame, laid out as `bayesgmm.engine.log_posterior` reads them.
    header : ndarray of int64
        Sizes, and where rows and numbers are in memory.
    """

    coordinates: Coordinates
    rows: Array
    numbers: Array
    header: NDArray[np.int64]

    def log_density(self, u: Array) -> tuple[float, Array]:
        """Log posterior density at u with respect to u, nats, and its gradient.

        NaN or infinite where float64 does not reach.
        """
        density, _ = c_functions(self.coordinates.axes)
        value, gradient = np.empty(1), np.empty(self.coordinates.size)
        u = np.ascontiguousarray(u, dtype=np.float64)
        density.ctypes(len(u), _at(u), _at(gradient), _at(value), _at(self.header))
        return float(value[0]), gradient

    def parameters(self, u: Array) -> tuple[Array, Array, Array]:
        """Weights (K,), means (K, D) and covariances (K, D, D) at u, in the data's units."""
        k, d = self.coordinates.n_components, self.coordinates.n_features
        out = np.empty(k * (1 + d + d * d))
        u = np.ascontiguousarray(u, dtype=np.float64)
        _, expand = c_functions(self.coordinates.axes)
        expand.ctypes(len(u), len(out), _at(u), _at(out), _at(self.header))
        means = out[k : k + k * d].reshape(k, d)
        return out[:k], means, out[k + k * d :].reshape(k, d, d)


def _at(array: Array | NDArray[np.int64]) -> Any:
    """Where an array is, as C takes it."""
    kind = ctypes.c_int64 if array.dtype.kind == "i" else ctypes.c_double
    return array.ctypes.data_as(ctypes.POINTER(kind))


class _Family(NamedTuple):
    """The prior of covariances: its code, two numbers, and its matrix and log scales."""

    code: int
    strength: tuple[float, float]
    prior: Array
    log_scales: Array


def _family(priors: ResolvedPriors) -> _Family:
    family, none = priors.covariances, np.zeros(priors.n_features)
    if isinstance(family, InverseGamma):
        if isinstance(family.scale, Gamma):
            rates = np.asarray(family.scale.rate, dtype=np.float64)
            return _Family(LEARNED, (family.shape, family.scale.shape), rates, none)
        return _Family(FIXED, (family.shape, 0.0), np.asarray(family.scale), none)
    if isinstance(family, InverseWishart):
        assert family.df is not None
        if isinstance(family.scale, Wishart):
            assert family.scale.df is not None
            factor = np.linalg.cholesky(np.asarray(family.scale.scale, dtype=np.float64))
            half = np.linalg.solve(factor, np.eye(len(factor)))
            return _Family(LEARNED, (family.df, family.scale.df), half.T @ half, none)
        return _Family(FIXED, (family.df, 0.0), np.asarray(family.scale), none)
    d = priors.n_features
    log_scales = np.asarray(family.log_scale_location, dtype=np.float64)
    return _Family(SEPARATE, (family.eta, family.log_scale_spread), np.zeros((d, d)), log_scales)


def problem(x: Array, priors: ResolvedPriors, coordinates: Coordinates) -> Problem:
    """The posterior of rows under priors.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite.
    priors : ResolvedPriors
    coordinates : Coordinates
    """
    numbers = _numbers(priors, coordinates, 0.0)
    constant = _constant(x, priors, coordinates, numbers)
    return _assemble(x, priors, coordinates, _numbers(priors, coordinates, constant))


def _numbers(priors: ResolvedPriors, coordinates: Coordinates, constant: float) -> Array:
    shift, scale, frame = coordinates.shift, coordinates.scale, coordinates.frame
    here = priors.transformed(shift, scale)
    family = _family(here)
    inverse = 1.0 / frame if frame.ndim == 1 else np.linalg.solve(frame, np.eye(len(frame)))
    prior = np.zeros(frame.size)
    prior[: family.prior.size] = family.prior.ravel()
    return np.concatenate(
        (
            shift,
            scale,
            here.mean_location,
            1.0 / np.asarray(here.mean_sd),
            here.concentration,
            family.strength,
            family.log_scales,
            [constant],
            frame.ravel(),
            inverse.ravel(),
            prior,
        )
    )


def _assemble(
    x: Array, priors: ResolvedPriors, coordinates: Coordinates, numbers: Array
) -> Problem:
    rows = unlocked(x)
    header = np.array(
        [
            *x.shape,
            coordinates.n_components,
            coordinates.groups,
            coordinates.axes,
            _family(priors).code,
            rows.ctypes.data,
            numbers.ctypes.data,
        ],
        dtype=np.int64,
    )
    return Problem(coordinates, x, numbers, header)


def _constant(x: Array, priors: ResolvedPriors, coordinates: Coordinates, numbers: Array) -> float:
    """What the compiled density leaves out, from the priors' own density at one point."""
    alone = _assemble(x[:0], priors, coordinates, numbers)
    origin = np.zeros(coordinates.size)
    kernel, _ = alone.log_density(origin)
    parameters = alone.parameters(origin)
    density = priors.log_density(Mixture(*parameters))
    density += coordinates.log_jacobian(parameters[0], parameters[2][: coordinates.groups])
    return float(density - kernel + len(x) * np.log(coordinates.scale).sum())
