"""Draws in which every component keeps its label, and what is averaged over them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from bayesgmm.errors import InputError
from bayesgmm.labels.assignment import assign
from bayesgmm.mixture.matching import matching_costs
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import (
    Posterior,
    posterior_group,
    read_draws,
    read_rows,
)

# Proportion of draws with another labelling than the most frequent one above which labels switch.
_SWITCHED = 0.05
# Excess cost (squared Hellinger distances) from which on a labelling is clearly worse.
_CLEARLY = 0.1


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


def responsibilities(
    posterior: Posterior, X: Any = None, *, variables: Mapping[str, str] | None = None
) -> xr.DataArray:
    """Posterior probability that a row belongs to each component, averaged over draws.

    The average is meaningful only if every component keeps its label: relabel the posterior first.

    Parameters
    ----------
    posterior : DataTree or Dataset
        Draws with one labelling.
    X : array-like of shape (m, D), optional
        Rows; by default the fitted ones in ``observed_data``.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.

    Returns
    -------
    DataArray of dims (row, component)
        Each row sums to 1.

    Raises
    ------
    InputError
        If a group or variable is missing, X has another number of features, or labels switch.

    Examples
    --------
    >>> from bayesgmm import load_dataset, relabel, responsibilities, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> responsibilities(relabel(posterior)).round(2)[:2].values
    array([[0., 1.],
           [1., 0.]])
    """
    draws = consistent_draws(posterior, variables)
    drawn = draws.over(read_rows(posterior, draws.n_features, X))
    own_labels = np.tile(np.arange(drawn.n_components), (drawn.n_draws, 1))
    coords = {"row": np.arange(drawn.n_rows), "component": np.arange(drawn.n_components)}
    return xr.DataArray(drawn.average(own_labels), coords, list(coords), name="responsibilities")


def _switched_share(draws: Draws) -> float:
    """Proportion of draws that clearly have another labelling than most draws.

    Each draw is matched to one draw, the last of the first chain: if labels switched, the mean
    over draws would not describe a component.
    """
    _, means, covariances = draws.stacked()
    pivot = draws.n_draws - 1
    costs = matching_costs(means[pivot], covariances[pivot], means, covariances)
    best = assign(costs, draws.groups)
    labels, counts = np.unique(best.permutations, axis=0, return_counts=True)
    modal = labels[counts.argmax()]
    own = np.take_along_axis(costs, np.broadcast_to(modal, best.permutations.shape)[..., None], 2)
    worse = own[..., 0].sum(axis=1) - best.costs > _CLEARLY
    return float(worse.mean())
