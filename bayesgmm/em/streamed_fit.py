"""The fit of a mixture to a source of rows, which memory need not hold.

One pass checks the rows and draws a part of them. The part is fitted as any rows are. From its
maximum, and in its metric, few passes over all rows lead to theirs (`many_rows.py`). A pass is a
sum over blocks of rows, whoever forms it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.arguments import refuse_beside
from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.data.coarse_columns import coarse_values
from bayesgmm.data.validation import Data
from bayesgmm.em.checkpoint import Passes
from bayesgmm.em.fit import fit_mixture
from bayesgmm.em.loop import StopRule, run_of, split
from bayesgmm.em.many_rows import enough_rows, part_size
from bayesgmm.em.metric import metric
from bayesgmm.em.pass_progress import PassProgress
from bayesgmm.em.settings import Fit, Settings
from bayesgmm.em.spurious import why_spurious
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.executors.executor import OpenRows
from bayesgmm.initialisation.starts import sample_size
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.scaling import Units
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective
from bayesgmm.sources.row_source import Block, RowSource
from bayesgmm.sources.scanning import Scan, refuse_missing, scan

# Rows of a block: a power of two of the core's chunks, whose tree of sums is then that of all.
BLOCK_ROWS = 65_536
# Estimated remaining gain (nats) at which passes end, and numbers of the part that memory holds.
_REMAINING, _MOST_NUMBERS = 1e-8, 8_000_000


@dataclass(frozen=True, slots=True, eq=False)
class _PartOfMany(Rows):
    """The part, to judge a run over all rows by; weights are those of all rows."""

    def seen(self) -> Array:
        """Zeros: log-likelihoods of passes over blocks are in the user's units already."""
        return np.zeros(self.x.shape[1])


@dataclass(frozen=True, slots=True)
class BlockSums:
    """The sums of a block of rows under a mixture; a value that can be pickled.

    Attributes
    ----------
    parameters : Parameters
        In the units of the fit.
    shift, scale : ndarray of shape (D,)
        Those units.
    weight_unit : float
        The weight that counts as one row.
    finished : bool
        True for statistics, as sums of rows seen in part are; else they are finished when added.
    """

    parameters: Parameters
    shift: Array
    scale: Array
    weight_unit: float
    finished: bool

    def __call__(self, block: Block) -> Array:
        """The sums as the core lays them out, the log-likelihood in the user's units."""
        weights = block.weights
        if weights is not None:
            present = weights > 0.0
            if not present.all():
                block, weights = block.take(present), weights[present]
            weights = weights / self.weight_unit
        data = block.data
        rows = Rows.of(data, weights, self.shift, self.scale, threads=1)
        bad, sums = native.e_step(*rows.arguments, *self.parameters, 1, self.finished)
        if bad:
            raise SingularCovarianceError(bad - 1)
        logs = np.log(self.scale)
        # Entries are counted only where some are missing: that takes as long as reading them.
        sums[0] += rows.seen() @ logs if data.has_missing else sums[1] * logs.sum()
        return sums


def fit_source(
    source: RowSource,
    opened: OpenRows,
    settings: Settings,
    passes: Passes,
    say: Callable[[str], None],
    *,
    allow_nan: bool = True,
) -> Fit:
    """Fit by maximum likelihood to the rows of a source.

    Parameters
    ----------
    source : RowSource
    opened : OpenRows
        Its rows in blocks of `BLOCK_ROWS`.
    settings : Settings
        With a seed as its `random_state`.
    passes : Passes
        Those of an interrupted run, which are not made again.
    say : callable
        Told what is done.
    allow_nan : bool
        Whether entries may be missing.

    Raises
    ------
    InputError
        If the rows cannot be used, or no mixture of this size and structure fits them.
    InvalidParameterError
        If a setting does not suit a source of rows.
    FitError
        If every start collapsed on the part.
    ExecutorError
        If the workers are lost.
    """
    _check(settings)
    d = source.n_features
    sampled = sample_size(settings.structure, settings.n_components, d)
    size = part_size(source.n_rows, sampled)
    size = max(min(size, _MOST_NUMBERS // d), sampled) if size else source.n_rows
    say(f"Reading {source.n_rows:,} rows of {source.describe()}")
    found = scan(source, opened.each, sample_size=size, rng=settings.random_state)
    if not allow_nan:
        refuse_missing(found, source)
    say(f"Fitting {size:,} of the rows")
    part = _data(found)
    of_part = fit_mixture(part, found.sample.weights, settings)
    if size == source.n_rows:
        return of_part
    return _continued(opened, settings, passes, found, part, of_part, say)


def _continued(
    opened: OpenRows,
    settings: Settings,
    passes: Passes,
    found: Scan,
    part: Data,
    of_part: Fit,
    say: Callable[[str], None],
) -> Fit:
    """The fit to all rows, from that to a part of them."""
    units, weight_unit = of_part.units, found.total_weight / (found.n_rows - found.n_weightless)
    objective = Objective(settings.structure, eigenvalue_ratio=settings.eigenvalue_ratio)
    if settings.held is not None:
        objective = replace(objective, held=settings.held.transformed(units.shift, units.scale))
    start = units.from_user(of_part.parameters)
    if settings.held is not None:
        start = Parameters(*objective.held.put_into(*start)) if objective.held else start
    rows, some = _rows_of_part(found, part, units, weight_unit, start)
    newton = metric(some, objective, start)
    finished = found.has_errors or bool(found.n_missing.any())
    rule = StopRule(_REMAINING, settings.tol)
    if settings.max_iter is not None:
        rule = replace(rule, max_e_steps=settings.max_iter + 1)
    progress = PassProgress(say, found.n_rows, _REMAINING)

    def sums_of(theta: Array) -> Array:
        def made() -> Array:
            at = split(theta, start)
            return opened.sum(BlockSums(at, units.shift, units.scale, weight_unit, finished))

        known = passes.n_asked < passes.n_made
        sums = passes.sums(theta, made)
        progress.ended(float(sums[0] * weight_unit), known=known)
        return sums

    result = native.run_em_over(
        sums_of,
        finished,
        False,
        objective.arguments,
        *start,
        rule.arguments(accelerate=settings.accelerate),
        newton if settings.accelerate else None,
    )
    run = run_of(result, start, rows)
    if run.collapsed is not None:
        # The rows of the part led to a mixture, and others took it away.
        return replace(of_part, degeneracy=why_spurious(run, objective))
    parameters = units.to_user(run.parameters)
    if settings.held is not None:
        parameters = Parameters(*settings.held.put_into(*parameters))
    return Fit(
        parameters,
        run,
        units,
        why_spurious(run, objective),
        of_part.starts,
        weight_unit=weight_unit,
    )


def _rows_of_part(
    found: Scan, part: Data, units: Units, weight_unit: float, start: Parameters
) -> tuple[Rows, Rows]:
    """The part, weighing as much as all rows; and as many of its rows as a metric needs."""
    weights = found.sample.weights
    kept = np.ones(len(part.X), dtype=np.bool_) if weights is None else weights > 0.0
    chosen = np.flatnonzero(kept)
    own = np.ones(len(chosen)) if weights is None else weights[chosen] / weight_unit
    of_all = found.total_weight / weight_unit / own.sum()
    data = part.take(chosen)
    made = Rows.of(data, own * of_all, units.shift, units.scale)
    judged = _PartOfMany(
        **{name: getattr(made, name) for name in Rows.__slots__ if name != "coarse"},
        coarse=coarse_values(data.X),
    )
    count = enough_rows(found.n_rows, start, len(chosen))
    few = np.linspace(0, len(chosen) - 1, count, dtype=np.intp)
    return judged, Rows.of(data.take(few), own[few], units.shift, units.scale)


def _data(found: Scan) -> Data:
    """The rows of the part."""
    x = found.sample.x
    return Data(x, found.feature_names, bool(np.isnan(x).any()), found.sample.errors)


def _check(settings: Settings) -> None:
    """Refuse what needs all rows in memory, and a ridge, under which steps have no maximum."""
    refused = {
        "priors": settings.priors is not None,
        "reg_covar": bool(settings.reg_covar),
        "noise_component": settings.noise,
        "contaminated": settings.contaminated,
        "init_params": settings.init_params is not None,
        "warm_start": settings.previous is not None,
    }
    refuse_beside("a source of rows", refused, "give the rows as an array")
