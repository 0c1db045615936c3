"""Posterior means, deviations and intervals of draws in which every component keeps its label."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import InputError
from bayesgmm.labels.assignment import assign
from bayesgmm.mixture.matching import matching_costs
from bayesgmm.posterior.draws import Draws, Posterior, posterior_group, read_draws
from bayesgmm.uncertainty.parameter_vectors import quantities

type Array = NDArray[np.float64]

# Proportion of draws with another labelling than the most frequent one above which labels switch.
_SWITCHED = 0.05
# Excess cost (squared Hellinger distances) from which on a labelling is clearly worse.
_CLEARLY = 0.1


class PosteriorSummary(NamedTuple):
    """Means, standard deviations and equal-tailed intervals of the reported quantities, (P,)."""

    mean: Array
    sd: Array
    lower: Array
    upper: Array


def summarised(draws: Draws, prob: float) -> PosteriorSummary:
    """Summarise weights, means, standard deviations and correlations over all draws."""
    values = quantities(*draws.stacked())
    lower, upper = np.quantile(values, (0.5 - 0.5 * prob, 0.5 + 0.5 * prob), axis=0)
    return PosteriorSummary(values.mean(axis=0), deviations(values), lower, upper)


def consistent_draws(posterior: Posterior, variables: Mapping[str, str] | None = None) -> Draws:
    """Draws in which every component keeps its label.

    Raises
    ------
    InputError
        If more than 5 % of the draws clearly have another labelling than the others, and the
        posterior was not relabelled.
    """
    draws = read_draws(posterior, variables)
    if "relabelled" in posterior_group(posterior).attrs or draws.n_components == 1:
        return draws
    share = _switched_share(draws)
    if share > _SWITCHED:
        raise InputError(
            f"{share:.0%} of the posterior's draws have another labelling than the others, so "
            "that means over all draws would mix components. Relabel first: "
            "relabel(posterior, reference=fit)."
        )
    return draws


def deviations(values: Array) -> Array:
    """Standard deviations (P,) of draws (T, P); NaN for a single draw."""
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    apart = np.abs(values - values[0]).max(axis=0)
    # In units of about their range, as squares of the values may overflow.
    unit = np.where(apart > 0.0, apart, 1.0)
    return np.asarray(unit * ((values - values[0]) / unit).std(axis=0, ddof=1))


def _switched_share(draws: Draws) -> float:
    """Proportion of draws that clearly have another labelling than most draws.

    Each draw is matched to one draw, the last of the first chain: if labels switched, the mean
    over draws would not describe a component.
    """
    _, means, covariances = draws.stacked()
    pivot = draws.n_draws - 1
    costs = matching_costs(means[pivot], covariances[pivot], means, covariances)
    best = assign(costs)
    labels, counts = np.unique(best.permutations, axis=0, return_counts=True)
    modal = labels[counts.argmax()]
    own = np.take_along_axis(costs, np.broadcast_to(modal, best.permutations.shape)[..., None], 2)
    worse = own[..., 0].sum(axis=1) - best.costs > _CLEARLY
    return float(worse.mean())
