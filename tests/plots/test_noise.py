"""Noise in the plots of a fit."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from noisy_rows import with_noise
from numpy.testing import assert_allclose

from bayesgmm import GaussianMixture, load_dataset, plot_mixture
from bayesgmm.plots.mixture_content import pictured
from bayesgmm.plots.style import FAINT, NOISE

X, _ = with_noise(0, 400, 40)
FIT = GaussianMixture(2, noise_component=True, random_state=0).fit(X)
LINE = GaussianMixture(2, noise_component=True, random_state=0).fit(X[:, 1:])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def crosses(ax):
    """Points that are drawn as noise."""
    found = [each.get_offsets() for each in ax.collections if each.get_zorder() == 1.5]
    return np.concatenate(found) if found else np.empty((0, 2))


@pytest.mark.parametrize("kind", ["density", "classification", "uncertainty"])
def test_rows_that_are_noise_are_crosses_behind_the_others(kind):
    ax = FIT.plot(kind)
    assert_allclose(crosses(ax), X[FIT.predict(X) == -1])
    texts = [each.get_text() for each in ax.get_legend().get_texts()]
    assert f"noise, weight {FIT.noise_.weight:.2g}" in texts
    assert "not noise" in ax.get_legend().get_title().get_text()


def test_the_line_has_the_density_with_noise():
    ax = LINE.plot()
    total = max(ax.lines, key=lambda line: line.get_linewidth())
    x, y = total.get_data()
    assert_allclose(y, np.exp(LINE.score_samples(x[:, None])), rtol=1e-9)
    noise = next(each for each in ax.lines if each.get_marker() == NOISE)
    assert_allclose(noise.get_xdata(), X[LINE.predict(X[:, 1:]) == -1, 1])
    assert noise.get_color() == FAINT


def test_boundaries_are_where_the_prediction_changes():
    found = pictured(LINE, X[:, 1:], 0.9, None).boundaries
    grid = np.linspace(X[:, 1].min(), X[:, 1].max(), 100_001)
    labels = LINE.predict(grid[:, None])
    at = np.flatnonzero(np.diff(labels))
    assert len(found) == len(at)
    assert_allclose(found, 0.5 * (grid[at] + grid[at + 1]), atol=grid[1] - grid[0])


def test_probabilities_of_points_are_those_of_the_fit():
    picture = pictured(FIT, X, 0.9, None)
    found = picture.probabilities(X)
    assert_allclose(found[:, :2], FIT.predict_proba(X), atol=1e-9)
    assert_allclose(found[:, 2], FIT.outlier_proba(X), atol=1e-9)
    largest = found.max(axis=1)
    assert_allclose(picture.uncertainty, 1.5 * (1.0 - largest), atol=1e-9)
    assert_allclose(picture.labels, FIT.predict(X))


def test_uncertainty_over_a_line_counts_noise():
    ax = LINE.plot("uncertainty")
    curves = [each.get_ydata() for each in ax.lines]
    assert len(curves) == 3
    assert_allclose(np.sum(curves, axis=0), 1.0)


def test_pairs_and_some_features():
    iris = load_dataset("iris").X
    rng = np.random.default_rng(0)
    x = np.vstack((iris, rng.uniform(iris.min(0) - 1, iris.max(0) + 1, (15, 4))))
    fit = GaussianMixture(3, covariance_type="tied", noise_component=True, random_state=0).fit(x)
    axes = fit.plot()
    outlying = fit.predict(x) == -1
    assert 0 < outlying.sum() < 30
    assert_allclose(crosses(axes[2, 1]), x[outlying][:, [1, 2]])
    assert_allclose(crosses(plot_mixture(fit, x, features=[0, 3])), x[outlying][:, [0, 3]])


def test_standard_errors_bring_their_noise():
    ax = plot_mixture(FIT.standard_errors(), X)
    assert_allclose(crosses(ax), X[FIT.predict(X) == -1])


def test_selection_is_that_with_noise():
    ax = FIT.plot("selection")
    values = np.concatenate([line.get_ydata() for line in ax.lines])
    assert np.isclose(values, FIT.bic(), atol=1e-3).any()


def test_without_noise_nothing_is_grey():
    ax = GaussianMixture(2, random_state=0).fit(X).plot()
    assert len(crosses(ax)) == 0
    assert not any("noise" in each.get_text() for each in ax.get_legend().get_texts())
