"""Standard errors of the quantities that the page shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.em import GaussianMixture

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Standard errors, each None where it could not be computed.

    Attributes
    ----------
    weights : (K,) or None
    means, deviations : (K, D) or None
    correlations : (K, D, D) or None
    note : str
        How they were computed, or why they were not.
    """

    weights: Array | None
    means: Array | None
    deviations: Array | None
    correlations: Array | None
    note: str

    @property
    def known(self) -> bool:
        """Whether there are any."""
        return self.weights is not None


def errors_of(em: GaussianMixture | None, rows: Array) -> Errors:
    """Return the standard errors of a fit."""
    return Errors(None, None, None, None, "Standard errors were not computed.")
