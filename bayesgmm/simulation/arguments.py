"""Checks of the arguments that the functions of this room share."""

import difflib
import math
import operator
from collections.abc import Iterable
from numbers import Real
from typing import Any

from bayesgmm.errors import InvalidParameterError


def check_count(name: str, value: Any) -> int:
    """Return ``value`` as an int of at least 1."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < 1:
        raise InvalidParameterError(f"{name} must be an integer of at least 1, not {value!r:.80}.")
    return operator.index(value)


def check_real(name: str, value: Any, *, requirement: str) -> float:
    """Return ``value`` as a finite float; ``requirement`` ends the sentence of the error."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InvalidParameterError(f"{name} must be {requirement}, not {value!r:.80}.")
    return float(value)


def unknown_name(kind: str, name: Any, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not known, with the nearest one that is."""
    names = list(known)
    by_folded = {each.casefold(): each for each in names}
    near = difflib.get_close_matches(str(name)[:80].casefold(), by_folded, n=1, cutoff=0.4)
    hint = f" Did you mean {by_folded[near[0]]!r}?" if near else ""
    return f"There is no {kind} {name!r:.80}.{hint} Use one of {', '.join(names)}."
