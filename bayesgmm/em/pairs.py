"""Contaminated mixtures as EM runs on them: pairs of Gaussians k and k + K."""

from dataclasses import replace

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.em.loop import Run
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.contamination import Contamination

# Outliers of a start.
_PROPORTION, _INFLATION = 0.1, 10.0


def first_pairs(parameters: Parameters) -> Parameters:
    """Pairs for a start without outliers."""
    weights, means, covariances = parameters
    return Parameters(
        np.concatenate(((1.0 - _PROPORTION) * weights, _PROPORTION * weights)),
        np.concatenate((means, means)),
        np.concatenate((covariances, _INFLATION * covariances)),
    )


def components(pairs: Parameters) -> Parameters:
    """The components of pairs: weights of both, mean and covariance of the first."""
    k = len(pairs.weights) // 2
    weights, means, covariances = pairs
    return Parameters(weights[:k] + weights[k:], means[:k], covariances[:k])


def contamination(pairs: Parameters) -> Contamination:
    """The outliers of pairs."""
    k = len(pairs.weights) // 2
    weights, _, covariances = pairs
    first = covariances.reshape(2 * k, -1)[:, 0]
    return Contamination(weights[k:] / (weights[:k] + weights[k:]), first[k:] / first[:k])


def as_components(run: Run) -> Run:
    """A run on pairs as a run on components: their parameters, and statistics of both of a pair."""
    k, sums = len(run.parameters.weights) // 2, run.statistics

    def added(each: Array) -> Array:
        return np.asarray(each[:k] + each[k:])

    statistics = replace(
        sums,
        centres=sums.centres[:k],
        counts=added(sums.counts),
        firsts=added(sums.firsts),
        seconds=added(sums.seconds),
    )
    collapsed = None if run.collapsed is None else run.collapsed % k
    return replace(
        run, parameters=components(run.parameters), statistics=statistics, collapsed=collapsed
    )
