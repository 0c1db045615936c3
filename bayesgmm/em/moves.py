"""Moves from one maximum to a higher one: a component more in one place, and one less in another.

EM cannot move a component from where there is one too many to where one is missing (Ueda, Nakano,
Ghahramani & Hinton 2000, Neural Computation 12, 2109-2128). The core finds components that could
join, from a few rows each (Verbeek, Vlassis & Krose 2003, Neural Computation 15, 469-485), and
splits of the present ones, and estimates what each move gains; those of most gain come first.
"""

from collections.abc import Iterator
from itertools import batched
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.em.loop import together
from bayesgmm.em.spurious import flat_by_chance
from bayesgmm.initialisation.starts import Sample
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.merged_components import merged
from bayesgmm.priors.objective import Objective

# Components that may join; gains that differ by less (nats) are of one.
_BORN, _SAME = 6, 0.1
# Pairs of rows from which a component is split; the best split counts.
_PAIRS = 3
# The least estimated change of the log-likelihood (nats) of a move that is tried. In one success of
# twenty EM gains more than that afterwards.
_LEAST_CHANGE = -20.0
# Factors of a component's covariance, and of its variance along one axis.
_WIDTHS, _ALONG = (0.3, 3.0), 0.1


class Move(NamedTuple):
    """A component joins, or component `split` becomes two; `ends` become one, or i = j leaves.

    `change` is that of the log-likelihood, by estimate, and `gain` that of its first half alone;
    `joins` are the components that join, of the weights that they will have: one, or two halves.
    """

    change: float
    gain: float
    split: int | None
    ends: tuple[int, int]
    joins: Parameters

    def same(self, other: "Move") -> bool:
        """True if both are one move, up to the steps in which its components were found."""
        places = self.split == other.split and self.ends == other.ends
        return places and abs(self.gain - other.gain) < _SAME


def ranked_moves(
    sample: Sample,
    parameters: Parameters,
    objective: Objective,
    rng: np.random.Generator,
    made: list[Move],
    *,
    most: int,
    tried: int = 64,
    with_splits: bool = True,
) -> Parameters:
    """Mixtures (arrays have a leading axis) after the moves of most gain; none for K = 1.

    Moves that were `made` before are left out; new ones, `most` at most, are added. `tried` is the
    number of components among which those that may join are sought.
    """
    moves: list[Move] = []
    if len(parameters.weights) > 1:
        born = _births(sample, parameters, objective, rng, tried)
        changes = native.exchanges(sample.rows, sample.weights, *parameters, *born.joins)
        moves += born.moves(changes[:-1])
        if with_splits:
            moves += _splits(sample, parameters, objective, rng, changes[-1])
    chosen: list[Move] = []
    for move in sorted(moves, key=lambda move: -move.change):
        if len(chosen) == most:
            break
        if not any(move.same(other) for other in made):
            made.append(move)
            chosen.append(move)
    return _started(sample, _moved(parameters, chosen), objective)


def reshaped(sample: Sample, parameters: Parameters, objective: Objective) -> Iterator[Parameters]:
    """Mixtures of which one component is narrower or wider, in all directions or along an axis.

    A few at a time: arrays have a leading axis.
    """
    structure = objective.structure
    if len(parameters.weights) == 1 or "V" not in structure.code:
        return
    pooled = np.tensordot(parameters.weights, parameters.covariances, 1)
    for k, covariance in enumerate(parameters.covariances):
        changed = [factor * covariance for factor in _WIDTHS]
        if structure.diagonal:
            changed += list(covariance * (1.0 - (1.0 - _ALONG) * np.eye(len(covariance))))
        else:
            # Axes relative to all components, which follow the rows in any coordinates.
            values, axes = eigh(covariance, pooled)
            changed += [
                covariance - (1.0 - _ALONG) * value * np.outer(axis, axis)
                for value, axis in zip(values, (pooled @ axes).T, strict=True)
            ]
        for some in batched(changed, together(parameters.covariances.size)):
            mixtures = _copies(parameters, len(some))
            mixtures.covariances[:, k] = some
            yield _started(sample, mixtures, objective)


class _Births(NamedTuple):
    """Gains of components that could join, and these."""

    gains: Array
    joins: Parameters

    def moves(self, changes: Array) -> Iterator[Move]:
        """Those that may be worth trying, of changes (m, K, K)."""
        for c, i, j in np.argwhere(changes > _LEAST_CHANGE).tolist():
            joins = Parameters(*(each[c : c + 1] for each in self.joins))
            yield Move(float(changes[c, i, j]), float(self.gains[c]), None, (i, j), joins)


def _births(
    sample: Sample,
    parameters: Parameters,
    objective: Objective,
    rng: np.random.Generator,
    tried: int,
) -> _Births:
    """Different components of most gain that could join, and none that chance brings about.

    They have a covariance of their own, or the one that all share.
    """
    structure, d = objective.structure, parameters.means.shape[1]
    least = _least(structure, d)
    gains, weights, means, covariances = native.births(
        sample.rows,
        sample.weights,
        structure.letters,
        *parameters,
        rng.random((tried, 5 + least)),
        float(least),
    )
    covariances = covariances.reshape(len(gains), *parameters.covariances.shape[1:])
    # Relative to all rows, where new components have no weight.
    together = Parameters(
        np.concatenate((parameters.weights, np.zeros(len(gains)))),
        np.concatenate((parameters.means, means)),
        np.concatenate((parameters.covariances, covariances)),
    )
    spread = native.relative_variances(*together)[len(parameters.weights) :]
    total = float(sample.weights.sum())
    spurious = flat_by_chance(spread, weights * total, total, float(least))
    chosen: list[int] = []
    for each in np.flatnonzero(np.isfinite(gains) & ~spurious).tolist():
        if all(abs(gains[each] - gains[other]) > _SAME for other in chosen):
            chosen.append(each)
    chosen = sorted(chosen, key=lambda each: -gains[each])[:_BORN]
    joins = Parameters(weights[chosen], means[chosen], covariances[chosen])
    return _Births(gains[chosen], joins)


def _splits(
    sample: Sample,
    parameters: Parameters,
    objective: Objective,
    rng: np.random.Generator,
    changes: Array,
) -> Iterator[Move]:
    """Splits of components, where two others become one or one leaves, by these changes (K, K)."""
    k, d = parameters.means.shape
    gains, shares, means, covariances = native.splits(
        sample.rows,
        sample.weights,
        _of_halves(objective.structure, d).letters,
        *parameters,
        rng.random((k, _PAIRS, 2)),
        float(_least(objective.structure, d)),
    )
    covariances = covariances.reshape(2 * k, *parameters.covariances.shape[1:])
    total = gains[:, np.newaxis, np.newaxis] + changes
    for split, i, j in np.argwhere(total > _LEAST_CHANGE).tolist():
        if split not in (i, j):
            halves = slice(2 * split, 2 * split + 2)
            weights = parameters.weights[split] * shares[halves]
            joins = Parameters(weights, means[halves], covariances[halves])
            yield Move(float(total[split, i, j]), float(gains[split]), split, (i, j), joins)


def _least(structure: Structure, d: int) -> int:
    """Rows that define a component's covariance."""
    return 2 if structure.diagonal else d + 1


def _moved(parameters: Parameters, moves: list[Move]) -> Parameters:
    """The mixtures after moves."""
    mixtures = _copies(parameters, len(moves))
    ends = np.array([move.ends for move in moves], dtype=np.intp).reshape(-1, 2).T
    joined = merged(*(each[ends] for each in parameters))
    for m, move in enumerate(moves):
        (i, j), joins = move.ends, move.joins
        weights, means, covariances = (each[m] for each in mixtures)
        if i != j:
            weights[j], means[j], covariances[j] = (each[m] for each in joined)
        if move.split is None:
            weights *= 1.0 - joins.weights
        places = [i] if move.split is None else [move.split, i]
        weights[places], means[places], covariances[places] = joins
        weights /= weights.sum()
    return mixtures


def _copies(parameters: Parameters, times: int) -> Parameters:
    return Parameters(*(np.repeat(each[np.newaxis], times, axis=0) for each in parameters))


def _started(sample: Sample, mixtures: Parameters, objective: Objective) -> Parameters:
    """Mixtures with covariances of the structure, without those for which it has none."""
    weights, means, covariances = mixtures
    counts = weights * sample.weights.sum()
    scatters = counts.reshape(*counts.shape, *(1,) * (covariances.ndim - 2)) * covariances
    found, covariances = objective.about_each(counts, scatters)
    return Parameters(weights[found], means[found], covariances[found])


def _of_halves(structure: Structure, d: int) -> Structure:
    """The structure in which a component is split."""
    if d == 1:
        return as_structure("E" if structure.shared else "V", d)
    alike = "E" if structure.shared else "V"
    return as_structure(
        alike + ("II" if structure.spherical else alike + ("I" if structure.diagonal else alike)), d
    )
