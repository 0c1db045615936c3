"""What EM takes of a candidate model: its rows, what is maximised, and starts.

Starts are made of partitions of the rows, of a single fit, and of the maxima of neighbours, in the
units of the model.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure
from bayesgmm.em.exploration import explore
from bayesgmm.em.loop import StopRule
from bayesgmm.em.multistart import finish
from bayesgmm.em.pairs import as_components, components, contamination, paired, rows_of_pairs
from bayesgmm.initialisation.starts import Sample, Views, from_known_labels, portfolio
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.held_parameters import held_parameters
from bayesgmm.priors.objective import Objective
from bayesgmm.selection import split_merge
from bayesgmm.selection.candidate import Candidate, Key, is_nested
from bayesgmm.selection.grid_data import GridData

# A run ends when the estimated remaining gain (nats) is below this, or after so many iterations.
RULE = StopRule(remaining=1e-6, max_e_steps=500)
# Pairs of components that are merged to start the model with one component fewer.
_PAIRS = 6


@dataclass(slots=True)
class ModelStarts:
    """Rows, objectives and starts of candidate models; some are made once and kept.

    Attributes
    ----------
    scaled : dict
        The rows on which models are fitted, by kind of units, their missing entries filled.
    passes : dict
        The same as passes read them.
    data : GridData
    ratio, equal_weights, contaminated, n_init
        As `search_grid` takes them.
    """

    scaled: dict[bool, Array]
    passes: dict[bool, Rows]
    data: GridData
    ratio: float
    equal_weights: bool
    contaminated: bool
    n_init: int | None
    _moments: dict[tuple[bool, int], tuple[Array, Array, Array]] = field(default_factory=dict)
    _objectives: dict[Key, Objective] = field(default_factory=dict)

    def objective(self, k: int, structure: Structure) -> Objective:
        """What runs of a model maximise; made once."""
        if (k, structure) not in self._objectives:
            d = self.data.units[structure.scales_by_column].scale.size
            self._objectives[k, structure] = Objective(
                structure,
                held=held_parameters(None, self.equal_weights, k, d, structure),
                contaminated=self.contaminated,
                eigenvalue_ratio=self.ratio,
            )
        return self._objectives[k, structure]

    def rows(self, k: int, structure: Structure) -> Rows:
        """The rows for runs of this model."""
        rows = self.passes[structure.scales_by_column]
        return rows_of_pairs(rows, k) if self.contaminated else rows

    def sample(self, structure: Structure) -> Sample:
        """The rows that are searched, for starts."""
        return self.data.searched(structure.scales_by_column)

    def partitions(
        self, structure: Structure, k: int, partitions: Sequence[Integers]
    ) -> list[Parameters]:
        """A mixture of the structure from each partition.

        Each scatter matrix is shrunk towards the pooled one, with the weight of D + 1 rows,
        so that none is singular.
        """
        if not partitions:
            return []
        d = self.data.units[structure.scales_by_column].scale.size
        counts, means, scatters = self._parts(structure.scales_by_column, k, partitions)
        n, sizes = counts.sum(axis=1, keepdims=True), counts + (d + 1)
        pooled = scatters.sum(axis=1, keepdims=True) * ((d + 1) / n)[:, :, np.newaxis, np.newaxis]
        covariances = (scatters + pooled) / sizes[:, :, np.newaxis, np.newaxis]
        return split_merge.projected(structure, sizes, counts / n, means, covariances)

    def _parts(
        self, by_column: bool, k: int, partitions: Sequence[Integers]
    ) -> tuple[Array, Array, Array]:
        """Counts, means and scatter matrices of the parts of each partition; computed once."""
        if (by_column, k) not in self._moments:
            rows = self.scaled[by_column]
            whole = self.scaled is self.data.rows
            weights = self.data.row_weights if whole else self.data.sample_weights
            each = [native.partition_moments(rows, weights, labels, k) for labels in partitions]
            counts, means, scatters = (np.stack(part) for part in zip(*each, strict=True))
            self._moments[by_column, k] = counts, means, scatters
        return self._moments[by_column, k]

    def single_fit(self, structure: Structure, k: int) -> list[Parameters]:
        """The best of the maxima that a fit of this model alone would find.

        None for plain mixtures of rows of unknown components, unless it was asked for.
        """
        rows = self.rows(k, structure)
        if self.n_init is None and rows.known is None and not self.contaminated:
            return []
        objective, sample = self.objective(k, structure), self.sample(structure)
        rng = np.random.default_rng(0)
        known = from_known_labels(sample, k, objective)
        others = portfolio(Views(sample, rng), k, objective, rng)
        starts = others if known is None else chain((known,), others)
        made = explore(rows, objective, starts, sample, rng, fewest=self.n_init, fast=True)
        best, _ = finish(rows, objective, made, RULE, fast=True, whole=True)
        return [] if best is None or best.run is None else [best.run.parameters]

    def _plain(self, model: Candidate) -> Parameters:
        """The components of a model, without their outliers."""
        assert model.parameters is not None
        return components(model.parameters) if self.contaminated else model.parameters

    def converted(self, structure: Structure, model: Candidate) -> list[Parameters]:
        """A model's mixture, with its outliers, projected onto a structure in its units, if any."""
        found = self._components_converted(structure, model)
        if not self.contaminated:
            return found
        assert model.parameters is not None
        outliers = contamination(model.parameters)
        return [paired(each, outliers) for each in found]

    def _components_converted(self, structure: Structure, model: Candidate) -> list[Parameters]:
        """A model's components projected onto a structure, in the units of that structure.

        Nothing if the units of the columns differ by more than the range of float64.
        """
        units, here = self.data.units, model.structure
        ratio = units[structure.scales_by_column].scale / units[here.scales_by_column].scale
        weights, means, covariances = self._plain(model)
        with np.errstate(over="ignore", under="ignore"):
            if here.diagonal:
                covariances = covariances * (ratio * ratio)
            else:
                covariances = covariances * ratio * ratio[:, np.newaxis]
        variances = covariances if here.diagonal else np.einsum("kii->ki", covariances)
        if not (np.isfinite(covariances).all() and (variances > 0.0).all()):
            return []
        if here.diagonal and not structure.diagonal:
            covariances = covariances[:, :, np.newaxis] * np.eye(len(ratio))
        if here == structure or is_nested(here, structure):
            return [Parameters(weights, means * ratio, covariances)]
        counts = self.data.n_rows * weights
        each = counts, weights, means * ratio, covariances
        return split_merge.projected(structure, *(values[np.newaxis] for values in each))

    def splits(self, structure: Structure, model: Candidate) -> Iterator[Parameters]:
        """The model with one component more: each of its components in halves."""
        assert model.run is not None
        run = as_components(model.run) if self.contaminated else model.run
        whiten = structure.scales_by_column and not structure.diagonal
        metric = self.data.metric if whiten else None
        return split_merge.splits(structure, run.parameters, run.statistics, metric)

    def merges(self, structure: Structure, model: Candidate) -> list[Parameters]:
        """The model with one component fewer: pairs of its components merged."""
        return split_merge.merges(structure, self._plain(model), self.data.n_rows, _PAIRS)
