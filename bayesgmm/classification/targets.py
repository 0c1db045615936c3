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
from bayesgmm.display import plural
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
        raise InputError(f"y has {plural(len(targets), 'class')}, but X has {plural(n, 'row')}.")
    return targets


def coded(targets: NDArray[Any], unlabelled: Any) -> tuple[NDArray[Any], Integers]:
    """The classes in ascending order, and each row's position among them, -1 if unknown."""
    unknown = np.array([_is_same(each, unlabelled) for each in targets.tolist()])
    known = targets[~unknown]
    if not len(known):
        raise InputError(
            f"Every row of y is {unlabelled!r:.80}, of unknown class. Give rows of each class."
        )
    missing = np.flatnonzero([_is_missing(each) for each in targets.tolist()] & ~unknown)
    if missing.size:
        where = f"row {missing[0]}" if missing.size == 1 else f"rows {listed_rows(missing)}"
        raise InputError(
            f"y has {targets[missing[0]]} in {where}, and so no class. Leave out such rows; or, if "
            "they are to count as rows of unknown class, set "
            "GaussianMixtureClassifier(unlabelled=float('nan'))."
        )
    if known.dtype.kind == "f" and not np.isfinite(known).all():
        row = int(np.flatnonzero(~unknown)[~np.isfinite(known)][0])
        raise InputError(
            f"y has {targets[row]} in row {row}. Classes are integers, booleans or strings."
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
    """True if an entry of y is the value for an unknown class; NaN stands for all missing ones."""
    if unlabelled is None:
        return False
    if _is_missing(unlabelled) or _is_missing(value):
        return _is_missing(unlabelled) and _is_missing(value)
    return bool(value == unlabelled)


def _is_missing(value: Any) -> bool:
    """True for NaN, None, and pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Real) and math.isnan(value)


def listed_rows(rows: Integers) -> str:
    """The numbers of the first five rows, and how many more there are."""
    more = f" and {len(rows) - 5:,} more" if len(rows) > 5 else ""
    return ", ".join(str(row) for row in rows[:5]) + more


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
