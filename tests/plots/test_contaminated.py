"""Outliers of components in the plots of a fit."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgba
from noisy_rows import TWO
from numpy.testing import assert_allclose

from bayesgmm import GaussianMixture, plot_mixture
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.plots.mixture_content import pictured
from bayesgmm.plots.style import NOISE, colour

X = Contamination(np.full(2, 0.08), np.full(2, 25.0)).pairs(TWO).sample(500, rng=0)[0]
FIT = GaussianMixture(2, contaminated=True, random_state=0).fit(X)
LINE = GaussianMixture(2, contaminated=True, random_state=0).fit(X[:, 1:])


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def crosses(ax):
    """Points that are drawn as outliers, by component."""
    return [each for each in ax.collections if each.get_zorder() == 1.5]


@pytest.mark.parametrize("kind", ["density", "classification", "uncertainty"])
def test_rows_that_are_outliers_are_crosses_in_the_colour_of_their_component(kind):
    ax = FIT.plot(kind)
    outlying, labels = FIT.outlier_proba(X) > 0.5, FIT.predict(X)
    assert outlying.sum() > 20
    for k, each in enumerate(crosses(ax)):
        assert_allclose(each.get_offsets(), X[outlying & (labels == k)])
        assert_allclose(each.get_facecolor()[0], to_rgba(colour(k)))
    texts = [each.get_text() for each in ax.get_legend().get_texts()]
    assert "outliers of a component, in its colour" in texts
    assert "without outliers" in ax.get_legend().get_title().get_text()


def test_the_line_has_the_density_with_outliers():
    ax = LINE.plot()
    total = max(ax.lines, key=lambda line: line.get_linewidth())
    x, y = total.get_data()
    assert_allclose(y, np.exp(LINE.score_samples(x[:, None])), rtol=1e-9)
    rows = X[LINE.outlier_proba(X[:, 1:]) > 0.5, 1]
    drawn = [each.get_xdata() for each in ax.lines if each.get_marker() == NOISE]
    assert_allclose(np.sort(np.concatenate(drawn)), np.sort(rows))


def test_boundaries_are_where_the_prediction_changes():
    found = pictured(LINE, X[:, 1:], 0.9, None).boundaries
    grid = np.linspace(X[:, 1].min(), X[:, 1].max(), 100_001)
    at = np.flatnonzero(np.diff(LINE.predict(grid[:, None])))
    inside = found[(found > grid[0]) & (found < grid[-1])]
    assert len(inside) == len(at) > 0
    assert_allclose(inside, 0.5 * (grid[at] + grid[at + 1]), atol=grid[1] - grid[0])


def test_probabilities_of_points_are_those_of_the_fit():
    picture = pictured(FIT, X, 0.9, None)
    assert_allclose(picture.probabilities(X), FIT.predict_proba(X), atol=1e-9)
    assert_allclose(picture.labels, FIT.predict(X))
    assert_allclose(picture.density(X), np.exp(FIT.score_samples(X)), rtol=1e-9)
    x = X.copy()
    x[::9, 0] = np.nan
    assert_allclose(pictured(FIT, x, 0.9, None).labels, FIT.predict(x))


def test_curves_over_a_line_add_up_to_one():
    curves = [each.get_ydata() for each in LINE.plot("uncertainty").lines]
    assert len(curves) == 2
    assert_allclose(np.sum(curves, axis=0), 1.0)


def test_standard_errors_bring_their_outliers():
    ax = plot_mixture(FIT.standard_errors(), X)
    assert (
        sum(len(each.get_offsets()) for each in crosses(ax)) == (FIT.outlier_proba(X) > 0.5).sum()
    )


def test_selection_is_that_with_outliers():
    ax = FIT.plot("selection")
    values = np.concatenate([line.get_ydata() for line in ax.lines])
    assert np.isclose(values, FIT.bic(), atol=1e-3).any()
