"""Quantities of each component, by name: what is compared between draws and between chains."""

from collections.abc import Mapping

import numpy as np
import xarray as xr

from bayesgmm.arrays import Array, Indices
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
)

# From a name to (chain, draw, K).
type Values = dict[str, Array]

# Entries for each component above which a variable is not compared.
_MOST_ENTRIES = 1000


def component_values(draws: Draws, *, correlations: bool = True) -> Values:
    """Weights, means, standard deviations and correlations of each component.

    Parameters
    ----------
    draws : Draws
    correlations : bool
        False to leave them out.

    Returns
    -------
    dict from name to ndarray of shape (chain, draw, K)
    """
    names, d = draws.feature_words, draws.n_features
    sd = np.sqrt(np.diagonal(draws.covariances, axis1=-2, axis2=-1))
    values = {"weight": draws.weights}
    values |= {f"mean of {names[j]}": draws.means[..., j] for j in range(d)}
    values |= {f"sd of {names[j]}": sd[..., j] for j in range(d)}
    for i in range(d if correlations else 0):
        for j in range(i):
            correlation = draws.covariances[..., i, j] / sd[..., i] / sd[..., j]
            values[f"correlation of {names[j]} and {names[i]}"] = correlation
    if draws.outliers is not None:
        proportions, inflation = draws.outliers
        values |= {"proportion of outliers": proportions, "log inflation": np.log(inflation)}
    return values


def values_of_variables(group: xr.Dataset, dim: str, skip: str | None = None) -> Values:
    """All variables of numbers with one axis of components, entry by entry of their other axes.

    Parameters
    ----------
    group : Dataset
    dim : str
        The axis of components. Axes of rows are left out: variables with more than 1,000 entries
        for each component.
    skip : str, optional
        A variable that is left out.

    Returns
    -------
    dict from name to ndarray of shape (chain, draw, K)
    """
    values = {}
    for name, array in group.data_vars.items():
        numbers = array.dtype.kind in "fiu" and name != skip
        if not (numbers and {*SAMPLE_DIMS, dim} <= set(array.dims)):
            continue
        last = array.transpose(*SAMPLE_DIMS, ..., dim)
        others = last.shape[2:-1]
        if np.prod(others) > _MOST_ENTRIES:
            continue
        for place in np.ndindex(others):
            index = f"[{', '.join(map(str, place))}]" if place else ""
            values[f"{name}{index}"] = np.asarray(last.values[(..., *place, slice(None))], float)
    return values


def permuted(values: Mapping[str, Array], permutations: Indices) -> Values:
    """Values whose component j is component ``permutations[chain, draw, j]`` of these."""
    return {name: np.take_along_axis(each, permutations, axis=2) for name, each in values.items()}
