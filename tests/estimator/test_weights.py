"""Row weights: they count in every criterion, and their unit does not."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, report
from bayesgmm.errors import InputError

X = np.arange(-3, 16, 0.25)[:, None]
W = (
    300 * np.exp(-(X[:, 0] ** 2) / 2)
    + 135 * np.exp(-((X[:, 0] - 5) ** 2) / 4.5)
    + 100 * np.exp(-((X[:, 0] - 12) ** 2) / 2)
)


def weighted(k=2, weights=W, x=X, **parameters):
    return GaussianMixture(k, random_state=0, **parameters).fit(x, sample_weight=weights)


@pytest.mark.parametrize(("k", "expected"), [(1, 35310), (2, 32266), (3, 30414)])
def test_criteria_count_the_weights(k, expected):
    # -2 l + nu log(sum of weights), from the log densities of `Mixture` itself.
    fit = weighted(k)
    likelihood = W @ fit.mixture_.log_density(X)
    penalty = (3 * k - 1) * np.log(W.sum())
    assert fit.bic(X) == pytest.approx(-2 * likelihood + penalty, rel=1e-12)
    assert fit.bic(X) == pytest.approx(expected, abs=0.5)
    assert fit.aic(X) == pytest.approx(-2 * likelihood + 2 * (3 * k - 1), rel=1e-12)
    largest = fit.predict_proba(X).max(axis=1)
    assert fit.icl(X) == pytest.approx(fit.bic(X) - 2 * W @ np.log(largest), rel=1e-12)
    assert fit.score(X) == pytest.approx(likelihood / W.sum(), rel=1e-12)
    assert f"{fit.bic(X):.4f}" in fit.summary(X)
    assert report(X, em=fit).numbers["sections"]["mixture"]["numbers"]["bic"] == pytest.approx(
        fit.bic(X), rel=1e-12
    )


def test_weights_that_are_given_take_the_place_of_those_of_the_fit():
    fit = weighted(2)
    rows = fit.mixture_.log_density(X)
    for v in (np.ones(len(X)), np.arange(1.0, len(X) + 1)):
        expected = -2 * v @ rows + fit.n_parameters_ * np.log(v.sum())
        assert fit.bic(X, sample_weight=v) == pytest.approx(expected, rel=1e-12)
    assert fit.score(X, sample_weight=np.ones(len(X))) == pytest.approx(rows.mean())


def test_other_rows_count_once():
    fit = weighted(2)
    other = X[::-1].copy()
    expected = -2 * fit.mixture_.log_density(other).sum() + 5 * np.log(len(other))
    assert fit.bic(other) == pytest.approx(expected, rel=1e-12)


def test_integer_weights_are_repetition_in_every_criterion():
    times = np.random.default_rng(0).integers(0, 4, len(X))
    fit = weighted(2, times.astype(float))
    repeated = np.repeat(X, times, axis=0)
    again = GaussianMixture(2, random_state=0, means_init=fit.means_).fit(repeated)
    for name in ("bic", "aic", "icl", "score"):
        value = getattr(fit, name)(X)
        assert value == pytest.approx(getattr(fit, name)(repeated), rel=1e-12)
        assert value == pytest.approx(getattr(again, name)(repeated), rel=1e-9)


def clusters():
    rng = np.random.default_rng(1)
    return np.concatenate((rng.normal(0, 1, (100, 2)), rng.normal(6, 1, (100, 2))))


@pytest.mark.parametrize("unit", [1e-300, 1e-60, 1e-30, 3.7, 1e30, 1e120, 1e154, 1e200])
@pytest.mark.parametrize("covariance_type", ["full", "VEE", "diag"])
def test_the_unit_of_weights_changes_nothing(unit, covariance_type):
    x, v = clusters(), np.random.default_rng(2).uniform(0.5, 2.0, 200)
    here = weighted(2, v, x, covariance_type=covariance_type)
    there = weighted(2, unit * v, x, covariance_type=covariance_type)
    assert there.log_likelihood_ / unit == pytest.approx(here.log_likelihood_, rel=1e-12)
    assert there.n_rows_ / unit == pytest.approx(here.n_rows_, rel=1e-12)
    assert (there.n_iter_, there.converged_) == (here.n_iter_, True)
    np.testing.assert_allclose(there.means_, here.means_, rtol=1e-9)
    np.testing.assert_allclose(there.covariances_, here.covariances_, rtol=1e-9)
    assert list(there.starts_["outcome"]) == list(here.starts_["outcome"])


def test_weights_that_float64_cannot_add_up_are_refused_by_name():
    with pytest.raises(InputError, match="sample_weight"):
        weighted(2, np.full(200, 1e307), clusters())


def test_a_row_of_weight_zero_is_not_there():
    x, v = clusters(), np.ones(200)
    here = weighted(2, v, x)
    far = np.concatenate((x, [[1e300, -1e300]]))
    there = weighted(2, np.append(v, 0.0), far)
    assert there.log_likelihood_ == here.log_likelihood_
    np.testing.assert_array_equal(there.means_, here.means_)
    assert there.bic(far) == pytest.approx(here.bic(x), rel=1e-12)


def test_the_report_does_not_judge_weighted_rows_by_replicates_without_weights():
    sections = report(X, em=weighted(3)).numbers["sections"]
    assert sections["fit"]["state"] == "unknown"
    assert "weights" in sections["fit"]["verdict"]


def test_weights_that_float64_cannot_hold_beside_the_largest_are_not_there():
    x, v = clusters(), np.ones(200)
    faint = np.append(np.full(200, 1e200), 1e-320)
    here = weighted(2, 1e200 * v, x)
    there = weighted(2, faint, np.concatenate((x, [[50.0, 50.0]])))
    np.testing.assert_array_equal(there.means_, here.means_)


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.DegeneracyWarning")
def test_a_row_of_weight_zero_does_not_change_what_few_rows_are():
    """Thresholds are said of rows of average weight; rows without weight do not lower that."""
    x = np.array([[0.12573022], [11.86789514], [6.64042265], [12.10490012]])
    v = np.array([0.9, 1.1, 1.3, 0.7])
    here = weighted(2, v, x)
    there = weighted(2, np.append(v, [0.0, 0.0, 0.0]), np.append(x, [[0.0]] * 3, axis=0))
    assert list(here.starts_["outcome"]) == list(there.starts_["outcome"])
    ones, none = weighted(2, np.ones(4), x), weighted(2, None, x)
    assert list(ones.starts_["outcome"]) == list(none.starts_["outcome"])


@pytest.mark.parametrize("unit", [1e-318, 1e-110, 1e120])
def test_weights_beside_a_prior_count_rows(unit):
    with pytest.raises(InputError, match="counts rows"):
        weighted(2, np.full(200, unit), clusters(), priors="default")


@pytest.mark.parametrize("method", ["information", "sandwich"])
@pytest.mark.parametrize("unit", [2.0**-1000, 2.0**-20, 2.0**40, 2.0**900])
def test_standard_errors_go_with_the_root_of_the_unit(unit, method):
    x, v = clusters(), np.random.default_rng(3).uniform(0.5, 2.0, 200)
    here = weighted(2, v, x).standard_errors(x, method)
    there = weighted(2, unit * v, x).standard_errors(x, method)
    if unit < 1e-4:
        # One standard error takes every component beyond what a mixture can be.
        assert np.isnan(there.means).all()
        assert there.notes
    else:
        np.testing.assert_array_equal(there.means * np.sqrt(unit), here.means)


@pytest.mark.parametrize("total", [1e-319, 0.5, 1e60])
def test_a_bootstrap_draws_a_number_of_rows(total):
    x = clusters()
    fit = weighted(2, np.full(200, total / 200), x)
    with pytest.raises(InputError, match="weighted-bootstrap"):
        fit.standard_errors(x, "bootstrap", n_resamples=3)
    found = fit.standard_errors(x, "weighted-bootstrap", n_resamples=3, rng=0, n_jobs=1)
    assert np.isfinite(found.means).all()
