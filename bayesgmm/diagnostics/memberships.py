"""Memberships of rows in the components of each draw, from allocations or from parameters.

Relabelling needs two sums of the memberships p_tik of row i in component k of draw t (0 or 1 for
allocations): sum_i p_tik q_ij for each draw, and the average over draws of p_t,i,perm_t(j) for
each row. For a posterior without allocations, p_tik is computed from parameters and rows in blocks,
and never stored.
"""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bayesgmm.errors import InputError
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows, tally, tally_permuted
from bayesgmm.posterior.draws import Draws

type Array = NDArray[np.float64]
type Permutations = NDArray[np.intp]


class Memberships(Protocol):
    """Interface of all forms of memberships."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Draws T, rows n, components K."""

    def tables(self, q: Array) -> Array:
        """Sums over rows, (T, K, J), of memberships times q (n, J)."""

    def average(self, permutations: Permutations) -> Array:
        """Averages over draws, (n, K), of permuted memberships; permutations (T, K)."""


class Allocations:
    """Memberships of 0 and 1: the sampled component of each row.

    Parameters
    ----------
    z : array-like of shape (T, n)
        Components counted from 0.
    n_components : int

    Raises
    ------
    InputError
        If an entry is not an integer between 0 and K - 1.
    """

    def __init__(self, z: ArrayLike, n_components: int) -> None:
        array = np.asarray(z)
        if array.ndim != 2 or array.dtype.kind not in "iu" or array.size == 0:
            raise InputError(
                f"Allocations must be integers of shape (draws, rows), not {array.dtype} of shape "
                f"{array.shape}."
            )
        if array.min() < 0 or array.max() >= n_components:
            raise InputError(
                f"Allocations must lie between 0 and {n_components - 1} for {n_components} "
                f"components, but reach from {array.min()} to {array.max()}."
            )
        self._z = np.array(array, dtype=np.int64)
        self.shape = (*self._z.shape, n_components)

    def tables(self, q: Array) -> Array:
        """Sums of q over the rows of each component, (T, K, J)."""
        return tally(self._z, q, self.shape[2])

    def average(self, permutations: Permutations) -> Array:
        """Proportion of draws in which a row has a label, (n, K)."""
        return tally_permuted(self._z, permutations)


class Responsibilities:
    """Memberships of rows under the parameters of each draw, computed when needed.

    Parameters
    ----------
    draws : Draws
    rows : ndarray of shape (n, D)
    hard : bool
        Allocate each row to its most probable component.
    """

    def __init__(self, draws: Draws, rows: Array, *, hard: bool = False) -> None:
        self._rows = DrawnRows(rows, *draws.stacked(), hard=hard)
        self.shape = (self._rows.n_draws, self._rows.n_rows, self._rows.n_components)

    def tables(self, q: Array) -> Array:
        """Sums over rows of responsibilities times q, (T, K, J)."""
        return self._rows.contract(q)[0]

    def average(self, permutations: Permutations) -> Array:
        """Averages of permuted responsibilities, (n, K)."""
        return self._rows.average(permutations)

    def log_likelihoods(self) -> Array:
        """The log-likelihood of each draw, (T,), in nats."""
        return self._rows.contract(np.empty((self.shape[1], 0)))[1]
