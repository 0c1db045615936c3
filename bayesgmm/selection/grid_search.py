"""Search for the maximum of every candidate model in a grid of K and covariance structures.

The starts of a model are the maxima of its neighbours (the structures nested in it, those that it
is nested in, and K ± 1, see `split_merge`) and partitions of the rows. Sweeps go up the grid and
down in turn; no mixture is tried twice as a start of the same model. The likelihood of a model is
therefore never below that of a nested one. A model depends only on neighbours that precede it in
the sweep, so that the result does not depend on the number of threads.

The best of the maxima that a single fit would find is a start, too, where that was asked for
(`n_init`), and with noise, outliers or known components: in models of too many components the other
starts lead to lower maxima.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import batched, chain
from time import monotonic

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data
from bayesgmm.em.loop import Run, StopRule, first_better, maximise, together
from bayesgmm.em.multistart import begun
from bayesgmm.em.pairs import as_components
from bayesgmm.em.spurious import relative_variances, why_spurious
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.objective import Objective
from bayesgmm.selection.candidate import Candidate, Key, freedom, parents, rank
from bayesgmm.selection.grid_data import GridData
from bayesgmm.selection.model_starts import RULE, ModelStarts

# Least gain (nats) that replaces the incumbent; smaller differences come from the stopping rule.
_BETTER = 2e-7
# Ratio of a component's relative variances below which it is singular, at convergence and before.
# Rounded rows may lie on a line, where the likelihood is unbounded; such runs never converge.
_SINGULAR, _NEARLY_SINGULAR = 4.0 * float(np.finfo(np.float64).eps), 1e-8
# Approximate proportions of the time of a fit in the sweeps, of which the last is over all rows.
_FIRST_UP, _DOWN, _LATER, _REFINING = 3.0, 1.5, 0.5, 1.5
# Sweeps after the first two.
_LATER_SWEEPS = 3
# Seconds between looks for Ctrl-C.
_SECONDS = 0.2


def search_grid(
    rows: Data,
    row_weights: Array | None,
    wanted: Mapping[int, Sequence[Structure]],
    rng: np.random.Generator,
    *,
    ratio: float,
    equal_weights: bool,
    threads: int,
    advance: Callable[[float], None],
    noise: Noise | None = None,
    contaminated: bool = False,
    n_init: int | None = None,
    max_time: float = np.inf,
) -> tuple[list[Candidate], str]:
    """Search every candidate model.

    Parameters
    ----------
    rows : Data
        Of full rank.
    row_weights : ndarray of shape (n,), optional
        Greater than 0, and 1 on average; log-likelihoods are of rows with these weights.
    wanted : mapping of int to sequence of Structure
        The structures of each K; K is at most the number of distinct rows, and at least that of
        components with a known row.
    ratio : float
        Largest ratio of eigenvalues of an admissible mixture.
    equal_weights : bool
        Hold all weights at 1 / K.
    advance : callable
        Called with the proportion of the work, approximately, that each fit was.
    noise : Noise, optional
        A component of noise in every model.
    contaminated : bool
        Outliers of each component in every model.
    n_init : int, optional
        Explore each model as a single fit with this `n_init` does.
    max_time : float
        Seconds after which no run begins.

    Returns
    -------
    list of Candidate
        With parameters in the user's units; where the search was stopped, those that were fitted to
        all rows.
    str
        The reason why the search was stopped: "interrupted" by Ctrl-C, "max_time", or "".
    """
    began = monotonic()
    requested = [(k, each) for k, column in wanted.items() for each in column]
    if not requested:
        return [], ""
    # Values of K that were not requested are steps to the next requested one.
    largest: dict[Structure, int] = {}
    for k, each in requested:
        largest[each] = max(k, largest.get(each, 0))
    steps = range(max(rows.n_known, 1), max(wanted) + 1)
    keys = [(k, each) for k in steps for each in largest if k <= largest[each]]
    data = GridData.of(rows, row_weights, largest, rng, noise)
    partitions = {k: data.partitions(k) for k in {k for k, _ in keys}}
    n, n_sampled = (len(next(iter(each.values()))) for each in (data.rows, data.sample))
    refining = _REFINING * n / n_sampled * (n > n_sampled)
    work = (_FIRST_UP + _DOWN + _LATER_SWEEPS * _LATER) * len(keys) + refining * len(requested)
    of_all = data, ratio, equal_weights, contaminated, n_init

    def done(part: float) -> None:
        advance(part / work)

    # Models that were fitted to a sample are worth their last fit to all rows.
    sampling = max_time * (1.0 - refining * len(requested) / work) if refining else max_time
    starts = ModelStarts(data.sample, data.sample_passes, *of_all)
    search = _Search(keys, starts, done, began + sampling)
    with ThreadPoolExecutor(threads) as pool:
        search.up(pool, partitions)
        search.down(pool, _DOWN)
        for sweep in range(_LATER_SWEEPS):
            search.down(pool, _LATER) if sweep % 2 else search.up(pool)
        if n > n_sampled:
            sampled, stopped = search.models, search.stopped
            starts = ModelStarts(data.rows, data.passes, *of_all)
            search = _Search(requested, starts, done, began + max_time)
            search.stopped = stopped if stopped == "interrupted" else ""
            search.refine(pool, sampled, refining)
            search.stopped = search.stopped or stopped
    found = [search.models[key] for key in requested if key in search.models]
    return [_in_users_units(data, model) for model in found], search.stopped


def _in_users_units(data: GridData, model: Candidate) -> Candidate:
    """A model with its parameters in the user's units; without parameters if its run collapsed."""
    if model.parameters is None or (model.run is not None and model.run.collapsed is not None):
        return replace(model, parameters=None, run=None)
    units = data.units[model.structure.scales_by_column]
    return replace(model, parameters=units.to_user(model.parameters), run=None)


class _Search:
    """Candidate models `keys` of a grid, fitted in sweeps."""

    def __init__(
        self,
        keys: Sequence[Key],
        starts: ModelStarts,
        advance: Callable[[float], None],
        until: float,
    ) -> None:
        self.models: dict[Key, Candidate] = {}
        self.stopped = ""
        self._starts, self._advance, self._until = starts, advance, until
        columns: dict[int, list[Structure]] = {}
        for k, structure in keys:
            columns.setdefault(k, []).append(structure)
        self._nested = {(k, s): [(k, p) for p in parents(s, columns[k])] for k, s in keys}
        self._containing: dict[Key, list[Key]] = {key: [] for key in keys}
        for key, nested in self._nested.items():
            for each in nested:
                self._containing[each].append(key)
        # Neighbours come first, and independent models are adjacent.
        self._order = sorted(keys, key=lambda key: (key[0] + freedom(key[1]), key[0]))
        self._tried: dict[Key, set[Candidate]] = {key: set() for key in keys}

    def up(
        self,
        pool: Executor,
        partitions: Mapping[int, Sequence[Integers]] | None = None,
    ) -> None:
        """Fit each model after those nested in it: fewer parameters, or one component fewer."""

        def fit(key: Key) -> None:
            k, structure = key
            fewer = self._untried(key, [(k - 1, structure)])
            nested = self._untried(key, self._nested[key])
            starts: Iterable[Parameters] = chain(
                (made for each in nested for made in self._starts.converted(structure, each)),
                (made for each in fewer for made in self._starts.splits(structure, each)),
            )
            if partitions is not None:
                others = self._starts.partitions(structure, k, partitions[k])
                starts = chain(starts, others, self._starts.single_fit(structure, k))
            self._improve(key, starts)

        part = _LATER if partitions is None else _FIRST_UP
        self._sweep(pool, self._order, fit, lambda k, s: [*self._nested[k, s], (k - 1, s)], part)

    def down(self, pool: Executor, part: float) -> None:
        """Fit each model after those that it is nested in, and that with one component more."""

        def fit(key: Key) -> None:
            k, structure = key
            more = self._untried(key, [(k + 1, structure)])
            larger = self._untried(key, self._containing[key])
            starts = [made for each in larger for made in self._starts.converted(structure, each)]
            for each in more:
                starts += self._starts.merges(structure, each)
            self._improve(key, starts)

        order = self._order[::-1]
        self._sweep(pool, order, fit, lambda k, s: [*self._containing[k, s], (k + 1, s)], part)

    def refine(self, pool: Executor, sampled: Mapping[Key, Candidate], part: float) -> None:
        """Fit each model from its maximum on the sample, and after those nested in it."""

        def fit(key: Key) -> None:
            if key not in sampled:
                return
            starts = [] if sampled[key].parameters is None else [sampled[key]]
            starts += self._untried(key, self._nested[key])
            self._improve(key, [m for each in starts for m in self._starts.converted(key[1], each)])

        self._sweep(pool, self._order, fit, lambda k, s: self._nested[k, s], part)

    def _sweep(
        self,
        pool: Executor,
        order: Sequence[Key],
        fit: Callable[[Key], None],
        before: Callable[[int, Structure], list[Key]],
        part: float,
    ) -> None:
        """Fit the models in this order, each after its neighbours `before` it have been fitted.

        Ctrl-C, or the end of the time, ends this sweep after the fits that have begun, and keeps
        later ones from beginning.
        """
        fits: dict[Key, Future[None]] = {}

        def task(key: Key) -> None:
            # A fit that failed is raised below, once.
            if any(fits[each].exception() for each in before(*key) if each in fits):
                return
            if not self.stopped and not self._is_late():
                fit(key)
                self._advance(part)

        try:
            for key in order:
                fits[key] = pool.submit(task, key)
            # A signal that arrives while a wait begins is seen at its end only.
            while wait(fits.values(), timeout=_SECONDS).not_done:
                pass
        except KeyboardInterrupt:
            self.stopped = "interrupted"
        for each in fits.values():
            each.result()

    def _is_late(self) -> bool:
        """True from the time on when no run is to begin."""
        late = monotonic() >= self._until
        if late:
            self.stopped = self.stopped or "max_time"
        return late

    def _untried(self, key: Key, neighbours: Iterable[Key]) -> list[Candidate]:
        """Admissible models among the neighbours, without those already tried as a start."""
        found = [self.models[each] for each in neighbours if each in self.models]
        new = [each for each in found if each.admissible and each not in self._tried[key]]
        self._tried[key].update(new)
        return new

    def _improve(self, key: Key, starts: Iterable[Parameters]) -> None:
        """Run EM from each start; keep the best admissible maximum, or else the best of all.

        A run that falls behind the incumbent is abandoned. A model without an admissible fit that
        is as likely as that of a nested structure inherits the latter.
        """
        k, structure = key
        rows, objective = self._starts.rows(k, structure), self._starts.objective(k, structure)
        best = self.models.get(key)
        d = rows.x.shape[1]
        for some in batched(starts, together(k * d * d)):
            made = begun(some, k, self._starts.sample(structure), rows, objective)
            best = self._highest(key, rows, objective, made, best)
        nested = [self.models[each] for each in self._nested[key]]
        likeliest = max(
            (each for each in nested if each.admissible),
            key=lambda each: each.log_likelihood,
            default=None,
        )
        if likeliest and not (
            best and best.admissible and best.log_likelihood + _BETTER >= likeliest.log_likelihood
        ):
            best = self._inherited(rows, objective, likeliest) or best
        self.models[key] = best or Candidate(
            k, structure, None, np.nan, False, "every start collapsed"
        )

    def _highest(
        self,
        key: Key,
        rows: Rows,
        objective: Objective,
        starts: Parameters,
        best: Candidate | None,
    ) -> Candidate | None:
        """The best of a model's maxima, after runs from starts; where there is one, until late."""
        first = 0
        while first < len(starts.weights):
            incumbent = best.run.objective if best and best.admissible and best.run else -np.inf
            seconds = self._until - monotonic() if np.isfinite(incumbent) else np.inf
            rule = replace(RULE, incumbent=incumbent)
            place, run, _ = first_better(
                rows, objective, starts, rule, better=_BETTER, first=first, seconds=seconds
            )
            if run is None:
                if place < len(starts.weights):
                    self._is_late()
                break
            found, first = self._candidate(key, run), place + 1
            if found.admissible or best is None or not best.admissible:
                best = found if best is None else max(best, found, key=rank)
        return best

    def _inherited(self, rows: Rows, objective: Objective, model: Candidate) -> Candidate | None:
        """The mixture of a nested model; None if it cannot be evaluated in these units."""
        structure = objective.structure
        for start in self._starts.converted(structure, model):
            run = maximise(rows, objective, start, StopRule(max_e_steps=1))
            if run.n_e_steps:
                value = model.log_likelihood
                k = model.n_components
                return Candidate(k, structure, start, value, False, "", True, run)
        return None

    def _candidate(self, key: Key, run: Run) -> Candidate:
        """The candidate model of a run, with a note if it is degenerate or spurious."""
        structure = key[1]
        units = self._starts.data.units[structure.scales_by_column]
        own = as_components(run) if self._starts.contaminated else run
        objective = self._starts.objective(*key)
        note = str(why_spurious(own, objective) or _singular(own) or "")
        value = units.log_likelihood(run.log_likelihood, run.seen)
        return Candidate(*key, run.parameters, value, run.converged, note, run=run)


def _singular(run: Run) -> str | None:
    """A sentence on a component that is singular or about to be; None if there is none."""
    variances = relative_variances(run)
    least = _SINGULAR if run.converged else _NEARLY_SINGULAR
    singular = variances.min(axis=1) <= least * variances.max(axis=1)
    if not singular.any():
        return None
    k = int(singular.argmax())
    size = run.statistics.counts[k]
    return f"component {k} is singular: its {size:.1f} rows coincide in some direction"
