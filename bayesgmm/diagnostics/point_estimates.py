"""Point estimates and their standard errors, from a fit of any kind."""

from typing import Any

from bayesgmm.data.validation import Data
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.uncertainty.standard_errors import StandardErrors


def point_estimate(
    name: str, fit: Any, rows: Data | None = None, *, with_outliers: bool = False
) -> tuple[Mixture, StandardErrors | None]:
    """The mixture of a fit, and its standard errors where they are given or `rows` allow them.

    With `with_outliers`, also the components of a fit that has noise or outliers.

    Raises
    ------
    InvalidParameterError
        If `fit` is not a GaussianMixture, StandardErrors or Mixture; `name` is the argument's name.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    if isinstance(fit, StandardErrors):
        return fit.estimate, fit
    mixture = fitted_mixture(name, fit, with_outliers=with_outliers)
    if rows is None or not isinstance(fit, GaussianMixture):
        return mixture, None
    return mixture, fit.standard_errors(rows._replace(feature_names=mixture.feature_names))


def outliers_of(fit: Any) -> tuple[Noise | None, Contamination | None]:
    """The component of noise beside the mixture of a fit, and the outliers of its components."""
    if isinstance(fit, StandardErrors):
        return fit.noise, fit.contamination
    return getattr(fit, "noise_", None), getattr(fit, "contamination_", None)
