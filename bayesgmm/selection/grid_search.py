"""The optimum of every cell of a grid of K and covariance structure.

A cell's starts are the optima of its neighbours: of the structures that it contains, of those that
contain it, and of one component fewer or more (`split_merge`), beside partitions of the
rows. Sweeps go up the grid, down, and up again; a neighbour is asked once for each mixture that it
holds. So a structure never has less likelihood than one that it contains. A cell waits for the
neighbours that come before it and for nothing else: threads take cells in the order of a sweep, and
their number does not change the result.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure
from bayesgmm.em.loop import Run, StopRule, maximise
from bayesgmm.em.spurious import relative_variances, why_spurious
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective
from bayesgmm.selection.grid_data import Grounds
from bayesgmm.selection.split_merge import as_member, divided, joined

type Array = NDArray[np.float64]
type Labels = NDArray[np.int64]
type Key = tuple[int, Structure]

# Nats still to be gained, by estimate, at which a run is done; passes after which it is given up.
_ENOUGH, _MOST_PASSES = 1e-6, 500
# Nats by which another mixture has to be better to take a cell: less is how a run ended.
_BETTER = 2e-7
# Variance in some direction, relative to that in others and to all rows, that is none. Where values
# are rounded many rows may lie on one line: the likelihood is unbounded there, and some start would
# find it. A run on the way there never converges.
_FLAT, _FLAT_ON_THE_WAY = 4.0 * float(np.finfo(np.float64).eps), 1e-8
# Pairs of components that are put together to start a cell of one fewer.
_PAIRS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One K with one structure.

    Attributes
    ----------
    n_components : int
    structure : Structure
    parameters : Parameters or None
        None if there is no mixture.
    log_likelihood : float
        Total, nats, in the user's units.
    converged : bool
    note : str
        Why the cell is empty or its fit degenerate; "" if neither.
    borrowed : bool
        Whether the mixture is that of a structure contained, since nothing more likely is sound.
    run : Run or None
        How it was found, in the units of the search.
    """

    n_components: int
    structure: Structure
    parameters: Parameters | None
    log_likelihood: float
    converged: bool
    note: str
    borrowed: bool = False
    run: Run | None = None

    @property
    def key(self) -> Key:
        """Where in the grid it lies."""
        return self.n_components, self.structure

    @property
    def sound(self) -> bool:
        """Whether the cell may win."""
        return self.parameters is not None and not self.note


@cache
def contained(small: Structure, large: Structure) -> bool:
    """Whether every mixture of `small` is one of `large`: I(dentity) < E(qual) < V(arying)."""
    pairs = zip(small.code, large.code, strict=True)
    return small != large and all("IEV".index(a) <= "IEV".index(b) for a, b in pairs)


def parents(structure: Structure, among: Sequence[Structure]) -> list[Structure]:
    """The largest of the structures that this one contains."""
    inside = [each for each in among if contained(each, structure)]
    return [each for each in inside if not any(contained(each, other) for other in inside)]


def search_grid(
    x: Array,
    wanted: Mapping[int, Sequence[Structure]],
    rng: np.random.Generator,
    *,
    ratio: float,
    threads: int,
    advance: Callable[[], None],
) -> list[Cell]:
    """Search every cell; `advance()` is called as each is looked at first.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite, of full rank.
    wanted : mapping of int to sequence of Structure
        The structures of each K, which is at most the number of distinct rows.
    ratio : float
        The largest ratio of eigenvalues of a mixture that can be trusted.

    Returns
    -------
    list of Cell
        With parameters in the user's units.
    """
    asked = [(k, each) for k, column in wanted.items() for each in column]
    if not asked:
        return []
    # A K that nobody asked for is a step on the way to the next.
    largest: dict[Structure, int] = {}
    for k, each in asked:
        largest[each] = max(k, largest.get(each, 0))
    keys = [(k, each) for k in range(1, max(wanted) + 1) for each in largest if k <= largest[each]]
    grounds = Grounds.of(x, largest, rng)
    partitions = {k: grounds.partitions(k) for k in {k for k, _ in keys}}
    search = _Search(grounds, grounds.sample, keys, ratio)
    with ThreadPoolExecutor(threads) as pool:
        search.up(pool, partitions, lambda key: advance() if key in asked else None)
        search.down(pool)
        search.up(pool)
        if grounds.sample is not grounds.rows:
            begun = search.cells
            search = _Search(grounds, grounds.rows, asked, ratio)
            search.again(pool, begun)
    return [_in_users_units(grounds, search.cells[key]) for key in asked]


def _in_users_units(grounds: Grounds, cell: Cell) -> Cell:
    """A cell with its parameters in the units of the rows as they came; none of a collapsed run."""
    if cell.parameters is None or (cell.run is not None and cell.run.collapsed is not None):
        return replace(cell, parameters=None, run=None)
    units = grounds.units[cell.structure.scales_by_column]
    return replace(cell, parameters=units.to_user(cell.parameters), run=None)


class _Search:
    """The cells of a grid, and what they ask of one another.

    Parameters
    ----------
    grounds : Grounds
    rows : dict
        The rows to fit, in both kinds of units.
    keys : sequence of Key
        The cells to search.
    ratio : float
        The largest ratio of eigenvalues of a mixture that can be trusted.
    """

    def __init__(
        self, grounds: Grounds, rows: dict[bool, Array], keys: Sequence[Key], ratio: float
    ) -> None:
        self.cells: dict[Key, Cell] = {}
        self._ratio = ratio
        self._moments: dict[tuple[bool, int], list[tuple[Array, Array, Array]]] = {}
        self._grounds, self._rows = grounds, rows
        columns: dict[int, list[Structure]] = {}
        for k, structure in keys:
            columns.setdefault(k, []).append(structure)
        self._inside = {(k, s): [(k, p) for p in parents(s, columns[k])] for k, s in keys}
        self._around: dict[Key, list[Key]] = {key: [] for key in keys}
        for key, inside in self._inside.items():
            for each in inside:
                self._around[each].append(key)
        # Neighbours come earlier, and cells that do not need one another near each other.
        self._order = sorted(keys, key=lambda key: (key[0] + _freedom(key[1]), key[0]))
        self._asked: dict[Key, set[Cell]] = {key: set() for key in keys}

    def up(
        self,
        pool: Executor,
        partitions: Mapping[int, Sequence[Labels]] | None = None,
        advance: Callable[[Key], None] = lambda _: None,
    ) -> None:
        """Look at each cell after the structures it contains and those of one component fewer."""

        def look(key: Key) -> None:
            k, structure = key
            fewer = self._new(key, [(k - 1, structure)])
            starts = [self._member(structure, each) for each in self._new(key, self._inside[key])]
            starts += [made for each in fewer for made in self._divided(structure, each)]
            if partitions is not None:
                starts += self._begun(structure, k, partitions[k])
            self._improve(key, starts)
            advance(key)

        self._sweep(pool, self._order, look, lambda k, s: [*self._inside[k, s], (k - 1, s)])

    def down(self, pool: Executor) -> None:
        """Look at each cell after the structures that contain it and those of one more."""

        def look(key: Key) -> None:
            k, structure = key
            more = self._new(key, [(k + 1, structure)])
            starts = [self._member(structure, each) for each in self._new(key, self._around[key])]
            starts += [made for each in more for made in self._joined(structure, each)]
            self._improve(key, starts)

        self._sweep(pool, self._order[::-1], look, lambda k, s: [*self._around[k, s], (k + 1, s)])

    def again(self, pool: Executor, begun: Mapping[Key, Cell]) -> None:
        """Each cell from what was found on other rows, and from the structures it contains."""

        def look(key: Key) -> None:
            cells = [] if begun[key].parameters is None else [begun[key]]
            cells += self._new(key, self._inside[key])
            self._improve(key, [self._member(key[1], each) for each in cells])

        self._sweep(pool, self._order, look, lambda k, s: self._inside[k, s])

    def _sweep(
        self,
        pool: Executor,
        order: Sequence[Key],
        look: Callable[[Key], None],
        before: Callable[[int, Structure], list[Key]],
    ) -> None:
        """Look at the cells in order, each after those `before` it, which come earlier in it."""
        begun: dict[Key, Future[None]] = {}

        def task(key: Key) -> None:
            for each in before(*key):
                if each in begun:
                    begun[each].result()
            look(key)

        for key in order:
            begun[key] = pool.submit(task, key)
        for each in begun.values():
            each.result()

    def _new(self, key: Key, neighbours: Iterable[Key]) -> list[Cell]:
        """Sound cells among the neighbours that this one has not asked."""
        found = [self.cells[each] for each in neighbours if each in self.cells]
        new = [each for each in found if each.sound and each not in self._asked[key]]
        self._asked[key].update(new)
        return new

    def _begun(
        self, structure: Structure, k: int, partitions: Sequence[Labels]
    ) -> Iterator[Parameters]:
        """A mixture of the structure from each partition.

        Parts are given D + 1 rows' worth of the scatter within all of them, that none is flat.
        """
        n, d = self._rows[structure.scales_by_column].shape
        for counts, means, scatters in self._parts(structure.scales_by_column, k, partitions):
            sizes = counts + (d + 1)
            pooled = scatters.sum(axis=0) * ((d + 1) / n)
            covariances = (scatters + pooled) / sizes[:, np.newaxis, np.newaxis]
            found = as_member(structure, n, sizes / n, means, covariances)
            if found is not None:
                yield found._replace(weights=counts / n)

    def _parts(
        self, by_column: bool, k: int, partitions: Sequence[Labels]
    ) -> list[tuple[Array, Array, Array]]:
        """Counts, means and scatters of the parts of each partition, for all structures."""
        if (by_column, k) not in self._moments:
            rows = self._rows[by_column]
            ones = np.ones(len(rows))
            self._moments[by_column, k] = [
                native.partition_moments(rows, ones, labels, k) for labels in partitions
            ]
        return self._moments[by_column, k]

    def _member(self, structure: Structure, cell: Cell) -> Parameters | None:
        """A cell's mixture in the units of a structure, and as one of its members.

        None where these units do not hold it: columns may differ by more than float64's range.
        """
        assert cell.parameters is not None
        units, here = self._grounds.units, cell.structure
        ratio = units[structure.scales_by_column].scale / units[here.scales_by_column].scale
        weights, means, covariances = cell.parameters
        with np.errstate(over="ignore", under="ignore"):
            if here.diagonal:
                covariances = covariances * (ratio * ratio)
            else:
                covariances = covariances * ratio * ratio[:, np.newaxis]
        variances = covariances if here.diagonal else np.einsum("kii->ki", covariances)
        if not (np.isfinite(covariances).all() and (variances > 0.0).all()):
            return None
        if here.diagonal and not structure.diagonal:
            covariances = covariances[:, :, np.newaxis] * np.eye(len(ratio))
        if here == structure or contained(here, structure):
            return Parameters(weights, means * ratio, covariances)
        return as_member(structure, self._grounds.n_rows, weights, means * ratio, covariances)

    def _divided(self, structure: Structure, cell: Cell) -> Iterator[Parameters]:
        assert cell.parameters is not None
        assert cell.run is not None
        whiten = structure.scales_by_column and not structure.diagonal
        metric = self._grounds.metric if whiten else None
        return divided(structure, cell.parameters, cell.run.statistics, metric)

    def _joined(self, structure: Structure, cell: Cell) -> Iterator[Parameters]:
        assert cell.parameters is not None
        return joined(structure, cell.parameters, self._grounds.n_rows, _PAIRS)

    def _improve(self, key: Key, starts: Iterable[Parameters | None]) -> None:
        """Run EM from each start, and keep the best sound optimum; else the best with its fault.

        A run that falls behind the best so far is given up. Where a structure contained has more
        than everything that is sound here, its mixture serves for both.
        """
        k, structure = key
        best = self.cells.get(key)
        rows = Rows(self._rows[structure.scales_by_column], threads=1)
        for start in starts:
            if start is None:
                continue
            rival = best.run.objective if best and best.sound and best.run else -np.inf
            rule = StopRule(remaining=_ENOUGH, max_passes=_MOST_PASSES, rival=rival)
            run = maximise(rows, Objective(structure), start, rule)
            if not run.n_passes or run.objective <= rival + _BETTER:
                continue
            cell = self._judged(structure, run)
            if cell.sound or best is None or not best.sound:
                best = _better(best, cell)
        sound = [self.cells[each] for each in self._inside[key] if self.cells[each].sound]
        most = max(sound, key=lambda each: each.log_likelihood, default=None)
        if most and not (
            best and best.sound and best.log_likelihood + _BETTER >= most.log_likelihood
        ):
            best = self._borrowed(rows, structure, most) or best
        self.cells[key] = best or Cell(k, structure, None, np.nan, False, "every start collapsed")

    def _borrowed(self, rows: Rows, structure: Structure, cell: Cell) -> Cell | None:
        """The mixture of a structure contained; None if these units or this pass do not hold it."""
        start = self._member(structure, cell)
        if start is None:
            return None
        run = maximise(rows, Objective(structure), start, StopRule(max_passes=1))
        if not run.n_passes:
            return None
        return Cell(cell.n_components, structure, start, cell.log_likelihood, False, "", True, run)

    def _judged(self, structure: Structure, run: Run) -> Cell:
        """A run's end as a cell, with what is wrong with it."""
        units = self._grounds.units[structure.scales_by_column]
        return Cell(
            len(run.parameters.weights),
            structure,
            run.parameters,
            units.log_likelihood(run.log_likelihood, run.statistics.weight),
            run.converged,
            str(why_spurious(run, Objective(structure), self._ratio) or _flat(run) or ""),
            run=run,
        )


def _freedom(structure: Structure) -> int:
    """More than that of all structures contained."""
    return sum("IEV".index(each) for each in structure.code)


def _flat(run: Run) -> str | None:
    """Whether a component has no spread in some direction, or is about to have none."""
    spread = relative_variances(run)
    least = _FLAT if run.converged else _FLAT_ON_THE_WAY
    flat = spread.min(axis=1) <= least * spread.max(axis=1)
    if not flat.any():
        return None
    k = int(flat.argmax())
    rows = run.statistics.counts[k]
    return f"component {k} is singular: its {rows:.1f} observations coincide in some direction"


def _better(one: Cell | None, other: Cell) -> Cell:
    """The sound one; else the one that is a mixture at all; else the more likely."""

    def merit(cell: Cell) -> tuple[bool, bool, float]:
        whole = cell.run is not None and cell.run.collapsed is None
        return cell.sound, whole, cell.log_likelihood

    return other if one is None else max(one, other, key=merit)
