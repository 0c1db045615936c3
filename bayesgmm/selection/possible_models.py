"""The models of a grid, and those that cannot be fitted to the data."""

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from bayesgmm.arguments import check_count, check_members
from bayesgmm.covariance.structures import CovarianceType, Structure, as_structure
from bayesgmm.data.degeneracy import check_full_rank, check_spread
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.likelihood.scaling import check_common_unit
from bayesgmm.selection.selection_result import DIAGONAL, FULL


def check_components(n_components: int | Iterable[int]) -> list[int]:
    """Return the K of a grid in ascending order."""
    words = "an integer or a sequence of integers, the K of the grid"
    single = isinstance(n_components, Integral)
    ks = [n_components] if single else check_members("n_components", n_components, words)
    if not ks:
        raise InvalidParameterError("n_components is empty. Give at least one K.")
    return sorted({check_count("n_components", k) for k in ks})


def check_structures(words: CovarianceType | Iterable[CovarianceType], d: int) -> list[Structure]:
    """Return the structures of a grid for D features; "all" are fourteen, or E and V for one."""
    if isinstance(words, str) and words == "all":
        words = ("E", "V") if d == 1 else (*DIAGONAL, *FULL)
    kinds = "'all', a covariance structure or a sequence of them"
    members: list[Any] = (
        [words]
        if isinstance(words, str | Structure)
        else check_members("covariance_type", words, kinds)
    )
    found = [as_structure(each, d) for each in members]
    if not found:
        raise InvalidParameterError("covariance_type is empty. Give at least one, or 'all'.")
    return list(dict.fromkeys(found))


def impossible(
    data: Data, ks: Sequence[int], chosen: Sequence[Structure]
) -> dict[tuple[int, Structure], str]:
    """The models that cannot be fitted to the data, each with the reason."""
    x, names = data.X, data.feature_names
    n, d = x.shape
    if n < 2:
        raise InputError(f"X has {n} row, and one row has no variance. Give at least 2 rows.")
    check_spread(x, names)
    full = any(not each.diagonal for each in chosen)
    dependent = _refusal(check_full_rank, x, names) if full and n > d else ""
    unscalable = {each: _refusal(check_common_unit, x, None, each) for each in chosen}
    distinct = len(np.unique(np.where(np.isnan(x), np.inf, x), axis=0))
    notes: dict[tuple[int, Structure], str] = {}
    for k in ks:
        for each in chosen:
            needed = _rows_needed(each, k, d)
            if k > distinct:
                notes[k, each] = f"X has only {plural(distinct, 'distinct row')}"
            elif k < data.n_known:
                notes[k, each] = f"labels name {data.n_known} components"
            elif n < needed:
                notes[k, each] = f"X has {plural(n, 'row')}: the structure needs at least {needed}"
            elif dependent and not each.diagonal:
                notes[k, each] = dependent
            elif unscalable[each]:
                notes[k, each] = unscalable[each]
    return notes


def _refusal(check: Callable[..., None], *arguments: Any) -> str:
    """The error of a check of the data, as text; "" if there is none."""
    try:
        check(*arguments)
    except InputError as error:
        return str(error)
    return ""


def _rows_needed(structure: Structure, k: int, d: int) -> int:
    """Minimum number of rows for covariances of full rank.

    A component whose shape is not shared needs D + 1 rows of its own, or 2 if diagonal; otherwise
    the components share the rows that the means leave.
    """
    own = structure.code[1:] in ("VV", "VI") or structure.code in ("VII", "V", "VVE", "EVE")
    if own:
        return k * (2 if structure.diagonal else d + 1)
    return k + (1 if structure.diagonal else d)
