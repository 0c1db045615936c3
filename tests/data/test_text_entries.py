"""Paths and text in the place of numbers: the error says how to read them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import bayesgmm
from bayesgmm import GaussianMixture, select_mixture
from bayesgmm.errors import InputTypeError


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            "rows.csv",
            "the text 'rows.csv', not rows of numbers. Read a file first, as by pandas.read",
        ),
        (Path("rows.npy"), r"numpy.load\('rows.npy'\); GaussianMixture.fit also takes open_rows"),
        ("data/rows.parquet", r"pandas.read_parquet\('data/rows.parquet'\)"),
        ("faithful", r"For a shipped data set, give load_dataset\('faithful'\).frame. Read a file"),
        ("", "the text ''"),
    ],
)
@pytest.mark.parametrize("call", [GaussianMixture(2).fit, lambda X: select_mixture(X, 2)])
def test_a_path_is_not_rows(given, words, call):
    with pytest.raises(InputTypeError, match=words):
        call(given)


def test_what_the_errors_name_reads_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = bayesgmm.load_dataset("faithful").frame
    frame.to_csv("rows.csv", index=False, decimal=",", sep=";")
    with pytest.raises(InputTypeError, match="has a decimal comma: read the file by"):
        GaussianMixture(2).fit(pd.read_csv("rows.csv", sep=";"))
    read = pd.read_csv("rows.csv", sep=";", decimal=",")
    assert GaussianMixture(2, random_state=0).fit(read).converged_


COMMAS = ["2,5", "3,25", "-1,0"]


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": COMMAS}),
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": [None, *COMMAS[:2]]}),
        pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": COMMAS}).astype(object),
        pa.table({"a": [1.0, 2.0, 3.0], "b": COMMAS}),
        np.array([[3.0, "2,5"]], dtype=object),
        np.array([["2,5", "3"]]),
        [[1.0, "2,5"], [2.0, "3,5"]],
    ],
    ids=["str", "missing", "object", "pyarrow", "array of objects", "array of text", "list"],
)
def test_decimal_commas(given):
    with pytest.raises(InputTypeError, match="'2,5' has a decimal comma"):
        GaussianMixture(1).fit(given)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["2,5", "3"], "'2,5' has a decimal comma"),
        (["3", "2,5"], "'2,5' has a decimal comma"),
        (["3", "4.5"], "'3' is a number as text: convert the column by pandas.to_numeric"),
        (["red", "2,5"], "Convert it to numbers or drop it"),
        (["1,000,000", "2"], "Convert it to numbers or drop it"),
        ([",", "2"], "Convert it to numbers or drop it"),
        (["12,", ",5"], "'12,' has a decimal comma"),
    ],
)
@pytest.mark.parametrize("dtype", ["string", object])
def test_the_first_cell_that_is_not_a_number_decides(cells, words, dtype):
    b = pd.Series(cells, dtype=dtype)
    with pytest.raises(InputTypeError, match=f"column 'b'.*{words}"):
        GaussianMixture(1).fit(pd.DataFrame({"a": [1.0, 2.0], "b": b}))
