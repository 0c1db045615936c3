"""Moves from one maximum to a higher one: a component is left out and another one split.

EM cannot move a component from where there is one too many to where one is missing (Ueda, Nakano,
Ghahramani & Hinton 2000, Neural Computation 12, 2109-2128). The core estimates what splits gain and
what it costs to do without a component, on the current responsibilities; here they are combined,
those of most gain first.
"""

from collections.abc import Iterator

import numpy as np

from bayesgmm.core import native
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.errors import SingularCovarianceError
from bayesgmm.initialisation.starts import Sample, Start
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.merged_components import merged
from bayesgmm.priors.objective import Objective

# Pairs of rows from which a component is split; the best split counts.
_PAIRS = 3


def ranked_moves(
    sample: Sample, parameters: Parameters, objective: Objective, rng: np.random.Generator
) -> Iterator[Start]:
    """Mixtures with a component less in one place and one more in another; none for K = 1.

    Two components become one of the same moments, or one leaves its rows to the others; a third is
    split.
    """
    k, d = parameters.means.shape
    if k == 1:
        return
    least = 2.0 if objective.structure.diagonal else d + 1.0
    gains, shares, means, covariances, losses = native.moves(
        sample.rows,
        sample.weights,
        _of_halves(objective.structure, d).letters,
        *parameters,
        rng.random((k, _PAIRS, 2)),
        least,
    )
    if not len(gains):
        return
    halves = Parameters(
        shares, means, covariances.reshape(2 * k, *parameters.covariances.shape[1:])
    )
    lower = np.tril_indices(k)
    total = gains[:, np.newaxis] - losses[lower]
    places = np.arange(k)[:, np.newaxis]
    total[(places == lower[0]) | (places == lower[1])] = -np.inf
    for move in np.argsort(-total, axis=None, kind="stable"):
        split, pair = np.unravel_index(move, total.shape)
        if not np.isfinite(total[split, pair]):
            return
        ends = int(lower[0][pair]), int(lower[1][pair])
        start = _moved(sample, parameters, halves, int(split), ends, objective)
        if start is not None:
            yield start


def _moved(
    sample: Sample,
    parameters: Parameters,
    halves: Parameters,
    split: int,
    ends: tuple[int, int],
    objective: Objective,
) -> Start | None:
    """The mixture after one move; None if the structure has no covariances for it."""
    i, j = ends
    own = parameters.weights[split] * halves.weights[2 * split : 2 * split + 2]
    weights, means, covariances = (each.copy() for each in parameters)
    if i != j:
        pair = np.array([[i], [j]])
        joined = merged(weights[pair], means[pair], covariances[pair])
        weights[j], means[j], covariances[j] = (each[0] for each in joined)
    for place, half in ((split, 2 * split), (i, 2 * split + 1)):
        weights[place] = own[half - 2 * split]
        means[place], covariances[place] = halves.means[half], halves.covariances[half]
    weights /= weights.sum()
    counts = weights * sample.weights.sum()
    scatters = counts.reshape(-1, *(1,) * (covariances.ndim - 1)) * covariances
    try:
        covariances = objective.covariances(counts, scatters)
    except SingularCovarianceError:
        return None
    return Start("split and merge", Parameters(weights, means, covariances))


def _of_halves(structure: Structure, d: int) -> Structure:
    """The structure in which a component is split."""
    if d == 1:
        return as_structure("E" if structure.shared else "V", d)
    alike = "E" if structure.shared else "V"
    return as_structure(
        alike + ("II" if structure.spherical else alike + ("I" if structure.diagonal else alike)), d
    )
