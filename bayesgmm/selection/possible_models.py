"""Models of a grid that cannot be fitted to the data."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import Structure
from bayesgmm.data.degeneracy import check_full_rank, check_spread
from bayesgmm.errors import InputError
from bayesgmm.likelihood.scaling import check_common_unit


def impossible(
    x: Array, names: tuple[str, ...] | None, ks: Sequence[int], chosen: Sequence[Structure]
) -> dict[tuple[int, Structure], str]:
    """The models that cannot be fitted to the data, each with the reason."""
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
                notes[k, each] = f"X has only {distinct} distinct rows"
            elif n < needed:
                notes[k, each] = f"X has {n} rows: the structure needs at least {needed}"
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
