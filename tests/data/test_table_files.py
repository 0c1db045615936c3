import contextlib
import io
import os
import threading
import time

import numpy as np
import pandas as pd
import pytest
from written_tables import ROWS, values, written

from bayesgmm.data.table_files import npy_bytes, read_table
from bayesgmm.data.tables import select
from bayesgmm.errors import InputError, InputTypeError


def test_npy(tmp_path):
    table = read_table(written(tmp_path, npy_bytes(np.array(ROWS)), "x.npy"))
    assert table.names is None
    assert values(table) == ROWS
    assert values(read_table(written(tmp_path, npy_bytes(np.arange(3.0)), "x"))) == [[0], [1], [2]]


@pytest.mark.parametrize(
    "array",
    [
        np.array([["a", "b"]]),
        np.zeros((2, 2, 2)),
        np.zeros((0, 2)),
        np.array([[1j]]),
    ],
)
def test_npy_that_holds_no_rows_of_numbers(tmp_path, array):
    with pytest.raises(InputError):
        read_table(written(tmp_path, npy_bytes(array), "x.npy"))


def test_npy_never_unpickles(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "x.npy"
    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="NPY"):
        read_table(path)
    path.write_bytes(npy_bytes(np.eye(3))[:-10])
    with pytest.raises(InputError, match="NPY"):
        read_table(path)


def test_parquet(tmp_path):
    path = tmp_path / "x.parquet"
    pd.DataFrame({"a": [1, 2], "b": [0.5, None], "c": ["u", "v"]}).to_parquet(path)
    table = read_table(path)
    assert table.names == ("a", "b", "c")
    assert table.columns[0].tolist() == [1.0, 2.0]
    assert np.isnan(table.columns[1]).tolist() == [False, True]
    assert select(table, ["a"], "c").labels == ["u", "v"]
    with pytest.raises(InputError, match="Parquet"):
        read_table(written(tmp_path, b"PAR1 and then nothing", "bad.parquet"))
    pd.DataFrame({"a": [1], "big": [2**60]}).to_parquet(path)
    with pytest.raises(InputError, match=r"2\*\*53 in column 'big'"):
        select(read_table(path))


def contents():
    buffer = io.BytesIO()
    pd.DataFrame(ROWS, columns=["a", "b"]).to_parquet(buffer)
    lines = "".join(f"{x!r},{y!r}\n" for x, y in ROWS)
    return [
        b"\xef\xbb\xbfa,b\n" + lines.encode(),
        b"1,2\n",
        npy_bytes(np.array(ROWS)),
        buffer.getvalue(),
    ]


class Once(io.RawIOBase):
    """A stream that gives a byte at a time and cannot be wound back."""

    def __init__(self, content):
        self.rest = content

    def readable(self):
        return True

    def readinto(self, buffer):
        part, self.rest = self.rest[:1], self.rest[1:]
        buffer[: len(part)] = part
        return len(part)


@pytest.mark.parametrize("kind", range(4), ids=["csv", "short", "npy", "parquet"])
def test_streams_are_read_once(tmp_path, monkeypatch, kind):
    content = contents()[kind]
    expected = [[1.0, 2.0]] if kind == 1 else ROWS
    stream = io.TextIOWrapper(io.BufferedReader(Once(content)))
    monkeypatch.setattr("sys.stdin", stream)
    assert values(read_table("-")) == expected
    if hasattr(os, "mkfifo"):
        pipe = tmp_path / "pipe"
        os.mkfifo(pipe)
        writer = threading.Thread(target=lambda: pipe.write_bytes(content))
        writer.start()
        assert values(read_table(pipe)) == expected
        writer.join()


def test_standard_input_that_is_closed_or_empty(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="Standard input is closed"):
        read_table("-")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO()))
    with pytest.raises(InputError, match="standard input has no rows"):
        read_table("-")


def with_header(header, version=(1, 0)):
    text = header.encode("latin1")
    size = len(text).to_bytes(2 if version == (1, 0) else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + text + bytes(64)


def header(descr="'<f8'", by_columns="False", shape="(2, 2)"):
    return f"{{'descr': {descr}, 'fortran_order': {by_columns}, 'shape': {shape}, }}\n"


@pytest.mark.parametrize(
    "content",
    [
        with_header("(" * 5000),
        with_header("-" * 9000 + "1"),
        with_header("{" * 9999),
        with_header("[" * 60000),
        with_header("\0" * 100),
        with_header(""),
        with_header(header(shape="(True, 2)")),
        with_header(header(shape="(-1, 2)")),
        with_header(header(shape="(2.0, 2)")),
        with_header(header(shape="2")),
        with_header(header(shape="(10**18, 10**18)")),
        with_header(header(shape=f"({10**18}, {10**18})")),
        with_header(header(shape=f"({10**30}, 0)")),
        with_header(header(shape="(2, 2, 2)")),
        with_header(header(shape="()")),
        with_header(header(shape="(1,) * 70")),
        with_header(header(shape=str((1,) * 70))),
        with_header(header(shape=str((0,) * 2))),
        with_header(header(descr="'|O'")),
        with_header(header(descr="'<U3'")),
        with_header(header(descr="5")),
        with_header(header(descr="None")),
        with_header(header(descr="('<f8', (2,))")),
        with_header(header(descr=f"('<f8', ({2**40},))")),
        with_header(header(descr="[('a', '<f8')]")),
        with_header(header(descr="'" + "f8," * 900 + "'")),
        with_header(header(descr="{'names': 3}")),
        with_header(header(by_columns="2")),
        with_header("{'descr': '<f8'}\n"),
        with_header("{1: 2, 'descr': '<f8', None: 3}\n"),
        with_header(header(), (3, 0)),
        with_header(header(), (9, 9)),
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        b"\x93NUMPY\x02\x00\xff\xff\xff\xff{",
        b"nothing like it",
        b"",
    ],
    ids=range(37),
)
def test_hostile_npy_headers_are_one_sentence(tmp_path, content):
    start = time.perf_counter()
    with pytest.raises(InputError, match=r"x\.npy'"):
        read_table(written(tmp_path, content, "x.npy"))
    assert time.perf_counter() - start < 1


def test_npy_of_other_orders_versions_and_bytes(tmp_path):
    X = np.array(ROWS)
    for array in (np.asfortranarray(X), X.astype(">f8"), X.astype("f2").astype("f4")):
        path = written(tmp_path, npy_bytes(array), "x.npy")
        assert np.array_equal(values(read_table(path)), array.astype(float))
    first = npy_bytes(X)
    size = int.from_bytes(first[8:10], "little")
    second = b"\x93NUMPY\x02\x00" + size.to_bytes(4, "little") + first[10:]
    assert values(read_table(written(tmp_path, second, "x.npy"))) == ROWS
    python_2 = with_header(header(shape="(2L, 2L)"))
    assert values(read_table(written(tmp_path, python_2, "x.npy"))) == [[0, 0], [0, 0]]


def test_damaged_parquet_is_a_sentence_or_a_table(tmp_path):
    """CSV and NPY: `tests/fuzz/test_files.py`, which does without pyarrow."""
    content, rng = contents()[3], np.random.default_rng(3)
    path = tmp_path / "x"
    for _ in range(150):
        damaged = bytearray(content)
        for position in rng.integers(0, len(content), rng.integers(1, 4)):
            damaged[position] = rng.integers(256)
        path.write_bytes(
            damaged[: rng.integers(len(content) + 1)] if rng.random() < 0.3 else damaged
        )
        with contextlib.suppress(InputError, InputTypeError):
            select(read_table(path))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (b"PK\3\4\x14\0\6\0", "a ZIP archive, as workbooks .* Save its sheet as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook of Excel"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 or NetCDF file"),
        (b"CDF\1\0\0\0\0", "a NetCDF file"),
        (b"\x1f\x8b\x08\0\0\0", "compressed by gzip.* Unpack it"),
        (b'{"schema": "bayesgmm.mixture"}', "a JSON object, as saved models are"),
        (b'{\n  "schema": "bayesgmm.fit"}', "a JSON object"),
        (b'  {\n  "schema": "bayesgmm.fit"}', "a JSON object"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".npy", ".parquet", ""])
def test_files_of_other_kinds_are_named(tmp_path, head, words, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(head + bytes(range(256)) * 4)
    with pytest.raises(InputError, match=words):
        read_table(path)


@pytest.mark.parametrize("names", [("{a}", "b"), ("CDF", "PK"), ("PK", "{"), ("{", "x")])
def test_a_header_like_the_mark_of_another_kind_is_a_header(tmp_path, names):
    path = tmp_path / "x.csv"
    path.write_text(",".join(names) + "\n1,2\n3,4\n")
    assert read_table(path).names == names
