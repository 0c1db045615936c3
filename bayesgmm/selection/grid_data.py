"""Data shared by all candidate models: scaled rows, and the clusterings that give partitions."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.covariance.structures import Structure
from bayesgmm.initialisation.hierarchical_clustering import Dendrogram, agglomerate
from bayesgmm.initialisation.starts import whitened
from bayesgmm.likelihood.scaling import Units, fit_units

# Size of the sample that is searched in place of more rows: clustering is quadratic in the rows.
_SAMPLE = 2000


@dataclass(frozen=True, eq=False)
class GridData:
    """Rows in each kind of units, and hierarchical clusterings of them.

    Attributes
    ----------
    n_rows : int
    units : dict
        Keys: True for columns scaled one by one, False for one scale (`scales_by_column`).
    rows : dict
        All rows in these units.
    sample : dict
        The rows to search, in these units; `rows` itself unless there are many.
    dendrograms : list of Dendrogram
    """

    n_rows: int
    units: dict[bool, Units]
    rows: dict[bool, Array]
    sample: dict[bool, Array]
    dendrograms: list[Dendrogram]

    @classmethod
    def of(cls, x: Array, structures: Iterable[Structure], rng: np.random.Generator) -> "GridData":
        """Prepare rows (n, D) for a search over these structures; `rng` draws the sample."""
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
        scaled, white = base / base.std(axis=0), whitened(base)
        views = [(white, "VVV"), (white, "EEE"), (scaled, "VII"), (scaled, "EII")]
        if False in sample:
            views += [(sample[False], "EII"), (sample[False], "VII")]
        return cls(n, units, rows, sample, [agglomerate(*view) for view in views])

    def partitions(self, k: int) -> list[Integers]:
        """Distinct partitions of the sample into K non-empty parts."""
        distinct: list[Integers] = []
        for dendrogram in self.dendrograms:
            labels = np.unique(dendrogram.labels(k), return_inverse=True)[1]
            if labels.max() == k - 1 and not any(np.array_equal(labels, o) for o in distinct):
                distinct.append(labels)
        return distinct

    @cached_property
    def metric(self) -> Array:
        """Lower Cholesky factor (D, D) of the sample's covariance; an affine-invariant metric."""
        return np.linalg.cholesky(np.atleast_2d(np.cov(self.sample[True].T, bias=True)))
