"""The optimum of every cell of a grid of K and covariance structure.

All structures of one K begin at the same partitions of the rows, and each at the optima of the
structures that it contains: so one that has more freedom never has less likelihood. Different K
know nothing of each other and may be searched at the same time, with the same result.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import Parameters
from bayesgmm.em.agglomeration import MergeTree, agglomerate
from bayesgmm.em.climb import Climb, climb, m_step_from, partition_moments
from bayesgmm.em.clustering import k_means
from bayesgmm.em.loop import Run
from bayesgmm.em.search import judge
from bayesgmm.em.starts import whitened
from bayesgmm.em.units import Units, fit_units
from bayesgmm.engine import Rows
from bayesgmm.model import Structure

type Array = NDArray[np.float64]
type Labels = NDArray[np.int64]

# A run is a race: all starts make a few passes, the best of them more, the last to the end.
_HEATS = ((8, 6), (25, 2))
# Nats still to be gained, by estimate, at which a cell is done; passes after which it is given up.
_ENOUGH, _MOST_PASSES = 1e-6, 500
# Values closer than this (nats) are one optimum.
_SAME = 1e-3
_K_MEANS = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """One K with one structure.

    Attributes
    ----------
    n_components : int
    structure : Structure
    parameters : Parameters or None
        In the units of `units`; None if there is no mixture.
    log_likelihood : float
        Total, nats, in the user's units.
    converged : bool
    note : str
        Why the cell is empty or not to be trusted; "" if neither.
    """

    n_components: int
    structure: Structure
    parameters: Parameters | None
    log_likelihood: float
    converged: bool
    note: str

    @property
    def sound(self) -> bool:
        """Whether the cell may win."""
        return self.parameters is not None and not self.note


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
    n_components: Sequence[int],
    structures: Sequence[Structure],
    rng: np.random.Generator,
    *,
    threads: int,
    done: Callable[[int], None],
) -> list[Cell]:
    """Search every cell; `done(K)` is called as the cells of a K are finished.

    Parameters
    ----------
    x : ndarray of shape (n, D)
        float64, C-ordered, finite, of full rank.
    n_components : sequence of int
        At most as many as there are distinct rows.
    structures : sequence of Structure
    """
    grounds = Grounds.of(x, structures)
    generators = dict(zip(n_components, rng.spawn(len(n_components)), strict=True))

    def search(k: int) -> list[Cell]:
        found = _Column(grounds, k, structures, generators[k]).search()
        done(k)
        return found

    # The largest first: they take longest, and the last one should be short.
    order = sorted(n_components, reverse=True)
    with ThreadPoolExecutor(threads) as pool:
        columns = dict(zip(order, pool.map(search, order), strict=True))
    return [cell for k in n_components for cell in columns[k]]


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """What all cells share: rows in two kinds of units, and trees of their merges.

    Attributes
    ----------
    x : ndarray of shape (n, D)
    units : dict
        By whether columns may be scaled one by one.
    rows : dict
        x in these units.
    spaces : list of ndarray
        Rows as k-means is to see them.
    trees : list of MergeTree
    """

    x: Array
    units: dict[bool, Units]
    rows: dict[bool, Array]
    spaces: list[Array]
    trees: list[MergeTree]

    @classmethod
    def of(cls, x: Array, structures: Sequence[Structure]) -> "Grounds":
        """Prepare rows for a search over these structures."""
        kinds = {each.scales_by_column: each for each in structures}
        units = {by_column: fit_units(x, None, each) for by_column, each in kinds.items()}
        rows = {by_column: each.to_fit(x) for by_column, each in units.items()}
        base = rows.get(True, rows.get(False))
        assert base is not None
        scaled = base / base.std(axis=0)
        white = whitened(base)
        spaces = [scaled, white]
        trees = [
            agglomerate(white, "VVV"),
            agglomerate(white, "EEE"),
            agglomerate(scaled, "VII"),
            agglomerate(scaled, "EII"),
        ]
        if False in rows:
            spaces.append(rows[False])
            trees.append(agglomerate(rows[False], "EII"))
            trees.append(agglomerate(rows[False], "VII"))
        return cls(x, units, rows, spaces, trees)


class _Column:
    """All structures of one K."""

    def __init__(
        self, grounds: Grounds, k: int, structures: Sequence[Structure], rng: np.random.Generator
    ) -> None:
        self._grounds, self._k, self._structures = grounds, k, structures
        self._partitions = self._partition(rng)
        self._rows: dict[tuple[bool, bool], Rows] = {}

    def search(self) -> list[Cell]:
        """The cells in the order of the structures."""
        found: dict[Structure, Cell] = {}
        # A structure comes after all that it contains.
        ordered = sorted(self._structures, key=lambda s: sum("IEV".index(c) for c in s.code))
        for each in ordered:
            begun = [found[p] for p in parents(each, self._structures)]
            found[each] = self._cell(each, begun)
        return [found[each] for each in self._structures]

    def _partition(self, rng: np.random.Generator) -> list[Labels]:
        """Different partitions of the rows into K parts, without empty ones."""
        k, grounds = self._k, self._grounds
        if k == 1:
            return [np.zeros(len(grounds.x), dtype=np.int64)]
        made = [tree.labels(k) for tree in grounds.trees]
        ones = np.ones(len(grounds.x))
        for z in grounds.spaces:
            for _ in range(_K_MEANS):
                labels = np.empty(len(z), dtype=np.int64)
                k_means(z, ones, k, rng.random(k), 20, labels)
                made.append(labels)
        distinct: list[Labels] = []
        for labels in made:
            _, labels = np.unique(labels, return_inverse=True)
            if labels.max() == k - 1 and not any(np.array_equal(labels, o) for o in distinct):
                distinct.append(labels)
        return distinct

    def _open(self, structure: Structure) -> Rows:
        kind = (structure.diagonal, structure.scales_by_column)
        if kind not in self._rows:
            rows = self._grounds.rows[structure.scales_by_column]
            self._rows[kind] = Rows(rows, None, self._k, diagonal=structure.diagonal, threads=1)
        return self._rows[kind]

    def _begin(self, structure: Structure) -> Iterator[Parameters]:
        """A mixture of the structure from each partition.

        Parts are given D + 1 rows' worth of the scatter within all of them, that none is flat.
        """
        rows = self._grounds.rows[structure.scales_by_column]
        n, d = rows.shape
        ones = np.ones(n)
        for labels in self._partitions:
            counts, means = np.empty(self._k), np.empty((self._k, d))
            scatters = np.empty((self._k, d, d))
            partition_moments(rows, ones, labels, counts, means, scatters)
            scatters += scatters.sum(axis=0) * ((d + 1) / n)
            if structure.diagonal:
                scatters = np.einsum("kii->ki", scatters).copy()
            covariances = m_step_from(structure, counts + (d + 1), scatters)
            if covariances is not None:
                yield Parameters(counts / n, means, covariances)

    def _moved(self, cell: Cell, structure: Structure) -> Parameters | None:
        """A cell's mixture in the units and the shape of a structure that contains it."""
        if cell.parameters is None:
            return None
        here, there = cell.structure, structure
        ratio = (
            self._grounds.units[there.scales_by_column].scale
            / self._grounds.units[here.scales_by_column].scale
        )
        weights, means, covariances = cell.parameters
        if here.diagonal:
            covariances = covariances * ratio * ratio
            if not there.diagonal:
                covariances = covariances[:, :, np.newaxis] * np.eye(len(ratio))
        else:
            covariances = covariances * ratio * ratio[:, np.newaxis]
        return Parameters(weights, means * ratio, covariances)

    def _cell(self, structure: Structure, begun: list[Cell]) -> Cell:
        rows = self._open(structure)
        starts = list(self._begin(structure))
        inherited = [self._moved(cell, structure) for cell in begun]
        runs = self._race(rows, structure, starts, [each for each in inherited if each])
        return self._judged(structure, runs)

    def _race(
        self,
        rows: Rows,
        structure: Structure,
        starts: list[Parameters],
        inherited: list[Parameters],
    ) -> list[Climb]:
        """The best runs from the partitions and from the structures contained, to their end."""
        entered = [(each, 0) for each in starts] + [(each, 1) for each in inherited]
        running = [
            (climb(rows, structure, each, enough=_ENOUGH, max_passes=_HEATS[0][0]), kind)
            for each, kind in entered
        ]
        running = _best(running, _HEATS[0][1])
        running = [(self._on(rows, structure, each, _HEATS[1][0]), kind) for each, kind in running]
        running = _best(running, _HEATS[1][1])
        return [self._on(rows, structure, each, _MOST_PASSES) for each, _ in running]

    def _on(self, rows: Rows, structure: Structure, run: Climb, passes: int) -> Climb:
        if run.remaining <= _ENOUGH or run.collapsed is not None:
            return run
        return climb(rows, structure, run.parameters, enough=_ENOUGH, max_passes=passes)

    def _judged(self, structure: Structure, runs: list[Climb]) -> Cell:
        """The best run that is sound, else the best with what is wrong with it."""
        weight = len(self._grounds.x)
        units = self._grounds.units[structure.scales_by_column]
        found: Cell | None = None
        for each in sorted(
            runs, key=lambda r: r.trace[-1] if r.trace.size else -np.inf, reverse=True
        ):
            if not each.trace.size:
                continue
            run = Run(
                each.parameters,
                each.statistics,
                each.n_passes,
                each.remaining <= _ENOUGH,
                each.remaining,
                (),
                each.collapsed,
            )
            reason = judge(run, structure)
            cell = Cell(
                self._k,
                structure,
                each.parameters,
                units.log_likelihood(float(each.trace[-1]), weight),
                run.converged,
                reason or "",
            )
            if reason is None:
                return cell
            found = found or cell
        if found is None:
            return Cell(self._k, structure, None, np.nan, False, "every start collapsed")
        return found


def _best(running: list[tuple[Climb, int]], most: int) -> list[tuple[Climb, int]]:
    """The best few runs that differ, and at least one of each kind."""
    alive = [pair for pair in running if pair[0].collapsed is None]
    alive.sort(key=lambda pair: pair[0].trace[-1], reverse=True)
    distinct: list[tuple[Climb, int]] = []
    for pair in alive:
        value = pair[0].trace[-1]
        if not any(abs(value - other[0].trace[-1]) < _SAME for other in distinct):
            distinct.append(pair)
    kept = distinct[:most]
    for kind in (0, 1):
        if not any(each[1] == kind for each in kept):
            kept += [each for each in distinct if each[1] == kind][:1]
    return kept or running[:1]
