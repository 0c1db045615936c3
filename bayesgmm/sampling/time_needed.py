"""The time that NUTS takes, told beforehand where it is long."""

import time
import warnings

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMWarning
from bayesgmm.likelihood.em_steps import n_threads
from bayesgmm.posterior.log_density import Problem
from bayesgmm.sampling.laplace_draws import N_PROPOSALS
from bayesgmm.sampling.laplace_target import rows_of_densities
from bayesgmm.sampling.samplers import Plan

# Gradients of a draw by NUTS: 7 to 15 where components are separated, more where they overlap.
_OF_A_DRAW = 12
# Passes over all rows by the other method, beside two for each coordinate.
_PASSES = 20
# Seconds from which on the time is told.
_LONG = 120.0


def tell_if_long(problem: Problem, u: Array, plan: Plan, chains: int) -> None:
    """Warn where NUTS takes more than two minutes for its first draws, and say what else there is.

    A gradient is timed, at coordinates u (size,).
    """
    gradient = min(_seconds(problem, u) for _ in range(2))
    threads = n_threads()
    draws = plan.tune + plan.lengths[0]
    seconds = gradient * _OF_A_DRAW * draws * chains / min(chains, threads)
    if seconds < _LONG:
        return
    n = len(problem.rows.X)
    of_part = N_PROPOSALS * rows_of_densities(n) / n
    other = gradient * ((2 * len(u) + of_part) / threads + _PASSES)
    warnings.warn(
        f"NUTS will take about {_duration(seconds)} for {plan.tune} draws of tuning and "
        f"{plan.lengths[0]} more of each of {plural(chains, 'chain')}: a gradient over {n:,} rows "
        f"takes {gradient:.2g} s, and a draw about {_OF_A_DRAW} of them. method='laplace' would "
        f"take about {_duration(other)}; it needs separated components of many rows.",
        BayesGMMWarning,
        stacklevel=4,
    )


def _seconds(problem: Problem, u: Array) -> float:
    """The time of one gradient."""
    began = time.perf_counter()
    problem.log_density(u)
    return time.perf_counter() - began


def _duration(seconds: float) -> str:
    """A rounded time: "40 s", "12 min", "3 h"."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2.0 * size:
            return f"{np.round(seconds / size):.0f} {unit}"
    return f"{np.ceil(seconds):.0f} s"
