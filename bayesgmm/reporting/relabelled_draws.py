"""A posterior as the report uses it: draws under one labelling, and what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.diagnostics.relabelling import original_labels
from bayesgmm.diagnostics.switching import LabelSwitching, label_switching
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.draws import Draws, read_draws

type Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Relabelled:
    """Draws under one labelling, EM's where there is a fit.

    Attributes
    ----------
    sampled : Draws
        Under the labels that they were drawn with.
    draws : Draws
    switching : LabelSwitching
    divergences : int or None
        None where the sampler kept no such statistic.
    attributes : dict
    """

    sampled: Draws
    draws: Draws
    switching: LabelSwitching
    divergences: int | None
    attributes: dict[str, Any]

    @property
    def n_draws(self) -> int:
        """Draws of all chains."""
        return self.draws.n_chains * self.draws.n_draws

    def mixtures(self, most: int, features: Sequence[int] | None = None) -> list[Mixture]:
        """At most so many draws, evenly through the chains, of some columns."""
        chosen = np.unique(np.linspace(0, self.n_draws - 1, min(most, self.n_draws)).astype(int))
        drawn = (self.draws.mixture(*divmod(int(t), self.draws.n_draws)) for t in chosen)
        return [each if features is None else each.marginal(list(features)) for each in drawn]

    def mean(self) -> Mixture:
        """The mixture of posterior means."""
        weights, means, covariances = (each.mean(axis=0) for each in self.draws.stacked())
        return Mixture(weights / weights.sum(), means, covariances, self.draws.feature_names)


def relabelled(posterior: Any, em: GaussianMixture | None, rows: Array) -> Relabelled:
    """Read a posterior and give its draws one labelling.

    Raises
    ------
    InputError, InputTypeError
        If a group or a variable is missing, or a draw is no mixture.
    """
    sampled = original_labels(posterior, read_draws(posterior))
    found = label_switching(posterior, reference=em, X=rows)
    attributes = dict(getattr(posterior, "attrs", {}))
    return Relabelled(
        sampled, sampled.permuted(found.permutations), found, _divergences(posterior), attributes
    )


def _divergences(posterior: Any) -> int | None:
    if not isinstance(posterior, xr.DataTree) or "sample_stats" not in posterior.children:
        return None
    statistics = posterior["sample_stats"].dataset
    return int(statistics["diverging"].sum()) if "diverging" in statistics else None
