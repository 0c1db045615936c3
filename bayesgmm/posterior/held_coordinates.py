"""The coordinates that are free where a posterior holds parameters: a linear function gives all."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.linalg import block_diag

from bayesgmm.arrays import Array
from bayesgmm.priors.held_parameters import HeldParameters

# An origin (m,) and a basis (m, free) of some coordinates u = origin + basis v.
type Part = tuple[Array, Array]


@dataclass(frozen=True, slots=True, eq=False)
class HeldCoordinates:
    """Coordinates u = origin + basis v of a posterior that holds parameters.

    Attributes
    ----------
    parameters : HeldParameters
    origin : ndarray of shape (m,)
    basis : ndarray of shape (m, size)
        Of full rank.
    inverse : ndarray of shape (size, m)
    """

    parameters: HeldParameters
    origin: Array
    basis: Array
    inverse: Array

    @classmethod
    def of(cls, parameters: HeldParameters, parts: list[Part]) -> Self:
        """Independent parts, one after another."""
        basis = np.ascontiguousarray(block_diag(*(part[1] for part in parts)))
        origin = np.concatenate([part[0] for part in parts])
        return cls(parameters, origin, basis, np.linalg.pinv(basis))

    @property
    def size(self) -> int:
        """The number of coordinates v."""
        return int(self.basis.shape[1])

    def free(self, u: Array) -> Array:
        """The coordinates v (..., size) of u (..., m), nearest where held parameters differ."""
        return np.asarray((u - self.origin) @ self.inverse.T)


def free(size: int) -> Part:
    """Coordinates that are all free."""
    return np.zeros(size), np.eye(size)


def fixed(values: Array) -> Part:
    """Coordinates of given values."""
    return values, np.empty((len(values), 0))


def weights_part(held: Array) -> Part:
    """Coordinates (K - 1,) of weights of which some are held, NaN where free (K,).

    The core reads log weights off them where weights are free, up to a constant.
    """
    these = np.flatnonzero(np.isnan(held))
    logs = np.zeros((len(held), max(len(these) - 1, 0)))
    if len(these) > 1:
        logs[these[:-1]] = np.eye(len(these) - 1)
        logs[these[-1]] = -1.0
    return np.zeros(len(held) - 1), logs[:-1]


def mean_part(held: Array, shift: Array, frame: Array) -> Part:
    """Coordinates (D,) of a mean, (mean - shift) whitened by a frame (D, D); NaN where free."""
    d, known = len(held), ~np.isnan(held)
    origin, basis = np.zeros(d), np.zeros((d, int((~known).sum())))
    origin[known] = (held - shift)[known]
    here = ~known
    basis[here] = np.linalg.cholesky((frame @ frame.T)[np.ix_(here, here)])
    return np.linalg.solve(frame, origin), np.linalg.solve(frame, basis)
