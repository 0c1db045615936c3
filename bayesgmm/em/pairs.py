"""Contaminated mixtures as EM runs on them: pairs of Gaussians k and k + K."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.em.loop import Run
from bayesgmm.errors import InvalidParameterError
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.contamination import Contamination

# Outliers of a start.
_PROPORTION, _INFLATION = 0.1, 10.0


def check_alone(others: Mapping[str, bool]) -> None:
    """Refuse arguments that contaminated=True cannot be combined with, if one is given."""
    for name, given in others.items():
        if given:
            raise InvalidParameterError(
                f"contaminated=True cannot be combined with {name}. Leave one of them out."
            )


def paired(parameters: Parameters, outliers: Contamination) -> Parameters:
    """Components and their outliers as pairs."""
    weights, means, covariances = parameters
    proportions = outliers.proportions
    broad = outliers.inflation.reshape(-1, *(1,) * (covariances.ndim - 1))
    return Parameters(
        np.concatenate(((1.0 - proportions) * weights, proportions * weights)),
        np.concatenate((means, means)),
        np.concatenate((covariances, broad * covariances)),
    )


def first_pairs(parameters: Parameters) -> Parameters:
    """Pairs for a start without outliers."""
    k = len(parameters.weights)
    return paired(parameters, Contamination(np.full(k, _PROPORTION), np.full(k, _INFLATION)))


def rows_of_pairs(rows: Rows, n_components: int) -> Rows:
    """Rows for a run on pairs: both Gaussians of a pair are of the class of its component."""
    if rows.labels is None:
        return rows
    return replace(rows, classes=np.tile(np.arange(n_components), 2))


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
    """A run on pairs as a run on components.

    Their parameters, and statistics of both of a pair; in second moments, as in the M-step of the
    covariance of the first, outliers count by 1 / inflation.
    """
    k, sums = len(run.parameters.weights) // 2, run.statistics
    inflation = contamination(run.parameters).inflation

    def added(each: Array, unit: Array) -> Array:
        return np.asarray(each[:k] + each[k:] / unit.reshape(-1, *(1,) * (each.ndim - 1)))

    statistics = replace(
        sums,
        centres=sums.centres[:k],
        counts=added(sums.counts, np.ones(k)),
        firsts=added(sums.firsts, inflation),
        seconds=added(sums.seconds, inflation),
    )
    return replace(
        run,
        parameters=components(run.parameters),
        statistics=statistics,
        rows=replace(run.rows, classes=None),
        collapsed=None if run.collapsed is None else run.collapsed % k,
    )
