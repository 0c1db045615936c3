"""The errors of a fit go wherever its rows go."""

import pickle

import matplotlib
import numpy as np
import pytest

from bayesgmm import (
    GaussianMixture,
    Mixture,
    merge_components,
    mixture_model,
    plot_mixture,
    sample_posterior,
    simulate,
)
from bayesgmm.em.completed_rows import with_means
from bayesgmm.errors import InputError
from bayesgmm.likelihood.em_steps import e_step
from bayesgmm.plots import mixture_plots

TRUTH = Mixture([0.6, 0.4], [[0.0, 1.0], [3.0, -2.0]], [np.eye(2), np.eye(2) + 0.4])


@pytest.fixture(scope="module")
def noisy():
    """Rows with errors that differ, a fifth of the entries missing; and their fit."""
    rng = np.random.default_rng(3)
    X = simulate(TRUTH, 150, rng=rng).X
    errors = rng.uniform(0.1, 4.0, X.shape)
    X = X + np.sqrt(errors) * rng.standard_normal(X.shape)
    X[rng.random(X.shape) < 0.2] = np.nan
    return X, errors, GaussianMixture(2, random_state=0).fit(X, error_covariances=errors)


def test_rows_of_the_fit_have_its_errors(noisy):
    X, errors, fit = noisy
    for each in fit, pickle.loads(pickle.dumps(fit)), fit.permuted([0, 1]):
        given, kept = each.score_samples(X, errors), each.score_samples(X)
        np.testing.assert_array_equal(kept, given)
        np.testing.assert_array_equal(each.predict_proba(X), each.predict_proba(X, errors))
        assert each.bic(X) == fit.bic()
        np.testing.assert_array_equal(
            each.impute(X), fit.mixture_.impute(X, error_covariances=errors)
        )
    merged = merge_components(fit, X).responsibilities
    np.testing.assert_array_equal(merged, fit.mixture_.responsibilities(X, errors))
    statistics = e_step(X, fit)
    assert statistics.log_likelihood == pytest.approx(fit.log_likelihood_, rel=1e-12)


def test_a_plot_shows_the_memberships_of_the_fit(noisy, monkeypatch):
    matplotlib.use("agg")
    X, errors, fit = noisy
    shown = []
    draw = mixture_plots._draw_plane
    monkeypatch.setattr(
        mixture_plots, "_draw_plane", lambda *each: shown.append(each[1]) or draw(*each)
    )
    for X_given in None, X:
        fit.plot("classification", X_given)
    plot_mixture(fit, X, kind="classification")
    assert len(shown) == 3
    for picture in shown:
        np.testing.assert_array_equal(picture.labels, fit.mixture_.classify(X, errors))
        assert picture.noisy


def test_a_posterior_begun_at_a_fit_is_of_the_same_rows(noisy):
    X, errors, fit = noisy
    posterior = sample_posterior(X, init=fit, draws=20, tune=20, chains=1, rng=0, progressbar=False)
    given = posterior["constant_data"]["error_covariances"].values
    np.testing.assert_array_equal(given, errors * ~np.isnan(X))
    with_errors = mixture_model(X, 2, error_covariances=errors, init=fit)
    without = mixture_model(X, 2, init=fit)
    point = with_errors.initial_point(0)
    assert without.compile_logp()(point) == with_errors.compile_logp()(point)


def test_what_is_imputed_rests_on_rows_without_their_errors(noisy):
    """An entry that was seen with a huge error tells nothing of one that was not seen."""
    X = np.array([[2.0, np.nan], [np.nan, np.nan]])
    found = TRUTH.impute(X, error_covariances=np.array([[1e20, 0.0], [0.0, 0.0]]))
    assert found[0, 0] == 2.0
    assert found[0, 1] == pytest.approx(TRUTH.mean()[1], rel=1e-9)
    draws = TRUTH.impute(
        np.repeat(X[:1], 4000, axis=0), 1, error_covariances=[[1e20, 0.0], [0.0, 1.0]], rng=0
    )
    assert (draws[..., 0] == 2.0).all()
    deviation = np.sqrt(TRUTH.covariance()[1, 1])
    assert draws[..., 1].std() == pytest.approx(deviation, rel=4.0 / np.sqrt(8000))


def test_errors_of_rank_1_may_hide_the_mixture():
    rng = np.random.default_rng(1)
    root = rng.standard_normal((50, 3, 1))
    errors = root @ root.mT
    narrow = Mixture([0.5, 0.5], np.zeros((2, 3)), [1e-22 * np.eye(3)] * 2)
    X = (root @ rng.standard_normal((50, 1, 1)))[..., 0]
    assert np.isfinite(narrow.log_density(X, errors)).all()
    assert np.isfinite(narrow.denoised(X, errors).covariance).all()
    np.testing.assert_allclose(narrow.responsibilities(X, errors), 0.5)


def test_a_row_seen_in_part_is_in_no_region():
    """A density of fewer features has other units than the threshold."""
    with pytest.raises(InputError, match="NaN"):
        TRUTH.highest_density_region(0.9).contains([[0.0, np.nan]])


def test_a_column_never_seen_is_filled_without_a_warning():
    x = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan]])
    np.testing.assert_array_equal(with_means(x, None), [[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
