"""The one check of data and of their weights, and the checked value that travels."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Indices, Integers
from bayesgmm.data.coercion import Names, is_frame, label, repeated_names, to_floats, unwritable
from bayesgmm.data.error_covariances import check_error_covariances
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InputTypeError

_DOUBLE = np.dtype(np.float64)
_BLOCK = 2**17


class Data(NamedTuple):
    """Checked data: whatever takes rows takes these, and does not check them again.

    Attributes
    ----------
    X : (n, D)
        C-ordered, aligned float64; the user's own array if it has this form.
    feature_names : tuple of D different str, or None
    has_missing : bool
        True if entries are NaN.
    errors : (n, D), (n, D * D), (1, D) or (1, D * D), optional
        Variances or covariances of the rows' measurement errors; one row for all of them.
    weights : (n,), optional
        The number of times that each row counts in a posterior. Fits keep theirs beside the rows.
    labels : (n,), optional
        The component of each row, -1 where it is unknown.
    group_names : tuple of str, optional
        Names of the components 0, 1, ... that labels number.
    row_names : sequence of n values, optional
        By which tables name rows, in place of their numbers from 0.
    """

    X: Array
    feature_names: Names
    has_missing: bool = False
    errors: Array | None = None
    weights: Array | None = None
    labels: Integers | None = None
    group_names: tuple[str, ...] | None = None
    row_names: Sequence[object] | None = None

    @property
    def partial(self) -> bool:
        """True if rows were seen in part, or through noise."""
        return self.has_missing or self.errors is not None

    @property
    def total(self) -> float:
        """The number of rows, or the sum of their weights."""
        return float(len(self.X) if self.weights is None else self.weights.sum())

    @property
    def n_known(self) -> int:
        """The number of components that labels name; 0 without labels."""
        return 0 if self.labels is None else int(self.labels.max()) + 1

    def row(self, b: int) -> str:
        """A row in words, by its name or else its number."""
        return row_in_words(b, self.row_names)

    def take(self, chosen: Indices | Booleans) -> "Data":
        """Some of the rows."""
        errors = self.errors
        if errors is not None and len(errors) > 1:
            errors = errors[chosen]
        weights = None if self.weights is None else self.weights[chosen]
        labels = None if self.labels is None else self.labels[chosen]
        names = self.row_names
        if names is not None:
            names = [names[i] for i in np.arange(len(self.X))[chosen].tolist()]
        return self._replace(
            X=self.X[chosen], errors=errors, weights=weights, labels=labels, row_names=names
        )


def doubtful_rows(X: Any, data: Data, weights: Array | None = None) -> list[str]:
    """Sentences on names of several columns, and rows without a value, of a data frame.

    Parameters
    ----------
    X : array-like, data frame or Data
        What was given. Nothing is said of arrays, and of Data, which were checked before.
    data : Data
        What was read of it.
    weights : (n,), optional
        Rows of weight 0 are not there.
    """
    if isinstance(X, Data) or not is_frame(X):
        return []
    named = data.feature_names is not None
    repeated = repeated_names(list(map(str, X.columns))) if named else []
    counted = data if weights is None else data.take(weights > 0.0)
    return [f"{each[:1].upper()}{each[1:]}" for each in (*repeated, *unseen_rows(counted))]


def unseen_rows(rows: Data, lines: Integers | None = None) -> list[str]:
    """A sentence on rows of which nothing was seen, if there are any.

    `lines` (n,) are those of the file that hold the rows.
    """
    empty = np.flatnonzero(np.isnan(rows.X).all(axis=1))
    if not empty.size:
        return []
    first = rows.row(int(empty[0])) + ("" if lines is None else f" (line {lines[empty[0]]})")
    return [
        f"nothing was seen of {plural(len(empty), 'row')} (first: {first}). The memberships of "
        "such a row are the weights of the components, and its component the one of the largest "
        "weight."
    ]


def check_data(
    X: Any,
    *,
    feature_names: Sequence[str] | None = None,
    allow_nan: bool = False,
    allow_unseen: bool = False,
    error_covariances: Any = None,
    name: str = "X",
) -> Data:
    """Return X as an (n, D) array of finite float64, without a copy where it is one.

    Parameters
    ----------
    X : array-like, data frame or Data of shape (n, D)
        Never modified. A frame has feature names if any of its column names is text; repeated names
        are numbered.
    feature_names : sequence of str, optional
        Names in place of those of X.
    allow_nan : bool
        Allow NaN (and None, pd.NA, masked entries) as missing values, unless a whole column is
        missing.
    allow_unseen : bool
        With `allow_nan`, allow that, too.
    error_covariances : array-like, optional
        Measurement errors, as `check_error_covariances` takes them.
    name : str
        Name of X in messages.

    Raises
    ------
    InputTypeError
        If X has text, times, categories, masked entries, or is sparse.
    InputError
        If X is not two-dimensional, empty, ragged, complex, has integers beyond 2**53, NaN or
        infinities, or a column name that no file can hold; the message names the column.
    """
    names: Names = None
    if isinstance(X, Data):
        if feature_names is None and (allow_nan or not X.has_missing):
            if error_covariances is None:
                return X
            errors = check_error_covariances(error_covariances, X.X, X.feature_names)
            return X._replace(errors=errors)
        array, names = X.X, X.feature_names
    elif type(X) is np.ndarray and X.dtype == _DOUBLE and X.flags.c_contiguous and X.flags.aligned:
        array = X
    else:
        array, names = to_floats(X, name)
    check_shape(array.shape, name)
    if feature_names is not None:
        names = check_feature_names(feature_names, array.shape[1], name)
    check_names(names, name)
    _check_finite(array, names, allow_nan, name, allow_unseen, rows=X)
    errors = check_error_covariances(error_covariances, array, names)
    return Data(array, names, allow_nan and bool(np.isnan(array).any()), errors)


def index_of(X: Any) -> list[object] | None:
    """The index of a data frame, if it names the rows: if it does not only number them from 0."""
    index: Any = getattr(X, "index", None)
    if not hasattr(X, "columns") or not getattr(index, "is_unique", False):
        return None
    names: list[object] = index.tolist()
    return None if names == list(range(len(names))) else names


def row_in_words(row: int, names: Sequence[object] | None) -> str:
    """A row by its name, as on a page, or else by its number."""
    return f"row {row}" if names is None else f"row {names[row]!s:.80}"


def check_sample_weight(weights: Any, n: int) -> Array | None:
    """Return weights (n,) as float64, or None for None.

    Raises
    ------
    InputTypeError
        If they are not numbers.
    InputError
        If they are not n weights, or one is negative or not finite, or all are zero.
    """
    if weights is None:
        return None
    array, _ = to_floats(weights, "sample_weight")
    check_weight_shape(array.shape, n)
    check_weight_entries(array)
    if array.max() == 0:
        raise no_positive_weight()
    return array


def check_weight_shape(shape: tuple[int, ...], n: int) -> None:
    """Raise InputError unless a shape is that of a weight for each of n rows."""
    if shape != (n,):
        raise InputError(
            f"sample_weight must have shape ({n},), one weight for each row, not {shape}."
        )


def check_weight_entries(weights: Array, name: str = "sample_weight", first_row: int = 0) -> None:
    """Raise InputError if weights (m,) are negative or not finite; rows from `first_row` on."""
    _check_finite(weights[:, None], None, False, name, first_row=first_row)
    if weights.size and weights.min() < 0:
        row = int(np.argmax(weights < 0))
        raise InputError(
            f"{name} must be at least 0, but row {first_row + row} has {weights[row]:.6g} "
            "(negative)."
        )


def no_positive_weight() -> InputError:
    """Return the error for weights that are all zero."""
    return InputError("sample_weight must have a positive entry, but every weight is zero.")


def check_no_infinities(x: Array, names: Names, name: str, first_row: int) -> None:
    """Raise InputError if rows (m, D), numbered from `first_row` on, have infinite entries."""
    if np.isinf(x).any():
        raise InputError(_describe_unusable(x, names, True, name, first_row))


def only_missing(names: Names, column: int, name: str = "X") -> InputError:
    """Return the error for a column without a number."""
    return InputError(f"Input {name} has only NaN in {label(names, column)}. Drop it.")


def check_labels(labels: Any, n: int, n_components: int) -> Integers | None:
    """Return the known components of rows (n,), -1 where unknown; None if none is known.

    Raises
    ------
    InputTypeError
        If they are not numbers.
    InputError
        If they are not n whole numbers from -1 to K - 1.
    """
    if labels is None:
        return None
    try:
        array, _ = to_floats(labels, "labels")
    except InputTypeError as error:
        raise InputTypeError(
            f"{str(error).partition('. ')[0].rstrip('.')}. Give the numbers of components, from 0 "
            f"to {n_components - 1}, and -1 where unknown: pandas.Categorical(labels).codes "
            "numbers names of groups so, in alphabetical order."
        ) from None
    if array.shape != (n,):
        raise InputError(
            f"labels must have shape ({n},), one component for each row (-1 where it is unknown), "
            f"not {array.shape}."
        )
    wrong = ~np.isin(array, np.arange(-1, n_components))
    if wrong.any():
        row = int(wrong.argmax())
        raise InputError(
            f"labels must be components from 0 to {n_components - 1}, or -1 where unknown, but row "
            f"{row} has {array[row]:.6g}."
            + " Write -1 for a missing label."
            * bool(np.isnan(array[row]))
        )
    found = array.astype(np.int64)
    return None if (found < 0).all() else found


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """Raise InputError for the shape of an array that does not have rows and columns."""
    if len(shape) != 2:
        raise InputError(
            f"Input {name} must be a 2D array of rows and columns, not {len(shape)}D "
            f"of shape {shape}. Reshape your data: {name}.reshape(-1, 1) if it is one "
            f"feature, {name}.reshape(1, -1) if it is one row."
        )
    for size, what in zip(shape, ("sample(s)", "feature(s)"), strict=True):
        if size == 0:
            raise InputError(
                f"Input {name} has 0 {what} (shape={shape}) while a minimum of 1 is required."
            )


def check_feature_names(names: Any, n_columns: int, name: str = "X") -> tuple[str, ...]:
    """Return names given by the user as a tuple of different strings, one for each column."""
    sound = isinstance(names, Iterable) and not isinstance(names, str | bytes | Mapping | Set)
    sound = sound and getattr(names, "ndim", 1) > 0
    result = tuple(names) if sound else ()
    if not sound or not all(isinstance(each, str) for each in result):
        raise InputTypeError(f"feature_names must be a sequence of str, not {names!r:.200}.")
    if len(set(result)) < len(result):
        twice = next(each for each, count in Counter(result).items() if count > 1)
        raise InputError(f"feature_names must differ, but {twice!r:.80} occurs twice.")
    if len(result) != n_columns:
        raise InputError(
            f"feature_names has {plural(len(result), 'name')} but {name} has "
            f"{plural(n_columns, 'column')}."
        )
    return result


def check_names(names: Names, name: str) -> None:
    """Raise InputError for a column name that files of results cannot hold."""
    j = unwritable(names or ())
    if names is not None and j is not None:
        raise InputError(
            f"The name of column {j} of {name}, {names[j]!r:.80}, has a NUL character or half of a "
            "surrogate pair, which files of results cannot hold. Rename it."
        )


def _check_finite(
    array: Array,
    names: Names,
    allow_nan: bool,
    name: str,
    allow_unseen: bool = False,
    first_row: int = 0,
    rows: Any = None,
) -> None:
    if not array.size:
        return
    # Extremes take no array of n x D, and do not overflow as a sum does.
    if allow_nan:
        extremes = np.fmin.reduce(array, axis=0), np.fmax.reduce(array, axis=0)
        missing = np.isnan(extremes[0])
        if missing.any() and not allow_unseen:
            raise only_missing(names, int(np.argmax(missing)), name)
        sound = not np.isinf(extremes).any()
    else:
        sound = np.isfinite(array.min()) and np.isfinite(array.max())
    if not sound:
        raise InputError(_describe_unusable(array, names, allow_nan, name, first_row, rows))


def _describe_unusable(
    array: Array,
    names: Names,
    allow_nan: bool,
    name: str,
    first_row: int,
    rows: Any = None,
) -> str:
    n_nan = n_infinite = n_rows = 0
    first: tuple[int, int] | None = None
    step = max(_BLOCK // array.shape[1], 1)
    for start in range(0, len(array), step):
        block = array[start : start + step]
        infinite = np.isinf(block)
        bad = infinite if allow_nan else ~np.isfinite(block)
        where = np.flatnonzero(bad.any(axis=1))
        n_infinite += int(infinite.sum())
        n_nan += int(bad.sum() - infinite.sum())
        n_rows += where.size
        if first is None and where.size:
            first = (start + int(where[0]), int(np.argmax(bad[where[0]])))
    counts = [f"{n_nan} NaN"] * (n_nan > 0)
    counts += [plural(n_infinite, "infinite value")] * (n_infinite > 0)
    first_bad, column = first or (0, 0)
    row_names = rows.row_names if isinstance(rows, Data) else index_of(rows)
    complete = (
        " Complete rows are needed: leave the others out, as by X[~numpy.isnan(X).any(axis=1)], or "
        "dropna() of a data frame."
    )
    return (
        f"Input {name} contains {' and '.join(counts)} in {n_rows} of {len(array)} rows "
        f"(first: {row_in_words(first_row + first_bad, row_names)}, {label(names, column)})."
        + complete
        * (n_nan > 0 and name == "X")
    )
