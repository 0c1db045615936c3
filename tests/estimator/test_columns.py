"""Columns of rows that are given to a fit later."""

import numpy as np
import pandas as pd
import pytest

from bayesgmm import GaussianMixture, load_dataset, sample_posterior, select_mixture
from bayesgmm.data.validation import check_data
from bayesgmm.errors import BayesGMMWarning, InputError


def test_columns_in_another_order_or_too_many_come_with_the_way_out():
    frame = load_dataset("faithful").frame
    fit = GaussianMixture(2, random_state=0).fit(frame)
    for other in (frame[frame.columns[::-1]], frame.assign(more=1.0)):
        with pytest.raises(InputError, match=r"X\[list\(fit.feature_names_in_\)\]"):
            fit.predict(other)
        assert (fit.predict(other[list(fit.feature_names_in_)]) == fit.predict(frame)).all()
    with pytest.raises(InputError) as caught:
        fit.predict(frame.rename(columns={frame.columns[0]: "zzz"}))
    assert "X[list(" not in str(caught.value)


def fits(rows, weights=None):
    few = {"draws": 10, "tune": 10, "progressbar": False, "rng": 0}
    yield lambda: GaussianMixture(1).fit(rows, sample_weight=weights)
    yield lambda: select_mixture(rows, [1], "diag", progressbar=False, sample_weight=weights)
    yield lambda: sample_posterior(rows, 1, sample_weight=weights, **few)


def test_columns_of_one_name_are_told_once_a_fit():
    rows = load_dataset("faithful").frame.set_axis(["a", "a"], axis=1)
    for fit in fits(rows):
        with pytest.warns(BayesGMMWarning) as heard:
            fit()
        (said,) = {str(each.message) for each in heard if "the same name" in str(each.message)}
        assert said == "The columns 0, 1 have the same name, 'a', and are called 'a', 'a (2)'."
        assert [each.filename for each in heard] == [__file__] * len(heard)
    GaussianMixture(1).fit(rows.set_axis([0, 0], axis=1))  # numbers are no names


def test_rows_of_which_nothing_was_seen_are_told_unless_they_do_not_count():
    rows, weights = load_dataset("faithful").X.copy(), np.ones(272)
    rows[[3, 9]] = np.nan
    rows = pd.DataFrame(rows)
    for fit in fits(rows, weights):
        with pytest.warns(BayesGMMWarning, match=r"Nothing was seen of 2 rows \(first: row 3\)\."):
            fit()
    weights[[3, 9]] = 0.0
    GaussianMixture(1).fit(rows, sample_weight=weights)
    # What the command line has told of its rows is not told again.
    GaussianMixture(1).fit(check_data(rows, allow_nan=True))
