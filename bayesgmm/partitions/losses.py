"""Losses between partitions of rows, from the counts of their contingency table."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arguments import check_choice
from bayesgmm.arrays import Array


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """A loss of the form sum_k h(n_k) + sum_j h(n_j) - 2 sum_kj h(n_kj).

    n_k and n_j are the sizes of the clusters of two partitions, n_kj of their intersections.

    Attributes
    ----------
    name, unit : str
        In words.
    h : ndarray of shape (n + 1,)
    """

    name: str
    unit: str
    h: Array

    def between(self, tables: Array) -> Array:
        """Losses (T,) of contingency tables (T, J, K)."""
        counts = np.rint(tables).astype(np.intp)
        of_both = self.h[counts].sum(axis=(1, 2))
        of_rows = self.h[counts.sum(axis=1)].sum(axis=1)
        of_columns = self.h[counts.sum(axis=2)].sum(axis=1)
        return np.asarray(of_rows + of_columns - 2.0 * of_both)


def loss_of(word: str, n_rows: int) -> Loss:
    """The loss of a name, for so many rows.

    "vi": the variation of information, in bits, h(m) = m log2(m) / n (Meilă 2007); between 0 and
    log2 n. "binder": Binder's loss with equal costs, h(m) = m^2 / 2, the number of pairs of rows
    that are together in one of the partitions alone (Binder 1978).

    Raises
    ------
    InvalidParameterError
        If the name is unknown.
    """
    m = np.arange(n_rows + 1.0)
    if check_choice("loss", word, ("vi", "binder")) == "binder":
        return Loss("Binder's loss", "pairs of rows", 0.5 * m * m)
    logs = np.log2(m, out=np.zeros_like(m), where=m > 0.0)
    return Loss("variation of information", "bits", m * logs / n_rows)
