"""What a sampler recorded: divergences, depth of trees, energies, and the modes that it sought."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats

from bayesgmm.posterior.draws import Posterior

# Names of "the tree reached its greatest depth" in nutpie, PyMC and CmdStan's converters.
_DEPTH = ("maxdepth_reached", "reached_max_treedepth", "reached_max_tree_depth")


@dataclass(frozen=True)
class Transitions:
    """Warnings of a sampler.

    Attributes
    ----------
    divergences : int or None
        Number of divergent transitions; None if not recorded.
    deepest : float
        Proportion of transitions that ended at the greatest depth; NaN if not recorded.
    energy : float
        The least Bayesian fraction of missing information of all chains; NaN if not recorded.

    References
    ----------
    Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo,
    arXiv:1604.00695.
    """

    divergences: int | None
    deepest: float
    energy: float


def read_transitions(posterior: Posterior) -> Transitions:
    """Read the group ``sample_stats``; nothing is known without it."""
    if isinstance(posterior, xr.Dataset) or "sample_stats" not in posterior.children:
        return Transitions(None, np.nan, np.nan)
    group = posterior["sample_stats"].to_dataset()
    diverging = group.get("diverging")
    depth = next((group[name] for name in _DEPTH if name in group), None)
    return Transitions(
        None if diverging is None else int(diverging.sum()),
        np.nan if depth is None else float(depth.mean()),
        _energy(group),
    )


@dataclass(frozen=True)
class RecordedModes:
    """The modes that `sample_posterior` found.

    Attributes
    ----------
    masses : tuple of float
        Proportion of the draws at each mode that was sampled, the largest first; where chains stay
        at their modes, the proportions of Laplace's approximation.
    joined : bool
        False if chains stay at one of several modes.
    left_out : int
        Number of modes that were not sampled, for want of mass.
    bound : float
        Their share by Laplace's approximation.
    """

    masses: tuple[float, ...]
    joined: bool
    left_out: int
    bound: float


def read_modes(posterior: Posterior) -> RecordedModes | None:
    """Read the group ``modes``; None without it."""
    if isinstance(posterior, xr.Dataset) or "modes" not in posterior.children:
        return None
    group = posterior["modes"].to_dataset()
    if not {"state", "mass", "laplace_share"} <= set(group.data_vars):
        return None
    states = group["state"].values.astype(str)
    sampled = states != "left out"
    if not sampled.any():
        return None
    joined = not (states == "not joined").any()
    shares = group["mass" if joined else "laplace_share"].values[sampled]
    return RecordedModes(
        tuple(sorted(map(float, shares), reverse=True)),
        joined,
        int((~sampled).sum()),
        float(group["laplace_share"].values[~sampled].sum()),
    )


def _energy(group: xr.Dataset) -> float:
    if "energy" not in group or group.sizes.get("draw", 0) < 2:
        return np.nan
    energies = group["energy"].transpose("chain", "draw").values
    energies = energies[np.isfinite(energies).all(axis=1) & (np.ptp(energies, axis=1) > 0)]
    return float(np.min(array_stats.bfmi(energies))) if len(energies) else np.nan
