"""The optimum of every cell of a grid of K and covariance structure.

All structures of one K begin at the same partitions of the rows, and each at the optima of the
structures that it contains: so one that has more freedom never has less likelihood. Different K
know nothing of each other and may be searched at the same time, with the same result.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em.acceleration import Parameters
from bayesgmm.em.agglomeration import MergeTree, agglomerate
from bayesgmm.em.climb import Climb, climb, m_step_from, partition_moments
from bayesgmm.em.clustering import k_means
from bayesgmm.em.loop import Run
from bayesgmm.em.search import judge, relative_variances
from bayesgmm.em.starts import whitened
from bayesgmm.em.units import Units, fit_units
from bayesgmm.engine import Rows
from bayesgmm.model import Decomposed

type Array = NDArray[np.float64]
type Labels = NDArray[np.int64]

# A run is a race: all starts make a few passes, the best of them more, the last to the end.
_HEATS = ((8, 24), (40, 10))
# Nats still to be gained, by estimate, at which a cell is done; passes after which it is given up.
_ENOUGH, _MOST_PASSES = 1e-6, 500
# Values closer than this (nats) are one optimum.
_SAME = 1e-3
_EPS = float(np.finfo(np.float64).eps)
# Different k-means partitions of each kind.
_K_MEANS = 6
# Rows on which starts race where there are more: merging them takes time in their square.
_SAMPLE = 2000


@dataclass(frozen=True, slots=True)
class Cell:
    """One K with one structure.

    Attributes
    ----------
    n_components : int
    structure : Decomposed
    parameters : Parameters or None
        None if there is no mixture.
    log_likelihood : float
        Total, nats, in the user's units.
    converged : bool
    note : str
        Why the cell is empty or not to be trusted; "" if neither.
    borrowed : bool
        Whether the mixture is that of a structure contained, since nothing more likely is sound.
    """

    n_components: int
    structure: Decomposed
    parameters: Parameters | None
    log_likelihood: float
    converged: bool
    note: str
    borrowed: bool = False

    @property
    def sound(self) -> bool:
        """Whether the cell may win."""
        return self.parameters is not None and not self.note


def contained(small: Decomposed, large: Decomposed) -> bool:
    """Whether every mixture of `small` is one of `large`: I(dentity) < E(qual) < V(arying)."""
    pairs = zip(small.code, large.code, strict=True)
    return small != large and all("IEV".index(a) <= "IEV".index(b) for a, b in pairs)


def parents(structure: Decomposed, among: Sequence[Decomposed]) -> list[Decomposed]:
    """The largest of the structures that this one contains."""
    inside = [each for each in among if contained(each, structure)]
    return [each for each in inside if not any(contained(each, other) for other in inside)]


def search_grid(
    x: Array,
    wanted: Mapping[int, Sequence[Decomposed]],
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
    wanted : mapping of int to sequence of Decomposed
        The structures of each K, which is at most the number of distinct rows.

    Returns
    -------
    list of Cell
        With parameters in the user's units.
    """
    structures = {each: None for column in wanted.values() for each in column}
    if not structures:
        return []
    grounds = Grounds.of(x, list(structures), rng)
    generators = dict(zip(wanted, rng.spawn(len(wanted)), strict=True))

    def search(k: int) -> list[Cell]:
        found = _Column(grounds, k, wanted[k], generators[k]).search() if wanted[k] else []
        done(k)
        return [grounds.in_users_units(each) for each in found]

    # The largest first: they take longest, and the last one should be short.
    order = sorted(wanted, reverse=True)
    with ThreadPoolExecutor(threads) as pool:
        columns = dict(zip(order, pool.map(search, order), strict=True))
    return [cell for k in wanted for cell in columns[k]]


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """What all cells share: rows in two kinds of units, and trees of their merges.

    Attributes
    ----------
    n_rows : int
    units : dict
        By whether columns may be scaled one by one.
    rows : dict
        All rows in these units.
    sample : dict
        The rows on which starts race, in these units: all of them where there are few.
    spaces : list of ndarray
        The sample as k-means is to see it.
    trees : list of MergeTree
    """

    n_rows: int
    units: dict[bool, Units]
    rows: dict[bool, Array]
    sample: dict[bool, Array]
    spaces: list[Array]
    trees: list[MergeTree]

    @classmethod
    def of(cls, x: Array, structures: Sequence[Decomposed], rng: np.random.Generator) -> "Grounds":
        """Prepare rows for a search over these structures; `rng` chooses a sample of many."""
        n = len(x)
        kinds = {each.scales_by_column: each for each in structures}
        units = {by_column: fit_units(x, None, each) for by_column, each in kinds.items()}
        rows = {by_column: each.to_fit(x) for by_column, each in units.items()}
        sample = rows
        if n > _SAMPLE:
            chosen = np.sort(rng.choice(n, _SAMPLE, replace=False))
            sample = {by_column: each[chosen] for by_column, each in rows.items()}
        base = sample.get(True, sample.get(False))
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
        if False in sample:
            spaces.append(sample[False])
            trees.append(agglomerate(sample[False], "EII"))
            trees.append(agglomerate(sample[False], "VII"))
        return cls(n, units, rows, sample, spaces, trees)

    def in_users_units(self, cell: Cell) -> Cell:
        """A cell with its parameters in the units of the rows as they came."""
        if cell.parameters is None:
            return cell
        units = self.units[cell.structure.scales_by_column]
        return replace(cell, parameters=units.to_user(cell.parameters))


class _Column:
    """All structures of one K."""

    def __init__(
        self, grounds: Grounds, k: int, structures: Sequence[Decomposed], rng: np.random.Generator
    ) -> None:
        self._grounds, self._k, self._structures = grounds, k, structures
        self._partitions = self._partition(rng)
        self._opened: dict[tuple[bool, bool, bool], Rows] = {}

    def search(self) -> list[Cell]:
        """The cells in the order of the structures."""
        found: dict[Decomposed, Cell] = {}
        # A structure comes after all that it contains.
        ordered = sorted(self._structures, key=lambda s: sum("IEV".index(c) for c in s.code))
        for each in ordered:
            begun = [found[p] for p in parents(each, self._structures)]
            found[each] = self._cell(each, begun)
        return [found[each] for each in self._structures]

    def _partition(self, rng: np.random.Generator) -> list[Labels]:
        """Different partitions of the rows into K parts, without empty ones."""
        k, grounds = self._k, self._grounds
        n = len(grounds.spaces[0])
        if k == 1:
            return [np.zeros(n, dtype=np.int64)]
        made = [tree.labels(k) for tree in grounds.trees]
        ones = np.ones(n)
        for z in grounds.spaces:
            for _ in range(_K_MEANS):
                labels = np.empty(len(z), dtype=np.int64)
                k_means(z, ones, k, rng.random(k), 20, labels)
                made.append(labels)
        distinct: list[Labels] = []
        for each in made:
            labels = np.unique(each, return_inverse=True)[1]
            if labels.max() == k - 1 and not any(np.array_equal(labels, o) for o in distinct):
                distinct.append(labels)
        return distinct

    def _open(self, structure: Decomposed, *, whole: bool) -> Rows:
        """All rows, or the sample, for passes of one thread."""
        grounds = self._grounds
        whole = whole or grounds.sample is grounds.rows
        kind = (structure.diagonal, structure.scales_by_column, whole)
        if kind not in self._opened:
            rows = (grounds.rows if whole else grounds.sample)[structure.scales_by_column]
            self._opened[kind] = Rows(rows, None, self._k, diagonal=structure.diagonal, threads=1)
        return self._opened[kind]

    def _begin(self, structure: Decomposed) -> Iterator[Parameters]:
        """A mixture of the structure from each partition.

        Parts are given D + 1 rows' worth of the scatter within all of them, that none is flat.
        """
        rows = self._grounds.sample[structure.scales_by_column]
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

    def _moved(self, cell: Cell, structure: Decomposed) -> Parameters | None:
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

    def _cell(self, structure: Decomposed, begun: list[Cell]) -> Cell:
        starts = list(self._begin(structure))
        inherited = [self._moved(cell, structure) for cell in begun]
        runs = self._race(structure, starts, [each for each in inherited if each])
        return self._not_less(self._judged(structure, runs), begun)

    def _not_less(self, cell: Cell, begun: list[Cell]) -> Cell:
        """The cell, unless a structure that it contains has more: its mixture then serves for both.

        That happens where everything that is more likely was an accident.
        """
        sound = [each for each in begun if each.sound]
        best = max(sound, key=lambda each: each.log_likelihood, default=None)
        if best is None or (cell.sound and cell.log_likelihood >= best.log_likelihood):
            return cell
        start = self._moved(best, cell.structure)
        assert start is not None
        rows = self._open(cell.structure, whole=True)
        run = climb(rows, cell.structure, start, enough=_ENOUGH, max_passes=_MOST_PASSES)
        found = self._judged(cell.structure, [run])
        if found.sound:
            return found
        return replace(
            cell,
            parameters=start,
            log_likelihood=best.log_likelihood,
            converged=False,
            note="",
            borrowed=True,
        )

    def _race(
        self,
        structure: Decomposed,
        starts: list[Parameters],
        inherited: list[Parameters],
    ) -> list[Climb]:
        """The best runs from the partitions and from the structures contained, to their end."""
        rows, whole = self._open(structure, whole=False), self._open(structure, whole=True)
        entered = [(each, 0) for each in starts] + [(each, 1) for each in inherited]
        running = [
            (climb(rows, structure, each, enough=_ENOUGH, max_passes=_HEATS[0][0]), kind)
            for each, kind in entered
        ]
        running = _best(running, _HEATS[0][1])
        running = [(self._on(rows, structure, each, _HEATS[1][0]), kind) for each, kind in running]
        running = _best(running, _HEATS[1][1])
        return [
            self._on(whole, structure, each, _MOST_PASSES, again=whole is not rows)
            for each, _ in running
        ]

    def _on(
        self, rows: Rows, structure: Decomposed, run: Climb, passes: int, *, again: bool = False
    ) -> Climb:
        """The run, continued unless it has ended; `again` where these are other rows."""
        if run.collapsed is not None or (run.remaining <= _ENOUGH and not again):
            return run
        return climb(rows, structure, run.parameters, enough=_ENOUGH, max_passes=passes)

    def _judged(self, structure: Decomposed, runs: list[Climb]) -> Cell:
        """The best run that is sound, else the best with what is wrong with it."""
        weight = self._grounds.n_rows
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
            reason = judge(run, structure) or _flat_to_rounding(run, structure)
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


def _flat_to_rounding(run: Run, structure: Decomposed) -> str | None:
    """Whether rows that agree exactly have drawn a component onto a line or plane.

    Where values are rounded, as minutes are, many rows may lie on one; the likelihood is unbounded
    there, and a search among as many starts as this one finds it.
    """
    spread = relative_variances(run, structure)
    flat = spread.min(axis=1) <= 4.0 * _EPS * spread.max(axis=1)
    if not flat.any():
        return None
    k = int(flat.argmax())
    rows = run.statistics.counts[k]
    return f"component {k} has no spread in some direction ({rows:.1f} rows that agree exactly)"


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
