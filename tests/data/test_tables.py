import numpy as np
import pandas as pd
import pytest
from written_tables import written

from bayesgmm.data.csv_files import csv_text
from bayesgmm.data.table_files import npy_bytes, read_table
from bayesgmm.data.tables import Text, row_counter, select
from bayesgmm.errors import InputError, InputTypeError

LARGE = 2**53 + 1


@pytest.mark.parametrize("cell", ["setosa", "1_000", "1,5", "2024-01-01", "True", "0x10"])
def test_text_is_named_and_never_cast(tmp_path, cell):
    table = read_table(written(tmp_path, f'a,b\n1,2\n3,"{cell}"\n'))
    assert isinstance(table.columns[1], Text)
    with pytest.raises(InputTypeError, match=r"Column 'b' holds text \(first: row 1.*--columns"):
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


def test_a_column_that_only_counts_rows_is_noticed(tmp_path):
    counted = read_table(written(tmp_path, ",a\n1,2.5\n2,3.5\n3,1.5\n"))
    assert row_counter(counted) == "column ''"
    measured = read_table(written(tmp_path, "x,a\n1,2.5\n2,3.5\n3,1.5\n"))
    assert row_counter(measured) is None


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
