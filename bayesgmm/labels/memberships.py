"""Memberships of rows in the components of each draw, from allocations or from parameters.

Relabelling needs two sums of the memberships p_tik of row i in component k of draw t (0 or 1 for
allocations): sum_i p_tik q_ij for each draw, and the average over draws of p_t,i,perm_t(j) for
each row. Without allocations or given probabilities, p_tik is computed from parameters and rows in
blocks, and never stored.
"""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError
from bayesgmm.likelihood.responsibilities_of_draws import tally, tally_permuted
from bayesgmm.posterior.draws import Draws

_SUM_TOLERANCE = 1e-6


class Memberships(Protocol):
    """Interface of all forms of memberships."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Draws T, rows n, components K."""

    @property
    def total(self) -> float:
        """The number of rows, or the sum of their weights."""

    def tables(self, q: Array) -> Array:
        """Sums over rows, (T, K, J), of memberships times q (n, J)."""

    def average(self, permutations: Indices) -> Array:
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
        self.labels = np.array(array, dtype=np.int64)
        self.shape: tuple[int, int, int] = (*self.labels.shape, n_components)
        self.total = float(self.shape[1])

    def tables(self, q: Array) -> Array:
        """Sums of q over the rows of each component, (T, K, J)."""
        return tally(self.labels, q, self.shape[2])

    def average(self, permutations: Indices) -> Array:
        """Proportion of draws in which a row has a label, (n, K)."""
        return tally_permuted(self.labels, permutations)

    def hard(self) -> "Allocations":
        """These allocations."""
        return self


class Probabilities:
    """Memberships as given: classification probabilities of each row in each draw.

    Parameters
    ----------
    p : array-like of shape (T, n, K)
        At least 0, with sum 1 over the components.

    Raises
    ------
    InputError
        If a row's probabilities are not finite, are negative, or have another sum.
    """

    def __init__(self, p: ArrayLike) -> None:
        array = np.asarray(p)
        if array.ndim != 3 or array.dtype.kind not in "fiu" or array.size == 0:
            raise InputError(
                "Probabilities must be numbers of shape (draws, rows, components), not "
                f"{array.dtype} of shape {array.shape}."
            )
        self._p: Array = np.ascontiguousarray(array, dtype=np.float64)
        # Written so that NaN is wrong, too.
        right = (np.abs(self._p.sum(axis=2) - 1.0) <= _SUM_TOLERANCE) & (self._p >= 0).all(axis=2)
        if not right.all():
            draw, row = np.argwhere(~right)[0]
            raise InputError(
                f"The probabilities of row {row} in draw {draw} (of all chains) are not "
                f"probabilities: {self._p[draw, row].tolist()}. They must be at least 0 and have "
                "the sum 1."
            )
        self.shape: tuple[int, int, int] = self._p.shape
        self.total = float(self.shape[1])

    def tables(self, q: Array) -> Array:
        """Sums over rows of probabilities times q, (T, K, J)."""
        product: Array = np.matmul(np.swapaxes(self._p, 1, 2), q)
        return product

    def average(self, permutations: Indices) -> Array:
        """Averages of permuted probabilities, (n, K)."""
        total = np.zeros(self.shape[1:])
        for p, each in zip(self._p, permutations, strict=True):
            total += p[:, each]
        average: Array = total / len(self._p)
        return average

    def hard(self) -> Allocations:
        """Each row's most probable component."""
        return Allocations(self._p.argmax(axis=2), self.shape[2])


class Responsibilities:
    """Memberships of rows under the parameters of each draw, computed when needed.

    Parameters
    ----------
    draws : Draws
    rows : Data
    hard : bool
        Allocate each row to its most probable component.
    """

    def __init__(self, draws: Draws, rows: Data, *, hard: bool = False) -> None:
        self._rows = draws.over(rows, hard=hard)
        self.shape = (self._rows.n_draws, self._rows.n_rows, self._rows.n_components)
        self.total = rows.total

    def tables(self, q: Array) -> Array:
        """Sums over rows of responsibilities times q, (T, K, J), by the weights of the rows."""
        return self._rows.contract(q)[0]

    def average(self, permutations: Indices) -> Array:
        """Averages of permuted responsibilities, (n, K)."""
        return self._rows.average(permutations)

    def log_likelihoods(self) -> Array:
        """The log-likelihood of each draw, (T,), in nats."""
        return self._rows.contract(np.empty((self.shape[1], 0)))[1]
