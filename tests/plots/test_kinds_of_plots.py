"""Classification, uncertainty and selection, of a mixture or by the method of a fit."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection

import bayesgmm
from bayesgmm import GaussianMixture, Mixture, plot_mixture
from bayesgmm.errors import InvalidParameterError

mpl.use("Agg")


@pytest.fixture(scope="module")
def fit():
    X, _ = bayesgmm.scenario("overlapping_ellipses").sample(400, rng=0)
    return GaussianMixture(2, random_state=0).fit(X)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def sizes(ax):
    points = [each for each in ax.collections if isinstance(each, PathCollection)]
    return np.unique(np.concatenate([each.get_sizes() for each in points]))


def words(ax):
    legend = ax.get_legend()
    return legend.get_title().get_text() + " ".join(each.get_text() for each in legend.get_texts())


def test_borders_are_where_two_components_are_equally_probable(fit):
    ax = fit.plot("classification")
    drawn = [each for each in ax.collections if not isinstance(each, PathCollection)]
    borders = np.vstack([path.vertices for each in drawn for path in each.get_paths()])
    assert len(borders) > 50
    # Linear interpolation within cells of the grid.
    assert np.abs(fit.mixture_.responsibilities(borders)[:, 0] - 0.5).max() < 0.05
    assert len(sizes(ax)) == 1
    assert "contours" not in words(ax)


def test_uncertainty_is_shaded_and_the_points_grow_with_it(fit):
    ax = fit.plot("uncertainty")
    assert len(sizes(ax)) > 100
    assert "shades" in words(ax)


def test_maps_are_drawn_for_all_features_only():
    iris = bayesgmm.load_dataset("iris")
    fit = GaussianMixture(3, random_state=0).fit(iris.X)
    part = fit.plot("uncertainty", features=[2, 3])
    assert "shades" not in words(part)
    whole = fit.plot("classification")
    assert whole.shape == (4, 4)
    assert len(sizes(whole[1, 0])) == 1
    shaded = fit.plot("uncertainty")[0, 0].figure.legends[0].get_title().get_text()
    assert "shades" not in shaded
    assert "larger points" in shaded


@pytest.mark.parametrize("n_features", [1, 2, 3])
def test_the_legend_of_many_components_is_no_taller_than_the_figure(n_features):
    rng = np.random.default_rng(0)
    means, covariances = rng.normal(size=(50, n_features)), [0.01 * np.eye(n_features)] * 50
    axes = plot_mixture(Mixture(np.full(50, 0.02), means, covariances))
    figure = axes.flat[0].figure if n_features == 3 else axes.figure
    figure.canvas.draw()  # warns where the layout has no room for the axes
    legend = figure.legends[0] if n_features == 3 else axes.get_legend()
    assert legend.get_window_extent().height < figure.bbox.height


def test_one_feature_has_probabilities():
    fit = GaussianMixture(3, random_state=0).fit(bayesgmm.load_dataset("galaxies").X)
    ax = fit.plot("uncertainty")
    assert ax.get_ylabel() == "probability"
    low, high = zip(*((np.min(y), np.max(y)) for y in (each.get_ydata() for each in ax.lines)),
                    strict=True)  # fmt: skip
    assert min(low) >= 0.0
    assert max(high) <= 1.0
    assert fit.plot("classification").get_ylabel() == "density"


def test_a_fit_plots_itself(fit):
    ax = plt.figure().add_subplot()
    assert fit.plot(ax=ax) is ax
    assert "contours" in words(ax)
    other = plot_mixture(fit, fit._rows)
    assert [t.get_text() for t in other.get_legend().get_texts()] == [
        t.get_text() for t in ax.get_legend().get_texts()
    ]


def test_bic_is_compared_around_the_number_of_components(fit):
    ax = fit.plot("selection")
    assert ax.get_xticks().tolist() == [1, 2, 3, 4, 5]
    bics = dict(ax.lines[0].get_xydata().tolist())
    assert bics[2.0] == pytest.approx(fit.bic(), abs=1e-4)


def test_an_unknown_kind_is_refused(fit):
    for call in (fit.plot, lambda kind: plot_mixture(fit, kind=kind)):
        with pytest.raises(InvalidParameterError, match="kind must be one of 'density', 'class"):
            call("pairs")
