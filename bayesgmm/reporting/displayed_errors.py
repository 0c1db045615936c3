"""Standard errors of the quantities that the page shows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import BayesGMMError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.uncertainty.standard_errors import StandardErrors

type Array = NDArray[np.float64]


@dataclass(frozen=True)
class Errors:
    """Standard errors, or why there are none.

    Attributes
    ----------
    found : StandardErrors or None
    note : str
        How they were computed, or why they were not.
    """

    found: StandardErrors | None
    note: str

    @property
    def weights(self) -> Array | None:
        """Of the weights, (K,)."""
        return None if self.found is None else self.found.weights

    @property
    def means(self) -> Array | None:
        """Of the means, (K, D)."""
        return None if self.found is None else self.found.means

    @property
    def deviations(self) -> Array | None:
        """Of the standard deviations, (K, D)."""
        return None if self.found is None else self.found.standard_deviations

    @property
    def correlations(self) -> Array | None:
        """Of the correlations, (K, D, D)."""
        return None if self.found is None else self.found.correlations


def errors_of(em: GaussianMixture | None, rows: Array) -> Errors:
    """Return the standard errors of a fit by the observed information."""
    if em is None:
        return Errors(None, "")
    X = rows
    names = getattr(em, "feature_names_in_", None)
    if names is not None:
        import pandas as pd

        X = pd.DataFrame(rows, columns=list(names), copy=False)
    try:
        # In units beyond 1e75 the fourth powers of a covariance's error overflow: what they touch
        # then has no standard error, the rest has.
        with np.errstate(over="ignore", invalid="ignore"):
            found = em.standard_errors(X)
    except BayesGMMError as error:
        return Errors(None, f"Standard errors could not be computed: {error}")
    note = "Standard errors are from the observed information: right if the model is."
    return Errors(found, " ".join([note, *found.notes]))
