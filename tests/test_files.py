import csv
import errno
import io

import numpy as np
import pytest

from bayesgmm import files
from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.files import (
    Text,
    check_target,
    csv_text,
    npy_bytes,
    read_table,
    row_counter,
    select,
    write_atomically,
)

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
        np.array([[2**60, 1]]),
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
        read_table(path)


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
