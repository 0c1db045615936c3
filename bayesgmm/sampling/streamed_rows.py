"""Rows that memory need not hold, for a posterior: all of them in passes, a part in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesgmm.arguments import refuse_beside
from bayesgmm.data.validation import Data
from bayesgmm.errors import InvalidParameterError
from bayesgmm.estimator.source_fit import opened_rows
from bayesgmm.estimator.source_results import BlockMemberships, source_sums
from bayesgmm.executors.chosen_executor import as_executor
from bayesgmm.executors.executor import OpenRows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.model import Model
from bayesgmm.priors.priors import Priors
from bayesgmm.sampling.laplace_target import rows_of_densities
from bayesgmm.sampling.remainder import as_all
from bayesgmm.sources.row_source import RowSource
from bayesgmm.sources.scanning import Scan, refuse_missing, scan

# Weight of the two rows that have the ranges of all, relative to the least in the part.
_NEGLIGIBLE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class StreamedRows:
    """Rows of a source, and a part of them in memory.

    Attributes
    ----------
    source : RowSource
    opened : OpenRows
        Its rows.
    found : Scan
    part : Data
        In random order, with weights that add up to those of all rows.
    """

    source: RowSource
    opened: OpenRows
    found: Scan
    part: Data

    def model(self, of_part: Model) -> Model:
        """A model of the part, under priors of the ranges that all rows have.

        Raises
        ------
        InvalidParameterError
            If it has noise or outliers, which fits to a source do not have either.
        """
        beside = of_part.outliers
        barred = {"noise_component": beside.noise, "contaminated": beside.contaminated}
        refuse_beside("a source of rows", barred, "give the rows as an array")
        weights = self.part.weights
        assert weights is not None
        few = np.full(2, _NEGLIGIBLE * weights.min())
        resolved = of_part.priors.for_data(
            Data(np.vstack((self.part.X, self.found.ranges)), self.part.feature_names, True),
            of_part.n_components,
            of_part.structure,
            sample_weight=np.concatenate((weights, few)),
        )
        return replace(of_part, priors=Priors.from_resolved(resolved))

    def log_likelihood(self, mixture: Mixture) -> float:
        """The log-likelihood of all rows, nats."""
        return float(source_sums(BlockMemberships(mixture), self.opened).for_criteria[0])


@contextmanager
def rows_to_sample(
    X: Any, method: str, barred: dict[str, bool], generator: np.random.Generator, *, allow_nan: bool
) -> Iterator[tuple[Any, StreamedRows | None]]:
    """Yield rows as they are; of a source, all if they are few, else a part, and the source.

    Raises
    ------
    InvalidParameterError
        If what was asked for needs many rows of a source in memory; `barred` are arguments that
        do, True if given.
    InputError
        If the rows of a source cannot be used.
    """
    if not isinstance(X, RowSource):
        yield X, None
        return
    refuse_beside("a source of rows", barred, "give the rows as an array")
    size = rows_of_densities(X.n_rows)
    if size < X.n_rows and method != "laplace":
        raise InvalidParameterError(
            f"X is a source of rows, {X.describe()}, and method='nuts' needs its {X.n_rows} rows "
            "in memory. Use method='laplace', which takes few passes over them, or give an array; "
            "one of np.load(path, mmap_mode='r') may stay on disk."
        )
    (rng,) = generator.spawn(1)
    with opened_rows(X, as_executor()) as (source, opened):
        found = scan(source, opened.each, sample_size=size, rng=rng)
        if not allow_nan:
            refuse_missing(found, X)
        block = found.sample
        part = block.data._replace(feature_names=found.feature_names, weights=block.weights)
        if block.weights is not None:
            part = part.take(block.weights > 0.0)
        if size == X.n_rows:
            yield part, None
            return
        part = as_all(part.take(rng.permutation(len(part.X))), found.total_weight)
        yield part, StreamedRows(source, opened, found, part)
