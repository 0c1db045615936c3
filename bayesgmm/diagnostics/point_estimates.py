"""Point estimates and their standard errors, from a fit of any kind."""

from typing import Any

import pandas as pd
from numpy.typing import NDArray

from bayesgmm.estimator.gaussian_mixture import GaussianMixture, fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.uncertainty.standard_errors import StandardErrors


def point_estimate(
    name: str, fit: Any, rows: NDArray[Any] | None = None
) -> tuple[Mixture, StandardErrors | None]:
    """The mixture of a fit, and its standard errors where they are given or `rows` allow them.

    Raises
    ------
    InvalidParameterError
        If `fit` is not a GaussianMixture, StandardErrors or Mixture; `name` is the argument's name.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    if isinstance(fit, StandardErrors):
        return fit.estimate, fit
    mixture = fitted_mixture(name, fit)
    if rows is None or not isinstance(fit, GaussianMixture):
        return mixture, None
    return mixture, standard_errors_of(fit, rows)


def standard_errors_of(fit: GaussianMixture, rows: NDArray[Any]) -> StandardErrors:
    """Standard errors of a fit by the observed information, from rows without column names."""
    names = getattr(fit, "feature_names_in_", None)
    X = rows if names is None else pd.DataFrame(rows, columns=list(names), copy=False)
    return fit.standard_errors(X)
