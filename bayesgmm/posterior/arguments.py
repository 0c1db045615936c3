"""Checks of arguments that the sampler and the PyMC model have in common."""

import operator
from typing import Any

from bayesgmm.errors import InvalidParameterError
from bayesgmm.model import Priors


def check_count(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no integer of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise InvalidParameterError(f"{name} must be an integer, not {value!r:.80}.")
    if operator.index(value) < least:
        raise InvalidParameterError(f"{name} must be at least {least}, not {value}.")


def check_priors(priors: Any) -> Priors:
    """The priors, by default the default ones; refuse what is none."""
    if not isinstance(priors, Priors | None):
        raise InvalidParameterError(f"priors must be a Priors or None, not {priors!r:.80}.")
    return priors or Priors()
