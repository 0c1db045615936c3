import contextlib
import csv
import errno
import io
import os
import threading
import time

import numpy as np
import pytest

from bayesgmm.data import table_files as files
from bayesgmm.data.table_files import (
    Text,
    check_target,
    csv_text,
    npy_bytes,
    read_table,
    row_counter,
    select,
    write_atomically,
)
from bayesgmm.errors import InputError, InputTypeError

ROWS = [[1.5, -2.0], [3.25, 4e-300], [0.1, 5.0]]


def written(tmp_path, text, name="data.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def values(table):
    return np.column_stack(table.columns).tolist()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", " "])
@pytest.mark.parametrize("header", [True, False])
def test_delimiter_and_header_are_found(tmp_path, delimiter, header):
    lines = [delimiter.join(map(repr, row)) for row in ROWS]
    if header:
        lines.insert(0, delimiter.join("ab"))
    table = read_table(written(tmp_path, "\n".join(lines) + "\n\n"))
    assert values(table) == ROWS
    assert table.names == (("a", "b") if header else None)


def test_one_column_and_a_byte_order_mark(tmp_path):
    table = read_table(
        written(tmp_path, "\ufeffheight, cm\r\n1\r\n2\r\n", "one.txt"), delimiter=";"
    )
    assert table.names == ("height, cm",)
    assert values(table) == [[1.0], [2.0]]


def test_a_header_of_numbers_can_be_declared(tmp_path):
    path = written(tmp_path, "2001,2002\n1,2\n")
    assert read_table(path).names is None
    assert read_table(path, header=True).names == ("2001", "2002")


def test_missing_cells_are_nan_and_a_blank_line_among_one_column_too(tmp_path):
    table = read_table(written(tmp_path, "a,b\n1,\nNA,2\n\n3,n/a\n"))
    assert np.isnan(values(table)).tolist() == [[False, True], [True, False], [False, True]]
    table = read_table(written(tmp_path, "a\n1\n\n3\n\n"))
    assert np.isnan(values(table)).ravel().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "Line 3 .* has 1 cells, but the header has 2"),
        ("1,2\n3,4\n5,6,7\n", "Line 3 .* has 3 cells, but the first line has 2"),
        ("", "no rows"),
        ("a,b\n", "no rows below its header"),
        (b"a,b\n\xff\xfe,1\n", "UTF-8"),
        ('a,b\n"' + "x" * 200_000 + '",1\n', "CSV"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_table(written(tmp_path, text))


@pytest.mark.parametrize("cell", ["setosa", "1_000", "1,5", "2024-01-01", "True", "0x10"])
def test_text_is_named_and_never_cast(tmp_path, cell):
    table = read_table(written(tmp_path, f'a,b\n1,2\n3,"{cell}"\n'))
    assert isinstance(table.columns[1], Text)
    with pytest.raises(InputTypeError, match=r"Column 'b' holds text \(first: row 1.*--columns"):
        select(table)
    chosen = select(table, label_column="b")
    assert chosen.X.tolist() == [[1.0], [3.0]]
    assert chosen.labels == ["2", cell]


def test_text_far_down_a_long_file(tmp_path):
    n = files._CHUNK + 5
    lines = [f"{i}" for i in range(n)]
    lines[-1] = "oops"
    table = read_table(written(tmp_path, "a\n" + "\n".join(lines)))
    assert isinstance(table.columns[0], Text)
    assert table.columns[0].row == n - 1
    assert len(table.columns[0].cells) == n
    assert table.columns[0].cells[3] == "3"


def test_columns_by_name_and_position(tmp_path):
    table = read_table(written(tmp_path, "a,b,a\n1,2,3\n4,5,6\n"))
    assert table.names == ("a", "b", "a (2)")
    chosen = select(table, ["a (2)", "0"])
    assert chosen.X.tolist() == [[3.0, 1.0], [6.0, 4.0]]
    assert chosen.feature_names == ("a (2)", "a")
    assert select(table, ["a"], "b").labels == ["2", "5"]
    for bad in (["c"], ["3"], ["a", "0"]):
        with pytest.raises(InputError):
            select(table, bad)
    with pytest.raises(InputError, match="twice"):
        select(table, ["a"], "a")


def test_a_column_that_only_counts_rows_is_noticed(tmp_path):
    counted = read_table(written(tmp_path, ",a\n1,2.5\n2,3.5\n3,1.5\n"))
    assert row_counter(counted) == "column ''"
    measured = read_table(written(tmp_path, "x,a\n1,2.5\n2,3.5\n3,1.5\n"))
    assert row_counter(measured) is None


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
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "x.parquet"
    pandas.DataFrame({"a": [1, 2], "b": [0.5, None], "c": ["u", "v"]}).to_parquet(path)
    table = read_table(path)
    assert table.names == ("a", "b", "c")
    assert table.columns[0].tolist() == [1.0, 2.0]
    assert np.isnan(table.columns[1]).tolist() == [False, True]
    assert select(table, ["a"], "c").labels == ["u", "v"]
    with pytest.raises(InputError, match="Parquet"):
        read_table(written(tmp_path, b"PAR1 and then nothing", "bad.parquet"))
    pandas.DataFrame({"a": [1], "big": [2**60]}).to_parquet(path)
    with pytest.raises(InputError, match=r"2\*\*53 in column 'big'"):
        select(read_table(path))


def test_csv_text_keeps_numbers_and_disarms_formulas():
    text = csv_text(
        ["=cmd|x", "@a", "-1", "plain"],
        [np.array([-1.5, np.nan]), ["+cmd", "+5"], [1, -2], ["a,b", "-x"]],
    )
    assert list(csv.reader(io.StringIO(text))) == [
        ["'=cmd|x", "'@a", "-1", "plain"],
        ["-1.5", "'+cmd", "1", "a,b"],
        ["", "+5", "-2", "'-x"],
    ]


def test_csv_is_exact_to_the_last_bit(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 2)) * 10.0 ** rng.integers(-300, 300, (50, 2))
    table = read_table(written(tmp_path, csv_text(["a", "b"], list(X.T))))
    assert np.array_equal(np.column_stack(table.columns), X)


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

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(target, b"new", force=True)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_targets_that_cannot_be_written_are_found_beforehand(tmp_path):
    with pytest.raises(IsADirectoryError):
        check_target(tmp_path, force=True)
    with pytest.raises(FileNotFoundError):
        check_target(tmp_path / "none" / "x.json", force=True)


LARGE = 2**53 + 1


def all_written(tmp_path, column):
    """The same column as CSV, NPY and Parquet."""
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    yield written(tmp_path, "b\n" + "\n".join(map(str, column)), "x.csv")
    yield written(tmp_path, npy_bytes(np.array(column, dtype=np.int64)), "x.npy")
    pandas.DataFrame({"b": column}).to_parquet(tmp_path / "x.parquet")
    yield tmp_path / "x.parquet"


@pytest.mark.parametrize("large", [LARGE, -LARGE, 2**53 + 2, 2**60])
def test_every_kind_of_file_refuses_integers_that_float64_would_round(tmp_path, large):
    for path in all_written(tmp_path, [1, 2**53, -(2**53), large]):
        message = r"^Integers beyond 2\*\*53 in column .* \(first: row 3\), .*Subtract an offset"
        with pytest.raises(InputError, match=message):
            select(read_table(path))
    for path in all_written(tmp_path, [1, 2**53, -(2**53), 7]):
        assert select(read_table(path)).X.ravel().tolist() == [1, 2.0**53, -(2.0**53), 7]


@pytest.mark.parametrize(
    "cell", [f"+{LARGE}", f" {LARGE} ", f"000{LARGE}", "9" * 400, "0" * 5000 + str(LARGE)]
)
def test_large_integers_of_a_csv_in_every_form(tmp_path, cell):
    table = read_table(written(tmp_path, f'a,b\n1,2\n3,"{cell}"\n'))
    with pytest.raises(InputError, match=r"2\*\*53 in column 'b' \(first: row 1\)"):
        select(table)
    # A column of identifiers is left out, or read as labels to the last digit.
    assert select(table, ["a"], "b").labels == ["2", cell]


def test_large_numbers_that_are_no_integers_are_rounded_as_all_decimals_are(tmp_path):
    table = read_table(written(tmp_path, "a\n9007199254740993.0\n1e20\n-1.5e300\n"))
    assert values(table) == [[9007199254740992.0], [1e20], [-1.5e300]]


@pytest.mark.parametrize("kind", ["csv", "npy", "parquet"])
def test_a_large_integer_in_a_column_that_is_not_fitted(tmp_path, kind):
    path = tmp_path / f"two.{kind}"
    if kind == "csv":
        written(tmp_path, f"a,b\n1,{LARGE}\n5,2\n", path.name)
    elif kind == "npy":
        np.save(path, np.array([[1, LARGE], [5, 2]]))
    else:
        pytest.importorskip("pyarrow")
        pytest.importorskip("pandas").DataFrame({"a": [1, 5], "b": [LARGE, 2]}).to_parquet(path)
    table = read_table(path)
    assert select(table, ["0"]).X.tolist() == [[1.0], [5.0]]
    assert select(table, ["0"], "1").labels == [str(LARGE), "2"]
    with pytest.raises(InputError, match=r"^Integers beyond 2\*\*53 in column .* \(first: row 0\)"):
        select(table)


def test_a_large_integer_far_down(tmp_path):
    n = files._CHUNK + 5
    table = read_table(written(tmp_path, "a\n" + "0.5\n" * n + f"007\n{LARGE}\n"))
    with pytest.raises(InputError, match=rf"first: row {n + 1}\)"):
        select(table)
    assert table.columns[0].cells[-2:] == ["7", str(LARGE)]


def test_labels_keep_every_digit_and_do_not_depend_on_where_the_first_text_is(tmp_path):
    rows = ["0.1,1", "0.10000000000000002,2", "0.1000,3"]
    labels = select(read_table(written(tmp_path, "g,x\n" + "\n".join(rows))), ["x"], "g").labels
    assert labels == ["0.1", "0.10000000000000002", "0.1"]
    rows = ["7"] * files._CHUNK + ["007", "x"]
    table = read_table(written(tmp_path, "g\n" + "\n".join(rows)))
    assert table.columns[0].cells[-3:] == ["7", "7", "x"]


@pytest.mark.parametrize("name", ["Date", "RETURN", "éÉ", "ß", "iPhone", "'Q' \"Z\""])
def test_messages_keep_the_case_of_names_and_advise_what_works(tmp_path, name):
    table = read_table(written(tmp_path, csv_text([name, "x"], [["u", "v"], ["1", "2"]])))
    name = table.names[0]
    with pytest.raises(InputTypeError) as caught:
        select(table)
    assert str(caught.value).startswith(f"Column {name!r} holds text (first: row 0, 'u')")
    assert select(table, None, name).labels == ["u", "v"]


def test_positions_of_any_length(tmp_path):
    table = read_table(written(tmp_path, "a,b\n1,2\n"))
    for word in ("9" * 5000, "-1", "²", "1.0", ""):
        with pytest.raises(InputError, match="There is no column"):
            select(table, [word])


def test_many_columns_of_one_name_are_numbered_quickly(tmp_path):
    start = time.perf_counter()
    table = read_table(
        written(tmp_path, ",".join(["a"] * 20_000) + "\n" + ",".join(["1"] * 20_000))
    )
    assert time.perf_counter() - start < 2
    assert table.names[-1] == "a (20000)"
    assert len(set(table.names)) == 20_000


# --- streams --------------------------------------------------------------------------------------


def contents():
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    buffer = io.BytesIO()
    pandas.DataFrame(ROWS, columns=["a", "b"]).to_parquet(buffer)
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


def test_a_line_without_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "_LONGEST_LINE", 1000)
    assert values(read_table(written(tmp_path, "a\n" + "1\n" * 400))) == [[1.0]] * 400
    if os.path.exists("/dev/zero"):
        with pytest.raises(InputError, match="Line 1 of '/dev/zero' is longer"):
            read_table("/dev/zero")


# --- damaged files --------------------------------------------------------------------------------


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
