"""The last run of a fit to many rows: few passes over all of them.

A part of the rows leads to a maximum near that of all rows, and to the metric in which steps over
all rows are nearly Newton's (`metric.py`). Where that does not end in an admissible mixture,
attempts are finished on all rows, as those on few rows are.
"""

from collections.abc import Callable

import numpy as np

from bayesgmm.arrays import Indices
from bayesgmm.em.exploration import climb_on_all
from bayesgmm.em.loop import StopRule
from bayesgmm.em.metric import metric, n_coordinates
from bayesgmm.em.multistart import Attempt, attempt, finish
from bayesgmm.initialisation.starts import Sample, Start
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# Rows from which on a part goes first; all rows to those of the part, and the most in it.
_MANY, _TIMES, _MOST_IN_PART = 100_000, 16, 1_000_000
# Times that all rows must outnumber the part.
_LEAST_TIMES = 4
# Rows for a parameter, at least, where the metric is formed.
_FOR_A_PARAMETER = 60


def part_size(n_rows: int, sampled: int) -> int:
    """Rows of the part that goes first, no fewer than starts were made from; 0 for none."""
    size = min(max(n_rows // _TIMES, sampled), _MOST_IN_PART)
    return size if n_rows >= max(_MANY, _LEAST_TIMES * size) else 0


def finish_by_part(
    rows: Rows,
    part: Callable[[int], Rows],
    size: int,
    objective: Objective,
    attempts: list[Attempt],
    sample: Sample,
    rng: np.random.Generator,
    rule: StopRule,
) -> Attempt | None:
    """The attempt whose last run is over all rows; None if a part does not lead there.

    Parameters
    ----------
    rows : Rows
        All rows.
    part : callable
        From a number of rows, at most `size`, to so many rows chosen at random.
    size : int
    objective : Objective
    attempts : list of Attempt
        First runs, from a sample.
    sample : Sample
    rng : numpy.random.Generator
    rule : StopRule
        Of the runs over the part, and over all rows.
    """
    some = part(size)
    best, _ = finish(some, objective, attempts, rule, fast=True, whole=False)
    if best is None or best.run is None or best.degeneracy is not None:
        return None
    higher = climb_on_all(some, objective, best, sample, rng, fast=True)
    if higher is not None and higher.run is not None:
        again = Start(higher.name, higher.run.parameters)
        best = max(attempt(some, objective, again, rule, True), best, key=Attempt.merit)
    assert best.run is not None
    at = best.run.parameters
    enough = enough_rows(rows.n_rows, at, size)
    newton = None if objective.contaminated else metric(part(enough), objective, at)
    last = attempt(rows, objective, Start(best.name, at), rule, True, metric=newton)
    return last if last.degeneracy is None else None


def enough_rows(n_rows: int, at: Parameters, size: int) -> int:
    """Rows of a part from which the metric is formed.

    Its derivatives then cost as much as one pass over all rows, or more where that is too few.
    """
    free = n_coordinates(at)
    return min(max(n_rows // free, _FOR_A_PARAMETER * free), size)


def first_of(chosen: Indices, size: int) -> Indices:
    """So many of rows that were chosen at random, spread evenly over them."""
    return chosen[np.linspace(0, len(chosen) - 1, min(size, len(chosen)), dtype=np.intp)]
