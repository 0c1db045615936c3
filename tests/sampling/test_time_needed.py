"""The warning where NUTS takes long."""

import re
import warnings

import pytest

from bayesgmm import load_dataset, sample_posterior
from bayesgmm.errors import BayesGMMWarning
from bayesgmm.sampling import time_needed

PLAN = {"draws": 20, "tune": 50, "chains": 1, "rng": 1, "progressbar": False}


def test_a_long_run_is_told_beforehand_with_the_alternative(monkeypatch):
    monkeypatch.setattr(time_needed, "_LONG", 0.0)
    X = load_dataset("faithful").X
    with pytest.warns(BayesGMMWarning) as heard:
        sample_posterior(X, 2, **PLAN)
    (text,) = {str(each.message) for each in heard}
    assert re.match(r"NUTS will take about \d+ s for 50 draws of tuning and 20 more of each", text)
    assert "272 rows" in text
    assert {each.filename for each in heard} == {__file__}
    assert "method='laplace' would take about" in text


def test_a_short_run_is_not():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample_posterior(load_dataset("faithful").X, 2, **PLAN)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (119.0, "119 s"), (150.0, "2 min"), (7100.0, "118 min"), (1e5, "28 h")],
)
def test_times_are_rounded(seconds, words):
    assert time_needed._duration(seconds) == words
