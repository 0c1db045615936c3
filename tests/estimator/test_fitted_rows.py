"""The rows that were fitted: used where none are given, and told from others."""

import copy
import pickle

import numpy as np
import pytest

import bayesgmm
from bayesgmm import GaussianMixture
from bayesgmm.errors import InputError

X = bayesgmm.load_dataset("faithful").X


@pytest.fixture(scope="module")
def fit():
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.mark.parametrize("name", ["bic", "aic", "icl", "summary"])
def test_figures_of_the_fitted_rows_need_no_rows(fit, name):
    assert getattr(fit, name)() == getattr(fit, name)(X)


def test_standard_errors_of_the_fitted_rows_need_no_rows(fit):
    assert fit.standard_errors().table.equals(fit.standard_errors(X).table)


def test_the_weights_are_those_of_the_fit():
    weights = np.arange(1.0, 273.0)
    fit = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights)
    assert fit.bic() == fit.bic(X, sample_weight=weights)
    assert "other rows" not in fit.summary()


def test_rows_are_not_pickled_and_a_copy_under_other_labels_has_them(fit):
    stored = pickle.dumps(fit)
    assert len(stored) < X.nbytes
    for other in (pickle.loads(stored), copy.deepcopy(fit)):
        with pytest.raises(InputError, match="Give them as X"):
            other.bic()
        assert other.bic(X) == fit.bic()
    assert fit.permuted([1, 0]).bic() == pytest.approx(fit.bic(), rel=1e-13)


def test_rows_that_were_changed_are_refused():
    rows = X.copy()
    fit = GaussianMixture(2, random_state=0).fit(rows)
    rows[3] += 1e-3
    for call in (fit.bic, fit.summary, fit.standard_errors):
        with pytest.raises(InputError, match="changed after the fit"):
            call()


def test_a_summary_says_whose_figures_it_has(fit):
    assert "other rows" not in fit.summary(X)
    assert "other rows" not in fit.summary(X[::-1])
    text = fit.summary(X[:100])
    assert "figures of other rows than the 272 that were fitted" in text
    assert f"{fit.score(X[:100]) * 100:.6f}" in text


def test_the_bootstrap_of_other_rows_is_refused(fit):
    with pytest.raises(InputError, match="other rows than were fitted"):
        fit.standard_errors(X[:200], "bootstrap", n_resamples=2)


@pytest.mark.parametrize("unit", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_the_fitted_rows_are_known_in_any_unit(unit, offset):
    rows = (X + offset) * unit
    fit = GaussianMixture(2, random_state=0).fit(rows)
    assert "other rows" not in fit.summary(rows)
    rows[7, 1] += 0.01 * unit
    assert "other rows" in fit.summary(rows)
