"""The search for modes of a posterior: from EM's maxima, and by moving one component elsewhere."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import combinations, permutations

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.errors import BayesGMMWarning, FitError
from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya_distances
from bayesgmm.mixture.merged_components import merged
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import Coordinates
from bayesgmm.posterior.log_density import Problem
from bayesgmm.posterior.model import Model
from bayesgmm.priors.families import LKJ
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.initial_estimate import as_fit, parameters_of
from bayesgmm.sampling.mode_regions import Regions
from bayesgmm.sampling.posterior_modes import Mode, Same, climb, is_among, other_modes

_FITS = 16
_KINDS = ("kmeans", "random_from_data", "k-means++", "random")
# Evaluations of the density: a twentieth of what a thousand draws of four chains take.
_EVALUATIONS = 4000
# The most moves of a component; the pairs that are merged are the closest.
_MOVES = 12
# Components of which all orders are tried, the most orders that are climbed from, and the nats
# below the first mode, beside one for each coordinate, at which an order is left out.
_ALL_ORDERS, _MOST_ORDERS, _FAR = 6, 16, 30.0
# Halves of a split component: distance from its mean and standard deviation along its longest
# axis, in standard deviations; side by side, and one within the other.
_HALVES = (((-0.8, 0.6), (0.8, 0.6)), ((0.0, 0.4), (0.0, 1.2)))


def search_modes(
    problem: Problem,
    near: tuple[Array, ...],
    starts: list[tuple[Array, ...]],
    priors: ResolvedPriors | None = None,
) -> list[Mode]:
    """Modes of a posterior, the largest mass first.

    Where labels, held values or priors tell components apart, the same mixture in another order is
    another mode.

    Parameters
    ----------
    problem : Problem
    near : tuple of ndarray
        Parameters of the maximum of the likelihood, in the order of `Coordinates.variables`. From
        the mode near it others are sought with one component moved elsewhere.
    starts : list of tuple of ndarray
        Further starts.
    priors : ResolvedPriors, optional
        Where they differ between components, mixtures that were moved are in the order of the
        highest prior density.
    """
    frame = problem.coordinates
    first = climb(problem, frame.of_parameters(*near))
    if first is None:
        return []
    parameters = problem.parameters(first.u)
    moves = _moves(Mixture(*parameters[:3]), problem.rows.total)
    same = None
    if frame.component_groups is not None:
        same = partial(_is_mode, frame)
        starts = [*_other_orders(problem, first, frame.component_groups), *starts]
    if priors is not None and priors.groups is not None:
        moves = [each.permuted(priors.best_order(each)) for each in moves]
    moved = [(each.weights, each.means, each.covariances, *parameters[3:]) for each in moves]
    each = (frame.of_parameters(*start) for start in [*starts, *moved])
    return _without_copies(problem, other_modes(problem, first, each, _EVALUATIONS, same), same)


def _is_mode(frame: Coordinates, u: Array, mode: Mode) -> bool:
    """True if a point is within a standard deviation of a mode, but for labels and axes."""
    apart = Regions([mode], frame).locate(u[np.newaxis]).u[0] - mode.u
    return bool(apart @ np.linalg.solve(mode.covariance, apart) < 1.0)


def _other_orders(problem: Problem, first: Mode, groups: Indices) -> list[tuple[Array, ...]]:
    """The mode with components of different groups exchanged, the highest densities first.

    All orders of up to six components; of more, two are exchanged.
    """
    k, frame = len(groups), problem.coordinates
    parameters = problem.parameters(first.u)
    swaps = (_swapped(k, pair) for pair in combinations(range(k), 2))
    orders = permutations(range(k)) if k <= _ALL_ORDERS else swaps
    found: dict[bytes, tuple[float, tuple[Array, ...]]] = {}
    own = groups.tobytes()
    for order in map(np.array, orders):
        # The group that each component is put into: orders within a group are one mode.
        put = groups[np.argsort(order)].tobytes()
        if put == own or put in found:
            continue
        moved = tuple(each[order] if each.ndim else each for each in parameters)
        density = problem.log_density(frame.of_parameters(*moved))[0]
        if density > first.log_density - _FAR - len(first.u):
            found[put] = density, moved
    ranked = sorted(found.values(), key=lambda each: -each[0])
    return [moved for _, moved in ranked[:_MOST_ORDERS]]


def _swapped(k: int, pair: tuple[int, int]) -> list[int]:
    order = [*range(k)]
    order[pair[0]], order[pair[1]] = pair[1], pair[0]
    return order


def _without_copies(problem: Problem, modes: list[Mode], same: Same | None) -> list[Mode]:
    """The modes of different mixtures: orientations have several coordinates for the same axes."""
    frame = problem.coordinates
    if frame.tied is None or frame.tied.reference is None:
        return modes
    kept = modes[:1]
    for mode in modes[1:]:
        image = Regions(kept, frame).locate(mode.u[np.newaxis]).u[0]
        again = climb(problem, image)
        if again is None or not is_among(kept, again.u, again.log_density, same):
            kept.append(mode)
    return kept


def penalised_fits(model: Model, rng: np.random.Generator) -> list[tuple[Array, ...]]:
    """Maxima that EM reaches from random starts under the priors; without them under LKJ priors."""
    penalty = replace(model.priors, concentration=np.maximum(model.priors.concentration, 1.0))
    unpenalised = isinstance(model.resolved.covariances, LKJ)
    found = []
    for turn, child in enumerate(rng.spawn(_FITS)):
        kind = _KINDS[turn % len(_KINDS)]
        priors = None if unpenalised else penalty
        fit = as_fit(model, init_params=kind, random_state=child, priors=priors)
        with warnings.catch_warnings(), suppress(FitError):
            warnings.simplefilter("ignore", BayesGMMWarning)
            fit.fit(model.data, sample_weight=model.data.weights)
            # A degenerate maximum is not a useful start.
            if fit.degeneracy_ is None:
                found.append(parameters_of(model, fit))
    return found


def _moves(mixture: Mixture, n_rows: float) -> list[Mixture]:
    """Mixtures of which two components are merged, and the one set free is used elsewhere.

    It splits another component in two, in either way, or is left empty: a mean and a covariance
    of all rows, and a weight of about one row.
    """
    weights, means, covariances = mixture.weights, mixture.means, mixture.covariances
    distances = bhattacharyya_distances(means, covariances, means, covariances)
    pairs = sorted(combinations(range(len(weights)), 2), key=lambda pair: distances[pair])
    total = means.mean(axis=0), np.atleast_2d(np.cov(means.T, bias=True)) + covariances.mean(axis=0)
    found = []
    for pair in pairs:
        parts = (each[list(pair)][:, np.newaxis] for each in (weights, means, covariances))
        one = tuple(each[0] for each in merged(*parts))
        rest = [
            (weights[k], means[k], covariances[k]) for k in range(len(weights)) if k not in pair
        ]
        found.append([one, (1.0 / n_rows, *total), *rest])
        for k, whole in enumerate(rest):
            others = [*rest[:k], *rest[k + 1 :]]
            found += [[one, *halves, *others] for halves in _split(*whole)]
    made = [tuple(np.array(each) for each in zip(*parts, strict=True)) for parts in found[:_MOVES]]
    return [Mixture(w / w.sum(), m, c) for w, m, c in made]


def _split(
    weight: float, mean: Array, covariance: Array
) -> Iterator[list[tuple[float, Array, Array]]]:
    """Halves of a component, in either way."""
    values, vectors = np.linalg.eigh(covariance)
    axis = vectors[:, -1] * np.sqrt(values[-1])
    for halves in _HALVES:
        yield [
            (0.5 * weight, mean + d * axis, covariance + (s**2 - 1.0) * np.outer(axis, axis))
            for d, s in halves
        ]
