"""The fit of an estimator to a source of rows."""

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from bayesgmm.arguments import check_rng
from bayesgmm.data.file_access import PathLike
from bayesgmm.display import plural
from bayesgmm.em.checkpoint import Passes
from bayesgmm.em.settings import Fit, Settings
from bayesgmm.em.streamed_fit import BLOCK_ROWS, fit_source
from bayesgmm.errors import ExecutorError, InvalidParameterError
from bayesgmm.estimator.source_results import BlockMemberships, SourceSums, source_sums
from bayesgmm.executors import SerialExecutor, ThreadExecutor
from bayesgmm.executors.chosen_executor import as_executor
from bayesgmm.executors.executor import Executor, OpenRows
from bayesgmm.sources.row_source import RowSource, SequentialSource
from bayesgmm.sources.spooling import spooled


def check_alone(given: dict[str, Any]) -> None:
    """Refuse arguments that a source of rows brings itself, or cannot have."""
    named = [name for name, value in given.items() if value is not None]
    if named:
        raise InvalidParameterError(
            f"{named[0]} cannot be given beside a source of rows, which brings its weights and "
            "errors: give them to open_rows. Labels are for rows in memory."
        )


def _silent(sentence: str) -> None:
    pass


def _to_standard_error(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


@contextmanager
def opened_rows(source: RowSource, executor: Executor) -> Iterator[tuple[RowSource, OpenRows]]:
    """Open rows for several passes, and yield what they are read from.

    What is decoded or computed anew in each pass is copied once, for threads of this machine.
    """
    local = isinstance(executor, SerialExecutor | ThreadExecutor)
    copied = local and isinstance(source, SequentialSource)
    with (
        spooled(source) if copied else nullcontext(source) as rows,
        executor.open(rows, BLOCK_ROWS) as opened,
    ):
        yield rows, opened


def fit_rows_of(
    source: RowSource,
    settings: Settings,
    executor: Executor | None,
    checkpoint: PathLike | None,
    allow_nan: bool,
) -> tuple[Fit, SourceSums]:
    """The fit to all rows of a source, and the sums of a pass under it.

    Where `verbose` asks for it, progress is printed on standard error. A run that is to be resumed
    has to have a seed: with a checkpoint, None stands for 0.
    """
    seed = settings.random_state
    if seed is None:
        seed = 0 if checkpoint is not None else secrets.randbits(63)
    if not isinstance(seed, int | np.integer):
        seed = int(check_rng(seed).integers(2**63))
    of: dict[str, str | int] = {
        "rows": source.describe(),
        "number of rows": source.n_rows,
        "number of columns": source.n_features,
        "number of components": settings.n_components,
        "structure": settings.structure.code,
        "seed": int(seed),
    }
    passes = Passes.resumed(checkpoint, of)
    say = _to_standard_error if settings.verbose else _silent
    made = replace(settings, random_state=int(seed), verbose=0)
    try:
        with opened_rows(source, as_executor(executor)) as (rows, opened):
            fit = fit_source(rows, opened, made, passes, say, allow_nan=allow_nan)
            of_block = BlockMemberships(fit.parameters.mixture(source.feature_names))
            return fit, source_sums(of_block, opened)
    except ExecutorError as error:
        if checkpoint is None or not passes.n_made:
            raise
        raise ExecutorError(
            f"{error} The sums of {plural(passes.n_made, 'pass')} are in {str(checkpoint)!r}: the "
            "same fit with this checkpoint goes on from there."
        ) from error
