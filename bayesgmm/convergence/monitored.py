"""The quantities on which chains have to agree, for the length of a run and for its verdict."""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from bayesgmm.arrays import Array
from bayesgmm.convergence.invariants import (
    coclustering,
    density_values,
    sorted_values,
    togetherness,
)
from bayesgmm.labels.component_values import Values
from bayesgmm.labels.labelling import Labelling
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
)

# From a name to (chain, draw).
type Quantities = dict[str, Array]


@dataclass(frozen=True, eq=False)
class Monitored:
    """The quantities of each draw on which chains have to agree.

    Attributes
    ----------
    relabelled : dict from name to ndarray of shape (chain, draw)
        The components' quantities under one labelling.
    ordered : dict from name to ndarray of shape (chain, draw)
        The same, sorted within each draw; and the entropy of the weights.
    density : dict from name to ndarray of shape (chain, draw)
        Functionals of the density at the rows; none for mixtures of other families.
    partition : dict from name to ndarray of shape (chain, draw)
        Functionals of the partition of the rows.
    modes : dict from name to ndarray of shape (chain, draw)
        1 for draws at a mode, if the sampler found several.
    """

    relabelled: Quantities
    ordered: Quantities
    density: Quantities
    partition: Quantities
    modes: Quantities

    @property
    def invariant(self) -> Quantities:
        """All that do not depend on labels."""
        return self.ordered | self.density | self.partition | self.modes


def monitored(labelling: Labelling) -> Monitored:
    """The quantities of draws that were given one labelling."""
    draws, known = labelling.draws, labelling.rows is not None
    if draws is None:
        chains, length, _ = labelling.permutations.shape
        density: Quantities = {}
        partition = coclustering(labelling.memberships, (chains, length))
    else:
        density = density_values(draws, labelling.any_rows, known=known)
        partition = togetherness(draws, labelling.any_rows, known=known)
    return Monitored(
        by_component(labelling.relabelled_values),
        sorted_values(labelling.values, draws),
        density,
        partition,
        _modes(labelling),
    )


def parameter_name(word: str, component: int) -> str:
    """A parameter's name: "weight [0]", "mean of x [0]"."""
    return f"{word} [{component}]"


def by_component(values: Values) -> Quantities:
    """Quantities of single components."""
    return {
        parameter_name(name, k): each[..., k]
        for name, each in values.items()
        for k in range(each.shape[-1])
    }


def _modes(labelling: Labelling) -> Quantities:
    tree = labelling.posterior
    if isinstance(tree, xr.Dataset) or "sample_stats" not in tree.children:
        return {}
    stats = tree["sample_stats"].to_dataset()
    if "mode" not in stats:
        return {}
    modes = stats["mode"].transpose(*SAMPLE_DIMS).values
    return {f"draws at mode {m}": (modes == m).astype(np.float64) for m in np.unique(modes)}
