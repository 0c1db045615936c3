"""The rows that were fitted, told from others by their log-likelihood."""

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError
from bayesgmm.estimator.information_criteria import Criteria, information_criteria

if TYPE_CHECKING:
    from bayesgmm.estimator.gaussian_mixture import GaussianMixture

# Rounding of a log density, nats: far below what one other row would change.
_ROUNDING = 1e-8


def of_fitted_rows(fit: "GaussianMixture", found: Criteria) -> bool:
    """Return whether criteria are those of the rows (in any order) that were fitted."""
    size, gap = fit.n_rows_, abs(found.log_likelihood - fit.log_likelihood_)
    tiny = np.finfo(np.float64).tiny  # sums of weights may be subnormal
    same_size = abs(found.weight - size) <= _ROUNDING * size + tiny
    return bool(same_size and gap <= _ROUNDING * (size + abs(fit.log_likelihood_)) + tiny)


def check_fitted_rows(fit: "GaussianMixture", rows: Data, weights: Array | None) -> None:
    """Refuse other rows, or the same with other weights."""
    found = _criteria(fit, rows, weights)
    if not of_fitted_rows(fit, found):
        raise InputError(
            "X are other rows than were fitted: their log-likelihood is "
            f"{found.log_likelihood:.6g} nats, and was {fit.log_likelihood_:.6g} nats in the fit. "
            "Give the rows (and sample_weight) of the fit, or fit these."
        )


def kept_rows(fit: "GaussianMixture") -> Data:
    """The rows that were fitted.

    Raises
    ------
    InputError
        If the fit was read from a file, or the array was changed since.
    """
    rows: Data | None = getattr(fit, "_rows", None)
    if rows is None:
        raise InputError(
            "The rows of a fit are not stored in a file with it, and those of a source or of "
            "partial_fit are not kept. Give them as X."
        )
    if not of_fitted_rows(fit, _criteria(fit, rows, fit.weights_of(rows.X))):
        raise InputError("The array of rows was changed after the fit. Give the fitted rows as X.")
    return rows


def _criteria(fit: "GaussianMixture", rows: Data, weights: Array | None) -> Criteria:
    return information_criteria(*fit._memberships(rows), weights, fit.n_parameters_)
