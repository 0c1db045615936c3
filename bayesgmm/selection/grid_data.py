"""What the cells of a grid share: rows in two kinds of units, and trees of their merges."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from bayesgmm.covariance.structures import Structure
from bayesgmm.initialisation.hierarchical_clustering import MergeTree, agglomerate
from bayesgmm.initialisation.starts import whitened
from bayesgmm.likelihood.scaling import Units, fit_units

type Array = NDArray[np.float64]
type Labels = NDArray[np.int64]

# Rows on which optima are looked for where there are more: merging them takes time in their square.
_SAMPLE = 2000


@dataclass(frozen=True, eq=False)
class Grounds:
    """What all cells share: rows in two kinds of units, and trees of their merges.

    Attributes
    ----------
    n_rows : int
    units : dict
        By whether columns may be scaled one by one.
    rows : dict
        All rows in these units.
    sample : dict
        The rows on which optima are looked for, in these units: all of them where there are few.
    trees : list of MergeTree
    """

    n_rows: int
    units: dict[bool, Units]
    rows: dict[bool, Array]
    sample: dict[bool, Array]
    trees: list[MergeTree]

    @classmethod
    def of(cls, x: Array, structures: Iterable[Structure], rng: np.random.Generator) -> "Grounds":
        """Prepare rows for a search over these structures; `rng` chooses a sample of many."""
        n = len(x)
        kinds = {each.scales_by_column: each for each in structures}
        units = {by_column: fit_units(x, None, each) for by_column, each in kinds.items()}
        rows = {by_column: each.to_fit(x) for by_column, each in units.items()}
        sample = rows
        if n > _SAMPLE:
            chosen = np.sort(rng.choice(n, _SAMPLE, replace=False))
            sample = {by_column: each[chosen] for by_column, each in rows.items()}
        base = sample.get(True, sample.get(False))
        assert base is not None
        scaled = base / base.std(axis=0)
        white = whitened(base)
        trees = [
            agglomerate(white, "VVV"),
            agglomerate(white, "EEE"),
            agglomerate(scaled, "VII"),
            agglomerate(scaled, "EII"),
        ]
        if False in sample:
            trees.append(agglomerate(sample[False], "EII"))
            trees.append(agglomerate(sample[False], "VII"))
        return cls(n, units, rows, sample, trees)

    def partitions(self, k: int) -> list[Labels]:
        """Different partitions of the sample into K parts, without empty ones."""
        distinct: list[Labels] = []
        for tree in self.trees:
            each = tree.labels(k)
            labels = np.unique(each, return_inverse=True)[1]
            if labels.max() == k - 1 and not any(np.array_equal(labels, o) for o in distinct):
                distinct.append(labels)
        return distinct

    @cached_property
    def metric(self) -> Array:
        """Lower Cholesky factor of the covariance of all rows, for any linear map of them."""
        return np.linalg.cholesky(np.atleast_2d(np.cov(self.sample[True].T, bias=True)))
