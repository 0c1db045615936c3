"""Rows that have names have them in messages, too."""

import numpy as np
import pandas as pd
import pytest

import bayesgmm
from bayesgmm import GaussianMixture
from bayesgmm.data.validation import check_data
from bayesgmm.errors import InputError


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (None, "first: row 3, "),
        (list("pqrstu"), "first: row s, "),
        (range(10, 16), "first: row 13"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_as_on_the_page(index, words):
    frame = pd.DataFrame(np.arange(12.0).reshape(6, 2), columns=["a", "b"], index=index)
    frame.iloc[3, 1] = np.inf
    with pytest.raises(InputError, match=words):
        GaussianMixture(1).fit(frame)


def test_very_long_names_are_cut():
    frame = pd.DataFrame({"a": [1.0, np.inf]}, index=["x", "y" * 1000])
    with pytest.raises(InputError) as found:
        check_data(frame)
    assert len(str(found.value)) < 300


@pytest.mark.usefixtures("undrawn")
def test_rows_without_entries_have_one_name_on_the_page(faithful):
    frame = faithful.set_axis([f"eruption {i}" for i in range(len(faithful))])
    frame.iloc[7] = np.nan
    page = bayesgmm.report(frame, 2)
    assert "first: row eruption 7" in page.numbers["sections"]["data"]["verdict"]
