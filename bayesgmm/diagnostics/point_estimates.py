"""Point estimates and their standard errors, from a fit of any kind."""

from typing import Any

from bayesgmm.data.validation import Data
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.mixture.fitted_mixture import fitted_mixture
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.uncertainty.standard_errors import StandardErrors


def point_estimate(
    name: str, fit: Any, rows: Data | None = None, *, beside_noise: bool = False
) -> tuple[Mixture, StandardErrors | None]:
    """The mixture of a fit, and its standard errors where they are given or `rows` allow them.

    With `beside_noise`, also the components of a fit that has a component of noise.

    Raises
    ------
    InvalidParameterError
        If `fit` is not a GaussianMixture, StandardErrors or Mixture; `name` is the argument's name.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    if isinstance(fit, StandardErrors):
        return fit.estimate, fit
    mixture = fitted_mixture(name, fit, with_outliers=beside_noise and noise_of(fit) is not None)
    if rows is None or not isinstance(fit, GaussianMixture):
        return mixture, None
    return mixture, fit.standard_errors(rows._replace(feature_names=mixture.feature_names))


def noise_of(fit: Any) -> Noise | None:
    """The component of noise beside the mixture of a fit, if it has one."""
    found: Noise | None = fit.noise if isinstance(fit, StandardErrors) else None
    return getattr(fit, "noise_", found)
