"""Exploration: starts, and moves from where they lead, until higher maxima are unlikely.

A start is run to near its maximum. From there moves leave a component out and split another one
(`em/moves.py`), those of most gain by estimate first; the first that leads higher is followed,
until none of a few does. What counts of a start is this end of its climb.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np

from bayesgmm.em.loop import Run
from bayesgmm.em.moves import ranked_moves
from bayesgmm.em.multistart import SAME_MAXIMUM, Attempt, adapted, first_run, with_held
from bayesgmm.em.pairs import components
from bayesgmm.initialisation.starts import Sample, Start
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

_FEWEST, _MOST = 4, 24
# Moves that must not lead higher before a climb ends, and climbs from the highest end, with other
# splits, that must not before the search does.
_MOVES, _AGAIN = 8, 8
# Multiplications that first runs may take together.
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
    ratio: float
    work: float = 0.0
    # Values from which moves were tried, and where they led.
    ends: list[tuple[float, Attempt]] = field(default_factory=list)

    def run(self, start: Start, incumbent: float = -np.inf) -> Attempt:
        """A first run from a start that is adapted to labels and held values."""
        start = adapted(start, self.sample, self.objective)
        found = first_run(self.rows, self.objective, start, self.fast, self.ratio, incumbent)
        if found.run is not None:
            self.work += found.run.n_e_steps * _work(self.rows, len(start.parameters.weights))
        return found

    def climb(self, found: Attempt, *, again: bool = False) -> Attempt:
        """The end of moves that lead ever higher; once from each maximum, unless `again`."""
        passed = []
        best = found
        while best.degeneracy is None and self.work < _WORK:
            near = (end for value, end in self.ends if abs(value - best.value) < SAME_MAXIMUM)
            end = None if again and best is found else next(near, None)
            if end is not None:
                best = end if end.value > best.value + SAME_MAXIMUM else best
                break
            passed.append(best.value)
            higher = self._higher(best)
            if higher is None:
                break
            best = higher
        self.ends += [(value, best) for value in passed]
        return best

    def climb_again(self, best: Attempt, times: int) -> list[Attempt]:
        """Ever higher ends of climbs from the highest one, until so many in a row end there."""
        higher: list[Attempt] = []
        in_vain = 0
        while in_vain < times and self.work < _WORK:
            end = self.climb(best, again=True)
            in_vain += 1
            if end.value > best.value + SAME_MAXIMUM:
                higher.append(end)
                best, in_vain = end, 0
        return higher

    def _higher(self, best: Attempt) -> Attempt | None:
        """The first of a few moves from an attempt that leads higher."""
        assert best.run is not None
        theta = _without_outliers(best.run, self.objective)
        for start in islice(ranked_moves(self.sample, theta, self.objective, self.rng), _MOVES):
            found = self.run(start, best.value)
            if found.degeneracy is None and found.value > best.value + SAME_MAXIMUM:
                return found
        return None


class _Climb(NamedTuple):
    """A start, the value of its first run, and the end of the moves from there."""

    start: Start
    first: float
    end: Attempt


def explore(
    rows: Rows,
    objective: Objective,
    starts: Iterable[Start],
    sample: Sample,
    rng: np.random.Generator,
    *,
    fewest: int | None,
    fast: bool,
    ratio: float,
) -> list[Attempt]:
    """Climb from starts until more are unlikely to find a higher maximum.

    If the first four runs end at one maximum, and no move leads higher, they suffice. Otherwise
    starts are made until fewer than w + 1/2 ends are expected in all, w (r - 1) / (r - w - 2) after
    r climbs to w distinct ends (Boender & Rinnooy Kan 1987, Mathematical Programming 37, 59-80), or
    until there are 24, fewer if they take long; in no case fewer than `fewest`. Then climbs begin
    at the highest end, with other splits, until some in a row end there. At last, held values are
    tried in other components.
    """
    search = _Exploration(rows, objective, sample, rng, fast, ratio)
    attempts: list[Attempt] = []
    climbs: list[_Climb] = []
    for start in starts:
        climb = next((each for each in climbs if each.start.same(start)), None)
        if climb is None:
            found = search.run(start)
            climb = _Climb(start, found.value, search.climb(found))
            attempts.append(found)
            if climb.end is not found:
                attempts.append(replace(climb.end, name=f"{start.name}, moves"))
        else:
            attempts.append(replace(climb.end, name=start.name))
        climbs.append(climb)
        sound = [each for each in climbs if each.end.degeneracy is None]
        first = [each.first for each in sound]
        alike = bool(sound) and max(first) - min(first) < SAME_MAXIMUM
        last = len(climbs) >= _MOST or (search.work >= _WORK and len(climbs) >= _FEWEST)
        alone = bool(sound) and len(start.parameters.weights) == 1
        enough = alone or last or _settled([each.end for each in sound], alike)
        if len(climbs) >= (fewest or 1) and enough:
            break
    best = _highest(attempts)
    if best is not None and not alike:
        attempts += search.climb_again(best, max(_AGAIN, (fewest or 0) // 3))
    return attempts + _renumbered(rows, objective, attempts, fast, ratio)


def climb_on_all(
    rows: Rows,
    objective: Objective,
    found: Attempt,
    sample: Sample,
    rng: np.random.Generator,
    *,
    fast: bool,
    ratio: float,
) -> Attempt | None:
    """The end of climbs on all rows, by moves that a sample proposes, if it is higher.

    None also where they would take long.
    """
    if found.run is None or found.degeneracy is not None:
        return None
    k = len(found.run.parameters.weights)
    if k == 1 or _LEAST_E_STEPS * _work(rows, k) > _WORK:
        return None
    search = _Exploration(rows, objective, sample, rng, fast, ratio)
    higher = search.climb_again(found, _ON_ALL)
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
    rows: Rows, objective: Objective, attempts: list[Attempt], fast: bool, ratio: float
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
            found = first_run(rows, objective, start, fast, ratio, last)
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


def _settled(ends: list[Attempt], alike: bool) -> bool:
    """True if these ends let one expect no others; `alike` if first runs had one maximum."""
    distinct: list[float] = []
    for each in ends:
        if not any(abs(each.value - value) < SAME_MAXIMUM for value in distinct):
            distinct.append(each.value)
    r, w = len(ends), len(distinct)
    if w == 1 and alike and r >= _FEWEST:
        return True
    return r > w + 2 and w * (r - 1) / (r - w - 2) < w + 0.5
