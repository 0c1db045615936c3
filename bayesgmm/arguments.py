"""Checks of arguments: one function for each kind of argument of the public functions.

Each returns the value in the form that the caller works with, or raises `InvalidParameterError`
with the argument's name, what it must be, and what was given.
"""

import difflib
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from types import UnionType
from typing import Any

import numpy as np

from bayesgmm.errors import InvalidParameterError

# Larger counts are beyond the memory of any machine.
_MOST = 2**53


def shown(value: Any) -> str:
    """Return a value as messages show it: shortened, and also if its repr fails."""
    try:
        return f"{value!r:.80}"
    except Exception:  # any object may be given, and its repr may do anything
        return f"an object of type {type(value).__name__}"


def _refused(name: str, requirement: str, value: Any) -> InvalidParameterError:
    return InvalidParameterError(f"{name} must be {requirement}, not {shown(value)}.")


def check_count(name: str, value: Any, least: int = 1) -> int:
    """Return an integer of at least `least`; booleans and floats are refused."""
    try:
        count = least - 1 if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        count = least - 1
    if count < least:
        raise _refused(name, f"an integer of at least {least}", value)
    if count > _MOST:
        raise _refused(name, "at most 2**53", value)
    return count


def check_number(
    name: str,
    value: Any,
    requirement: str = "a finite number",
    holds: Callable[[float], bool] = math.isfinite,
) -> float:
    """Return a float, not NaN, for which a requirement holds; its words complete "must be"."""
    sound = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    try:
        number = float(value) if sound else math.nan
    except (OverflowError, ValueError, TypeError):
        number = math.nan
    if math.isnan(number) or not holds(number):
        raise _refused(name, requirement, value)
    return number


def check_switch(name: str, value: Any) -> bool:
    """Return True or False, of Python or NumPy."""
    check_kind(name, value, bool | np.bool_, "True or False")
    return bool(value)


def check_probability(name: str, value: Any) -> float:
    """Return a number between 0 and 1, both excluded."""
    return check_number(name, value, "a number between 0 and 1", lambda p: 0.0 < p < 1.0)


def check_rng(value: Any, name: str = "rng") -> np.random.Generator:
    """Return the generator that `numpy.random.default_rng` makes of a seed."""
    try:
        if not isinstance(value, bool | np.bool_ | str | bytes):
            return np.random.default_rng(value)
    except Exception:  # of several types, and one more where the value has no text
        pass
    requirement = "a seed (an integer of at least 0, or a sequence of them), a numpy Generator or "
    raise _refused(name, requirement + "SeedSequence, or None", value)


def check_choice(name: str, value: Any, known: Iterable[str]) -> str:
    """Return a word of a list of known ones."""
    words = list(known)
    if isinstance(value, str) and value in words:
        return value
    hint = did_you_mean(value, words) if isinstance(value, str) else ""
    raise InvalidParameterError(
        f"{name} must be one of {', '.join(map(repr, words))}, not {shown(value)}.{hint}"
    )


def did_you_mean(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return a question that offers the most similar known word, in any case; "" if none is."""
    by_folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(word[:80].casefold(), by_folded, n=1, cutoff=cutoff)
    return f" Did you mean {by_folded[near[0]]!r}?" if near else ""


def check_kind(name: str, value: Any, kinds: type | UnionType, words: str) -> None:
    """Raise an error for a value of another type; `words` name the types in it."""
    if not isinstance(value, kinds):
        raise _refused(name, words, value)


def check_axes(ax: Any) -> None:
    """Raise an error for a value other than None and matplotlib Axes (recognised by methods)."""
    if ax is not None and not (hasattr(ax, "plot") and hasattr(ax, "get_figure")):
        raise _refused("ax", "matplotlib Axes or None", ax)


def check_text(name: str, value: Any) -> str | None:
    """Return a string or None."""
    if value is None or isinstance(value, str):
        return value
    raise _refused(name, "a string", value)


def check_names(name: str, value: Any) -> dict[str, str]:
    """Return a mapping of strings to strings, empty for None."""
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(
        isinstance(each, str) for pair in value.items() for each in pair
    ):
        raise _refused(name, "a mapping of strings to strings", value)
    return dict(value)


def check_members(name: str, value: Any, words: str) -> list[Any]:
    """Return the members of a sequence or other iterable; strings and mappings are refused."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        try:
            return list(value)
        except TypeError:  # an array without axes
            pass
    raise _refused(name, words, value)


def unknown_name(kind: str, name: Any, known: Iterable[str]) -> str:
    """Return the sentence for an unknown name, with the nearest known one."""
    names = list(known)
    hint = did_you_mean(name if isinstance(name, str) else shown(name), names, 0.4)
    return f"There is no {kind} {shown(name)}.{hint} Use one of {', '.join(names)}."


def refuse_beside(what: str, given: dict[str, bool], instead: str) -> None:
    """Raise InvalidParameterError that names those arguments, True if given, which `what` bars."""
    named = [name for name, value in given.items() if value]
    if named:
        raise InvalidParameterError(
            f"{' and '.join(named)} cannot be used with {what}. Leave "
            f"{'it' if len(named) == 1 else 'them'} out, or {instead}."
        )
