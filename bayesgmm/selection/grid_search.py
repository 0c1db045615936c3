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

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import batched, chain
from time import monotonic

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.validation import Data
from bayesgmm.em.exploration import explore
from bayesgmm.em.loop import Run, StopRule, first_better, maximise, together
from bayesgmm.em.multistart import begun, finish
from bayesgmm.em.pairs import as_components, components, contamination, paired, rows_of_pairs
from bayesgmm.em.spurious import relative_variances, why_spurious
from bayesgmm.initialisation.starts import (
    Sample,
    Views,
    from_known_labels,
    portfolio,
)
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.noise import Noise
from bayesgmm.priors.held_parameters import held_parameters
from bayesgmm.priors.objective import Objective
from bayesgmm.selection.candidate import Candidate, Key, freedom, is_nested, parents, rank
from bayesgmm.selection.grid_data import GridData
from bayesgmm.selection.split_merge import merges, projected, splits

# A run ends when the estimated remaining gain (nats) is below this, or after so many iterations.
_REMAINING, _MOST_ITERATIONS = 1e-6, 500
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
# Pairs of components that are merged to start the model with one component fewer.
_PAIRS = 6


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
    of_all = ratio, equal_weights, contaminated, n_init, lambda part: advance(part / work)
    # Models that were fitted to a sample are worth their last fit to all rows.
    sampling = max_time * (1.0 - refining * len(requested) / work) if refining else max_time
    search = _Search(data, data.sample, data.sample_passes, keys, *of_all, began + sampling)
    with ThreadPoolExecutor(threads) as pool:
        search.up(pool, partitions)
        search.down(pool, _DOWN)
        for sweep in range(_LATER_SWEEPS):
            search.down(pool, _LATER) if sweep % 2 else search.up(pool)
        if n > n_sampled:
            sampled, stopped = search.models, search.stopped
            search = _Search(data, data.rows, data.passes, requested, *of_all, began + max_time)
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
    """Candidate models `keys` of a grid, fitted to `rows` (by kind of units) in sweeps."""

    def __init__(
        self,
        data: GridData,
        rows: dict[bool, Array],
        passes: dict[bool, Rows],
        keys: Sequence[Key],
        ratio: float,
        equal_weights: bool,
        contaminated: bool,
        n_init: int | None,
        advance: Callable[[float], None],
        until: float,
    ) -> None:
        self.models: dict[Key, Candidate] = {}
        self.stopped = ""
        self._until = until
        self._ratio, self._equal_weights, self._contaminated = ratio, equal_weights, contaminated
        self._n_init, self._advance = n_init, advance
        self._moments: dict[tuple[bool, int], tuple[Array, Array, Array]] = {}
        self._objectives: dict[Key, Objective] = {}
        self._data, self._rows, self._passes = data, rows, passes
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
                (made for each in nested for made in self._converted(structure, each)),
                (made for each in fewer for made in self._splits(structure, each)),
            )
            if partitions is not None:
                others = self._from_partitions(structure, k, partitions[k])
                starts = chain(starts, others, self._of_a_single_fit(structure, k))
            self._improve(key, starts)

        part = _LATER if partitions is None else _FIRST_UP
        self._sweep(pool, self._order, fit, lambda k, s: [*self._nested[k, s], (k - 1, s)], part)

    def down(self, pool: Executor, part: float) -> None:
        """Fit each model after those that it is nested in, and that with one component more."""

        def fit(key: Key) -> None:
            k, structure = key
            more = self._untried(key, [(k + 1, structure)])
            larger = self._untried(key, self._containing[key])
            starts = [made for each in larger for made in self._converted(structure, each)]
            for each in more:
                assert each.parameters is not None
                starts += merges(structure, self._plain(each), self._data.n_rows, _PAIRS)
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
            self._improve(key, [m for each in starts for m in self._converted(key[1], each)])

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

    def _from_partitions(
        self, structure: Structure, k: int, partitions: Sequence[Integers]
    ) -> list[Parameters]:
        """A mixture of the structure from each partition.

        Each scatter matrix is shrunk towards the pooled one, with the weight of D + 1 rows,
        so that none is singular.
        """
        if not partitions:
            return []
        d = self._data.units[structure.scales_by_column].scale.size
        counts, means, scatters = self._parts(structure.scales_by_column, k, partitions)
        n, sizes = counts.sum(axis=1, keepdims=True), counts + (d + 1)
        pooled = scatters.sum(axis=1, keepdims=True) * ((d + 1) / n)[:, :, np.newaxis, np.newaxis]
        covariances = (scatters + pooled) / sizes[:, :, np.newaxis, np.newaxis]
        return projected(structure, sizes, counts / n, means, covariances)

    def _parts(
        self, by_column: bool, k: int, partitions: Sequence[Integers]
    ) -> tuple[Array, Array, Array]:
        """Counts, means and scatter matrices of the parts of each partition; computed once."""
        if (by_column, k) not in self._moments:
            rows = self._rows[by_column]
            whole = self._rows is self._data.rows
            weights = self._data.row_weights if whole else self._data.sample_weights
            each = [native.partition_moments(rows, weights, labels, k) for labels in partitions]
            counts, means, scatters = (np.stack(part) for part in zip(*each, strict=True))
            self._moments[by_column, k] = counts, means, scatters
        return self._moments[by_column, k]

    def _of_a_single_fit(self, structure: Structure, k: int) -> list[Parameters]:
        """The best of the maxima that a fit of this model alone would find.

        None for plain mixtures of rows of unknown components, unless it was asked for.
        """
        rows = self._rows_for(k, structure)
        if self._n_init is None and rows.known is None and not self._contaminated:
            return []
        objective, sample = self._objective(k, structure), self._sample(structure)
        rng = np.random.default_rng(0)
        known = from_known_labels(sample, k, objective)
        others = portfolio(Views(sample, rng), k, objective, rng)
        starts = others if known is None else chain((known,), others)
        made = explore(rows, objective, starts, sample, rng, fewest=self._n_init, fast=True)
        rule = StopRule(remaining=_REMAINING, max_e_steps=_MOST_ITERATIONS)
        best, _ = finish(rows, objective, made, rule, fast=True, whole=True)
        return [] if best is None or best.run is None else [best.run.parameters]

    def _sample(self, structure: Structure) -> Sample:
        """The rows that are searched, for starts."""
        return self._data.searched(structure.scales_by_column)

    def _plain(self, model: Candidate) -> Parameters:
        """The components of a model, without their outliers."""
        assert model.parameters is not None
        return components(model.parameters) if self._contaminated else model.parameters

    def _converted(self, structure: Structure, model: Candidate) -> list[Parameters]:
        """A model's mixture, with its outliers, projected onto a structure in its units, if any."""
        found = self._components_converted(structure, model)
        if not self._contaminated:
            return found
        assert model.parameters is not None
        outliers = contamination(model.parameters)
        return [paired(each, outliers) for each in found]

    def _components_converted(self, structure: Structure, model: Candidate) -> list[Parameters]:
        """A model's components projected onto a structure, in the units of that structure.

        Nothing if the units of the columns differ by more than the range of float64.
        """
        units, here = self._data.units, model.structure
        ratio = units[structure.scales_by_column].scale / units[here.scales_by_column].scale
        weights, means, covariances = self._plain(model)
        with np.errstate(over="ignore", under="ignore"):
            if here.diagonal:
                covariances = covariances * (ratio * ratio)
            else:
                covariances = covariances * ratio * ratio[:, np.newaxis]
        variances = covariances if here.diagonal else np.einsum("kii->ki", covariances)
        if not (np.isfinite(covariances).all() and (variances > 0.0).all()):
            return []
        if here.diagonal and not structure.diagonal:
            covariances = covariances[:, :, np.newaxis] * np.eye(len(ratio))
        if here == structure or is_nested(here, structure):
            return [Parameters(weights, means * ratio, covariances)]
        counts = self._data.n_rows * weights
        each = counts, weights, means * ratio, covariances
        return projected(structure, *(values[np.newaxis] for values in each))

    def _splits(self, structure: Structure, model: Candidate) -> Iterator[Parameters]:
        assert model.run is not None
        run = as_components(model.run) if self._contaminated else model.run
        whiten = structure.scales_by_column and not structure.diagonal
        metric = self._data.metric if whiten else None
        return splits(structure, run.parameters, run.statistics, metric)

    def _improve(self, key: Key, starts: Iterable[Parameters]) -> None:
        """Run EM from each start; keep the best admissible maximum, or else the best of all.

        A run that falls behind the incumbent is abandoned. A model without an admissible fit that
        is as likely as that of a nested structure inherits the latter.
        """
        k, structure = key
        rows, objective = self._rows_for(k, structure), self._objective(k, structure)
        best = self.models.get(key)
        d = rows.x.shape[1]
        for some in batched(starts, together(k * d * d)):
            made = begun(some, k, self._sample(structure), rows, objective)
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
            rule = StopRule(remaining=_REMAINING, max_e_steps=_MOST_ITERATIONS, incumbent=incumbent)
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
        for start in self._converted(structure, model):
            run = maximise(rows, objective, start, StopRule(max_e_steps=1))
            if run.n_e_steps:
                value = model.log_likelihood
                k = model.n_components
                return Candidate(k, structure, start, value, False, "", True, run)
        return None

    def _objective(self, k: int, structure: Structure) -> Objective:
        """What runs of a model maximise; made once."""
        if (k, structure) not in self._objectives:
            d = self._data.units[structure.scales_by_column].scale.size
            self._objectives[k, structure] = Objective(
                structure,
                held=held_parameters(None, self._equal_weights, k, d, structure),
                contaminated=self._contaminated,
                eigenvalue_ratio=self._ratio,
            )
        return self._objectives[k, structure]

    def _rows_for(self, k: int, structure: Structure) -> Rows:
        """The rows for runs of this model."""
        rows = self._passes[structure.scales_by_column]
        return rows_of_pairs(rows, k) if self._contaminated else rows

    def _candidate(self, key: Key, run: Run) -> Candidate:
        """The candidate model of a run, with a note if it is degenerate or spurious."""
        structure = key[1]
        units = self._data.units[structure.scales_by_column]
        own = as_components(run) if self._contaminated else run
        objective = self._objective(*key)
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
