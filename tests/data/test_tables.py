import numpy as np
import pandas as pd
import pytest
from written_tables import written

from bayesgmm.data.csv_files import csv_text
from bayesgmm.data.table_files import npy_bytes, read_table
from bayesgmm.data.tables import Text, row_counters, select, suspected_mark
from bayesgmm.errors import InputError, InputTypeError

LARGE = 2**53 + 1


@pytest.mark.parametrize("cell", ["setosa", "1_000", "1,5", "2024-01-01", "True", "0x10"])
def test_text_is_named_and_never_cast(tmp_path, cell):
    table = read_table(written(tmp_path, f'a,b\n1,2\n3,"{cell}"\n'))
    assert isinstance(table.columns[1], Text)
    with pytest.raises(InputTypeError, match=r"Column 'b' holds text \(first: row 1"):
        select(table)
    chosen = select(table, label_column="b")
    assert chosen.X.tolist() == [[1.0], [3.0]]
    assert chosen.labels == ["2", cell]


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


def test_columns_that_only_count_rows_are_noticed(tmp_path):
    counted = read_table(written(tmp_path, ",a\n1,2.5\n2,3.5\n3,1.5\n"))
    assert row_counters(counted, [0, 1]) == [0]
    measured = read_table(written(tmp_path, "x,a\n1,2.5\n2,3.5\n3,1.5\n"))
    assert row_counters(measured, [0, 1]) == []
    lines = [f"{i * i},{i},{i + 1},{i + 2},{i}" for i in range(10)]
    named = read_table(written(tmp_path, "x,from 0,id,from 2,again\n" + "\n".join(lines)))
    # Numbers of samples begin anywhere; a note on years that are in order does no harm.
    assert row_counters(named, range(5)) == [1, 2, 3, 4]
    assert row_counters(named, [0, 2]) == [2]


def test_all_columns_of_text_are_named_at_once(tmp_path):
    table = read_table(written(tmp_path, "a,b,c,d\n1,u,2,3\n4,5,6,w\n"))
    with pytest.raises(InputTypeError) as caught:
        select(table)
    message = "2 columns hold text (first: column 'b': row 0, 'u'; column 'd': row 1, 'w')."
    assert str(caught.value).startswith(message)
    chosen = select(table, exclude=["b", "3"])
    assert (chosen.feature_names, chosen.X.tolist()) == (("a", "c"), [[1, 2], [4, 6]])
    assert select(table, ["a", "c", "d"], exclude=["d"]).feature_names == ("a", "c")
    with pytest.raises(InputError, match="There is no column 'e'"):
        select(table, exclude=["e"])
    with pytest.raises(InputError, match="No column remains"):
        select(table, ["a"], exclude=["a"])


@pytest.mark.parametrize(
    ("column", "mark"),
    [
        ([-999, 1, 2, 3, -999], -999),
        ([-99, 0.5, np.nan, 1], -99),
        ([-999, -998, -1, 5], None),
        ([-999, -999], None),
        ([-90, 1, 2], None),
        ([-9999, -40, 30], -9999),
    ],
)
def test_numbers_that_often_mark_missing_values(column, mark):
    assert suspected_mark(np.array(column, dtype=float)) == mark


def all_written(tmp_path, column):
    """The same column as CSV, NPY and Parquet."""
    yield written(tmp_path, "b\n" + "\n".join(map(str, column)), "x.csv")
    yield written(tmp_path, npy_bytes(np.array(column, dtype=np.int64)), "x.npy")
    pd.DataFrame({"b": column}).to_parquet(tmp_path / "x.parquet")
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


@pytest.mark.parametrize("kind", ["csv", "npy", "parquet"])
def test_a_large_integer_in_a_column_that_is_not_fitted(tmp_path, kind):
    path = tmp_path / f"two.{kind}"
    if kind == "csv":
        written(tmp_path, f"a,b\n1,{LARGE}\n5,2\n", path.name)
    elif kind == "npy":
        np.save(path, np.array([[1, LARGE], [5, 2]]))
    else:
        pd.DataFrame({"a": [1, 5], "b": [LARGE, 2]}).to_parquet(path)
    table = read_table(path)
    assert select(table, ["0"]).X.tolist() == [[1.0], [5.0]]
    assert select(table, ["0"], "1").labels == [str(LARGE), "2"]
    with pytest.raises(InputError, match=r"^Integers beyond 2\*\*53 in column .* \(first: row 0\)"):
        select(table)


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
