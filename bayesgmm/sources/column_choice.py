"""The choice of columns of a source: those to fit, and that of the weights."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from bayesgmm.arguments import shown
from bayesgmm.data.coercion import Names, label
from bayesgmm.data.tables import column_position
from bayesgmm.data.validation import check_names
from bayesgmm.errors import InputError, InvalidParameterError


class ColumnChoice(NamedTuple):
    """Positions of the columns that a source reads.

    Attributes
    ----------
    features : tuple of D int
    weight : int, optional
    feature_names : tuple of D str, or None
    """

    features: tuple[int, ...]
    weight: int | None
    feature_names: Names

    @property
    def positions(self) -> list[int]:
        """The features, and the weight after them."""
        return [*self.features, *([] if self.weight is None else [self.weight])]


def choose_columns(
    names: Names, n_columns: int, columns: Any = None, sample_weight: Any = None
) -> ColumnChoice:
    """Find columns by name or position.

    Parameters
    ----------
    names : tuple of different str, or None
        Of all columns.
    n_columns : int
    columns : sequence of str or int, optional
        Names, or positions from 0 on. None: all but that of the weights.
    sample_weight : optional
        The column of the weights if it is a str or int; anything else is not in a column.

    Raises
    ------
    InputError
        If a column does not exist or is named twice, or none remains.
    InvalidParameterError
        If columns are not given by names or positions.
    """
    weight = None
    if isinstance(sample_weight, str | int):
        weight = _position(names, n_columns, sample_weight)
    if columns is None:
        features = [j for j in range(n_columns) if j != weight]
    else:
        if isinstance(columns, str | bytes) or not isinstance(columns, Iterable):
            raise InvalidParameterError(
                f"columns must be a sequence of names or positions, not {shown(columns)}."
            )
        features = [_position(names, n_columns, column) for column in columns]
    twice = [j for j in features if features.count(j) > 1 or j == weight]
    if twice:
        raise InputError(
            f"A column is named twice: {label(names, twice[0])}. Name each column once, and that "
            "of the weights apart from the columns to fit."
        )
    if not features:
        raise InputError("No column remains to be fitted.")
    chosen = None if names is None else tuple(names[j] for j in features)
    check_names(chosen, "X")
    return ColumnChoice(tuple(features), weight, chosen)


def _position(names: Names, n_columns: int, column: Any) -> int:
    if isinstance(column, bool) or not isinstance(column, str | int):
        raise InvalidParameterError(
            f"A column must be given by its name or position, not by {shown(column)}."
        )
    return column_position(names, n_columns, str(column))
