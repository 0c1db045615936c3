"""Choice of features: by index or name, or those that separate the components best."""

import operator
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.arguments import check_members, shown
from bayesgmm.errors import InputError

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture

Feature = int | str

_WORDS = "a feature, by index or name, or a sequence of them"


def feature_indices(
    features: Feature | Iterable[Feature], names: tuple[str, ...] | None, n_features: int
) -> list[int]:
    """Return the index of each feature, or of a single one; negative ones count from the end.

    Raises
    ------
    InputError
        If a feature does not exist or occurs twice.
    InvalidParameterError
        If `features` is not of this kind.
    """
    single = isinstance(features, str) or _is_index(features)
    given = [features] if single else check_members("features", features, _WORDS)
    indices = [_feature_index(feature, names, n_features) for feature in given]
    if len(set(indices)) < len(indices):
        raise InputError(f"A feature occurs twice in {shown(given)}.")
    return indices


def separating_features(mixture: "Mixture", most: int) -> list[int]:
    """Return the features, at most `most`, that separate the components best, in order.

    Those of the largest ratios of the variance between components to that within.
    """
    if mixture.n_features <= most:
        return list(range(mixture.n_features))
    between = mixture.weights @ np.square(mixture.means - mixture.mean())
    ratios = between / (mixture.weights @ mixture.variances)
    return sorted(np.argsort(-ratios, kind="stable")[:most].tolist())


def _is_index(feature: Any) -> bool:
    try:
        operator.index(feature)
    except TypeError:
        return False
    return not isinstance(feature, bool)


def _feature_index(feature: Any, names: tuple[str, ...] | None, n_features: int) -> int:
    if isinstance(feature, str) and feature in (names or ()):
        return (names or ()).index(feature)
    if _is_index(feature) and -n_features <= operator.index(feature) < n_features:
        return operator.index(feature) % n_features
    raise InputError(
        f"{shown(feature)} is not a feature of the mixture. Use an index below {n_features}"
        + (f" or one of {list(names)!r:.200}." if names else ".")
    )
