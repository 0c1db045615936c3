"""The mixture that an argument is, or that a fitted estimator holds."""

from typing import Any, Protocol, runtime_checkable

from bayesgmm import errors
from bayesgmm.arguments import check_kind
from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data, check_sample_weight
from bayesgmm.mixture.mixture import Mixture


@runtime_checkable
class Fitted(Protocol):
    """An estimator with its mixture: `GaussianMixture` after its fit."""

    mixture_: Mixture

    def errors_of(self, x: Array) -> Array | None:
        """The measurement errors of the fit if `x` (n, D) are its rows."""

    def weights_of(self, x: Array) -> Array | None:
        """The row weights of the fit if `x` (n, D) are its rows."""


type MixtureLike = Mixture | Fitted


def fitted_mixture(name: str, value: Any, *, with_outliers: bool = False) -> Mixture:
    """The mixture that an argument is, or that it was fitted to.

    Parameters
    ----------
    name : str
        The argument, in messages.
    value : object
    with_outliers : bool
        Take the components of a fit that has noise or outliers, too.

    Raises
    ------
    InvalidParameterError
        If it is neither a Mixture nor a GaussianMixture, or has noise or outliers.
    NotFittedError
        If it is an estimator that was not fitted.
    """
    found = getattr(value, "mixture_", value)
    if found is value and hasattr(type(value), "__sklearn_is_fitted__"):
        kind = type(value).__name__
        raise errors.NotFittedError(f"{name} is a {kind} that is not fitted. Call its fit first.")
    check_kind(name, found, Mixture, "a Mixture or a fitted GaussianMixture")
    for of, what in (("noise_", "a component of noise"), ("contamination_", "outliers")):
        if getattr(value, of, None) is not None and not with_outliers:
            raise errors.InvalidParameterError(
                f"{name} is a fit with {what}, and only Gaussian components are known here. Leave "
                f"out the rows that it finds (outlier_proba), and give {name}.mixture_, the "
                "mixture of the others."
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


def weighted_rows(fit: Any, rows: Data, sample_weight: Any) -> Data:
    """Rows with the weights that are given, or else those of the fit if they are its rows.

    Raises
    ------
    InputError, InputTypeError
        If the weights cannot be used.
    """
    weights = check_sample_weight(sample_weight, len(rows.X))
    if weights is None and isinstance(fit, Fitted):
        weights = fit.weights_of(rows.X)
    return rows if weights is None else rows._replace(weights=weights)
