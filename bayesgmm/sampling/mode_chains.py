"""Chains of a posterior with several modes, and the account of these modes."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import xarray as xr

from bayesgmm.arrays import Array, Indices
from bayesgmm.convergence.agreement import mcse
from bayesgmm.errors import FitError
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
)
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.sampling.chain_starts import chain_starts
from bayesgmm.sampling.independence_sampler import IndependenceSampler
from bayesgmm.sampling.mode_proposal import Target, fit_proposal
from bayesgmm.sampling.posterior_modes import Mode
from bayesgmm.sampling.run_length import Monitor
from bayesgmm.sampling.samplers import Drawn, Enough, Plan

type Draw = Callable[[Array, Plan, Enough], Drawn]

# Modes further below the largest log mass are left out: a share of 2e-5. So are modes beyond the
# first few.
_NEGLIGIBLE, _MOST_MODES = 11.0, 8
# The least probability of acceptance at which independent proposals are used.
_LEAST_ACCEPTANCE = 0.02
# Least proportion of effective draws at which jumping chains are worth their time.
_PROMISING = 0.01
# Doublings of the first length with which jumping chains begin: they are cheap, and visits to
# small modes are few.
_DOUBLINGS = 2


class OverModes(NamedTuple):
    """Draws of a posterior with several modes.

    Attributes
    ----------
    drawn : Drawn
    state : {"crossed", "joined", "not joined"}
        Chains that cross between the modes by themselves; chains that jump between them; chains
        that stay at one.
    """

    drawn: Drawn
    state: str


def that_matter(modes: list[Mode]) -> list[Mode]:
    """The modes of more than a negligible mass, by Laplace's approximation."""
    return [m for m in modes if m.log_mass >= modes[0].log_mass - _NEGLIGIBLE][:_MOST_MODES]


def draw_over_modes(
    draw: Draw,
    target: Target,
    priors: ResolvedPriors,
    plan: Plan,
    monitor: Monitor,
    chains: int,
    rng: np.random.Generator,
) -> OverModes:
    """Draws from all modes in proportion to their masses.

    Chains begin at the modes in turn. If they visit all of them and converge, nothing more is
    needed. Otherwise Metropolis chains follow, whose proposals are fitted to these draws; where
    they would not be effective (in many dimensions, or with a component too many), chains begin at
    the modes by the masses of Laplace's approximation, and may stay there.
    """
    began = time.perf_counter()
    starts = _starts(target, np.arange(chains) % len(target.modes), rng)
    drawn = _located(draw(starts, replace(plan, lengths=plan.lengths[:1]), monitor.ends), target)
    if drawn.interrupted:
        return OverModes(drawn, "not joined")
    converged = monitor(drawn.tree)
    visited = np.unique(drawn.tree["sample_stats"]["mode"])
    if converged and len(visited) == len(target.modes):
        return OverModes(drawn, "crossed")
    left = max(plan.max_time - (time.perf_counter() - began), 0.0)
    later = replace(plan, max_time=left)
    try:
        jumped = _jump(target, drawn.tree, priors, later, monitor, chains, rng)
    except KeyboardInterrupt:
        return OverModes(drawn._replace(interrupted=True), "not joined")
    if jumped:
        return OverModes(_preceded(jumped, drawn), "joined")
    if converged:
        return OverModes(drawn, "crossed")
    masses = np.cumsum(_laplace_shares(target.modes))
    of = np.searchsorted(masses, (np.arange(chains) + 0.5) / chains)
    drawn = _located(draw(_starts(target, of, rng), later, monitor.ends), target)
    # Chains of a posterior with a component too many may wander among its modes.
    wander = (np.ptp(np.asarray(drawn.tree["sample_stats"]["mode"]), axis=1) > 0).all()
    return OverModes(drawn, "crossed" if wander else "not joined")


def describe_modes(modes: list[Mode], target: Target, state: str, tree: xr.DataTree) -> xr.Dataset:
    """The account of the modes that were found, the largest mass by Laplace's approximation first.

    Parameters
    ----------
    modes : list of Mode
        All of them; `target` has those that matter.
    target : Target
    state : str
        As in `OverModes`; "only" where one mode matters.
    tree : DataTree
        The draws.
    """
    shares = _laplace_shares(modes)
    parameters = [target.problem.parameters(each.u)[:3] for each in modes]
    counts, masses, errors = np.zeros(len(modes), dtype=int), *np.full((2, len(modes)), np.nan)
    posterior, stats = (tree[name].to_dataset() for name in ("posterior", "sample_stats"))
    region = np.zeros(posterior["weights"].shape[:2], dtype=int)
    if "mode" in stats:
        region = stats["mode"].values
    for m in range(len(target.modes)):
        here = (region == m).astype(float)
        counts[m], masses[m] = here.sum(), here.mean()
        errors[m] = mcse(here)
    states = [state if m < len(target.modes) else "left out" for m in range(len(modes))]
    names = ("weights", "means", "covariances")
    dims = ("mode", "component", "feature", "feature_bis")
    found = {n: np.array(v) for n, v in zip(names, zip(*parameters, strict=True), strict=True)}
    variables = {n: (dims[: v.ndim], v) for n, v in found.items()}
    columns = {
        "log_density": [each.log_density for each in modes],
        "log_mass": [each.log_mass for each in modes],
        "laplace_share": shares,
        "draws": counts,
        "mass": masses,
        "mass_error": errors,
        "state": states,
    }
    variables |= {n: (("mode",), np.array(v)) for n, v in columns.items()}
    labels = {name: posterior[name] for name in ("component", "feature", "feature_bis")}
    return xr.Dataset(variables, {"mode": np.arange(len(modes)), **labels})


def _laplace_shares(modes: list[Mode]) -> Array:
    logs = np.array([each.log_mass for each in modes])
    shares = np.exp(logs - logs.max())
    return np.asarray(shares / shares.sum())


def _starts(target: Target, of: Indices, rng: np.random.Generator) -> Array:
    """Starts of chains near the modes of the given numbers."""
    problem = target.problem
    near = [problem.parameters(target.modes[m].u) for m in of]
    return chain_starts(near, problem, rng)


def _located(drawn: Drawn, target: Target) -> Drawn:
    """The draws with their modes."""
    group = drawn.tree["posterior"].to_dataset()
    frame = target.problem.coordinates
    u = frame.of_parameters(*(group[name].values for name in frame.variables))
    flat = u.reshape(-1, u.shape[-1])
    region = target.regions.locate(flat).region
    stats = drawn.tree["sample_stats"].to_dataset()
    stats["mode"] = (SAMPLE_DIMS, region.reshape(u.shape[:2]))
    groups = {"posterior": group, "sample_stats": stats}
    return drawn._replace(tree=xr.DataTree.from_dict(groups))


def _preceded(jumped: Drawn, drawn: Drawn) -> Drawn:
    """Draws of jumping chains with a record of the divergences of the run before them."""
    before = drawn.tree["sample_stats"].to_dataset()["diverging"].values
    record = {"divergences": int(before.sum()), "transitions": before.size}
    stats = jumped.tree["sample_stats"].to_dataset()
    stats.attrs |= {f"preceding_{name}": value for name, value in record.items()}
    groups = {"posterior": jumped.tree["posterior"].to_dataset(), "sample_stats": stats}
    return jumped._replace(tree=xr.DataTree.from_dict(groups))


def _jump(
    target: Target,
    tree: xr.DataTree,
    priors: ResolvedPriors,
    plan: Plan,
    monitor: Monitor,
    chains: int,
    rng: np.random.Generator,
) -> Drawn | None:
    """Draws of chains that jump between modes.

    None if too few proposals would be accepted, or if the longest chains would not be effective.
    """
    began = time.perf_counter()
    group = tree["posterior"].to_dataset()
    frame = target.problem.coordinates
    u = frame.of_parameters(*(group[name].values for name in frame.variables))
    try:
        proposal = fit_proposal(target, u.reshape(-1, u.shape[-1]), priors, rng)
    except FitError:
        return None
    sampler = IndependenceSampler(target, proposal, chains, rng)
    if sampler.acceptance < _LEAST_ACCEPTANCE:
        return None
    lengths = plan.lengths[_DOUBLINGS:] or plan.lengths[-1:]
    for done, length in zip((0, *lengths), lengths, strict=False):
        sampler.extend(length - done)
        drawn = Drawn(sampler.tree())
        late = time.perf_counter() - began > plan.max_time
        if monitor(drawn.tree) or late:
            break
        if monitor.least_bulk < _PROMISING * chains * length:
            return None
    return drawn._replace(late=late and length < lengths[-1])
