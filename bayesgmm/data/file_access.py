"""Reading and atomic writing of files: links, devices and modes are kept, errors are sentences.

Files of results are written by `write_atomically`, or if they are too large for memory by
`written_in_parts`. Copies of rows grow in a folder of `temporary_folder`, which no one else reads,
and vanish with it.
"""

import contextlib
import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

from bayesgmm.errors import (
    ExistingFileError,
    FileError,
    FolderError,
    InvalidParameterError,
    MissingFileError,
    PermissionDeniedError,
)

type PathLike = str | os.PathLike[str]

_KINDS: dict[type[OSError], type[FileError]] = {
    FileExistsError: ExistingFileError,
    FileNotFoundError: MissingFileError,
    IsADirectoryError: FolderError,
    PermissionError: PermissionDeniedError,
}
_FULL = "Free some space, or write to another disk."
_CLOSED = "Write to a folder in which you may create files."
_ADVICE = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), or write to another disk.",
    errno.EROFS: _CLOSED,
    errno.EACCES: _CLOSED,
    errno.EPERM: _CLOSED,
}
# Errors of file systems that lack files without a name, or hard links to them.
_NO_UNNAMED = {
    errno.EOPNOTSUPP,
    errno.EISDIR,
    errno.EINVAL,
    errno.ENOENT,
    errno.EPERM,
    errno.EXDEV,
    errno.ENOSYS,
}
_MOST_LINKS = 40


class _Target(NamedTuple):
    """Target of a path to write to.

    Attributes
    ----------
    path : Path
        Without links, if it is a file.
    found : os.stat_result or None
        None if it does not exist.
    descriptor : int or None
        The open stream of this process that the path denotes, as /dev/stdout does.
    """

    path: Path
    found: os.stat_result | None
    descriptor: int | None

    @property
    def is_stream(self) -> bool:
        """True for a stream, a pipe or a character device, which are never replaced."""
        if self.descriptor is not None:
            return True
        mode = 0 if self.found is None else self.found.st_mode
        return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def as_path(path: PathLike) -> Path:
    """Return a path.

    Raises
    ------
    InvalidParameterError
        If it is of another type, or has characters that no file name has.
    """
    text = os.fspath(path) if isinstance(path, str | os.PathLike) else None
    if not isinstance(text, str):
        raise InvalidParameterError(
            f"A file's path must be text or a pathlib.Path, not {type(path).__name__!r}."
        )
    try:
        sound = b"\0" not in os.fsencode(text) and text != ""
    except UnicodeEncodeError:
        sound = False
    if not sound:
        raise InvalidParameterError(
            f"{text!r:.80} cannot be a file's path: it is empty, or has a NUL character or half of "
            "a surrogate pair."
        )
    return Path(text)


@contextmanager
def opened(path: PathLike) -> Iterator[BinaryIO]:
    """Open a file to read its bytes, once.

    Raises
    ------
    FileError
        If it cannot be opened or read.
    """
    with _errors_as_sentences(path, "read"), as_path(path).open("rb") as file:
        yield file


def check_target(path: PathLike, *, force: bool) -> None:
    """Raise the errors of `write_atomically` in advance, before a long computation.

    Raises
    ------
    FileError
        As `write_atomically` does.
    """
    with _errors_as_sentences(path, "written"):
        _accepted(path, force)


def temporary_folder(place: PathLike | None = None) -> str:
    """Make a folder of an unused name in another, or where the system has temporary files.

    Raises
    ------
    FileError
        If none can be made there.
    InvalidParameterError
        If `place` is not a path.
    """
    where = tempfile.gettempdir() if place is None else str(as_path(place))
    with _errors_as_sentences(where, "written"):
        return tempfile.mkdtemp(prefix="bayesgmm-", dir=where)


def write_atomically(path: PathLike, content: bytes, *, force: bool) -> None:
    """Write a file in one step: it appears whole or not at all.

    A link is written through, and a file that is replaced keeps its mode. Pipes, character devices
    and streams (/dev/stdout) are written into, never replaced; they need no `force`, since no
    content can be lost.

    Parameters
    ----------
    path : path
    content : bytes
    force : bool
        Replace an existing file.

    Raises
    ------
    FileError
        If it cannot be written, exists and `force` is false, or is a folder, a socket or a disk.
    InvalidParameterError
        If `path` is not a path.
    """
    with _errors_as_sentences(path, "written"):
        target = _accepted(path, force)
        if target.is_stream:
            number = target.descriptor
            handle = os.open(target.path, os.O_WRONLY) if number is None else os.dup(number)
            with open(handle, "wb") as file:
                file.write(content)
            return
        try:  # A file without a name vanishes with its process, however that ends.
            _replace_by_unnamed(target, content, force)
        except OSError as error:
            if error.errno not in _NO_UNNAMED:
                raise
            _replace_by_named(target, content, force)


@contextmanager
def written_in_parts(path: PathLike, *, force: bool) -> Iterator[Path]:
    """Yield the name of a new file, which takes the place of `path` when the context ends.

    After an error nothing is left of it, and `path` is as it was.

    Raises
    ------
    FileError
        As `write_atomically` does, and for streams.
    """
    with _errors_as_sentences(path, "written"):
        target = _accepted(path, force)
        if target.is_stream:
            raise OSError(errno.EINVAL, "It is a stream; this needs a file")
        with _temporary_name(target) as name:
            yield name
            if target.found is not None:
                name.chmod(stat.S_IMODE(target.found.st_mode))
            _accepted(path, force)
            name.replace(target.path)


@contextmanager
def _errors_as_sentences(path: PathLike, done: str) -> Iterator[None]:
    """Turn errors of the system into FileError; the file `path` was not `done`: read, written."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        kind = next((_KINDS[each] for each in _KINDS if isinstance(error, each)), FileError)
        what = (error.strerror or str(error)).rstrip(".")
        advice = _ADVICE.get(error.errno or 0, "") if done == "written" else ""
        sentence = f"{os.fspath(path)!r:.200} was not {done}. {what}. {advice}".rstrip()
        raise kind(error.errno, sentence, os.fspath(path)) from error


def _accepted(path: PathLike, force: bool) -> _Target:
    """Return the target of `path`, if it may be written."""
    given = as_path(path)
    try:
        found = given.stat()
    except FileNotFoundError:
        found = None
    # A path through /proc to another process's pipe has no real path.
    is_file = found is None or stat.S_ISREG(found.st_mode)
    path = Path(os.path.realpath(given)) if is_file else given
    target = _Target(path, found, _descriptor(given))
    if target.descriptor is not None:
        return target
    if found is not None:
        _check_found(target, found.st_mode, force)
    if not target.is_stream:
        folder = target.path.parent
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, f"There is no such folder as {str(folder)!r}")
        if not _may_write(folder):
            raise PermissionError(errno.EACCES, f"The folder {str(folder)!r} cannot be written to")
    return target


def _check_found(target: _Target, mode: int, force: bool) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")
    if not (stat.S_ISREG(mode) or target.is_stream):
        raise OSError(errno.EINVAL, "It is a disk or a socket, which cannot hold results")
    if stat.S_ISREG(mode) and not force:
        raise FileExistsError(errno.EEXIST, "The file exists already; --force replaces it")
    if not _may_write(target.path):
        raise PermissionError(errno.EACCES, "It is read-only")


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _descriptor(path: Path) -> int | None:
    """Return the descriptor of this process that a path denotes, or None."""
    own = {"/dev/fd", os.path.realpath("/proc/self/fd")}
    for _ in range(_MOST_LINKS):
        folder = os.path.realpath(path.parent)
        if folder in own and path.name.isdecimal():
            return int(path.name)
        if not path.is_symlink():
            return None
        path = Path(folder, os.readlink(path))
    return None


def _replace_by_unnamed(target: _Target, content: bytes, force: bool) -> None:
    if not hasattr(os, "O_TMPFILE"):
        raise OSError(errno.EOPNOTSUPP, "This system has no files without a name")
    folder, flags = target.path.parent, os.O_TMPFILE | os.O_WRONLY
    with open(os.open(folder, flags, _mode_of_new(target)), "wb") as file:
        _fill(file, content, target.found)
        # os.link follows links only if it is given a descriptor, which absolute paths then ignore.
        link = partial(os.link, f"/proc/self/fd/{file.fileno()}", src_dir_fd=file.fileno())
        if not force:
            link(target.path)
            return
        with _temporary_name(target) as name:
            link(name)
            name.replace(target.path)


def _replace_by_named(target: _Target, content: bytes, force: bool) -> None:
    with _temporary_name(target) as name:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
        with open(os.open(name, flags, _mode_of_new(target)), "wb") as file:
            _fill(file, content, target.found)
        if not force:
            try:
                os.link(name, target.path)
                return
            except FileExistsError:
                raise
            except OSError:  # Without hard links, no more than another check is possible.
                _accepted(target.path, force=False)
        name.replace(target.path)


@contextmanager
def _temporary_name(target: _Target) -> Iterator[Path]:
    """Yield a short name in the target's folder; remove any file of that name at the end."""
    name = target.path.parent / f".bayesgmm-{secrets.token_hex(8)}"
    try:
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            name.unlink()


def _mode_of_new(target: _Target) -> int:
    # The content is never open to more readers than the file that it replaces; a new file gets
    # the mode that the umask leaves.
    return 0o666 if target.found is None else 0o600


def _fill(file: BinaryIO, content: bytes, like: os.stat_result | None) -> None:
    """Write a file through to the disk, with the owner and mode of the one that it replaces."""
    file.write(content)
    file.flush()
    handle = file.fileno()
    os.fsync(handle)
    if like is not None and hasattr(os, "fchmod"):
        made = os.fstat(handle)
        if (made.st_uid, made.st_gid) != (like.st_uid, like.st_gid):
            with contextlib.suppress(OSError):  # Only the superuser can give files away.
                os.fchown(handle, like.st_uid, like.st_gid)
        os.fchmod(handle, stat.S_IMODE(like.st_mode) & 0o777)
