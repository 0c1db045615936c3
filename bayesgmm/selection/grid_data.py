"""Data shared by all candidate models: scaled rows, and the clusterings that give partitions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.coarse_columns import coarse_values
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import completed, with_means
from bayesgmm.initialisation.hierarchical_clustering import Dendrogram, agglomerate
from bayesgmm.initialisation.starts import Sample, whitened
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.scaling import Units, fit_units
from bayesgmm.mixture.noise import Noise

# Size of the sample that is searched in place of more rows: clustering is quadratic in the rows.
SAMPLE = 2000


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
    row_weights, sample_weights : ndarray
        1 on average over all rows.
    sample, sample_passes : dict
        The rows to search; `rows` and `passes` themselves unless there are many.
    sample_labels : ndarray, optional
        Their known components, -1 where unknown.
    dendrograms : list of Dendrogram
    """

    n_rows: int
    units: dict[bool, Units]
    rows: dict[bool, Array]
    passes: dict[bool, Rows]
    row_weights: Array
    sample: dict[bool, Array]
    sample_passes: dict[bool, Rows]
    sample_weights: Array
    sample_labels: Integers | None
    dendrograms: list[Dendrogram]

    @classmethod
    def of(
        cls,
        data: Data,
        row_weights: Array | None,
        structures: Iterable[Structure],
        rng: np.random.Generator,
        noise: Noise | None = None,
    ) -> "GridData":
        """Prepare rows for a search over these structures; `rng` draws the sample."""
        n, x = len(data.X), with_means(data.X, row_weights)
        kinds = {each.scales_by_column: each for each in structures}
        units = {by_column: fit_units(x, row_weights, each) for by_column, each in kinds.items()}
        if data.has_missing:
            x = completed(data, row_weights, next(iter(units.values())), rng)
        rows = {by_column: each.to_fit(x) for by_column, each in units.items()}

        coarse = coarse_values(data.X)

        def passes(rows: dict[bool, Array], data: Data, weights: Array | None) -> dict[bool, Rows]:
            if noise is None and not data.partial and data.labels is None:
                return {
                    kind: Rows(each, weights, threads=1, coarse=units[kind].values(coarse))
                    for kind, each in rows.items()
                }
            made = {
                kind: Rows.of(data, weights, each.shift, each.scale, 1, noise)
                for kind, each in units.items()
            }
            return {kind: replace(each, coarse=coarse) for kind, each in made.items()}

        sample, all_passes = rows, passes(rows, data, row_weights)
        ones = np.ones(n) if row_weights is None else row_weights
        sample_passes, sample_weights, sample_labels = all_passes, ones, data.labels
        if n > SAMPLE:
            chosen = np.sort(rng.choice(n, SAMPLE, replace=False))
            sample = {by_column: each[chosen] for by_column, each in rows.items()}
            sample_weights = ones[chosen]
            weights = None if row_weights is None else sample_weights
            few = data.take(chosen)
            sample_passes, sample_labels = passes(sample, few, weights), few.labels
        base = sample.get(True, sample.get(False))
        assert base is not None
        scaled, white = base / base.std(axis=0), whitened(base)
        views = [(white, "VVV"), (white, "EEE"), (scaled, "VII"), (scaled, "EII")]
        if False in sample:
            views += [(sample[False], "EII"), (sample[False], "VII")]
        dendrograms = [agglomerate(*view) for view in views]
        return cls(
            n,
            units,
            rows,
            all_passes,
            ones,
            sample,
            sample_passes,
            sample_weights,
            sample_labels,
            dendrograms,
        )

    def searched(self, by_column: bool) -> Sample:
        """The rows to search, for starts."""
        whole = self.sample is self.rows
        return Sample(self.sample[by_column], self.sample_weights, whole, self.sample_labels)

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
        # By QR, since columns may depend on others up to the rounding of a covariance.
        sample = self.sample[True]
        upper = np.linalg.qr((sample - sample.mean(axis=0)) / np.sqrt(len(sample)), mode="r")
        return np.asarray((upper * np.sign(upper.diagonal())[:, np.newaxis]).T)
