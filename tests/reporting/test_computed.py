"""Reports of rows alone: the fit and the posterior are made here."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, report
from bayesgmm.errors import InvalidParameterError
from bayesgmm.sampling import sampling


def test_rows_and_a_number_are_enough(faithful, faithful_page):
    assert report(faithful, 2).html == faithful_page.html


@pytest.mark.usefixtures("undrawn")
def test_the_posterior_is_sampled_on_request(faithful, faithful_em, posterior_of, monkeypatch):
    calls = []

    def sampled(X, *, init, rng):
        calls.append((X, init, rng))
        return posterior_of(faithful_em, 272, draws=50)

    monkeypatch.setattr(sampling, "sample_posterior", sampled)
    page = report(faithful, 2, posterior=True)
    assert "chains of 50 draws" in page.numbers["sections"]["posterior"]["verdict"]
    report(faithful, em=faithful_em, posterior=True)
    assert calls[0][1].log_likelihood_ == faithful_em.log_likelihood_
    assert calls[1][1] is faithful_em
    np.testing.assert_array_equal(calls[0][0].X, faithful)


@pytest.mark.usefixtures("undrawn")
def test_what_was_seen_of_incomplete_rows_is_fitted(faithful):
    X = faithful.copy()
    X.iloc[[3, 7], 1] = np.nan
    page = report(X, 2)
    numbers = page.numbers["sections"]["mixture"]["numbers"]
    fit = GaussianMixture(2, random_state=0).fit(X)
    assert numbers["log_likelihood"] == fit.log_likelihood_
    assert page.numbers["sections"]["data"]["state"] is None


def test_a_fit_is_given_once(faithful, faithful_em):
    with pytest.raises(InvalidParameterError, match="not both"):
        report(faithful, 2, em=faithful_em)
    with pytest.raises(InvalidParameterError, match="give n_components, or em"):
        report(faithful, posterior=True)
