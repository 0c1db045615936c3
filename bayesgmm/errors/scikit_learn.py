"""Exceptions and warnings that are scikit-learn's, too."""

from sklearn.exceptions import ConvergenceWarning as _SklearnConvergenceWarning
from sklearn.exceptions import NotFittedError as _SklearnNotFittedError
from sklearn.utils._param_validation import InvalidParameterError as _SklearnInvalidParameterError

from bayesgmm.errors.exceptions import BayesGMMError, BayesGMMWarning, InvalidParameterError


class EstimatorParameterError(InvalidParameterError, _SklearnInvalidParameterError):
    """Raised when a parameter of an estimator is out of its range or type."""


class NotFittedError(BayesGMMError, _SklearnNotFittedError):
    """Raised when results of an estimator are requested before ``fit``."""


class ConvergenceWarning(BayesGMMWarning, _SklearnConvergenceWarning):
    """Issued, once a fit, when the result is not the maximum."""
