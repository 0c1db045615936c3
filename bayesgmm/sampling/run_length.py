"""Convergence of chains, measured on label-invariant functionals."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from arviz_stats.base.array import array_stats
from numpy.typing import NDArray

type Array = NDArray[np.float64]

# The largest R-hat of converged chains (Vehtari et al. 2021, section 4).
RHAT_BOUND = 1.01
# The fewest draws of a chain that have an effective size.
_LEAST_DRAWS = 4


class Convergence(NamedTuple):
    """The worst of several quantities.

    Attributes
    ----------
    rhat : float
        Largest rank-normalised split R-hat; NaN for one chain.
    rhat_of : str
        The quantity that has it.
    ess : float
        Smallest bulk effective sample size.
    ess_of : str
    """

    rhat: float
    rhat_of: str
    ess: float
    ess_of: str


class Monitor:
    """The test that ends a run: all monitored functionals have converged.

    Attributes
    ----------
    min_ess : float
    worst : Convergence
        Of the draws last seen.
    """

    def __init__(self, min_ess: float) -> None:
        self.min_ess = min_ess
        self._seen: xr.DataTree | None = None

    def __call__(self, tree: xr.DataTree) -> bool:
        """True if these draws have converged."""
        if tree is not self._seen:
            self._seen, self.worst = tree, convergence(monitored(tree))
        return self.worst.ess >= self.min_ess and not self.worst.rhat > RHAT_BOUND


def convergence(quantities: Mapping[str, Array]) -> Convergence:
    """R-hat and effective sample sizes of quantities of shape (chain, draw); constants are skipped.

    References
    ----------
    Vehtari, Gelman, Simpson, Carpenter and Bürkner (2021), Bayesian Analysis 16, 667-718.
    """
    moving = {name: each for name, each in quantities.items() if np.ptp(each) > 0.0}
    if not moving or next(iter(moving.values())).shape[1] < _LEAST_DRAWS:
        return Convergence(np.nan, "", 0.0, "")
    axes = {"chain_axis": 0, "draw_axis": 1}
    sizes = {n: float(array_stats.ess(v, method="bulk", **axes)) for n, v in moving.items()}
    worst = min(sizes, key=sizes.__getitem__)
    ratios = {"": np.nan}
    if len(moving[worst]) > 1:
        ratios = {n: float(array_stats.rhat(v, **axes)) for n, v in moving.items()}
    largest = max(ratios, key=ratios.__getitem__)
    return Convergence(ratios[largest], largest, sizes[worst], worst)


def monitored(tree: xr.DataTree) -> dict[str, Array]:
    """Label-invariant functionals of each draw, (chain, draw).

    The log posterior density; and of the components in the order of their means along the axis on
    which these differ most: weights, means and log determinants of the covariances; and whether a
    draw is in the region of a mode, if there are several.
    """
    group, stats = (tree[name].to_dataset() for name in ("posterior", "sample_stats"))
    weights, means = group["weights"].values, group["means"].values
    log_dets = np.linalg.slogdet(group["covariances"].values)[1]
    apart = (means - means.mean(axis=(0, 1, 2))).reshape(-1, means.shape[-1])
    scale = np.abs(apart).max(axis=0)
    apart /= np.where(scale > 0.0, scale, 1.0)
    along = (apart @ np.linalg.eigh(apart.T @ apart)[1][:, -1]).reshape(weights.shape)
    order = np.argsort(along, axis=-1)
    found = {"log density": stats["logp" if "logp" in stats else "lp"].values}
    columns = {f"mean {j}": means[..., j] for j in range(means.shape[-1])}
    for name, values in {"weight": weights, **columns, "log det": log_dets}.items():
        ordered = np.take_along_axis(values, order, axis=-1)
        found |= {f"{name} of component {k}": ordered[..., k] for k in range(ordered.shape[-1])}
    if "mode" in stats:
        modes = stats["mode"].values
        found |= {f"draws of mode {m}": (modes == m).astype(np.float64) for m in np.unique(modes)}
    return found
