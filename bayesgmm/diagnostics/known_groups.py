"""Cross-tabulation of components and known groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from bayesgmm.arrays import Integers
from bayesgmm.display import text_table


@dataclass(frozen=True, eq=False)
class CrossTable:
    """Rows counted by known group and by component.

    Attributes
    ----------
    groups : tuple of str
        In alphabetical order.
    counts : ndarray of shape (groups, K)
    agreement : float
        Proportion of rows in the component matched to their group, with the one-to-one matching
        that maximises it.
    adjusted_rand_index : float
        1 for equal partitions, 0 on average for independent ones (Hubert & Arabie 1985, Journal of
        Classification 2, 193-218).
    """

    groups: tuple[str, ...]
    counts: Integers
    agreement: float
    adjusted_rand_index: float

    def __str__(self) -> str:
        heads = ["", *(f"component {k}" for k in range(self.counts.shape[1]))]
        counts = zip(self.groups, self.counts.tolist(), strict=True)
        return text_table([heads, *([group[:40], *map(str, row)] for group, row in counts)])


def cross_table(labels: Sequence[str], components: Integers, n_components: int) -> CrossTable:
    """Count rows by known label and by component.

    Parameters
    ----------
    labels : sequence of n str
    components : ndarray of shape (n,)
        Integers in 0..K-1.
    n_components : int
        K.
    """
    groups, codes = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    counts = np.zeros((len(groups), n_components), dtype=np.int64)
    np.add.at(counts, (codes, components), 1)
    matched = counts[linear_sum_assignment(counts, maximize=True)].sum()
    return CrossTable(
        tuple(groups.tolist()),
        counts,
        float(matched / len(codes)),
        float(adjusted_rand_score(codes, components)),
    )
