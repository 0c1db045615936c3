"""The length of a run: until the chains agree, or will not within the longest run."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from bayesgmm.convergence.agreement import AGREE, is_stuck, longest_stays, statistics
from bayesgmm.convergence.monitored import monitored
from bayesgmm.data.validation import Data
from bayesgmm.labels.labelling import Request, label_draws
from bayesgmm.mixture.mixture import Mixture


class Convergence(NamedTuple):
    """The worst of several quantities.

    Attributes
    ----------
    rhat : float
        Largest rank-normalised split R-hat; NaN for one chain.
    rhat_of : str
        The quantity that has it.
    ess : float
        Least bulk or tail effective sample size.
    ess_of : str
    """

    rhat: float
    rhat_of: str
    ess: float
    ess_of: str


class Monitor:
    """The test that ends a run: all monitored quantities have converged, or never will.

    The quantities are those of the verdict (`label_switching`), and the bounds at least as strict.

    Attributes
    ----------
    min_ess : float
    longest : int
        The most draws of a chain.
    worst : Convergence
        Of the draws last seen.
    least_bulk : float
        Their least bulk ESS.
    """

    def __init__(
        self, min_ess: float, longest: int, data: Data, reference: Mixture, constants: xr.Dataset
    ) -> None:
        self.min_ess, self.longest, self._constants = min_ess, longest, constants
        self._request = Request(reference=reference, X=data)
        self._names = data.feature_names
        self._seen: xr.DataTree | None = None

    def __call__(self, tree: xr.DataTree) -> bool:
        """True if these draws have converged."""
        if tree is not self._seen:
            self._look(tree)
        enough = self.worst.ess >= self.min_ess and not self.worst.rhat > AGREE
        return enough and not self._stuck

    def too_slow(self, tree: xr.DataTree) -> bool:
        """True if the longest run would not have enough effective draws, at the present rate."""
        draws = tree["posterior"].sizes["draw"]
        return not self(tree) and self.worst.ess * self.longest < self.min_ess * draws

    def ends(self, tree: xr.DataTree) -> bool:
        """True if there is no reason to go on."""
        return self(tree) or self.too_slow(tree)

    def _look(self, tree: xr.DataTree) -> None:
        groups = {name: tree[name].to_dataset() for name in ("posterior", "sample_stats")}
        if self._names:
            groups["posterior"] = groups["posterior"].assign_coords(feature=list(self._names))
        groups["constant_data"] = self._constants
        labelling = label_draws(xr.DataTree.from_dict(groups), self._request)
        quantities = monitored(labelling)
        frame = statistics("", quantities.relabelled | quantities.invariant)
        self.worst, self.least_bulk = worst(frame), float(frame["ess_bulk"].min())
        self._stuck = is_stuck(longest_stays(labelling.values), labelling.permutations.shape[1])
        self._seen = tree


def worst(frame: pd.DataFrame) -> Convergence:
    """The largest R-hat and the least ESS of `statistics`; an ESS of 0 if none is defined."""
    frame = frame.set_index("quantity")
    ratios, sizes = frame["r_hat"].dropna(), frame[["ess_bulk", "ess_tail"]].min(axis=1).dropna()
    rhat, rhat_of = (ratios.max(), str(ratios.idxmax())) if len(ratios) else (np.nan, "")
    ess, ess_of = (sizes.min(), str(sizes.idxmin())) if len(sizes) else (0.0, "")
    return Convergence(float(rhat), rhat_of, float(ess), ess_of)
