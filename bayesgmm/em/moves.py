"""Moves from one maximum to a higher one: a component joins, and another one leaves.

EM cannot move a component from where there is one too many to where one is missing (Ueda, Nakano,
Ghahramani & Hinton 2000, Neural Computation 12, 2109-2128). The core finds components that could
join, from a few rows each, and estimates what each exchange gains; those of most gain come first.
"""

from collections.abc import Iterator

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.em.spurious import flat_by_chance
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.initialisation.starts import Sample, Start
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.merged_components import merged
from bayesgmm.priors.objective import Objective

# Components that are tried, and those that may join; gains that differ by less (nats) are of one.
_TRIED, _BORN, _SAME = 64, 6, 0.1


def ranked_moves(
    sample: Sample, parameters: Parameters, objective: Objective, rng: np.random.Generator
) -> Iterator[Start]:
    """Mixtures with a component less in one place and one more in another; none for K = 1.

    One joins; two become one of the same moments, or one leaves its rows to the others.
    """
    k = len(parameters.weights)
    if k == 1:
        return
    born = _births(sample, parameters, objective, rng)
    if not len(born.weights):
        return
    changes = native.exchanges(sample.rows, sample.weights, *parameters, *born)
    for move in np.argsort(-changes, axis=None, kind="stable"):
        which, i, j = (int(each) for each in np.unravel_index(move, changes.shape))
        if not np.isfinite(changes[which, i, j]):
            return
        joins = Parameters(*(each[which] for each in born))
        start = _moved(sample, parameters, joins, (i, j), objective)
        if start is not None:
            yield start


def _births(
    sample: Sample, parameters: Parameters, objective: Objective, rng: np.random.Generator
) -> Parameters:
    """Components of most gain that could join, different ones, and none that chance brings about.

    They have a covariance of their own, or the one that all share.
    """
    structure, (k, d) = objective.structure, parameters.means.shape
    least = 2 if structure.diagonal else d + 1
    gains, weights, means, covariances = native.births(
        sample.rows,
        sample.weights,
        structure.letters,
        *parameters,
        rng.random((_TRIED, 4 + least)),
        float(least),
    )
    covariances = covariances.reshape(len(gains), *parameters.covariances.shape[1:])
    spread = _relative_to(parameters, means, covariances)
    total = float(sample.weights.sum())
    spurious = flat_by_chance(spread, weights * total, total, float(least))
    chosen: list[int] = []
    for each in np.flatnonzero(np.isfinite(gains) & ~spurious):
        if all(abs(gains[each] - gains[other]) > _SAME for other in chosen):
            chosen.append(int(each))
    chosen = sorted(chosen, key=lambda each: -gains[each])[:_BORN]
    return Parameters(weights[chosen], means[chosen], covariances[chosen])


def _relative_to(parameters: Parameters, means: Array, covariances: Array) -> Array:
    """Variances along the axes of components (m, D), where a mixture has 1."""
    all_of = (np.concatenate(pair) for pair in zip(parameters[1:], (means, covariances)))
    weights = np.concatenate((parameters.weights, np.zeros(len(means))))
    return native.relative_variances(weights, *all_of)[len(parameters.weights) :]


def _moved(
    sample: Sample,
    parameters: Parameters,
    joins: Parameters,
    ends: tuple[int, int],
    objective: Objective,
) -> Start | None:
    """The mixture after one move; None if the structure has no covariances for it."""
    i, j = ends
    weights, means, covariances = (each.copy() for each in parameters)
    weights *= 1.0 - joins.weights
    if i != j:
        pair = np.array([[i], [j]])
        joined = merged(weights[pair], means[pair], covariances[pair])
        weights[j], means[j], covariances[j] = (each[0] for each in joined)
    weights[i], means[i], covariances[i] = joins
    weights /= weights.sum()
    counts = weights * sample.weights.sum()
    scatters = counts.reshape(-1, *(1,) * (covariances.ndim - 1)) * covariances
    try:
        covariances = objective.covariances(counts, scatters)
    except SingularCovarianceError:
        return None
    return Start("exchange", Parameters(weights, means, covariances))
