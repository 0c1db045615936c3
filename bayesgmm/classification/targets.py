"""Checks of classes: y, the value for an unknown class, and proportions."""

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.coercion import label, to_floats
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError, InvalidParameterError


def checked_targets(y: Any, n: int) -> NDArray[Any]:
    """Classes as an array (n,)."""
    if y is None:
        # The words that scikit-learn's own checks look for.
        raise InputError(
            "GaussianMixtureClassifier requires y to be passed, but the target y is None."
        )
    if isinstance(y, list | tuple) and len({isinstance(each, str) for each in y}) > 1:
        # NumPy would write the numbers among texts as texts.
        y = np.array(y, dtype=object)
    try:
        targets = np.asarray(column_or_1d(y, warn=True))
    except (ValueError, TypeError) as error:
        raise InputError(str(error)) from None
    if len(targets) != n:
        raise InputError(f"y has {len(targets)} classes, but X has {n} rows.")
    return targets


def coded(targets: NDArray[Any], unlabelled: Any) -> tuple[NDArray[Any], Integers]:
    """The classes in ascending order, and each row's position among them, -1 if unknown."""
    unknown = np.array([_is_same(each, unlabelled) for each in targets.tolist()])
    known = targets[~unknown]
    if not len(known):
        raise InputError(
            f"Every row of y is {unlabelled!r:.80}, of unknown class. Give rows of each class."
        )
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        row = int(np.flatnonzero(~unknown)[~np.isfinite(known)][0])
        raise InputError(
            f"y has {targets[row]} in row {row}. Classes are integers, booleans or strings; the "
            "value of y for an unknown class is named by unlabelled."
        )
    if known.dtype == object:
        kinds = sorted({type(each).__name__ for each in known.tolist()})
        if len(kinds) > 1:
            raise InputError(f"y has classes of several types: {', '.join(kinds)}. Give one type.")
        known = np.array(known.tolist())
    try:
        check_classification_targets(known)
    except ValueError as error:
        raise InputError(str(error)) from None
    classes, codes = np.unique(known, return_inverse=True)
    labels = np.full(len(targets), -1)
    labels[~unknown] = codes
    return classes, labels


def _is_same(value: Any, unlabelled: Any) -> bool:
    """True if an entry of y is the value for an unknown class, which may be NaN."""
    if unlabelled is None:
        return False
    if isinstance(unlabelled, Real) and math.isnan(unlabelled):
        return isinstance(value, Real) and math.isnan(value)
    return bool(value == unlabelled)


def check_seen(data: Data, labels: Integers, names: Sequence[str]) -> None:
    """Refuse columns that were not seen in any row of some class (n,), whose mean is unknown.

    Raises
    ------
    InputError
        With the class and the column.
    """
    for c, name in enumerate(names if data.has_missing else ()):
        unseen = np.isnan(data.X[labels == c]).all(axis=0)
        if unseen.any():
            where = label(data.feature_names, int(unseen.argmax()))
            raise InputError(
                f"X has only NaN in {where} in the rows of class {name}. Leave the column out, or "
                "give rows of the class in which it was seen."
            )


def checked_prior(class_prior: Any, n_classes: int) -> Array | None:
    """Proportions of the classes, or None."""
    if class_prior is None:
        return None
    values, _ = to_floats(class_prior, "class_prior")
    if values.shape != (n_classes,) or not (values > 0.0).all() or abs(values.sum() - 1) > 1e-8:
        raise InvalidParameterError(
            f"class_prior must be {n_classes} positive numbers of sum 1, one for each class, not "
            f"{class_prior!r:.200}."
        )
    return np.asarray(values / values.sum())
