"""The mixture that an argument is, or that a fitted estimator holds."""

from typing import Any, Protocol, runtime_checkable

from bayesgmm import errors
from bayesgmm.arguments import check_kind
from bayesgmm.mixture.mixture import Mixture


@runtime_checkable
class Fitted(Protocol):
    """An estimator with its mixture: `GaussianMixture` after its fit."""

    mixture_: Mixture


type MixtureLike = Mixture | Fitted


def fitted_mixture(name: str, value: Any) -> Mixture:
    """The mixture that an argument is, or that it was fitted to.

    Raises
    ------
    InvalidParameterError
        If it is neither a Mixture nor a GaussianMixture.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    found = getattr(value, "mixture_", value)
    if found is value and hasattr(type(value), "__sklearn_is_fitted__"):
        kind = type(value).__name__
        raise errors.NotFittedError(f"{name} is a {kind} that is not fitted. Call its fit first.")
    check_kind(name, found, Mixture, "a Mixture or a fitted GaussianMixture")
    mixture: Mixture = found
    return mixture
