import csv
import io
import os
import time

import numpy as np
import pytest
from written_tables import ROWS, values, written

from bayesgmm.data import csv_columns, csv_files
from bayesgmm.data.csv_files import csv_text, extended_csv
from bayesgmm.data.table_files import read_table
from bayesgmm.data.tables import Text, select
from bayesgmm.errors import InputError


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


def test_blank_lines_at_the_beginning_are_passed_over(tmp_path):
    table = read_table(written(tmp_path, "\n \na,b\n1,2\n"))
    assert (table.names, values(table)) == (("a", "b"), [[1.0, 2.0]])
    with pytest.raises(InputError, match=r"Line 5 .* has 1 cell"):
        read_table(written(tmp_path, "\n\na,b\n1,2\n3\n"))
    with pytest.raises(InputError, match="has no rows"):
        read_table(written(tmp_path, "\n\n"))


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
        ("a,b\n1,2\n3\n", "Line 3 .* has 1 cell, but the header has 2"),
        ("1,2\n3,4\n5,6,7\n", "Line 3 .* has 3 cells, but the first line has 2"),
        ("", "no rows"),
        ("a,b\n", "no rows below its header"),
        (b"a,b\n\x81\x8d,1\n", "UTF-8"),
        ("a,b\né,1\n".encode() + b"\xe9,2\n", "Line 3 .* is not UTF-8 text, but lines above"),
        ("a,b\n1,2\n".encode("utf-16")[:-1], "no known encoding"),
        ('a,b\n"' + "x" * 200_000 + '",1\n', "CSV"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message):
        read_table(written(tmp_path, text))


LETTERS = "länge;größe\n1;2\n3;4\n"


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"],
)
def test_encodings_are_found(tmp_path, encoding):
    text = LETTERS.replace("g", "a") if encoding.startswith("utf-16-") else LETTERS
    table = read_table(written(tmp_path, text.encode(encoding)))
    assert table.names == tuple(text.split("\n")[0].split(";"))
    assert values(table) == [[1, 2], [3, 4]]
    western = encoding in {"latin-1", "cp1252"}
    assert len(table.notes) == western
    assert all("Windows-1252" in note for note in table.notes)


def test_utf_16_with_a_mark_of_either_order(tmp_path):
    for order, mark in (("le", b"\xff\xfe"), ("be", b"\xfe\xff")):
        table = read_table(written(tmp_path, mark + LETTERS.encode(f"utf-16-{order}")))
        assert table.names == ("länge", "größe")


def test_letters_of_windows_far_down_a_file(tmp_path):
    lines = ["x,g", *["1,a"] * (csv_files._SNIFFED_LINES + 5), "2,f\u20ac", "3,\u00e9"]
    table = read_table(written(tmp_path, "\r\n".join(lines).encode("cp1252")))
    assert table.columns[1].cells[-2:] == ["f\u20ac", "\u00e9"]


@pytest.mark.parametrize(
    "mark",
    ["", "NA", "N/A", "n/a", "null", "NULL", "NaN", "None", "?", ".", "-", "#N/A", " NA ", "<NA>"],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_marks_of_missing_values(tmp_path, mark, delimiter):
    rows = [["a", "b"], ["1", mark], ["2", "3"], ["4", "5"]]
    table = read_table(written(tmp_path, "\n".join(delimiter.join(row) for row in rows)))
    assert np.array_equal(values(table), [[1, np.nan], [2, 3], [4, 5]], equal_nan=True)


def test_marks_of_missing_values_between_blanks(tmp_path):
    table = read_table(written(tmp_path, "a  b\n1  NA\n 2 3\n?  5\n"))
    assert np.array_equal(values(table), [[1, np.nan], [2, 3], [np.nan, 5]], equal_nan=True)


def test_numbers_mark_missing_values_only_by_request(tmp_path):
    path = written(tmp_path, "a,b\n-999,1\n-999.0,unknown\n5,2\n")
    assert values(read_table(path, na=["unknown"]))[0] == [-999, 1]
    table = read_table(path, na=["-999", "Unknown"])
    expected = [[np.nan, 1], [np.nan, np.nan], [5, 2]]
    assert np.array_equal(values(table), expected, equal_nan=True)


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " "])
@pytest.mark.parametrize("header", [True, False])
def test_decimal_commas(tmp_path, delimiter, header):
    lines = [delimiter.join(row) for row in (["1,5", "-2"], ["3,25", "4e-3"], ["0,1", "5,0"])]
    path = written(tmp_path, "\n".join([delimiter.join("ab")] * header + lines))
    table = read_table(path, decimal=",")
    assert values(table) == [[1.5, -2], [3.25, 0.004], [0.1, 5]]
    assert table.names == (("a", "b") if header else None)
    assert table.marks == (delimiter, ",")
    table = read_table(path)
    assert [csv_columns.has_decimal_commas(each.cells) for each in table.columns] == [True, True]


def test_decimal_commas_in_quotes_and_in_one_column(tmp_path):
    quoted = written(tmp_path, 'a,b\n"1,5","2,5"\n"3,0",4\n')
    assert values(read_table(quoted, decimal=",")) == [[1.5, 2.5], [3, 4]]
    alone = written(tmp_path, "a\n1,5\n2,25\n")
    assert values(read_table(alone, decimal=",")) == [[1.5], [2.25]]
    assert csv_columns.has_decimal_commas(read_table(alone).columns[0].cells)
    points = read_table(written(tmp_path, "a;b\n1.500,5;2\n1,5;3\n"), decimal=",")
    assert isinstance(points.columns[0], Text)


def test_blanks_around_delimiters(tmp_path):
    table = read_table(written(tmp_path, 'a, "b, c" , d \n1, 2, "x, y"\n 3 , 4 , z\n'))
    assert table.names == ("a", "b, c", "d")
    assert values(table._replace(columns=table.columns[:2])) == [[1, 2], [3, 4]]
    assert table.columns[2].cells == ["x, y", "z"]


@pytest.mark.parametrize(
    ("cells", "delimiter", "found"),
    [
        (["1,644", "12,345,678"], ",", False),
        (["1,644", "2,5"], ",", True),
        (["1,644", "-2,512"], ";", True),
        (["1,644.5"], ";", False),
        (["1,5", "NA", "2"], ";", True),
        (["1.5", "2"], ";", False),
        (["1,5", "x"], ";", False),
    ],
)
def test_marks_of_thousands_are_not_decimal_commas(cells, delimiter, found):
    assert csv_columns.has_decimal_commas(cells, delimiter) == found


def test_text_between_blanks(tmp_path):
    table = read_table(written(tmp_path, "g x   y\nu 1  2.5\nv  3 4\n"))
    assert table.names == ("g", "x", "y")
    assert table.columns[0].cells == ["u", "v"]
    assert read_table(written(tmp_path, "city\nNew York\nSan Jose\n")).names == ("city",)
    assert read_table(written(tmp_path, "height in cm\n1\n2\n")).names == ("height in cm",)


@pytest.mark.parametrize(("delimiter", "decimal"), [(",", "."), (";", ","), ("\t", ".")])
def test_further_columns_leave_the_others_as_they_were(tmp_path, delimiter, decimal):
    lines = [["id", "x", "component"], ["007", "1.50", "=a"], ["-", "2", "b c"], ["9", "", "é"]]
    text = "\n".join(delimiter.join(line) for line in lines).replace(".", decimal)
    path = written(tmp_path, text + "\n")
    table = read_table(path, decimal=decimal, keep_cells=True)
    added = [np.array([1, 0]), np.array([0.25, 1.0])]
    found = extended_csv(table, np.array([0, 2]), ["component", "p"], added)
    written_again = [line.split(delimiter) for line in found.splitlines()]
    assert written_again == [
        ["id", "x", "component", "component (2)", "p"],
        ["007", f"1{decimal}50", "=a", "1", f"0{decimal}25"],
        ["9", "", "é", "0", f"1{decimal}0"],
    ]


def test_text_far_down_a_long_file(tmp_path):
    n = csv_files._CHUNK + 5
    lines = [f"{i}" for i in range(n)]
    lines[-1] = "oops"
    table = read_table(written(tmp_path, "a\n" + "\n".join(lines)))
    assert isinstance(table.columns[0], Text)
    assert table.columns[0].row == n - 1
    assert len(table.columns[0].cells) == n
    assert table.columns[0].cells[3] == "3"


def test_large_numbers_that_are_no_integers_are_rounded_as_all_decimals_are(tmp_path):
    table = read_table(written(tmp_path, "a\n9007199254740993.0\n1e20\n-1.5e300\n"))
    assert values(table) == [[9007199254740992.0], [1e20], [-1.5e300]]


def test_a_large_integer_far_down(tmp_path):
    n = csv_files._CHUNK + 5
    table = read_table(written(tmp_path, "a\n" + "0.5\n" * n + f"007\n{2**53 + 1}\n"))
    with pytest.raises(InputError, match=rf"first: row {n + 1}\)"):
        select(table)
    assert table.columns[0].cells[-2:] == ["7", str(2**53 + 1)]


def test_labels_keep_every_digit_and_do_not_depend_on_where_the_first_text_is(tmp_path):
    rows = ["0.1,1", "0.10000000000000002,2", "0.1000,3"]
    labels = select(read_table(written(tmp_path, "g,x\n" + "\n".join(rows))), ["x"], "g").labels
    assert labels == ["0.1", "0.10000000000000002", "0.1"]
    rows = ["7"] * csv_files._CHUNK + ["007", "x"]
    table = read_table(written(tmp_path, "g\n" + "\n".join(rows)))
    assert table.columns[0].cells[-3:] == ["7", "7", "x"]


def test_many_columns_of_one_name_are_numbered_quickly(tmp_path):
    seconds = []
    for names in ([f"a{j}" for j in range(20_000)], ["a"] * 20_000):
        path = written(tmp_path, ",".join(names) + "\n" + ",".join(["1"] * 20_000))
        start = time.process_time()
        table = read_table(path)
        seconds.append(time.process_time() - start)
    assert seconds[1] < 5.0 * seconds[0]  # by pairs of columns it would be a thousand times
    assert table.names[-1] == "a (20000)"
    assert len(set(table.names)) == 20_000


def test_a_line_without_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_files, "_LONGEST_LINE", 1000)
    assert values(read_table(written(tmp_path, "a\n" + "1\n" * 400))) == [[1.0]] * 400
    if os.path.exists("/dev/zero"):
        with pytest.raises(InputError, match="Line 1 of '/dev/zero' is longer"):
            read_table("/dev/zero")


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
