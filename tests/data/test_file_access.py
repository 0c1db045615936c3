"""Writing: whole or not at all, through links, with the mode kept, never in a device's place."""

import contextlib
import errno
import os
import pickle
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from bayesgmm.data import file_access
from bayesgmm.data.file_access import as_path, check_target, opened, write_atomically
from bayesgmm.errors import BayesGMMError, FileError, InvalidParameterError
from bayesgmm.mixture.mixture import Mixture

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, modes and devices of POSIX")

NOBODY = 65534


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(params=["unnamed", "named"])
def way(request, monkeypatch):
    """Both ways to a whole file: one that has no name until then, and one beside its place."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("This system has no files without a name.")
    return request.param


@contextlib.contextmanager
def without_privileges():
    if os.geteuid():
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextlib.contextmanager
def mounted(options):
    """A small file system of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("No file system can be mounted here.")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_writing_replaces_only_when_asked(tmp_path):
    target = tmp_path / "out.json"
    write_atomically(target, b"one", force=False)
    with pytest.raises(FileExistsError):
        write_atomically(target, b"two", force=False)
    with pytest.raises(FileExistsError):
        check_target(target, force=False)
    assert target.read_bytes() == b"one"
    check_target(target, force=True)
    write_atomically(target, b"two", force=True)
    assert target.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    target = tmp_path / "out.json"
    target.write_bytes(b"old")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new", force=True)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_targets_that_cannot_be_written_are_found_beforehand(tmp_path):
    with pytest.raises(IsADirectoryError):
        check_target(tmp_path, force=True)
    with pytest.raises(FileNotFoundError):
        check_target(tmp_path / "none" / "x.json", force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_new_file_has_the_content_and_the_mode_of_the_umask(tmp_path, way, force):
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "new", b"one", force=force)
    finally:
        os.umask(before)
    assert (tmp_path / "new").read_bytes() == b"one"
    assert mode(tmp_path / "new") == 0o640
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("bits", [0o600, 0o644, 0o755, 0o666])
def test_the_mode_of_a_replaced_file_is_kept(tmp_path, way, bits):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    target.chmod(bits)
    write_atomically(target, b"new", force=True)
    assert (target.read_bytes(), mode(target)) == (b"new", bits)


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can give files away")
def test_the_owner_of_a_replaced_file_is_kept(tmp_path, way):
    target = tmp_path / "out"
    target.write_bytes(b"old")
    os.chown(target, 1234, 5678)
    write_atomically(target, b"new", force=True)
    assert (target.stat().st_uid, target.stat().st_gid) == (1234, 5678)


def test_links_are_written_through(tmp_path, way):
    inner, outer = tmp_path / "inner", tmp_path / "outer"
    inner.mkdir()
    outer.mkdir()
    (inner / "file").write_bytes(b"old")
    (inner / "file").chmod(0o600)
    (outer / "second").symlink_to("../inner/file")
    (outer / "first").symlink_to("second")
    with pytest.raises(FileExistsError):
        write_atomically(outer / "first", b"new", force=False)
    write_atomically(outer / "first", b"new", force=True)
    assert ((inner / "file").read_bytes(), mode(inner / "file")) == (b"new", 0o600)
    assert os.readlink(outer / "first") == "second"
    assert os.readlink(outer / "second") == "../inner/file"
    assert sorted(os.listdir(outer)) == ["first", "second"]
    (outer / "dangling").symlink_to(inner / "to come")
    write_atomically(outer / "dangling", b"made", force=False)
    assert (inner / "to come").read_bytes() == b"made"
    (outer / "nowhere").symlink_to(tmp_path / "none" / "file")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        check_target(outer / "nowhere", force=False)
    (outer / "circle").symlink_to("circle")
    with pytest.raises(FileError, match="circle' was not written"):
        write_atomically(outer / "circle", b"", force=True)


def test_models_and_pages_go_the_same_way(tmp_path):
    from bayesgmm.reporting.page import Report

    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o600)
    link.symlink_to(target)
    for write in (
        Mixture([1.0], [0.0], [1.0]).to_json,
        Report("<p>page \ud800", {}).save,
        Report("", {}).to_json,
    ):
        write(link)
        assert link.is_symlink()
        assert target.read_bytes() not in (b"", b"old")
        assert mode(target) == 0o600
        with pytest.raises(FileError, match=r"full' was not written\. No space left"):
            write("/dev/full")
        assert stat.S_ISCHR(os.stat("/dev/full").st_mode)
        for path in (None, 5, b"bytes", "", "a\0b", "half \ud800"):
            if path is not None:
                with pytest.raises(InvalidParameterError, match="path"):
                    write(path)


@pytest.mark.parametrize("force", [False, True])
def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path, force):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_target(pipe, force=force)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    content = bytes(range(256)) * 4000  # more than a pipe holds
    write_atomically(pipe, content, force=force)
    reader.join()
    assert read == [content]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_pipe_whose_reader_leaves(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)))
    reader.start()
    with pytest.raises(FileError, match=r"pipe' was not written\. Broken pipe"):
        write_atomically(pipe, bytes(2**20), force=False)
    reader.join()


def test_devices_stay_devices(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in ("/dev/null", link):
        write_atomically(path, b"gone", force=True)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    assert link.is_symlink()
    with pytest.raises(FileError, match="No space left") as caught:
        write_atomically("/dev/full", b"much", force=True)
    assert caught.value.errno == errno.ENOSPC


def test_sockets_and_folders_are_refused(tmp_path, monkeypatch):
    import socket

    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for force in (False, True):
            with pytest.raises(FileError, match="a disk or a socket"):
                write_atomically("socket", b"", force=force)
            with pytest.raises(IsADirectoryError):
                write_atomically(tmp_path, b"", force=force)
        assert stat.S_ISSOCK(os.stat("socket").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="a path of standard output")
@pytest.mark.parametrize("where", ["pipe", "file"])
def test_standard_output_by_its_path(tmp_path, where):
    code = (
        "from bayesgmm.data.file_access import write_atomically\n"
        "print('first', flush=True)\n"
        "write_atomically('/dev/stdout', b'second\\n', force=False)\n"
        "print('third')\n"
    )
    command = [sys.executable, "-c", code]
    if where == "pipe":
        found = subprocess.run(command, capture_output=True, check=True).stdout
    else:
        with open(tmp_path / "out", "wb") as out:
            subprocess.run(command, stdout=out, check=True)
        found = (tmp_path / "out").read_bytes()
    assert found == b"first\nsecond\nthird\n"


def test_read_only_files_and_folders(way):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "out").write_bytes(b"old")
        folder.chmod(0o555)
        try:
            with without_privileges():
                for act in (
                    check_target,
                    lambda path, force: write_atomically(path, b"", force=force),
                ):
                    with pytest.raises(PermissionError, match="cannot be written to"):
                        act(folder / "new", force=False)
                    with pytest.raises(PermissionError):
                        act(folder / "out", force=True)
            folder.chmod(0o777)
            (folder / "out").chmod(0o444)
            with without_privileges(), pytest.raises(PermissionError, match="read-only"):
                write_atomically(folder / "out", b"new", force=True)
        finally:
            folder.chmod(0o755)
        assert (folder / "out").read_bytes() == b"old"
        assert os.listdir(folder) == ["out"]


def test_a_read_only_file_system():
    with mounted("size=64k") as folder:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        with pytest.raises(FileError, match="was not written") as caught:
            check_target(folder / "x", force=False)
        assert "Write to a folder" in str(caught.value)


def test_a_full_disk(way):
    with mounted("size=64k") as folder:
        target = folder / "out"
        write_atomically(target, b"old", force=False)
        for path, force in ((target, True), (folder / "new", False)):
            with pytest.raises(FileError, match=r"No space left on device\. Free some space"):
                write_atomically(path, bytes(2**18), force=force)
        assert target.read_bytes() == b"old"
        assert os.listdir(folder) == ["out"]
        write_atomically(target, b"again", force=True)


def test_a_limit_on_the_size_of_files(tmp_path, way):
    resource = pytest.importorskip("resource")
    target = tmp_path / "out"
    target.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(FileError) as caught:
            write_atomically(target, bytes(5000), force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "out' was not written. File too large. Raise the limit" in str(caught.value)
    assert (target.read_bytes(), os.listdir(tmp_path)) == (b"old", ["out"])


@pytest.mark.parametrize("fault", [OSError(errno.EIO, "Input/output error"), KeyboardInterrupt()])
def test_nothing_is_left_behind(tmp_path, way, fault, monkeypatch):
    target = tmp_path / "out"
    target.write_bytes(b"old")

    def fail(_):
        raise fault

    monkeypatch.setattr(os, "fsync", fail)
    for path in (target, tmp_path / "new"):
        with pytest.raises((FileError, KeyboardInterrupt)):
            write_atomically(path, b"new", force=True)
    assert (target.read_bytes(), os.listdir(tmp_path)) == (b"old", ["out"])


def test_file_systems_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    write_atomically(tmp_path / "out", b"one", force=False)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / "out", b"two", force=False)
    write_atomically(tmp_path / "out", b"three", force=True)
    assert (tmp_path / "out").read_bytes() == b"three"
    assert os.listdir(tmp_path) == ["out"]


def test_names_of_every_length_and_alphabet(tmp_path, way):
    for name in ("é" * 120, "x" * 250, "\udcff", "-", " ", ".hidden", "a\nb"):
        write_atomically(tmp_path / name, b"", force=True)
        write_atomically(tmp_path / name, b"1", force=True)
    assert len(os.listdir(tmp_path)) == 7
    with pytest.raises(FileError, match="File name too long"):
        check_target(tmp_path / ("é" * 200), force=True)


def test_two_runs_that_write_one_file_leave_one_whole(tmp_path, way):
    target = tmp_path / "out"
    contents = [bytes([65 + i]) * 300_000 for i in range(4)]
    before = os.umask(0o022)
    refused = []

    def run(content):
        for _ in range(20):
            write_atomically(target, content, force=True)
            assert target.read_bytes() in contents
        try:
            write_atomically(tmp_path / "once", content, force=False)
        except FileExistsError as error:
            refused.append(error)

    try:
        threads = [threading.Thread(target=run, args=(content,)) for content in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert target.read_bytes() in contents
    assert (tmp_path / "once").read_bytes() in contents
    assert len(refused) == 3
    assert (mode(target), mode(tmp_path / "once")) == (0o644, 0o644)
    assert sorted(os.listdir(tmp_path)) == ["once", "out"]


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
from bayesgmm.data.file_access import write_atomically

folder, whole = Path(sys.argv[1]), [bytes([65 + i]) * 2_000_000 for i in range(2)]
delays = random.Random(0)
write_atomically(folder / "out", whole[0], force=True)
for _ in range(40):
    child = os.fork()
    if not child:
        while True:
            for content in whole:
                write_atomically(folder / "out", content, force=True)
    time.sleep(delays.uniform(0, 0.02))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    # A file that has got a name is whole, whichever its name.
    assert all(path.read_bytes() in whole for path in folder.iterdir()), "half"
    assert (folder / "out").exists()
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="files without a name")
def test_killed_at_any_moment_nothing_half_written_remains(tmp_path):
    try:
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        pytest.skip("This file system has no files without a name.")
    command = [sys.executable, "-W", "ignore", "-c", KILLS, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stderr == ""


def test_errors_are_of_the_package_and_survive_pickling(tmp_path):
    with pytest.raises(BayesGMMError) as caught:
        write_atomically(tmp_path / "none" / "x", b"", force=False)
    error = caught.value
    assert isinstance(error, FileNotFoundError)
    assert error.errno == errno.ENOENT
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (type(error), str(error))
    with (
        pytest.raises(FileError, match=r"none' was not read\. No such file"),
        opened(tmp_path / "none"),
    ):
        pass
    with pytest.raises(FileError, match=r"was not read\. Is a directory"), opened(tmp_path):
        pass


@pytest.mark.parametrize("path", [None, 5, 1.5, b"x", ["x"], "", "a\0b", "\ud800"])
def test_what_is_not_a_path(path):
    for act in (as_path, lambda path: write_atomically(path, b"", force=True)):
        with pytest.raises(InvalidParameterError, match="path"):
            act(path)


def test_one_atomic_write_in_the_package():
    package = Path(file_access.__file__).parents[1]
    words = ("tempfile", "os.replace", ".replace(target", "write_bytes", "write_text", '.open("w')
    for path in package.rglob("*.py"):
        if path.name != "file_access.py" and path.name != "build_backend.py":
            assert not [word for word in words if word in path.read_text("utf-8")], path
