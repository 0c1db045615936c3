"""Pages on rows seen in part, or through noise."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset, report


@pytest.fixture(scope="module")
def observed():
    rng = np.random.default_rng(0)
    X = load_dataset("faithful").X + rng.normal(0.0, [0.1, 3.0], (272, 2))
    X[rng.random(X.shape) < 0.1] = np.nan
    X[5] = np.nan
    return X, np.broadcast_to([0.01, 9.0], X.shape)


@pytest.mark.usefixtures("undrawn")
def test_all_rows_are_used(observed):
    X, _ = observed
    fit = GaussianMixture(2, random_state=0).fit(X)
    page = report(X, em=fit)
    assert page.numbers["headline"].startswith("Two components for 272 rows")
    text = page.html
    empty = np.flatnonzero(np.isnan(X).all(axis=1))
    assert f"Nothing was seen of {len(empty)} rows (first: row {empty[0]})" in text
    assert "missing at random" in text
    assert f"{fit.log_likelihood_:.2f}" in text
    assert "EM was fitted to other rows" not in text


@pytest.mark.usefixtures("undrawn")
def test_the_errors_of_the_fit_are_known_to_its_page(observed):
    X, errors = observed
    fit = GaussianMixture(2, random_state=0).fit(X, error_covariances=errors)
    text = report(X, em=fit).html
    assert "measured with known errors" in text
    assert f"{fit.log_likelihood_:.2f}" in text
    assert "EM was fitted to other rows" not in text
    assert "the rows have measurement errors, which replicates lack" in text
    assert report(X, 2, error_covariances=errors).numbers["headline"].startswith("Two components")


@pytest.mark.parametrize("d", [1, 3, 7])
def test_pictures_of_other_widths(d):
    rng = np.random.default_rng(d)
    X = np.vstack([rng.normal(size=(80, d)), rng.normal(4.0, 1.0, (60, d))])
    X[rng.random(X.shape) < 0.1] = np.nan
    page = report(X, 2)
    assert "<svg" in page.html
    assert "internal error" not in page.html
