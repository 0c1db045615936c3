"""A model as a JSON document: floats to the last bit, a checksum, and no code on the way in."""

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any, NoReturn

from bayesgmm.errors import ModelFormatError

_LARGEST = 64 * 2**20
_ENVELOPE = ("schema", "version", "checksum")


def dump_document(schema: str, version: int, fields: dict[str, Any]) -> str:
    """Return the JSON text of ``fields`` with the schema's name, its version and a checksum.

    Floats are written by ``repr``, so that they are read back to the last bit.
    """
    document = {"schema": schema, "version": version, **fields}
    document["checksum"] = _checksum(document)
    return json.dumps(document, allow_nan=False)


def write_document(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` in one step: readers see the old file or the new one, whole."""
    target = Path(path)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes private files; a model gets the permissions that a plain open would give.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_text(source: str | bytes | os.PathLike[str]) -> str:
    """Return the JSON text that ``source`` is or, if it is a path, that its file holds.

    Raises
    ------
    ModelFormatError
        If it is longer than 64 MB, no text, or a string that is neither JSON nor a file's path.
    FileNotFoundError
        If ``source`` is a ``Path`` and there is no such file.
    """
    if isinstance(source, bytes):
        return _decode(source)
    if isinstance(source, str):
        if source.lstrip()[:1] == "{":
            return _decode(source)
        try:
            exists = Path(source).is_file()
        except (OSError, ValueError):  # too long for a path, or with a NUL in it
            exists = False
        if not exists:
            raise ModelFormatError(
                f"{source[:80]!r} is neither the JSON text of a model nor the path of a file."
            )
    path = Path(source)
    if path.exists() and not path.is_file():
        raise ModelFormatError(f"{str(path)!r} is no regular file.")
    with path.open("rb") as file:
        return _decode(file.read(_LARGEST + 1))


def load_document(text: str, schema: str, version: int, fields: set[str]) -> dict[str, Any]:
    """Return the fields of a document after checking its schema, version, names and checksum.

    Raises
    ------
    ModelFormatError
        If anything is not as ``dump_document`` left it.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ModelFormatError("The model is nested too deeply to be one.") from None
    except ValueError as error:
        raise ModelFormatError(f"The model is no JSON text: {error}") from error
    if not isinstance(document, dict) or document.get("schema") != schema:
        raise ModelFormatError(f"The model is not of the schema {schema!r}.")
    found = document.get("version")
    if type(found) is not int or found < 1:
        raise ModelFormatError(f"The model's version must be a positive integer, not {found!r:.80}")
    if found > version:
        raise ModelFormatError(
            f"The model has version {found}, and this release reads up to {version}. Update "
            "bayesgmm to read it."
        )
    names = fields | set(_ENVELOPE)
    if document.keys() != names:
        odd = sorted(document.keys() ^ names)
        raise ModelFormatError(f"The model lacks a field or has one too many: {odd!r:.200}")
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
    if len(content) > _LARGEST:
        raise ModelFormatError(f"The model is longer than {_LARGEST // 2**20} MB.")
    try:
        return content if isinstance(content, str) else content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"The model is no UTF-8 text: {error}") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of a model")
