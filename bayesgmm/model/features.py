"""Features by index or by name."""

import operator
from collections.abc import Iterable
from typing import Any, cast

from bayesgmm.errors import InputError

Feature = int | str


def feature_indices(
    features: Iterable[Feature], names: tuple[str, ...] | None, n_features: int
) -> list[int]:
    """Return the index of each feature; negative ones count from the end.

    Raises
    ------
    InputError
        If a feature does not exist or occurs twice.
    """
    given = list(features)
    indices = [_feature_index(feature, names, n_features) for feature in given]
    if len(set(indices)) < len(indices):
        raise InputError(f"A feature occurs twice in {given!r:.200}.")
    return indices


def _feature_index(feature: Feature, names: tuple[str, ...] | None, n_features: int) -> int:
    try:
        if isinstance(feature, str):
            return (names or ()).index(feature)
        return range(n_features)[operator.index(cast(Any, feature))]
    except (ValueError, IndexError, TypeError) as error:
        raise InputError(
            f"{feature!r:.80} is no feature of the mixture. Use an index below {n_features}"
            + (f" or one of {list(names)!r:.200}." if names else ".")
        ) from error
