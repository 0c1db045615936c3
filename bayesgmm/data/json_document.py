"""Models as JSON documents: floats to the last bit, a checksum, and nothing that could run."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NoReturn

from bayesgmm.data.file_access import as_path, opened, write_atomically
from bayesgmm.data.file_kinds import foreign_kind
from bayesgmm.errors import InputError, InvalidParameterError, ModelFormatError

LARGEST = 64 * 2**20  # bytes
_GIVE = "Give a file that `fit -o` or `to_json` wrote."
# Documents of the package that are not of the schema that was expected: what to do.
_OTHERS = {
    "bayesgmm.mixture": " It is a mixture: read it with Mixture.from_json.",
    "bayesgmm.estimator": " It is a fitted estimator: read it with the from_json of its class, as "
    "GaussianMixture.from_json.",
    **{
        f"bayesgmm.{command}": f" It is what `bayesgmm {name} --json` printed; the model is in the "
        f"file that `bayesgmm {name} -o` writes."
        for command, name in (("fit", "fit"), ("selection", "select"))
    },
}
_ENVELOPE = ("schema", "version", "checksum")


def dump_document(schema: str, version: int, fields: dict[str, Any]) -> str:
    """Return the JSON text of ``fields`` with the schema's name, its version and a checksum.

    Floats are written by ``repr``, so that they are read back to the last bit.

    Raises
    ------
    InputError
        If the text is longer than what is read.
    """
    document = {"schema": schema, "version": version, **fields}
    document["checksum"] = _checksum(document)
    text = json.dumps(document, allow_nan=False)
    if len(text) > LARGEST:
        raise InputError(
            f"The model takes {len(text) / 2**20:.0f} MB as JSON, and files of more than "
            f"{LARGEST // 2**20} MB are not read."
        )
    return text


def write_document(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` in one step: readers see the old file or the new one, whole.

    Links are written through, and modes kept; see `file_access.write_atomically`.
    """
    # Halves of surrogate pairs, which UTF-8 cannot hold, become escapes.
    write_atomically(path, text.encode("utf-8", "backslashreplace"), force=True)


def read_text(source: str | bytes | os.PathLike[str]) -> str:
    """Return ``source`` if it is JSON text, and the content of its file if it is a path.

    A pipe is read once.

    Raises
    ------
    ModelFormatError
        If it is longer than 64 MB, not text, or a string that is neither JSON nor a file's path.
    FileError
        If ``source`` is a ``Path`` whose file cannot be read; also a FileNotFoundError if it does
        not exist.
    InvalidParameterError
        If it is of another type.
    """
    if isinstance(source, bytes):
        return _decode(source)
    if isinstance(source, str):
        if source.lstrip()[:1] == "{":
            return _decode(source)
        try:
            exists = Path(source).exists() and Path(source) != Path()
        except (OSError, ValueError):  # too long for a path, or with a NUL in it
            exists = False
        if not exists:
            raise ModelFormatError(
                f"{source[:80]!r} is neither the JSON text of a model nor the path of a file."
            )
    if not isinstance(source, str | os.PathLike):
        raise InvalidParameterError(
            f"A model is read from JSON text, bytes or a path, not from {type(source).__name__!r}."
        )
    path = as_path(source)
    if path.is_dir():
        raise ModelFormatError(f"{str(path)!r} is a folder, not a regular file.")
    with opened(path) as file:
        return _decode(file.read(LARGEST + 1))


def parse_document(text: str) -> dict[str, Any]:
    """Return the object that a JSON text is, unchecked.

    Raises
    ------
    ModelFormatError
        If the text is not JSON, or another value than an object.
    """
    try:
        document = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_without_repeats
        )
    except RecursionError:
        raise ModelFormatError("The model is not valid: it is nested too deeply.") from None
    except ValueError as error:
        if text.lstrip()[:1] != "{":
            found = f"begins with {text[:20]!r}" if text.strip() else "is empty"
            raise ModelFormatError(f"The model {found}, which is not JSON. {_GIVE}") from error
        raise ModelFormatError(f"The model is not valid JSON: {error}") from error
    if not isinstance(document, dict):
        raise ModelFormatError("The model is not a JSON object.")
    return document


def load_document(
    text: str,
    schema: str,
    version: int,
    fields: set[str],
    optional: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the fields of a document after checking its schema, version, names and checksum.

    Those that are optional may be missing.

    Raises
    ------
    ModelFormatError
        If anything differs from the output of ``dump_document``.
    """
    document = parse_document(text)
    if document.get("schema") != schema:
        found = str(document.get("schema"))
        raise ModelFormatError(
            f"The model is not of the schema {schema!r}, but of {document.get('schema')!r:.80}."
            + _OTHERS.get(found, "")
        )
    number = document.get("version")
    if type(number) is not int or number < 1:
        raise ModelFormatError(
            f"The model's version must be a positive integer, not {number!r:.80}"
        )
    if number > version:
        raise ModelFormatError(
            f"The model has version {number}, and this release reads up to {version}. Update "
            "bayesgmm to read it."
        )
    fields = fields | (optional & document.keys())
    names = fields | set(_ENVELOPE)
    if document.keys() != names:
        odd = sorted(document.keys() ^ names)
        raise ModelFormatError(f"The model lacks fields or has unknown ones: {odd!r:.200}")
    try:
        intact = document.pop("checksum") == _checksum(document)
    except (RecursionError, ValueError):
        intact = False
    if not intact:
        raise ModelFormatError(
            "The model does not match its checksum: it was damaged or edited. Build a new one from "
            "its numbers with Mixture(weights, means, covariances)."
        )
    return {name: document[name] for name in fields}


def _checksum(document: dict[str, Any]) -> str:
    canonical = json.dumps(document, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def _decode(content: str | bytes) -> str:
    if len(content) > LARGEST:
        raise ModelFormatError(f"The model is longer than {LARGEST // 2**20} MB.")
    if isinstance(content, str):
        return content
    kind = foreign_kind(content[:8])
    if kind is not None and content.lstrip()[:1] != b"{":
        raise ModelFormatError(f"The model is {kind.noun}. {_GIVE}")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"The model is not UTF-8 text: {error}") from error


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field occurs twice")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a finite number")
