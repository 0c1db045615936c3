"""Prior families of covariances as plain values, for JSON."""

from typing import Any

from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.hyperpriors import Gamma, Wishart

_FAMILIES: tuple[Any, ...] = (Gamma, Wishart, InverseGamma, InverseWishart, LKJ)


def family_to_dict(family: Any) -> dict[str, Any]:
    """A family as plain values that JSON can hold."""
    out: dict[str, Any] = {"family": type(family).__name__}
    for name in type(family).__dataclass_fields__:
        value = getattr(family, name)
        out[name] = family_to_dict(value) if isinstance(value, Gamma | Wishart) else _listed(value)
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


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value
