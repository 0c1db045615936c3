"""What a picture of a mixture shows, read back from its artists."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt
from scipy.stats import chi2

import bayesgmm
from bayesgmm import Mixture, plot_mixture
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError
from bayesgmm.plots.style import colour

mpl.use("Agg")

MIXTURE = bayesgmm.scenario("overlapping_ellipses")
ROWS, _ = MIXTURE.sample(300, rng=1)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def lines_of(ax, component, width):
    wanted = colour(component)
    return [
        np.column_stack(line.get_data())
        for line in ax.lines
        if line.get_color() == wanted
        and line.get_linewidth() == width
        and len(line.get_xdata()) > 1
    ]


def test_ellipses_hold_their_share():
    ax = plot_mixture(MIXTURE, ROWS, prob=0.7)
    for k in range(2):
        (ellipse,) = lines_of(ax, k, 1.8)
        z = np.linalg.solve(
            np.linalg.cholesky(MIXTURE.covariances[k]), (ellipse - MIXTURE.means[k]).T
        )
        np.testing.assert_allclose(np.square(z).sum(axis=0), chi2.ppf(0.7, 2), rtol=1e-10)
    assert "70 % of a component" in ax.get_legend().get_title().get_text()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "y")


def test_contours_enclose_their_shares():
    """Of independent draws, each contour holds its share within four standard errors."""
    ax = plot_mixture(MIXTURE)
    (contours,) = [each for each in ax.collections if hasattr(each, "levels")]
    density = np.exp(MIXTURE.log_density(MIXTURE.sample(20_000, rng=5)[0]))
    found = [(density > level).mean() for level in contours.levels]
    # The levels are quantiles of 4,000 draws themselves: their error counts too.
    errors = np.sqrt([p * (1 - p) * (1 / 20_000 + 1 / 4000) for p in (0.95, 0.8, 0.5)])
    assert (np.abs(np.array(found) - [0.95, 0.8, 0.5]) < 4 * errors).all()


def test_rows_have_their_component_and_the_unsure_are_larger():
    ax = plot_mixture(MIXTURE, ROWS)
    responsibilities = MIXTURE.responsibilities(ROWS)
    labels = MIXTURE.classify(ROWS)
    points = [each for each in ax.collections if not hasattr(each, "levels")]
    assert len(points) == 2
    for k, scatter in enumerate(points):
        np.testing.assert_array_equal(scatter.get_offsets(), ROWS[labels == k])
        sizes, sure = scatter.get_sizes(), responsibilities[labels == k].max(axis=1)
        np.testing.assert_array_equal(np.argsort(sizes), np.argsort(-sure))


def test_one_feature_is_a_density_over_a_histogram():
    mixture = bayesgmm.scenario("rusty_machine")
    rows, _ = mixture.sample(500, rng=3)
    ax = plot_mixture(bayesgmm.GaussianMixture(3, random_state=0).fit(rows), rows[:, 0])
    heights = np.array([each.get_height() for each in ax.patches])
    widths = np.array([each.get_width() for each in ax.patches])
    np.testing.assert_allclose((heights * widths).sum(), 1.0, rtol=1e-12)
    # The components add up to the mixture.
    whole, *parts = (line.get_ydata() for line in ax.lines)
    np.testing.assert_allclose(np.sum(parts, axis=0), whole, rtol=1e-9)
    np.testing.assert_allclose(np.trapezoid(whole, ax.lines[0].get_xdata()), 1.0, atol=0.01)


def test_boundaries_are_lines_of_the_picture_of_one_column():
    mixture = bayesgmm.scenario("rusty_machine")
    rows, _ = mixture.sample(200, rng=3)
    ax = plot_mixture(mixture, rows)
    (lines,) = ax.collections
    drawn = [segment[0, 0] for segment in lines.get_segments()]
    # The third, at 9, lies beyond the rows and the components.
    np.testing.assert_array_equal(drawn, mixture.boundaries().x[:2])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels[-2:] == ["mixture", "boundary"]
    # A column of several has no boundaries of its own: rows have the component of all columns.
    ax = plot_mixture(MIXTURE, ROWS, features=[0])
    assert not any(len(each.get_segments()) for each in ax.collections)
    assert "boundary" not in [text.get_text() for text in ax.get_legend().get_texts()]


def test_many_features_come_in_pairs():
    iris = bayesgmm.load_dataset("iris")
    mixture = bayesgmm.GaussianMixture(3, random_state=0).fit(iris.X).mixture_
    axes = plot_mixture(mixture, iris.X)
    assert axes.shape == (4, 4)
    # Rows have the component of all four features, not of the two that are drawn.
    counts = np.bincount(mixture.classify(iris.X), minlength=3)
    shown = [
        len(each.get_offsets()) for each in axes[2, 0].collections if not hasattr(each, "levels")
    ]
    assert shown == counts.tolist()
    ax = plot_mixture(mixture, iris.X, features=[2, 0])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("feature 2", "feature 0")


def test_of_many_features_those_that_separate_are_drawn():
    rng = np.random.default_rng(2)
    means = np.zeros((2, 9))
    means[1, [1, 3, 4, 6, 8]] = [3.0, -4.0, 5.0, 6.0, -7.0]
    names = [f"column {j}" for j in range(9)]
    mixture = Mixture([0.5, 0.5], means, [np.eye(9)] * 2, names)
    axes = plot_mixture(mixture, rng.standard_normal((20, 9)))
    assert [ax.get_xlabel() for ax in axes[-1]] == [names[j] for j in (1, 3, 4, 6, 8)]


def test_into_given_axes_and_hostile_names():
    name = "$\\frac{" + "<script>" * 20
    mixture = Mixture(MIXTURE.weights, MIXTURE.means, MIXTURE.covariances, [name, "b_$^"])
    ax = plt.figure().add_subplot()
    assert plot_mixture(mixture, ROWS, ax=ax) is ax
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == name[:39] + "…"
    assert ax.get_ylabel() == "b_$^"


def test_far_rows_and_many_of_them():
    rows = np.vstack([ROWS] * 20)
    rows[0] = 1e12
    ax = plot_mixture(MIXTURE, rows)
    ax.figure.canvas.draw()
    assert "3,000 of 6,000 rows" in ax.get_legend().get_title().get_text()


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(InputError, match="X has 3 features, but the mixture has 2"):
        plot_mixture(MIXTURE, np.zeros((4, 3)))
    with pytest.raises(InvalidParameterError, match="prob must be a number between 0 and 1"):
        plot_mixture(MIXTURE, prob=1.0)
    with pytest.raises(InvalidParameterError, match="fit must be a Mixture or a fitted Gaussian"):
        plot_mixture("model")
    with pytest.raises(NotFittedError):
        plot_mixture(bayesgmm.GaussianMixture(2))
    with pytest.raises(InvalidParameterError, match="3 features need a grid"):
        plot_mixture(bayesgmm.random_mixture(2, 3, rng=1), ax=plt.figure().add_subplot())
    with pytest.raises(InputError, match="feature"):
        plot_mixture(MIXTURE, features=["z"])


@pytest.mark.parametrize(
    "values", [[1e17] * 12, [1e17, 1e17 + 64.0], [1.0], [*np.linspace(-2, 2, 50), 1e12], [1e150]]
)
def test_a_histogram_of_any_values(values):
    """Few bins, of the whole probability."""
    values = np.array(values)
    mixture = Mixture([0.5, 0.5], [values.min(), values.max()], [1.0, 4.0])
    ax = plot_mixture(mixture, values[:, np.newaxis])
    bars = ax.patches
    assert 1 <= len(bars) <= 80
    assert sum(each.get_width() * each.get_height() for each in bars) == pytest.approx(1.0)


def test_a_picture_wider_than_float64_is_refused():
    with pytest.raises(InputError, match="range of the mixture overflows"):
        plot_mixture(Mixture([0.5, 0.5], [-1e308, 1e308], [1.0, 1.0]))
