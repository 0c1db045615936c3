"""Exploration: starts, and moves from where they lead, until higher maxima are unlikely.

Starts are run to near their maxima. From there moves put a component elsewhere (`em/moves.py`),
those of most gain by estimate first; where one leads higher, moves from the new maximum follow.
At last, components are made narrower or wider, since a maximum may be next to a higher one.
Moves are made in rounds of a few that were not tried before, most often from the highest maximum.
After r rounds in vain the next one leads higher with a probability of about 1 / (r + 2) (Laplace's
rule of succession); eight leave a tenth.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from bayesgmm.em.loop import Run
from bayesgmm.em.moves import Move, ranked_moves, reshaped
from bayesgmm.em.multistart import (
    PLAIN,
    SAME_MAXIMUM,
    Attempt,
    adapted,
    begun,
    first_higher,
    first_run,
    with_held,
)
from bayesgmm.em.pairs import components
from bayesgmm.initialisation.starts import Sample, Start
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# Starts that suffice where they lead to one maximum, where to several, and to none.
_FEWEST, _MOST, _HOPELESS = 4, 20, 24
# Moves that are tried at a time; times in a row that they must not lead higher from the highest
# maximum, and how many fewer from each next one.
_MOVES, _IN_VAIN, _FEWER = 4, 8, 2
# Components that are tried at a time, and at first where all starts lead to one maximum.
_TRIED, _FIRST_TRIED = 128, 16
# Splits, which differ less from one time to the next, are tried every so many times.
_SPLIT = 3
# E-steps of mixtures with a reshaped component before steps are combined: nearly all go back to the
# maximum from which they were made, so that rounding has no choice of another.
_RESHAPED_PLAIN = 20
# Multiplications that the runs of a climb may take together; starts may take half of them.
_WORK = 6e10
# Climbs on all rows that must not lead higher, where starts were run on a sample, and the E-steps
# that one takes at least.
_ON_ALL, _LEAST_E_STEPS = 2, 100


@dataclass(slots=True)
class _Exploration:
    """What is explored, and what has been found."""

    rows: Rows
    objective: Objective
    sample: Sample
    rng: np.random.Generator
    fast: bool
    work: float = 0.0  # of starts, or of the climb

    def run(self, start: Start) -> Attempt:
        """A first run from a start that is adapted to labels and held values."""
        start = adapted(start, self.sample, self.objective)
        found = first_run(self.rows, self.objective, start, self.fast)
        if found.run is not None:
            self.work += found.run.n_e_steps * _work(self.rows, len(start.parameters.weights))
        return found

    def climb(self, found: list[Attempt], times: int, fewer: int) -> list[Attempt]:
        """Higher maxima, in the order of their discovery, by moves from several.

        The climb ends when moves have failed so many times in a row from the highest, `fewer` times
        less from the second, and so on; where there is one and no more were asked for, also if no
        move is promising. Before it ends, components of the highest are reshaped.
        """
        ends = [_End(each) for each in found]
        alone = len(ends) == 1 and times <= _IN_VAIN
        higher: list[Attempt] = []
        self.work = 0.0
        while self.work < _WORK:
            ends.sort(key=lambda end: -end.maximum.value)
            turn = min(range(len(ends)), key=lambda i: ends[i].in_vain + i * fewer)
            end = ends[turn]
            unpromising = alone and end.in_vain > 0 and not end.made
            if unpromising or end.in_vain + turn * fewer >= times:
                turn, end = 0, ends[0]
                if end.reshaped:
                    break
                end.reshaped = True
                made = reshaped(self.sample, self._parameters(end), self.objective)
                each = (self._higher(end, "reshaped", some, _RESHAPED_PLAIN) for some in made)
                reached = next((higher for higher in each if higher is not None), None)
            else:
                starts = self._moves(end, _FIRST_TRIED if alone and not end.made else _TRIED)
                end.in_vain += 1
                reached = self._higher(end, "exchange", starts)
            if reached is not None:
                higher.append(reached)
                known = any(abs(each.maximum.value - reached.value) < SAME_MAXIMUM for each in ends)
                ends[turn : turn + 1] = [] if known else [_End(reached)]
        return higher

    def _parameters(self, end: "_End") -> Parameters:
        assert end.maximum.run is not None
        return _without_outliers(end.maximum.run, self.objective)

    def _moves(self, end: "_End", tried: int) -> Parameters:
        """A few moves from a maximum."""
        return ranked_moves(
            self.sample,
            self._parameters(end),
            self.objective,
            self.rng,
            end.made,
            most=_MOVES,
            tried=tried,
            with_splits=end.in_vain % _SPLIT == 0,
        )

    def _higher(
        self, end: "_End", name: str, starts: Parameters, plain: int = PLAIN
    ) -> Attempt | None:
        """The first run that leads higher than a maximum."""
        n_starts, k = starts.weights.shape
        if not n_starts:
            return None
        starts = begun(map(Parameters, *starts), k, self.sample, self.rows, self.objective)
        least = end.maximum.value + SAME_MAXIMUM
        higher, n_e_steps = first_higher(
            self.rows, self.objective, name, starts, self.fast, least, plain
        )
        self.work += n_e_steps * _work(self.rows, k)
        return higher


@dataclass(slots=True)
class _End:
    """A maximum, how often moves from there were in vain, and what was tried."""

    maximum: Attempt
    in_vain: int = 0
    made: list[Move] = field(default_factory=list)
    reshaped: bool = False


def explore(
    rows: Rows,
    objective: Objective,
    starts: Iterable[Start],
    sample: Sample,
    rng: np.random.Generator,
    *,
    fewest: int | None,
    fast: bool,
) -> list[Attempt]:
    """First runs from starts, and moves from several of their maxima, until these fail.

    If the first four runs end at one maximum, and no move is promising, they suffice. Otherwise
    there are twenty starts, more if all degenerate, fewer if they take long; in no case fewer than
    `fewest`. Rounds of moves from the highest maximum must fail eight times in a row, or `fewest`
    times if that is more, from the next ones less often. At last, held values are tried in other
    components.
    """
    search = _Exploration(rows, objective, sample, rng, fast)
    made: list[tuple[Start, Attempt]] = []
    for start in starts:
        twin = next((found for other, found in made if other.same(start)), None)
        found = search.run(start) if twin is None else replace(twin, name=start.name)
        made.append((start, found))
        ends = _distinct([each for _, each in made if each.degeneracy is None])
        alone = bool(ends) and len(start.parameters.weights) == 1
        enough = alone or (len(made) >= _FEWEST and len(ends) == 1)
        most = _MOST if ends else _HOPELESS
        last = len(made) >= most or (search.work >= _WORK / 2.0 and len(made) >= _FEWEST)
        if (enough or last) and len(made) >= (fewest or 1):
            break
    attempts = [found for _, found in made]
    if ends and not alone:
        times = max(_IN_VAIN, fewest or 0)
        attempts += search.climb(ends, times, _FEWER * times // _IN_VAIN)
    return attempts + _renumbered(rows, objective, attempts, fast)


def climb_on_all(
    rows: Rows,
    objective: Objective,
    found: Attempt,
    sample: Sample,
    rng: np.random.Generator,
    *,
    fast: bool,
) -> Attempt | None:
    """The end of climbs on all rows, by moves that a sample proposes, if it is higher.

    None also where they would take long.
    """
    if found.run is None or found.degeneracy is not None:
        return None
    k = len(found.run.parameters.weights)
    if k == 1 or _LEAST_E_STEPS * _work(rows, k) > _WORK:
        return None
    search = _Exploration(rows, objective, sample, rng, fast)
    higher = search.climb([found], _ON_ALL, 1)
    return higher[-1] if higher else None


def _work(rows: Rows, k: int) -> float:
    """Multiplications of an E-step."""
    n, d = rows.x.shape
    return float(n * k * (10 + d * d))


def _highest(attempts: list[Attempt]) -> Attempt | None:
    """The admissible attempt of the highest value."""
    sound = [each for each in attempts if each.degeneracy is None]
    return max(sound, key=lambda each: each.value, default=None)


def _renumbered(
    rows: Rows, objective: Objective, attempts: list[Attempt], fast: bool
) -> list[Attempt]:
    """Attempts that lead ever higher, each from the last one with two components exchanged.

    Held values stay in their place. The best matching of a start to them by distance need not be
    the one of highest likelihood.
    """
    higher: list[Attempt] = []
    best = _highest(attempts)
    while best is not None and best.run is not None:
        last, theta, best = best.value, best.run.parameters, None
        for start in _exchanged(theta, objective):
            found = first_run(rows, objective, start, fast, last)
            if found.degeneracy is None and found.value > last + SAME_MAXIMUM:
                higher.append(found)
                best = found
                break
    return higher


def _exchanged(parameters: Parameters, objective: Objective) -> Iterator[Start]:
    """Each pair of components exchanged, but for what is held of them, where that differs."""
    if objective.held is None:
        return
    groups = objective.held.groups
    for j, i in combinations(range(len(groups)), 2):
        if groups[j] != groups[i]:
            order = np.arange(len(groups))
            order[[j, i]] = i, j
            start = Start("components exchanged", parameters.permuted(order))
            yield with_held(start, objective)


def _without_outliers(run: Run, objective: Objective) -> Parameters:
    """The components of a run, with weights of sum 1."""
    parameters = components(run.parameters) if objective.contaminated else run.parameters
    return parameters._replace(weights=parameters.weights / parameters.weights.sum())


def _distinct(ends: list[Attempt]) -> list[Attempt]:
    """One attempt of each maximum."""
    distinct: list[Attempt] = []
    for each in ends:
        if not any(abs(each.value - other.value) < SAME_MAXIMUM for other in distinct):
            distinct.append(each)
    return distinct
