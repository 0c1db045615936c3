import errno
import gc
import io
import os
import pickle
import shutil
import subprocess
import sys
import tracemalloc
import weakref

import numpy as np
import pandas as pd
import pytest

from bayesgmm.data.csv_columns import Notation
from bayesgmm.data.csv_files import Form
from bayesgmm.data.table_files import read_table
from bayesgmm.errors import FileError, InputError, InputTypeError, InvalidParameterError
from bayesgmm.sources.array_rows import array_rows
from bayesgmm.sources.opening import open_rows
from bayesgmm.sources.spooling import spooled

X = np.random.default_rng(0).standard_normal((40, 3))


def csv(tmp_path, text):
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def kept(tmp_path):
    return [each.name for each in tmp_path.iterdir() if each.name.startswith("bayesgmm-")]


def test_the_copy_is_removed(tmp_path):
    with spooled(iter([X]), tmp_path) as source:
        assert len(kept(tmp_path)) == 1
        copy = pickle.loads(pickle.dumps(source))
        assert copy.read(0, 40).x.tolist() == X.tolist()
        del copy
        assert len(kept(tmp_path)) == 1
    assert kept(tmp_path) == []
    with pytest.raises(InputError, match="was closed"):
        source.read(0, 1)
    source.close()
    other = spooled(iter([X]), tmp_path)
    assert len(kept(tmp_path)) == 1
    del other
    gc.collect()
    assert kept(tmp_path) == []


def test_the_copy_is_removed_at_the_end_of_a_process_and_not_by_its_forks(tmp_path):
    code = (
        "import os, sys, numpy as np\n"
        "from bayesgmm.sources.spooling import spooled\n"
        "s = spooled(iter([np.ones((4, 2))]), sys.argv[1])\n"
        "child = os.fork()\n"
        "if not child: sys.exit()\n"
        "os.waitpid(child, 0)\n"
        "print(s.read(0, 4).x.sum(), len(os.listdir(sys.argv[1])))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, tmp_path],
        check=False,
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["8.0", "1"], run.stderr
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a;b\n1,5;NA\n?;-2\n", Form(notation=Notation(","))),
        ("a\tb\n1.5\t\n\n.\t-2e3\n\n", Form()),
        ("1 2\n 3  4\n", Form()),
        ("a,b\né,1\n".encode("cp1252").replace(b"\xe9", b"3"), Form()),
        ("a,b\n-9,1\n2,3\n", Form(notation=Notation(missing=frozenset({"-9"})))),
        ("a,b\n1,2\n".encode("utf-16"), Form()),
        ("\ufeffa\n1\n\n3\n", Form()),
        ("2001,2002\n1,2\n", Form(header=True)),
    ],
)
def test_a_csv_is_read_as_tables_are(tmp_path, text, form):
    path = csv(tmp_path, text)
    na = form.notation.missing
    table = read_table(path, header=form.header, decimal=form.notation.decimal, na=na)
    source = spooled(path, tmp_path, form=form)
    assert source.feature_names == table.names
    x = source.read(0, source.n_rows).x
    assert x.tobytes() == np.column_stack(table.columns).tobytes()


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("", InputError, "no rows"),
        ("a,b\n", InputError, "no rows below its header"),
        ("a,b\n1,2\n3\n", InputError, "Line 3 .* has 1 cell"),
        ("a,Big\n1,2\n3,u\n", InputTypeError, r"text in column 'Big' \(first: row 1, 'u'\)"),
        ("a,b\n1,2\n3,9007199254740993\n", InputError, r"2\*\*53 in column 'b' \(first: row 1\)"),
        (b"a,b\n\x81\x8d,1\n", InputError, "UTF-8"),
        ("a,b\n" + "1,2\n" * 40_000 + "3,u\n", InputTypeError, "row 40000, 'u'"),
        ("a,b\n" + "1,2\n" * 40_000 + "3\n", InputError, "Line 40002"),
    ],
)
def test_a_csv_that_is_no_table_leaves_nothing_behind(tmp_path, text, kind, message):
    with pytest.raises(kind, match=message):
        spooled(csv(tmp_path, text), tmp_path)
    assert kept(tmp_path) == []


def test_columns_of_a_csv(tmp_path):
    path = csv(tmp_path, "a,text,w\n1,u,2\n3,v,0\n")
    source = open_rows(path, columns=["a"], sample_weight="w")
    block = source.read(0, 2)
    assert (block.x.tolist(), block.weights.tolist()) == ([[1.0], [3.0]], [2.0, 0.0])
    assert source.feature_names == ("a",)
    assert source.describe() == repr(str(path))


def test_standard_input_and_pipes(tmp_path, monkeypatch):
    text = b"a,b\n1,2\n3,4\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert open_rows("-").read(1, 2).x.tolist() == [[3.0, 4.0]]
    read, write = os.pipe()
    os.write(write, text)
    os.close(write)
    assert open_rows(f"/dev/fd/{read}").read(1, 2).x.tolist() == [[3.0, 4.0]]
    os.close(read)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"PAR1....")))
    with pytest.raises(InputError, match="standard input is not a CSV"):
        open_rows("-")


def test_memory_does_not_grow_with_a_csv(tmp_path):
    def peak(n):
        path = csv(tmp_path, "a,b\n" + "1.25,-2.5\n" * n)
        tracemalloc.start()
        try:
            assert spooled(path, tmp_path).n_rows == n
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(10)
    assert peak(140_000) < 1.02 * peak(70_000)


def test_chunks_are_read_once_and_not_kept(tmp_path):
    made = []

    def chunks():
        for part in np.split(X, [0, 7, 7, 30]):
            assert sum(each() is not None for each in made) <= 2
            copy = part.copy()
            made.append(weakref.ref(copy))
            yield copy
            del copy

    source = spooled(chunks(), tmp_path, sample_weight=np.arange(40.0))
    assert source.read(0, 40).x.tolist() == X.tolist()
    assert source.read(5, 7).weights.tolist() == [5.0, 6.0]


@pytest.mark.parametrize(
    ("chunks", "message"),
    [
        ([], "no rows in a stream"),
        ([X[:0], pd.DataFrame()], "no rows in a stream"),
        ([X, X[:, :2]], "Chunk 1 of the stream has 2 columns, but those before it have 3 columns"),
        (
            [pd.DataFrame({"a": [1.0], "b": [2.0]}), pd.DataFrame({"b": [1.0], "a": [2.0]})],
            r"Chunk 1 .*\['b', 'a'\].*\['a', 'b'\]",
        ),
        ([X, X[0]], r"Chunk 1 .* shape \(3,\)"),
        ([[1.0, 2.0]], r"Chunk 0 .* shape \(2,\)"),
        ([X, np.full((4, 3), "u", object)], "text in column 0 .*row 40"),
    ],
)
def test_chunks_that_do_not_fit_leave_nothing_behind(tmp_path, chunks, message):
    with pytest.raises((InputError, InputTypeError), match=message):
        spooled(iter(chunks), tmp_path)
    assert kept(tmp_path) == []


def test_an_error_of_a_stream_is_its_own(tmp_path):
    def chunks():
        yield X
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spooled(chunks(), tmp_path)
    assert kept(tmp_path) == []


def test_what_comes_along_is_copied_with_a_source(tmp_path):
    weights, errors = np.arange(40.0), np.random.default_rng(1).random((40, 3))
    for given in (errors, errors[:, :, None] * np.eye(3), np.eye(3)):
        for rows in (40, 3, 1):
            one = given if given.ndim == 2 and given is not errors else given[:rows]
            if given is errors and rows == 3:
                one = errors[:3, :, None] * np.eye(3)  # (3, 3) would be one covariance
            source = array_rows(X[:rows], sample_weight=weights[:rows] + 1.0, error_covariances=one)
            copy = spooled(source, tmp_path)
            parts = zip(copy.read(0, rows)[:3], source.read(0, rows)[:3], strict=True)
            for found, expected in parts:
                assert found.tobytes() == expected.tobytes()
                assert found.shape == expected.shape
    with pytest.raises(InvalidParameterError, match="sample_weight cannot be given beside"):
        spooled(array_rows(X), tmp_path, sample_weight=weights)


def test_a_full_disk_is_found_before_the_copy(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=959)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    message = rf"room in {str(tmp_path)!r}.*: 960 bytes are needed, and 959 are free"
    with pytest.raises(FileError, match=message) as caught:
        spooled(array_rows(X), tmp_path)
    assert caught.value.errno == errno.ENOSPC
    assert kept(tmp_path) == []


FULL = """
import resource, sys
import numpy as np
from bayesgmm.errors import FileError
from bayesgmm.sources.spooling import spooled
resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))
try:
    spooled((np.ones((10_000, 2)) for _ in range(100)), sys.argv[1])
except FileError as error:
    print(error)
"""


def test_a_disk_that_is_full_on_the_way(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", FULL, tmp_path], check=False, capture_output=True, text=True
    )
    assert "at least 1,120,000 bytes are needed" in run.stdout, run.stderr
    assert str(tmp_path) in run.stdout
    assert kept(tmp_path) == []


def test_folders_that_cannot_be_written(tmp_path):
    with pytest.raises(FileError, match="was not written"):
        spooled(iter([X]), tmp_path / "none")
    with pytest.raises(InvalidParameterError, match="path"):
        spooled(iter([X]), 3)
    with pytest.raises(InputTypeError, match="Rows cannot be read from 5"):
        spooled(5, tmp_path)
