"""Checks of arguments that every public function shares: one kind of argument, one function.

Each returns the value in the form that the caller works with, or raises `InvalidParameterError`
with the argument's name, what it must be, and what was given.
"""

import difflib
import math
import operator
from collections.abc import Iterable, Mapping
from numbers import Real
from types import UnionType
from typing import Any

import numpy as np

from bayesgmm.errors import InvalidParameterError

# Beyond the memory of any machine.
_MOST = 2**53


def shown(value: Any) -> str:
    """Return a value as messages show it: short, and also where its own text fails."""
    try:
        return f"{value!r:.80}"
    except Exception:  # any object may be given, and its repr may do anything
        return f"an object of type {type(value).__name__}"


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return an integer of at least `least`; truth values and floats are not integers."""
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise InvalidParameterError(
            f"{name} must be an integer of at least {least}, not {shown(value)}."
        )
    try:
        count = operator.index(value)
    except TypeError:
        # An array has the method, and refuses unless it is a single integer.
        raise InvalidParameterError(
            f"{name} must be an integer of at least {least}, not {shown(value)}."
        ) from None
    if not least <= count <= _MOST:
        raise InvalidParameterError(
            f"{name} must be an integer of at least {least}, not {shown(value)}."
            if count < least
            else f"{name} must be at most 2**53, not {shown(value)}."
        )
    return count


def check_number(
    name: str, value: Any, requirement: str = "a finite number", *, infinite: bool = False
) -> float:
    """Return a finite float; `requirement` ends the sentence of the error."""
    sound = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    try:
        number = float(value) if sound else math.nan
    except (OverflowError, ValueError, TypeError):
        number = math.nan
    if math.isnan(number) or (math.isinf(number) and not infinite):
        raise InvalidParameterError(f"{name} must be {requirement}, not {shown(value)}.")
    return number


def check_probability(name: str, value: Any) -> float:
    """Return a number between 0 and 1, neither of them."""
    requirement = "a number between 0 and 1"
    number = check_number(name, value, requirement)
    if not 0.0 < number < 1.0:
        raise InvalidParameterError(f"{name} must be {requirement}, not {shown(value)}.")
    return number


def check_rng(value: Any, name: str = "rng") -> np.random.Generator:
    """Return the generator that `numpy.random.default_rng` makes of a seed."""
    try:
        if not isinstance(value, bool | np.bool_ | str | bytes):
            return np.random.default_rng(value)
    except Exception:  # of several types, and one more where the value has no text
        pass
    raise InvalidParameterError(
        f"{name} must be a seed (an integer of at least 0, or a sequence of them), a numpy "
        f"Generator or SeedSequence, or None, not {shown(value)}."
    )


def check_choice(name: str, value: Any, known: Iterable[str]) -> str:
    """Return one of the words that are known."""
    words = list(known)
    if isinstance(value, str) and value in words:
        return value
    near = difflib.get_close_matches(value[:80], words, n=1) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InvalidParameterError(
        f"{name} must be one of {', '.join(map(repr, words))}, not {shown(value)}.{hint}"
    )


def check_kind(name: str, value: Any, kinds: type | UnionType, words: str) -> None:
    """Refuse what is not of some kinds; `words` name them in the error."""
    if not isinstance(value, kinds):
        raise InvalidParameterError(f"{name} must be {words}, not {shown(value)}.")


def check_axes(ax: Any) -> None:
    """Refuse what is neither None nor matplotlib's Axes, by what a plot needs of it."""
    if ax is not None and not (hasattr(ax, "plot") and hasattr(ax, "get_figure")):
        raise InvalidParameterError(f"ax must be matplotlib Axes or None, not {shown(ax)}.")


def check_text(name: str, value: Any) -> str | None:
    """Return a text, or None."""
    if value is None or isinstance(value, str):
        return value
    raise InvalidParameterError(f"{name} must be a text, not {shown(value)}.")


def check_names(name: str, value: Any) -> dict[str, str]:
    """Return a mapping of texts to texts; empty for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(each, str) for pair in value.items() for each in pair
    ):
        raise InvalidParameterError(f"{name} must map texts to texts, not be {shown(value)}.")
    return dict(value)


def check_members(name: str, value: Any, words: str) -> list[Any]:
    """Return the members of a sequence or another iterable that is not a text or a mapping."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        try:
            return list(value)
        except TypeError:  # an array without axes
            pass
    raise InvalidParameterError(f"{name} must be {words}, not {shown(value)}.")


def unknown_name(kind: str, name: Any, known: Iterable[str]) -> str:
    """Return the sentence for a name that is not known, with the nearest one that is."""
    names = list(known)
    by_folded = {each.casefold(): each for each in names}
    wanted = name if isinstance(name, str) else shown(name)
    near = difflib.get_close_matches(wanted[:80].casefold(), by_folded, n=1, cutoff=0.4)
    hint = f" Did you mean {by_folded[near[0]]!r}?" if near else ""
    return f"There is no {kind} {shown(name)}.{hint} Use one of {', '.join(names)}."
