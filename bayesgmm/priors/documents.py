"""Prior families of covariances as plain values, for JSON, and in words."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.hyperpriors import Gamma, Wishart

_FAMILIES: tuple[Any, ...] = (Gamma, Wishart, InverseGamma, InverseWishart, LKJ)


def family_to_dict(family: Any) -> dict[str, Any]:
    """A family as plain values that JSON can hold."""
    out: dict[str, Any] = {"family": type(family).__name__}
    for name in type(family).__dataclass_fields__:
        value = getattr(family, name)
        out[name] = family_to_dict(value) if isinstance(value, Gamma | Wishart) else as_lists(value)
    return out


def family_from_dict(fields: dict[str, Any]) -> Any:
    """The inverse of `family_to_dict`.

    Raises
    ------
    InvalidParameterError
        If the fields are not those of a family.
    """
    made = dict(fields)
    kind = {each.__name__: each for each in _FAMILIES}.get(str(made.pop("family", None)))
    if kind is None or made.keys() != set(kind.__dataclass_fields__):
        raise InvalidParameterError(f"A prior of covariances cannot be read from {fields!r:.200}.")
    for name, value in made.items():
        if isinstance(value, dict):
            made[name] = family_from_dict(value)
    return kind(**made)


def family_in_words(fields: Mapping[str, Any]) -> str:
    """A family of `family_to_dict` with its numbers, to four digits, as words of a sentence."""
    name = re.sub("(?<=.)(?=Gamma|Wishart)", "-", fields["family"]).replace("Inverse", "inverse")
    name = name.replace("Gamma", "gamma")
    parts = []
    for key, value in fields.items():
        word = "degrees of freedom" if key == "df" else key.replace("_", " ")
        if key != "family":
            inner = family_in_words(value) if isinstance(value, Mapping) else _in_words(value)
            parts.append(f"{word} {inner}")
    return f"{name} ({', '.join(parts)})"


def _in_words(values: Any) -> str:
    """Numbers to four digits; a diagonal matrix by its diagonal, rows of others in brackets."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 2 and np.array_equal(array, np.diag(np.diagonal(array))):
        return f"diagonal {_in_words(np.diagonal(array))}"
    if array.ndim > 1:
        return ", ".join(f"[{_in_words(each)}]" for each in array)
    return ", ".join(f"{each:.4g}" for each in np.atleast_1d(array))


def as_lists(value: Any) -> Any:
    """Tuples, and those within them, as lists."""
    return [as_lists(each) for each in value] if isinstance(value, tuple) else value
