"""The one EM loop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import Mixer, Parameters
from bayesgmm.engine import Rows
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.model import Statistics, Structure

type Array = NDArray[np.float64]

_EPS = float(np.finfo(np.float64).eps)
# Passes before steps are combined: the first ones say little about those to come.
_PLAIN = 5


@dataclass(frozen=True, slots=True)
class StopRule:
    """When a run ends.

    Attributes
    ----------
    remaining : float
        Converged once the estimated likelihood still to be gained (total nats) is at most this.
    change : float or None
        scikit-learn's rule instead: converged once the mean log-likelihood changes by less than
        this from one pass to the next.
    max_passes : int
        Passes over the data, after which the run ends unconverged.
    """

    remaining: float = 1e-14
    change: float | None = None
    max_passes: int = 10_000


@dataclass(frozen=True, slots=True)
class Run:
    """Where one run of EM ended.

    Attributes
    ----------
    parameters : Parameters
    statistics : Statistics
        Of the pass at `parameters`.
    image : Parameters
        The plain EM step from `parameters`.
    n_passes : int
    converged : bool
    remaining : float
        Nats still to be gained, by estimate.
    trace : tuple of float
        Log-likelihood after each step that was kept; never falls.
    collapsed : int or None
        The component whose covariance lost its rank, if that ended the run.
    """

    parameters: Parameters
    statistics: Statistics
    n_passes: int
    converged: bool
    remaining: float
    trace: tuple[float, ...]
    collapsed: int | None = None

    @property
    def log_likelihood(self) -> float:
        """Total nats at `parameters`, in the units of the rows."""
        return self.statistics.log_likelihood


def m_step(statistics: Statistics, structure: Structure) -> Parameters:
    """Parameters that maximise the expected log-likelihood of a pass."""
    weights, means, scatters = statistics.moments()
    return Parameters(weights, means, structure.covariances(statistics.counts, scatters))


def maximise(
    rows: Rows,
    structure: Structure,
    start: Parameters,
    rule: StopRule,
    *,
    accelerate: bool = True,
) -> Run:
    """Run EM from one start: pass, M-step, and again.

    With `accelerate`, a combination of the last steps is tried first; where it loses likelihood
    or is no mixture, the plain EM step takes its place. Either way no step loses likelihood.
    """
    theta = start
    statistics = rows.e_step(*theta)
    passes, trace = 1, [statistics.log_likelihood]
    if rule.max_passes <= 1:
        return Run(theta, statistics, passes, False, np.inf, tuple(trace))
    mixer = Mixer(theta)
    while True:
        if statistics.counts.min() < _EPS * statistics.weight:
            empty = int(statistics.counts.argmin())
            return Run(theta, statistics, passes, False, np.inf, tuple(trace), empty)
        image = m_step(statistics, structure)
        mixer.observe(theta, image, statistics.counts)
        remaining = mixer.remaining(rule.remaining)
        if _ended(rule, trace, remaining, statistics.weight):
            return Run(theta, statistics, passes, True, remaining, tuple(trace))
        if passes >= rule.max_passes:
            return Run(theta, statistics, passes, False, remaining, tuple(trace))
        floor = trace[-1] - 8.0 * _EPS * abs(trace[-1])
        found = None
        proposal = mixer.propose() if accelerate and passes > _PLAIN else None
        if proposal is not None:
            candidate = _valid(theta.like(proposal), structure)
            if candidate is not None:
                found = _try(rows, candidate)
                passes += 1
                if found is not None and found.log_likelihood < floor:
                    found = None
            if found is None:
                mixer.forget()
                if passes >= rule.max_passes:
                    return Run(theta, statistics, passes, False, remaining, tuple(trace))
        if found is None:
            candidate = image
            try:
                found = rows.e_step(*image)
            except SingularCovarianceError as error:
                return Run(
                    theta, statistics, passes, False, np.inf, tuple(trace), error.component
                )
            passes += 1
        theta, statistics = candidate, found
        trace.append(statistics.log_likelihood)


def _ended(rule: StopRule, trace: list[float], remaining: float, weight: float) -> bool:
    if rule.change is None:
        return remaining <= rule.remaining
    return len(trace) > 1 and abs(trace[-1] - trace[-2]) / weight < rule.change


def _try(rows: Rows, candidate: Parameters) -> Statistics | None:
    """A pass at a proposal, or None if that is no mixture."""
    try:
        return rows.e_step(*candidate)
    except SingularCovarianceError:
        return None


def _valid(candidate: Parameters, structure: Structure) -> Parameters | None:
    """A proposal with positive weights and a covariance of the structure, if it is one."""
    if not candidate.weights.min() > 0.0:
        return None
    return candidate
