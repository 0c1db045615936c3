"""Reports of odd rows and odd arguments: a page that says what it lacks, or an error in words."""

import numpy as np
import pandas as pd
import pytest

from bayesgmm import GaussianMixture, report
from bayesgmm.errors import BayesGMMError, BayesGMMWarning, InvalidParameterError
from bayesgmm.reporting import build

X = np.concatenate([np.random.default_rng(0).normal(m, 1.0, (100, 2)) for m in (0.0, 6.0)])
FIT = GaussianMixture(2, random_state=0).fit(X)


def sections(x, **parts):
    return report(x, **parts).numbers["sections"]


def test_rows_that_each_miss_an_entry():
    x = X.copy()
    x[::2, 0] = np.nan
    x[1::2, 1] = np.nan
    found = sections(x, em=FIT)
    assert found["data"]["verdict"]
    assert found["mixture"]["verdict"].startswith("Two components")
    assert found["fit"]["state"] == "unknown"
    assert "every row has a missing entry" in found["fit"]["verdict"]


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
@pytest.mark.parametrize("value", [1e300, -1e300, 1e155])
def test_rows_far_from_a_sound_fit(value):
    x = X.copy()
    x[3] = value
    assert len(sections(x, em=FIT)) == len(build._SECTIONS)


@pytest.mark.parametrize("x", [X[:1], X[:2], np.repeat(X[:1], 30, axis=0)], ids=len)
def test_few_or_equal_rows_beside_a_sound_fit(x):
    with np.errstate(all="raise"):
        assert len(sections(x, em=FIT)) == len(build._SECTIONS)


@pytest.mark.parametrize(
    "parts",
    [
        {"title": 5}, {"source": 5}, {"command": b"x"}, {"labels": 5}, {"labels": "ab"},
        {"labels": ["a"]}, {"selection": pd.DataFrame()}, {"selection": "table"},
        {"selection": pd.DataFrame({"bic": [1.0]})}, {"em": X}, {"truth": X}, {"posterior": 3},
    ],
    ids=str,
)  # fmt: skip
def test_arguments_of_another_kind(parts):
    with pytest.raises(BayesGMMError):
        report(X, **({"em": FIT} | parts))


def test_a_section_that_fails_leaves_the_others_and_is_named(monkeypatch):
    def broken(inputs):
        raise ZeroDivisionError("of the test")

    made = tuple(
        (key, title, broken if key == "starts" else make) for key, title, make in build._SECTIONS
    )
    monkeypatch.setattr(build, "_SECTIONS", made)
    with pytest.warns(BayesGMMWarning, match=r"'Starts'.*ZeroDivisionError: of the test"):
        found = sections(X, em=FIT)
    assert found["starts"]["state"] == "unknown"
    assert "of the test" in found["starts"]["verdict"]
    assert found["mixture"]["state"] == "good"


def test_the_error_says_what_a_selection_is():
    with pytest.raises(InvalidParameterError, match="the result of select_mixture"):
        report(X, em=FIT, selection="table")
