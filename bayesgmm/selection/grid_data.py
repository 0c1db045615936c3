"""Data shared by all candidate models: scaled rows, and the clusterings that give partitions."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import completed, with_means
from bayesgmm.initialisation.hierarchical_clustering import Dendrogram, agglomerate
from bayesgmm.initialisation.starts import whitened
from bayesgmm.likelihood.em_steps import Rows
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
        All rows in these units, with their missing entries filled.
    passes : dict
        All rows as passes read them.
    sample, sample_passes : dict
        The rows to search; `rows` and `passes` themselves unless there are many.
    dendrograms : list of Dendrogram
    """

    n_rows: int
    units: dict[bool, Units]
    rows: dict[bool, Array]
    passes: dict[bool, Rows]
    sample: dict[bool, Array]
    sample_passes: dict[bool, Rows]
    dendrograms: list[Dendrogram]

    @classmethod
    def of(
        cls, data: Data, structures: Iterable[Structure], rng: np.random.Generator
    ) -> "GridData":
        """Prepare rows for a search over these structures; `rng` draws the sample."""
        n, x = len(data.X), with_means(data.X, None)
        kinds = {each.scales_by_column: each for each in structures}
        units = {by_column: fit_units(x, None, each) for by_column, each in kinds.items()}
        if data.has_missing:
            x = completed(data, None, next(iter(units.values())), rng)
        rows = {by_column: each.to_fit(x) for by_column, each in units.items()}

        def passes(rows: dict[bool, Array], data: Data) -> dict[bool, Rows]:
            if not data.partial:
                return {by_column: Rows(each, threads=1) for by_column, each in rows.items()}
            return {
                by_column: Rows.of(data, None, each.shift, each.scale, 1)
                for by_column, each in units.items()
            }

        sample, all_passes = rows, passes(rows, data)
        sample_passes = all_passes
        if n > _SAMPLE:
            chosen = np.sort(rng.choice(n, _SAMPLE, replace=False))
            sample = {by_column: each[chosen] for by_column, each in rows.items()}
            sample_passes = passes(sample, data.take(chosen))
        base = sample.get(True, sample.get(False))
        assert base is not None
        scaled, white = base / base.std(axis=0), whitened(base)
        views = [(white, "VVV"), (white, "EEE"), (scaled, "VII"), (scaled, "EII")]
        if False in sample:
            views += [(sample[False], "EII"), (sample[False], "VII")]
        dendrograms = [agglomerate(*view) for view in views]
        return cls(n, units, rows, all_passes, sample, sample_passes, dendrograms)

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
