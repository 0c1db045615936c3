"""Values of Python as JSON values and back, to the last bit: a closed set of types, and no code.

None, truth values, integers, texts and finite floats are themselves; every other value is an object
with one key, its kind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from numbers import Integral, Real
from types import UnionType
from typing import Any, TypeAliasType, Union, get_args, get_origin, get_type_hints

import numpy as np

from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.errors import InputError, ModelFormatError

# Kinds of arrays that are written: truth values, integers, floats and texts.
_ARRAYS = {"b": "bool", "i": "int64", "u": "uint64", "f": "float64", "U": "str"}


class JsonValues:
    """The reading and writing of values, among them those of some classes.

    Parameters
    ----------
    classes : sequence of type
        Dataclasses, named tuples and enumerations; their fields are checked when they are read.
    """

    def __init__(self, classes: Sequence[type]) -> None:
        self._classes = {each.__name__: each for each in classes}
        self._readers: dict[str, Callable[[Any], Any]] = {
            "float": float,
            "bytes": bytes.fromhex,
            "structure": as_structure,
            "array": self._array,
            "list": lambda content: [self.read(each) for each in content],
            "tuple": lambda content: tuple(self.read(each) for each in content),
            "mapping": lambda content: {key: self.read(each) for key, each in content.items()},
        }

    def written(self, value: Any, name: str) -> Any:
        """Return a value as JSON has it.

        Raises
        ------
        InputError
            If it is of a kind that no document holds, such as a function; `name` is named.
        """
        if value is None or isinstance(value, bool | str):
            return value
        if isinstance(value, np.bool):
            return bool(value)
        if isinstance(value, Integral):
            return int(value)
        if isinstance(value, Real):
            number = float(value)
            return number if np.isfinite(number) else {"float": repr(number)}
        kind, content = self._tagged(value, name)
        return {kind: content}

    def _tagged(self, value: Any, name: str) -> tuple[str, Any]:
        """The kind of a value that JSON lacks, and its content."""
        kind = type(value).__name__
        if self._classes.get(kind) is type(value):
            parts = {each: self.written(getattr(value, each), name) for each in _names(value)}
            return kind, value.name if isinstance(value, Enum) else parts
        match value:
            case Structure():
                return "structure", value.code
            case bytes():
                return "bytes", value.hex()
            case np.ndarray() if value.dtype.kind in _ARRAYS:
                entries = [self.written(each, name) for each in value.ravel().tolist()]
                dtype = _ARRAYS[value.dtype.kind]
                return "array", {"dtype": dtype, "shape": [*value.shape], "entries": entries}
            case Mapping() if all(isinstance(each, str) for each in value):
                return "mapping", {key: self.written(each, name) for key, each in value.items()}
            case tuple() | list() | range():
                items = [self.written(each, name) for each in value]
                return "tuple" if type(value) is tuple else "list", items
        raise InputError(
            f"{name} is a {kind}, which a file cannot hold. Set it to another value before saving, "
            f"such as set_params({name}=None)."
        )

    def read(self, value: Any) -> Any:
        """Return the value that was written.

        Raises
        ------
        ModelFormatError
            If it is of an unknown kind, or a field of a class has a value of another type.
        """
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if not isinstance(value, dict) or len(value) != 1:
            raise ModelFormatError(f"The model has a value of no known kind: {value!r:.80}")
        kind, content = next(iter(value.items()))
        try:
            if kind in self._readers:
                return self._readers[kind](content)
            return self._instance(self._classes[kind], content)
        except ModelFormatError:
            raise
        except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
            raise ModelFormatError(
                f"The model has a value of kind {kind!r:.80} that cannot be read: {error!s:.200}"
            ) from error

    def _array(self, content: Any) -> Any:
        entries = [self.read(each) for each in content["entries"]]
        if content["dtype"] not in _ARRAYS.values():
            raise ModelFormatError(f"The model has an array of {content['dtype']!r:.80}.")
        return np.array(entries, dtype=content["dtype"]).reshape(content["shape"])

    def _instance(self, kind: type, content: Any) -> Any:
        if issubclass(kind, Enum):
            return kind[content]
        values = {name: self.read(each) for name, each in content.items()}
        hints = get_type_hints(kind)
        for name, each in values.items():
            if name not in hints or not is_of(each, hints[name]):
                raise ModelFormatError(
                    f"The model has a {kind.__name__} whose {name!r:.80} cannot be {each!r:.80}."
                )
        return kind(**values)


def is_of(value: Any, hint: Any) -> bool:  # noqa: PLR0911  # a case for each kind of annotation
    """Return whether a value has the type of an annotation, as fields of results have them."""
    origin, inner = get_origin(hint), get_args(hint)
    if isinstance(hint, TypeAliasType) or isinstance(origin, TypeAliasType):
        return is_of(value, origin.__value__[inner] if inner else hint.__value__)
    if origin in (Union, UnionType):
        return any(is_of(value, each) for each in inner)
    if origin is None:
        if hint in (int, float):
            return isinstance(value, int | hint) and not isinstance(value, bool)
        return hint is Any or isinstance(value, hint)
    if not isinstance(value, origin):
        return False
    if origin is np.ndarray:
        return bool(np.issubdtype(value.dtype, get_args(inner[1])[0]))
    each_one = inner[:1] * len(value) if inner[-1] is Ellipsis or origin is list else inner
    return len(value) == len(each_one) and all(map(is_of, value, each_one))


def _names(value: Any) -> list[str]:
    """The fields of a dataclass or named tuple; of a member of an enumeration, none."""
    if is_dataclass(value):
        return [each.name for each in fields(value)]
    return [*getattr(value, "_fields", ())]
