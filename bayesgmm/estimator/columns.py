"""The columns of a fit, and of rows given to it later, in scikit-learn's terms."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.errors import InputError


def keep_columns(estimator: BaseEstimator, X: Any, data: Data) -> None:
    """Store number and names of the columns of X, which were read as `data`."""
    # Column names and their number are scikit-learn's business, in its words.
    if _are_plain(X):
        _check_feature_names(estimator, X, reset=True)
    elif data.feature_names is None:
        estimator.__dict__.pop("feature_names_in_", None)
    else:
        estimator.feature_names_in_ = np.array(data.feature_names, dtype=object)
    estimator.n_features_in_ = data.X.shape[1]


def check_columns(estimator: BaseEstimator, X: Any, data: Data) -> None:
    """Compare number and names of the columns of X, which was read as `data`, with the fit.

    Raises
    ------
    InputError
        If they differ.
    """
    if _are_plain(X):
        try:
            _check_feature_names(estimator, X, reset=False)
        except ValueError as error:
            fitted = names_in(estimator)
            found = set(data.feature_names or ())
            hint = fitted is not None and found.issuperset(fitted)
            advice = "\nX[list(fit.feature_names_in_)] has the columns of the fit." if hint else ""
            raise InputError(f"{str(error).rstrip()}{advice}") from None
    if data.X.shape[1] != estimator.n_features_in_:
        # The words that scikit-learn's own checks look for.
        raise InputError(
            f"X has {data.X.shape[1]} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input."
        )
    fitted = getattr(estimator, "feature_names_in_", None)
    if not _are_plain(X) and fitted is not None and data.feature_names != tuple(fitted):
        raise InputError(
            f"The feature names should match those of the fit: {tuple(fitted)}, not "
            f"{data.feature_names}."
        )


def names_in(estimator: BaseEstimator) -> tuple[str, ...] | None:
    """The names that a fit keeps as `feature_names_in_`."""
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else tuple(map(str, names))


def set_names_in(estimator: BaseEstimator, n: int, names: tuple[str, ...] | None) -> None:
    """Set number and names of the columns of a fit that was saved."""
    estimator.n_features_in_ = n
    if names is not None:
        if len(names) != n:
            raise InputError(f"There are {plural(len(names), 'name')} for {plural(n, 'column')}.")
        estimator.feature_names_in_ = np.array(names, dtype=object)


def _check_feature_names(estimator: BaseEstimator, X: Any, *, reset: bool) -> None:
    """Store the names of X's columns if `reset`, or compare them with those of the fit."""
    validate_data(estimator, X, reset=reset, skip_check_array=True, ensure_2d=False)


def _are_plain(X: Any) -> bool:
    """True if X has no column names or distinct texts, which scikit-learn's check accepts.

    It refuses frames with repeated names, or names of several types, that a file may well have.
    """
    if isinstance(X, Data):
        return X.feature_names is None
    names = getattr(X, "columns", None)
    if names is None:
        return True
    return all(isinstance(each, str) for each in names) and len(set(names)) == len(names)
