"""The groups of a posterior: draws, rows, estimates and what they rest on."""

import json
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data
from bayesgmm.posterior.log_density import Problem
from bayesgmm.posterior.model import Model
from bayesgmm.posterior.predictions import log_likelihood, posterior_predictive
from bayesgmm.posterior.reader import SAMPLE_DIMS
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.initial_estimate import Estimate
from bayesgmm.sampling.samplers import DIMS, Drawn

_SCHEMA_VERSION = 1
# Numbers of the per-row log-likelihood that are kept without being asked for: 512 MB.
_KEPT = 2**26


def add_rows(
    tree: xr.DataTree,
    data: Data,
    with_log_likelihood: bool | None,
    with_posterior_predictive: bool,
    rng: np.random.Generator,
) -> None:
    """Add the groups that have a number for each row and draw."""
    if with_log_likelihood is None:
        sizes = tree["posterior"].sizes
        with_log_likelihood = sizes["chain"] * sizes["draw"] * len(data.X) <= _KEPT
    if with_log_likelihood:
        tree["log_likelihood"] = xr.DataTree(xr.Dataset({"X": log_likelihood(tree, data)}))
    if with_posterior_predictive:
        new_rows = posterior_predictive(tree, rng=rng)
        tree["posterior_predictive"] = xr.DataTree(xr.Dataset({"X": new_rows}))


def versions() -> dict[str, str]:
    """Attributes that name this package, its version and those of what it rests on."""
    names = ("bayesgmm", "pymc", "nutpie", "numpy")
    return {
        "inference_library": "bayesgmm",
        "inference_library_version": version("bayesgmm"),
        "versions": json.dumps({each: version(each) for each in names}),
        "schema_version": str(_SCHEMA_VERSION),
    }


def parameters_of_draws(problem: Problem, u: Array) -> dict[str, tuple[tuple[str, ...], Array]]:
    """Dims and values of the parameters at coordinates (chain, draw, size), by name."""
    drawn = zip(*(problem.parameters(each) for each in u.reshape(-1, u.shape[-1])), strict=True)
    group = {}
    for name, values in zip(problem.coordinates.variables, drawn, strict=True):
        stacked = np.array(values)
        group[name] = (*SAMPLE_DIMS, *DIMS[name]), stacked.reshape(*u.shape[:2], *values[0].shape)
    return group


def _in_order(posterior: xr.Dataset, priors: ResolvedPriors) -> xr.Dataset:
    """The draws with their components in the order that the priors give the means.

    Where the ordered components have one prior, the posterior under the order is the distribution
    of the sorted draws (Stephens 2000, section 3).
    """
    if priors.ordered is None:
        return posterior
    order = priors.in_order(posterior["means"].values)
    out = posterior.copy()
    for name, values in posterior.items():
        if "component" not in values.dims:
            continue
        index = order.reshape(*order.shape, *(1,) * (values.ndim - 3))
        out[name] = values.dims, np.take_along_axis(values.values, index, axis=2)
    return out


def posterior_tree(
    drawn: Drawn, model: Model, em: Estimate, constants: xr.Dataset, attributes: dict[str, Any]
) -> xr.DataTree:
    """The groups of a posterior, under the data's own column names."""
    data, mixture = model.data, em.mixture
    if em.priors is not None:
        attributes |= {"em_note": em.note, "em_priors": json.dumps(em.priors.to_dict())}
    k, d = mixture.means.shape
    names = list(data.feature_names or (f"x{j}" for j in range(d)))
    labels = {"component": np.arange(k), "feature": names, "feature_bis": names}
    variables = ["weights", "means", "covariances", *model.outliers.variables]
    posterior = drawn.tree["posterior"].to_dataset()[variables]
    stats = drawn.tree["sample_stats"].to_dataset()
    # NetCDF holds no None: the messages of divergences are text, or are not kept.
    stats = stats.drop_vars([each for each in stats.data_vars if stats[each].dtype == object])
    posterior = _in_order(posterior, model.resolved).assign_coords(labels)
    attributes |= {"n_components": k}
    posterior.attrs = dict(attributes)
    stats.attrs = {**stats.attrs, "tuning_steps": attributes["tuning_steps"]}
    observed = xr.Dataset(
        {"X": (("row", "feature"), data.X)}, {"row": np.arange(len(data.X)), "feature": names}
    )
    estimates: dict[str, Any] = {
        f"em_{name}": (DIMS[name], value)
        for name, value in zip(variables, em.parameters, strict=True)
    }
    estimates["em_log_likelihood"] = (), em.log_likelihood
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs=dict(attributes)),
            "/posterior": posterior,
            "/sample_stats": stats,
            "/observed_data": observed,
            "/constant_data": constants.assign(estimates).assign_coords(labels),
        }
    )
