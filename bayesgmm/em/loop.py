"""The EM loop of the core, called: from a start to where its run ends."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.likelihood.em_steps import Rows, statistics_of
from bayesgmm.likelihood.statistics import Parameters, Statistics
from bayesgmm.priors.objective import Objective

# Starts that are run together, at most, and numbers (float64) in their covariances: 32 MiB.
_MOST, _NUMBERS = 64, 2**22

# theta, sums, trace, E-steps, remaining, outcome, 1 + component
type EMResult = tuple[Array, Array, Array, int, float, int, int]


@dataclass(frozen=True, slots=True)
class StopRule:
    """The stopping rule of a run.

    Attributes
    ----------
    remaining : float
        Converged once the estimated remaining gain in log-likelihood (nats) is at most this.
    change : float or None
        scikit-learn's rule instead: converged once the mean log-likelihood changes by less than
        this in an iteration.
    max_e_steps : int
        E-steps after which the run ends unconverged: one more than iterations.
    incumbent : float
        Log-likelihood of the best run so far. A run ends, too, if at its recent rate it would need
        many more iterations to reach this.
    plain : int
        E-steps before steps are combined, with acceleration.
    """

    remaining: float = 1e-20
    change: float | None = None
    max_e_steps: int = 10_000
    incumbent: float = -np.inf
    plain: int = 4

    def arguments(self, *, accelerate: bool) -> tuple[float, float, int, float, int, bool]:
        """The rule as the core takes it."""
        change = np.nan if self.change is None else self.change
        plain = self.plain if accelerate else self.max_e_steps
        return self.remaining, change, self.max_e_steps, self.incumbent, plain, not accelerate


class Outcome(IntEnum):
    """The reason for which a run ended; the numbers are those of the core."""

    CONVERGED = 0
    STOPPED = 1
    COLLAPSED = 2
    BEHIND = 3


@dataclass(frozen=True, slots=True)
class Run:
    """The end of one run of EM.

    Attributes
    ----------
    parameters : Parameters
    statistics : Statistics
        Of the E-step at `parameters`.
    n_e_steps : int
        0 if a covariance of the start is singular.
    outcome : Outcome
    remaining : float
        Estimated remaining gain, nats; infinite if unknown.
    trace : ndarray
        Log-likelihood after each step that was kept, plus the log prior density (up to a constant)
        where there is one; never falls.
    rows : Rows
    collapsed : int or None
        The component whose covariance lost its rank, or which lost its rows, if that ended the run.
    """

    parameters: Parameters
    statistics: Statistics
    n_e_steps: int
    outcome: Outcome
    remaining: float
    trace: Array
    rows: Rows
    collapsed: int | None = None

    @property
    def converged(self) -> bool:
        """True if the run met the stopping rule."""
        return self.outcome is Outcome.CONVERGED

    @property
    def log_likelihood(self) -> float:
        """Total nats at `parameters`, in the units of the rows."""
        return self.statistics.log_likelihood

    @property
    def seen(self) -> Array:
        """The number of rows in which each column was seen, or the sum of their weights, (D,)."""
        return self.rows.seen()

    @property
    def objective(self) -> float:
        """The maximised function: log-likelihood, plus log prior density if there is a prior."""
        return float(self.trace[-1])


def maximise(
    rows: Rows,
    objective: Objective,
    start: Parameters,
    rule: StopRule,
    *,
    accelerate: bool = True,
    metric: Array | None = None,
) -> Run:
    """Run EM from one start: E-step and M-step in turn.

    With `accelerate`, a combination of the last steps is tried first; where it lowers the objective
    or is not a mixture, the plain EM step takes its place, and iterative M-steps take one step per
    iteration. Without it, every step is a plain EM step. No step lowers the objective either way.
    Held parameters stay as they are in the start. `metric` makes steps Newton's, see `metric.py`.
    """
    found = native.run_em(
        *rows.arguments,
        objective.arguments,
        *start,
        rule.arguments(accelerate=accelerate),
        metric,
        rows.most_threads,
    )
    return run_of(found, start, rows)


def together(size: int) -> int:
    """The number of starts that are run together, with so many numbers in their covariances."""
    return min(_MOST, 1 + _NUMBERS // size)


class Better(NamedTuple):
    """The first of several runs that ended above the incumbent.

    Attributes
    ----------
    place : int
        Its place; without one the number of starts, or the place of the first that was not run for
        want of time.
    run : Run or None
    n_e_steps : int
        Of all runs.
    """

    place: int
    run: Run | None
    n_e_steps: int


def first_better(
    rows: Rows,
    objective: Objective,
    starts: Parameters,
    rule: StopRule,
    *,
    better: float,
    first: int = 0,
    accelerate: bool = True,
    seconds: float = np.inf,
) -> Better:
    """Runs from several starts, until one ends above the incumbent by more than `better`.

    Parameters
    ----------
    starts : Parameters
        Each array has a leading axis, of starts.
    first : int
        The place of the first start that is run.
    seconds : float
        No run begins after so long.
    """
    place, found, end, n_e_steps = native.first_better(
        *rows.arguments,
        objective.arguments,
        *starts,
        rule.arguments(accelerate=accelerate),
        rows.most_threads,
        better,
        first,
        seconds,
    )
    if not found:
        return Better(place, None, n_e_steps)
    start = Parameters(*(each[place] for each in starts))
    return Better(place, run_of(end, start, rows), n_e_steps)


def run_of(found: EMResult, start: Parameters, rows: Rows) -> Run:
    """A run as the core describes it."""
    theta, sums, trace, n_e_steps, remaining, outcome, bad = found
    parameters = split(theta, start)
    return Run(
        parameters,
        statistics_of(sums, parameters.means, start.covariances.shape),
        n_e_steps,
        Outcome(outcome),
        remaining,
        trace,
        rows,
        bad - 1 if bad else None,
    )


def split(theta: Array, like: Parameters) -> Parameters:
    """Parameters of the core's vector of them, in the shape of others."""
    k, d = like.means.shape
    means = theta[k : k + k * d].reshape(k, d)
    return Parameters(theta[:k], means, theta[k + k * d :].reshape(like.covariances.shape))
