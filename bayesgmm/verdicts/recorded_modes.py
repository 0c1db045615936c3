"""The modes that a sampler sought, from its record in a posterior."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

from bayesgmm.posterior.reader import (
    Posterior,
)

# A mode of a smaller share by Laplace's approximation may have no draw by chance.
_RARE = 0.001
_NEEDED = {"state", "mass", "laplace_share", "draws", "weights", "means"}


@dataclass(frozen=True)
class RecordedModes:
    """The modes that `sample_posterior` found.

    Attributes
    ----------
    masses : tuple of float
        Proportion of the draws at each mode that matters, the largest first; where chains do not
        move between all of them, the proportions of Laplace's approximation.
    joined : bool
        False if the chains do not move between all of them.
    left_out : int
        Number of modes that were not sampled, for want of mass: those that the sampler left out,
        and those of less than 0.1 % that chains which move between modes did not visit.
    bound : float
        Their share by Laplace's approximation.
    places, left_places : tuple of str
        Weights, means and mass of each mode in words: those sampled, and those left out.
    """

    masses: tuple[float, ...]
    joined: bool
    left_out: int
    bound: float
    places: tuple[str, ...] = ()
    left_places: tuple[str, ...] = ()


def read_modes(posterior: Posterior) -> RecordedModes | None:
    """Read the group ``modes``; None without it."""
    if isinstance(posterior, xr.Dataset) or "modes" not in posterior.children:
        return None
    group = posterior["modes"].to_dataset()
    if not set(group.data_vars) >= _NEEDED:
        return None
    states = group["state"].values.astype(str)
    sampled = states != "left out"
    if not sampled.any():
        return None
    joined, visited = not (states == "not joined").any(), group["draws"].values > 0
    if joined:
        sampled &= visited | (group["laplace_share"].values >= _RARE)
    joined = joined and bool(visited[sampled].all())
    shares = np.where(sampled & joined, group["mass"], group["laplace_share"])
    order = np.argsort(-shares, kind="stable")
    kept, left = (order[(sampled == each)[order]] for each in (True, False))
    feature = _feature(group)
    # Modes may differ in the order of components that labels or held values tell apart.
    children = posterior.children
    by_number = "constant_data" in children and "component_group" in children["constant_data"]
    places = partial(_place, group, feature=feature, by_number=by_number)
    return RecordedModes(
        tuple(map(float, shares[kept])),
        joined,
        len(left),
        float(shares[left].sum()),
        tuple(places(m, float(shares[m]), joined=joined) for m in kept),
        tuple(places(m, float(shares[m]), joined=True) for m in left),
    )


def _feature(group: xr.Dataset) -> int:
    """The feature in which the means of the modes differ most, in units of their range."""
    means = np.sort(group["means"].transpose("mode", "component", "feature").values, axis=1)
    ranges = np.ptp(means, axis=(0, 1))
    return int((np.ptp(means, axis=0).max(axis=0) / np.where(ranges > 0.0, ranges, 1.0)).argmax())


def _place(
    group: xr.Dataset,
    mode: int,
    share: float,
    feature: int,
    *,
    joined: bool,
    by_number: bool = False,
) -> str:
    """A mode by its mass and its components, by number or in the order of a feature's means."""
    one = group.isel(mode=mode)
    means = one["means"].transpose("component", "feature").values
    name = str(one["feature"].values[feature])
    order = np.argsort(means[:, feature], kind="stable")
    if by_number:
        order = np.arange(len(order))
    weights = ", ".join(f"{each:.2f}" for each in one["weights"].values[order])
    place = ", ".join(f"{each:.4g}" for each in means[order, feature])
    visits = "" if joined else f", with {int(one['draws'])} draws"
    return f"{percent(share)}{visits}, at weights {weights} and means of {name} {place}"


def percent(mass: float) -> str:
    """A proportion in percent: one decimal, or two digits of a small one."""
    return f"{100 * mass:.1f} %" if mass >= 0.001 else f"{100 * mass:.2g} %"
