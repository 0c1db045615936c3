"""The one EM loop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import Mixer, Parameters
from bayesgmm.em.penalty import Penalised
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

    remaining: float = 1e-16
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
        Log-likelihood after each step that was kept, plus the log prior density where there is
        one; never falls.
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

    @property
    def objective(self) -> float:
        """What was maximised: the log-likelihood, plus the log prior density where there is one."""
        return self.trace[-1]


def m_step(statistics: Statistics, structure: Structure, near: Array | None = None) -> Parameters:
    """Parameters that maximise the expected log-likelihood of a pass.

    `near`: the covariances of that pass, which the new ones are then not worse than.
    """
    weights, means, scatters = statistics.moments()
    return Parameters(weights, means, structure.covariances(statistics.counts, scatters, near))


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
    or is no mixture, the plain EM step takes its place. Either way no step loses likelihood. Where
    the structure is `Penalised`, that is the penalised likelihood throughout.
    """
    penalty = structure if isinstance(structure, Penalised) else None
    theta = start
    statistics = rows.e_step(*theta)
    passes, trace = 1, [_objective(statistics, theta, penalty)]
    mixer = Mixer(theta) if accelerate or rule.change is None else None
    remaining = np.inf
    while rule.max_passes > 1:
        if _least(statistics, penalty) < _EPS * statistics.weight:
            empty = int(statistics.counts.argmin())
            return Run(theta, statistics, passes, False, np.inf, tuple(trace), empty)
        try:
            image, counts = _image(statistics, theta, structure, penalty)
        except SingularCovarianceError as error:
            return Run(theta, statistics, passes, False, np.inf, tuple(trace), error.component)
        if mixer is not None:
            mixer.observe(theta, image, counts)
            remaining = mixer.remaining(rule.remaining)
        if _ended(rule, trace, remaining, statistics.weight):
            return Run(theta, statistics, passes, True, remaining, tuple(trace))
        if passes >= rule.max_passes:
            break
        candidate: Parameters | None = image
        found = None
        if mixer is not None and accelerate and passes > _PLAIN:
            proposal = mixer.propose()
            if proposal is not None:
                candidate = _member(theta.like(proposal), structure)
                found = _improvement(rows, candidate, trace[-1], penalty)
                passes += candidate is not None
                mixer.learn(better=found is not None)
                if found is None:
                    candidate = image
                    if passes >= rule.max_passes:
                        break
        if found is None:
            try:
                found = rows.e_step(*image)
            except SingularCovarianceError as error:
                return Run(theta, statistics, passes, False, np.inf, tuple(trace), error.component)
            passes += 1
        assert candidate is not None
        theta, statistics = candidate, found
        trace.append(_objective(statistics, theta, penalty))
    return Run(theta, statistics, passes, False, remaining, tuple(trace))


def _ended(rule: StopRule, trace: list[float], remaining: float, weight: float) -> bool:
    if rule.change is None:
        return remaining <= rule.remaining
    return len(trace) > 1 and abs(trace[-1] - trace[-2]) / weight < rule.change


def _member(proposal: Parameters, structure: Structure) -> Parameters | None:
    """The mixture of the structure next to a proposal; None if that is no mixture at all."""
    if not proposal.weights.min() > 0.0:
        return None
    try:
        covariances = structure.nearest(proposal.weights, proposal.covariances)
    except SingularCovarianceError:
        return None
    # A combination of many steps sums to 1 but for their rounding, which n rows would multiply.
    weights = proposal.weights / proposal.weights.sum()
    return proposal._replace(weights=weights, covariances=covariances)


def _least(statistics: Statistics, penalty: Penalised | None) -> float:
    """Rows in the smallest weight that a step would give."""
    counts = statistics.counts
    return float(counts.min()) if penalty is None else penalty.least_share(counts)


def _image(
    statistics: Statistics, theta: Parameters, structure: Structure, penalty: Penalised | None
) -> tuple[Parameters, Array]:
    """The EM step from theta, and how many rows each component counts for in it."""
    if penalty is None:
        return m_step(statistics, structure, theta.covariances), statistics.counts
    return penalty.step(statistics, theta), statistics.counts + penalty.pseudo_counts


def _objective(statistics: Statistics, theta: Parameters, penalty: Penalised | None) -> float:
    if penalty is None:
        return statistics.log_likelihood
    return statistics.log_likelihood + penalty.log_prior(theta)


def _improvement(
    rows: Rows, candidate: Parameters | None, reached: float, penalty: Penalised | None
) -> Statistics | None:
    """A pass at a candidate; None if it loses likelihood (beyond rounding)."""
    if candidate is None:
        return None
    try:
        found = rows.e_step(*candidate)
    except SingularCovarianceError:
        return None
    value = _objective(found, candidate, penalty)
    return found if value >= reached - 8.0 * _EPS * abs(reached) else None
