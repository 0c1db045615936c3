"""Posterior draws taken together: only where each label means one component throughout."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bayesgmm.diagnostics.label_assignment import assign
from bayesgmm.errors import InputError
from bayesgmm.mixture.matching import matching_costs
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws, Posterior, posterior_group, read_draws

type Array = NDArray[np.float64]

# Share of draws under another labelling than the most frequent one that says labels switch.
_SWITCHED = 0.05
# By how much (squared Hellinger distances) another labelling must be better to count.
_CLEARLY = 0.1


def consistent_draws(posterior: Posterior, variables: Mapping[str, str] | None = None) -> Draws:
    """Draws whose labels mean one component throughout.

    Raises
    ------
    InputError
        If more than 5% of the draws are clearly under other labels than the rest, and the
        posterior was not relabelled.
    """
    draws = read_draws(posterior, variables)
    if "relabelled" in posterior_group(posterior).attrs or draws.n_components == 1:
        return draws
    share = _switched_share(draws)
    if share > _SWITCHED:
        raise InputError(
            f"{share:.0%} of the posterior's draws are under other labels than the rest: a mean "
            "over them is a mean over different components. Relabel first: "
            "relabel(posterior, reference=fit)."
        )
    return draws


def mean_mixture(draws: Draws) -> Mixture:
    """The mixture of posterior means of weights, means and covariances."""
    weights, means, covariances = (each.mean(axis=0) for each in draws.stacked())
    return Mixture(weights / weights.sum(), means, covariances, draws.feature_names)


def deviations(values: Array) -> Array:
    """Standard deviations of draws (T, P), (P,); NaN of a single one."""
    if len(values) < 2:
        return np.full(values.shape[1], np.nan)
    apart = np.abs(values - values[0]).max(axis=0)
    # In a unit of about their range: squares of the values may leave float64.
    unit = np.where(apart > 0.0, apart, 1.0)
    return np.asarray(unit * ((values - values[0]) / unit).std(axis=0, ddof=1))


def _switched_share(draws: Draws) -> float:
    """Share of draws whose labels are clearly others than those of most draws.

    Each draw is matched to one draw, the last of the first chain: a mean would be of nothing if
    labels did switch.
    """
    _, means, covariances = draws.stacked()
    pivot = draws.n_draws - 1
    costs = matching_costs(means[pivot], covariances[pivot], means, covariances)
    found = assign(costs)
    labels, counts = np.unique(found.permutations, axis=0, return_counts=True)
    modal = labels[counts.argmax()]
    own = np.take_along_axis(costs, np.broadcast_to(modal, found.permutations.shape)[..., None], 2)
    worse = own[..., 0].sum(axis=1) - found.costs > _CLEARLY
    return float(worse.mean())
