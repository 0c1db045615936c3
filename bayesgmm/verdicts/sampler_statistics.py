"""What a sampler recorded of its transitions: divergences, depth of trees, energies."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats

from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
    Posterior,
)

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
    preceding : tuple of int, or None
        Divergent and all transitions of the NUTS run to whose draws the proposals of these chains
        were fitted; None for other chains. Independent proposals themselves cannot diverge.
    k_hat : float or None
        Pareto k-hat of independent proposals at the mode; None for other samplers.

    References
    ----------
    Betancourt (2016), Diagnosing suboptimal cotangent disintegrations in Hamiltonian Monte Carlo,
    arXiv:1604.00695.
    """

    divergences: int | None
    deepest: float
    energy: float
    preceding: tuple[int, int] | None = None
    k_hat: float | None = None

    @property
    def all_divergences(self) -> int | None:
        """Divergent transitions, those of a preceding run included."""
        before = 0 if self.preceding is None else self.preceding[0]
        return None if self.divergences is None else self.divergences + before


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
        _preceding(group.attrs),
        float(group.attrs["khat"]) if "khat" in group.attrs else None,
    )


def _preceding(attributes: Mapping[Any, Any]) -> tuple[int, int] | None:
    if "preceding_transitions" not in attributes:
        return None
    return int(attributes["preceding_divergences"]), int(attributes["preceding_transitions"])


def _energy(group: xr.Dataset) -> float:
    if "energy" not in group or group.sizes.get("draw", 0) < 2:
        return np.nan
    energies = group["energy"].transpose(*SAMPLE_DIMS).values
    energies = energies[np.isfinite(energies).all(axis=1) & (np.ptp(energies, axis=1) > 0)]
    return float(np.min(array_stats.bfmi(energies))) if len(energies) else np.nan
