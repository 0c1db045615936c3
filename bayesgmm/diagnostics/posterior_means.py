"""Posterior means, deviations and intervals of draws in which every component keeps its label."""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.posterior.draws import Draws
from bayesgmm.uncertainty.parameter_vectors import quantities


class PosteriorSummary(NamedTuple):
    """Means, standard deviations and equal-tailed intervals of the reported quantities, (P,)."""

    mean: Array
    sd: Array
    lower: Array
    upper: Array


def summarised(draws: Draws, prob: float) -> PosteriorSummary:
    """Summarise weights, means, standard deviations and correlations over all draws.

    Then the weight of noise, or the proportions of outliers and the log of their inflation.
    """
    values = quantities(*draws.stacked())
    if draws.noise_weight is not None:
        values = np.column_stack((values, draws.noise_weight.ravel()))
    if draws.outliers is not None:
        proportions, inflation = (each.reshape(-1, draws.n_components) for each in draws.outliers)
        values = np.hstack((values, proportions, np.log(inflation)))
    lower, upper = np.quantile(values, (0.5 - 0.5 * prob, 0.5 + 0.5 * prob), axis=0)
    return PosteriorSummary(values.mean(axis=0), deviations(values), lower, upper)


def deviations(values: Array) -> Array:
    """Standard deviations (P,) of draws (T, P); NaN for a single draw."""
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    apart = np.abs(values - values[0]).max(axis=0)
    # In units of about their range, as squares of the values may overflow.
    unit = np.where(apart > 0.0, apart, 1.0)
    return np.asarray(unit * ((values - values[0]) / unit).std(axis=0, ddof=1))
