"""The mixture that an argument is, or that a fitted estimator holds."""

from typing import Any, Protocol, runtime_checkable

from bayesgmm import errors
from bayesgmm.arguments import check_kind
from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data
from bayesgmm.mixture.mixture import Mixture


@runtime_checkable
class Fitted(Protocol):
    """An estimator with its mixture: `GaussianMixture` after its fit."""

    mixture_: Mixture

    def errors_of(self, x: Array) -> Array | None:
        """The measurement errors of the fit if `x` (n, D) are its rows."""


type MixtureLike = Mixture | Fitted


def fitted_mixture(name: str, value: Any, *, beside_noise: bool = False) -> Mixture:
    """The mixture that an argument is, or that it was fitted to.

    Parameters
    ----------
    name : str
        The argument, in messages.
    value : object
    beside_noise : bool
        Take the components of a fit that has a component of noise, too.

    Raises
    ------
    InvalidParameterError
        If it is neither a Mixture nor a GaussianMixture, or has noise.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    found = getattr(value, "mixture_", value)
    if found is value and hasattr(type(value), "__sklearn_is_fitted__"):
        kind = type(value).__name__
        raise errors.NotFittedError(f"{name} is a {kind} that is not fitted. Call its fit first.")
    check_kind(name, found, Mixture, "a Mixture or a fitted GaussianMixture")
    if getattr(value, "noise_", None) is not None and not beside_noise:
        raise errors.InvalidParameterError(
            f"{name} is a fit with a component of noise, and only Gaussian components are known "
            f"here. Give {name}.mixture_, the mixture of the rows that are not noise."
        )
    mixture: Mixture = found
    return mixture


def observed_rows(name: str, value: Any, X: Any, error_covariances: Any = None) -> Data:
    """Checked rows of the features of a mixture or of an estimator's.

    Errors that are not given are those of the estimator's fit, if X are its rows.
    """
    mixture = fitted_mixture(name, value)
    return with_errors_of(value, mixture.check_observed(X, error_covariances))


def with_errors_of(fit: Any, rows: Data) -> Data:
    """Rows without errors, with those of the fit if they are its rows."""
    if rows.errors is None and isinstance(fit, Fitted):
        return rows._replace(errors=fit.errors_of(rows.X))
    return rows
