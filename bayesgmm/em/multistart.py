"""Attempts: runs from starts, judged, and the choice of the maximum among them."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.em.loop import Run, StopRule, first_better, maximise
from bayesgmm.em.pairs import as_components, first_pairs
from bayesgmm.em.spurious import Degeneracy, Fault, why_spurious
from bayesgmm.errors import InvalidParameterError
from bayesgmm.initialisation.starts import Sample, Start, by_known_labels
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# First runs end at this estimated remaining gain (nats), and combine steps after so many E-steps.
PLAIN = 100
_FIRST = StopRule(remaining=1e-3, max_e_steps=300, plain=PLAIN)
# Nats within which two runs have reached the same maximum, or differ by rounding alone.
SAME_MAXIMUM, _ROUNDING = 1e-2, 1e-9
# The weight of noise in starts, which have none, and that below which they have none.
_FIRST_NOISE, _FULL = 0.05, 1e-9


@dataclass(frozen=True, slots=True)
class Attempt:
    """One start and the result of its run.

    Attributes
    ----------
    name : str
        The method by which the start was made.
    run : Run or None
        None if not even the first E-step could be made.
    degeneracy : Degeneracy or None
        The reason for calling the run degenerate or spurious, if it is; every admissible run is
        preferred to it.
    n_rows : int
        Of the data, or of the sample on which the run was made.
    """

    name: str
    run: Run | None
    degeneracy: Degeneracy | None
    n_rows: int

    @property
    def collapsed(self) -> bool:
        """True if the run did not end in a mixture."""
        return self.run is None or self.run.collapsed is not None

    @property
    def value(self) -> float:
        """The maximised function (log-likelihood, or penalised), in the units of the rows."""
        return -np.inf if self.run is None else self.run.objective

    def merit(self) -> tuple[bool, float]:
        """The ranking key of attempts: admissible before spurious ones, then likelihood."""
        return self.degeneracy is None, self.value


def with_room(rows: Rows, parameters: Parameters) -> Parameters:
    """A start whose weights leave some to the noise, if rows have any."""
    if rows.noise is None or parameters.weights.sum() <= 1.0 - _FULL:
        return parameters
    return parameters._replace(weights=(1.0 - _FIRST_NOISE) * parameters.weights)


def attempt(
    rows: Rows,
    objective: Objective,
    start: Start,
    rule: StopRule,
    fast: bool,
    *,
    judged: bool = True,
    metric: Array | None = None,
) -> Attempt:
    """Run EM from a start and judge where it ended."""
    n = rows.n_rows
    run = maximise(rows, objective, start.parameters, rule, accelerate=fast, metric=metric)
    if not run.n_e_steps:
        assert run.collapsed is not None
        return Attempt(start.name, None, Degeneracy(Fault.SINGULAR_START, run.collapsed), n)
    return Attempt(start.name, run, _judged(run, objective) if judged else None, n)


def _judged(run: Run, objective: Objective) -> Degeneracy | None:
    """The reason for calling a run degenerate or spurious, if it is."""
    return why_spurious(as_components(run) if objective.contaminated else run, objective)


def with_outliers(start: Start, rows: Rows, objective: Objective) -> Start:
    """A start with noise, or with outliers of its components, where the model has them."""
    parameters = with_room(rows, start.parameters)
    if objective.contaminated:
        parameters = first_pairs(parameters)
    return start._replace(parameters=parameters)


def first_run(
    rows: Rows, objective: Objective, start: Start, fast: bool, incumbent: float = -np.inf
) -> Attempt:
    """A run that ends near its maximum, or earlier where it falls behind the incumbent.

    One that ends below the incumbent is not judged.
    """
    rule = replace(_FIRST, incumbent=incumbent)
    found = attempt(rows, objective, _numbered(start, rows, objective), rule, fast, judged=False)
    if found.run is not None and rows.labels is None:
        # Starts have one covariance for all components: its priors count now.
        again = _by_prior(start._replace(parameters=found.run.parameters), objective)
        if again is not None:
            found = attempt(rows, objective, again, rule, fast, judged=False)
    if found.run is None or (found.value < incumbent and not found.collapsed):
        return found
    return replace(found, degeneracy=_judged(found.run, objective))


def first_higher(
    rows: Rows,
    objective: Objective,
    name: str,
    starts: Parameters,
    fast: bool,
    value: float,
    plain: int = PLAIN,
) -> tuple[Attempt | None, int]:
    """The first run from several starts that ends higher than a value, and is admissible.

    Also the number of E-steps of all. The starts (arrays have a leading axis) are as runs take
    them, see `begun`.
    """
    rule = replace(_FIRST, incumbent=value, plain=plain)
    first, n_e_steps = 0, 0
    while first < len(starts.weights):
        better = first_better(
            rows, objective, starts, rule, better=0.0, first=first, accelerate=fast
        )
        n_e_steps += better.n_e_steps
        if better.run is None:
            break
        if _judged(better.run, objective) is None:
            return Attempt(name, better.run, None, rows.n_rows), n_e_steps
        first = better.place + 1
    return None, n_e_steps


def begun(
    starts: Iterable[Parameters], k: int, sample: Sample, rows: Rows, objective: Objective
) -> Parameters:
    """Starts of K components as runs take them; arrays have a leading axis, of starts.

    They are numbered by labels or priors, with held values in them, and noise or outliers.
    Those that are pairs, with outliers, stay.
    """
    made = list(starts)
    plain = rows.known is None and objective.held is None and not objective.contaminated
    if not (plain and (objective.priors is None or objective.priors.exchangeable)):
        for i, start in enumerate(made):
            if len(start.weights) == k:
                numbered = adapted(Start("", start), sample, objective)
                made[i] = _numbered(numbered, rows, objective).parameters
    return Parameters(*(np.stack(each) for each in zip(*made, strict=True)))


def _numbered(start: Start, rows: Rows, objective: Objective) -> Start:
    """A start as a run takes it: in the order of its priors, with noise or outliers."""
    # Known labels number the components; else priors may.
    if rows.labels is None:
        start = _by_prior(start, objective) or start
    return with_outliers(start, rows, objective)


def adapted(start: Start, sample: Sample, objective: Objective) -> Start:
    """The start with its components numbered as known labels are, and with held values in it.

    Without labels, held values are put into the components that are nearest to them.
    """
    held = objective.held
    if sample.labels is not None:
        return with_held(by_known_labels(sample, start), objective)
    if held is not None and not held.exchangeable:
        # A singular start has no order.
        with suppress(InvalidParameterError):
            order = held.best_order(start.parameters.mixture())
            start = start._replace(parameters=start.parameters.permuted(order))
    return with_held(start, objective)


def with_held(start: Start, objective: Objective) -> Start:
    """The start with held values in the components that they are given for."""
    if objective.held is None:
        return start
    return start._replace(parameters=Parameters(*objective.held.put_into(*start.parameters)))


def _by_prior(start: Start, objective: Objective) -> Start | None:
    """The start in the order of highest prior density, where that is another one."""
    priors = objective.priors
    if priors is None or priors.exchangeable:
        return None
    try:
        order = priors.best_order(start.parameters.mixture())
    except InvalidParameterError:
        # A singular start, whose run ends before it begins.
        return None
    if (order == np.arange(len(order))).all():
        return None
    return start._replace(parameters=start.parameters.permuted(order))


def finish(
    rows: Rows,
    objective: Objective,
    attempts: list[Attempt],
    rule: StopRule,
    *,
    fast: bool,
    whole: bool,
) -> tuple[Attempt | None, list[Attempt]]:
    """Run the best first attempt to its maximum; the next best if that degenerates.

    A spurious maximum is taken only if there is no other. If first runs used only a sample, the
    best three of their maxima are compared on all rows. Also returns the attempts, degenerate ones
    with the reason.
    """
    ranked = [(each, each) for each in _distinct(attempts)]
    if not whole and len(ranked) > 1:
        brief = StopRule(remaining=_FIRST.remaining, max_e_steps=10)
        compared = []
        for _, first in ranked[:3]:
            assert first.run is not None
            start = Start(first.name, first.run.parameters)
            compared.append((attempt(rows, objective, start, brief, fast), first))
        compared.sort(key=lambda pair: pair[0].merit(), reverse=True)
        ranked = compared + ranked[3:]
    spurious: list[Attempt] = []
    for each, first in ranked:
        assert each.run is not None
        last = attempt(rows, objective, Start(each.name, each.run.parameters), rule, fast)
        if whole and last.run is not None:
            last = replace(last, run=_joined(each.run, last.run))
        if last.degeneracy is None:
            return last, attempts
        attempts = [
            replace(other, run=last.run or other.run, degeneracy=last.degeneracy)
            if other.degeneracy is None and abs(other.value - first.value) < SAME_MAXIMUM
            else other
            for other in attempts
        ]
        if not last.collapsed:
            spurious.append(last)
    return max(spurious, key=lambda each: each.value, default=None), attempts


def _distinct(attempts: list[Attempt]) -> list[Attempt]:
    """The best attempt at each maximum, the highest maximum first.

    Attempts that differ by rounding alone, say from a partition and from the same with its parts
    renumbered, are equally good. The first made goes on: units must not choose.
    """
    ranked = [(each, made) for made, each in enumerate(attempts) if not each.collapsed]
    ranked.sort(key=lambda pair: pair[0].merit(), reverse=True)
    found: list[tuple[Attempt, int]] = []
    for each, made in ranked:
        near = (i for i, (a, _) in enumerate(found) if abs(each.value - a.value) < SAME_MAXIMUM)
        twin = next(near, -1)
        if twin < 0:
            found.append((each, made))
        elif each.merit() >= (True, found[twin][0].value - _ROUNDING) and made < found[twin][1]:
            found[twin] = each, made
    return [each for each, _ in found]


def _joined(first: Run, second: Run) -> Run:
    """One run of two, the second of which began where the first ended."""
    return replace(
        second,
        n_e_steps=first.n_e_steps + second.n_e_steps - 1,
        trace=np.concatenate((first.trace, second.trace[1:])),
    )
