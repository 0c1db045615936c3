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
    columns : tuple of str
        "component 0", ..., and "noise" if some of the rows are noise.
    n_rows : int
        Rows whose group is known; the others do not count.
    counts : ndarray of shape (groups, columns)
    agreement : float
        Proportion of rows in the component matched to their group, with the one-to-one matching
        that maximises it.
    adjusted_rand_index : float
        1 for equal partitions, 0 on average for independent ones (Hubert & Arabie 1985, Journal of
        Classification 2, 193-218).
    """

    groups: tuple[str, ...]
    columns: tuple[str, ...]
    n_rows: int
    counts: Integers
    agreement: float
    adjusted_rand_index: float

    def __str__(self) -> str:
        heads = ["", *self.columns]
        counts = zip(self.groups, self.counts.tolist(), strict=True)
        return text_table([heads, *([group[:40], *map(str, row)] for group, row in counts)])


def cross_table(
    labels: Sequence[str],
    components: Integers,
    n_components: int,
    names: Sequence[str] | None = None,
) -> CrossTable | None:
    """Count rows by known label and by component.

    Parameters
    ----------
    labels : sequence of n str
        "" where the group is not known.
    components : ndarray of shape (n,)
        Integers in 0..K-1, or -1 for noise, which matches no group.
    n_components : int
        K.
    names : sequence of K str, optional
        Of the components. None: their numbers.

    Returns
    -------
    CrossTable, or None
        None if no group is known.
    """
    words = np.asarray(labels, dtype=np.str_)
    known = words != ""
    words, components = words[known], components[known]
    if not len(words):
        return None
    groups, codes = np.unique(words, return_inverse=True)
    columns = [f"component {name}" for name in names or range(n_components)]
    columns += ["noise"] if (components < 0).any() else []
    counts = np.zeros((len(groups), len(columns)), dtype=np.int64)
    np.add.at(counts, (codes, components), 1)
    of_components = counts[:, :n_components]
    matched = of_components[linear_sum_assignment(of_components, maximize=True)].sum()
    return CrossTable(
        tuple(groups.tolist()),
        tuple(columns),
        len(words),
        counts,
        float(matched / len(codes)),
        float(adjusted_rand_score(codes, components)),
    )
