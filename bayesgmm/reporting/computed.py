"""The fit and the posterior of a report that is given rows alone."""

from typing import Any

from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_switch
from bayesgmm.data.validation import Data
from bayesgmm.errors import InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture

# Equal rows give equal pages.
_SEED = 0


def computed(
    data: Data,
    n_components: int | None,
    em: GaussianMixture | None,
    posterior: Any,
    sample_weight: ArrayLike | None,
    *,
    noise_component: bool = False,
    contaminated: bool = False,
) -> tuple[GaussianMixture | None, Any]:
    """The fit, made here if `n_components` is given, and the posterior, sampled here if True.

    Raises
    ------
    InvalidParameterError
        If the fit is given twice, or missing for the posterior or for weights, noise or outliers.
    """
    if sample_weight is not None and n_components is None:
        raise InvalidParameterError(
            "sample_weight is for the fit that n_components makes here; em and a posterior have "
            "their own weights."
        )
    switches = {
        "noise_component": check_switch("noise_component", noise_component),
        "contaminated": check_switch("contaminated", contaminated),
    }
    for name, on in switches.items():
        if n_components is None and on:
            raise InvalidParameterError(
                f"{name}=True is for a fit that is made here: give n_components, or fit em with "
                f"{name}=True."
            )
    if n_components is None and posterior is not True:
        return em, posterior
    if n_components is not None:
        k = check_count("n_components", n_components)
        if em is not None:
            raise InvalidParameterError("Give a fit, em, or n_components to fit here, not both.")
        em = GaussianMixture(k, random_state=_SEED).set_params(**switches)
        em.fit(data, sample_weight=sample_weight)
    if posterior is not True:
        return em, posterior
    if em is None:
        raise InvalidParameterError(
            "posterior=True samples the posterior of a fit: give n_components, or em."
        )
    from bayesgmm.sampling.sampling import sample_posterior  # seconds that others do not need

    return em, sample_posterior(data, init=em, rng=_SEED)
