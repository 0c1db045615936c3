"""A bound on the time of a search: what was fitted by then, and what was left out by name."""

import numpy as np
import pytest

from bayesgmm import (
    load_dataset,
    scenario,
    select_mixture,
    simulate,
)
from bayesgmm.errors import BayesGMMWarning, FitError, InvalidParameterError
from bayesgmm.selection import grid_search

X = load_dataset("faithful").X
NOT_FITTED = "not fitted: max_time had passed"


class Clock:
    """One second at each look."""

    def __init__(self):
        self.seconds = 0

    def __call__(self):
        self.seconds += 1
        return self.seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(grid_search, "monotonic", Clock())


def test_models_that_were_left_out_are_named():
    with pytest.warns(BayesGMMWarning, match=r"stopped after 12 s \(max_time\)") as heard:
        found = select_mixture(X, range(1, 6), ["EEE", "VVV"], max_time=12, rng=0)
    table = found.table
    missing = table["note"] == NOT_FITTED
    assert 0 < missing.sum() < len(table)
    assert table.loc[missing, "log_likelihood"].isna().all()
    assert not found.interrupted
    sentence = next(str(each.message) for each in heard if "max_time" in str(each.message))
    for code in ("EEE", "VVV"):
        ks = table.loc[missing & (table["covariance_type"] == code), "n_components"]
        if len(ks):
            assert f"{code} with K = {', '.join(map(str, ks))}" in sentence
    assert f"{missing.sum()} model" in sentence


def test_without_a_bound_or_within_it_nothing_changes():
    plain = select_mixture(X, range(1, 5), ["EEE", "VVV"], rng=0).table
    within = select_mixture(X, range(1, 5), ["EEE", "VVV"], max_time=1e9, rng=0).table
    assert (plain["log_likelihood"] == within["log_likelihood"]).all()


def test_a_search_on_a_sample_keeps_time_for_all_rows():
    many = simulate(scenario("blobs"), 3000, rng=0).X
    with pytest.warns(BayesGMMWarning, match="max_time|edge") as heard:
        found = select_mixture(many, range(1, 7), ["EEE", "VVV"], max_time=40, rng=0)
    assert any("(max_time)" in str(each.message) for each in heard)
    fitted = found.table["note"] == ""
    assert fitted.sum() > 0
    assert np.isfinite(found.table.loc[fitted, "bic"]).all()


def test_no_model_in_time_is_an_error():
    with pytest.raises(FitError, match=r"max_time=0\.5 s"):
        select_mixture(X, 2, "EEE", max_time=0.5, rng=0)


def test_cross_validation_has_no_bound():
    with pytest.raises(InvalidParameterError, match="max_time"):
        select_mixture(X, 2, "EEE", criterion="cv", max_time=10.0, rng=0)
