"""What the plot of a partition shows, read back from its artists."""

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from plain_partitions import draws_around

from bayesgmm import plot_partition, posterior_partition
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.plots.partition_plot import _like
from bayesgmm.plots.style import colour

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def drawn():
    # Thirty rows whose cluster is clear, and ten that are often elsewhere.
    rng = np.random.default_rng(0)
    z = np.hstack((draws_around(rng, 60, 30, 3, 0.1), draws_around(rng, 60, 10, 3, 0.6)))
    return xr.Dataset({"z": (("chain", "draw", "row"), z.reshape(2, 30, 40))})


def found(drawn, d):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((40, d))
    first = posterior_partition(drawn, allocations="z", rng=1)
    x[:, -1] += 10.0 * first.labels
    x = pd.DataFrame(x, columns=[f"f{j}" for j in range(d)])
    return posterior_partition(drawn, x, allocations="z", rng=1)


def test_rows_have_the_colours_of_their_clusters_and_rings_where_uncertain(drawn):
    result = found(drawn, 2)
    axes = plot_partition(result)
    axes[0, 0].figure.canvas.draw()
    *clusters, rings = axes[0, 0].collections
    for k, points in enumerate(clusters):
        assert to_hex(points.get_facecolor()[0]).upper() == colour(k)
        np.testing.assert_array_equal(points.get_offsets(), result.X[result.labels == k])
    assert 0 < result.uncertain.sum() < 40
    np.testing.assert_array_equal(rings.get_offsets(), result.X[result.uncertain])
    assert len(axes.flat[-1].collections[-1].get_offsets()) == 0
    legend = [each.get_text() for each in axes[0, -1].get_legend().get_texts()]
    assert legend[-1] == f"uncertain: {result.uncertain.sum()}"
    assert axes[-1, 0].get_xlabel() == "f0"


def test_one_feature_is_a_stacked_histogram(drawn):
    result = found(drawn, 1)
    axes = plot_partition(result)
    for ax in axes.flat:
        assert sum(bar.get_height() for bar in ax.patches) == 40
    assert axes[-1, 0].get_ylabel() == "rows"
    assert len(axes[0, 0].collections[-1].get_offsets()) == result.uncertain.sum()


def test_of_many_features_two_that_differ_most_between_clusters(drawn):
    result = found(drawn, 5)
    assert "f4" in plot_partition(result)[-1, 0].get_ylabel()
    ax = plot_partition(result, features=["f3", 1])[-1, 0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("f3", "f1")
    with pytest.raises(InvalidParameterError, match="one or two of them, not 3"):
        plot_partition(result, features=[0, 1, 2])


def test_rows_come_from_the_result_or_are_given(drawn):
    without = posterior_partition(drawn, allocations="z", rng=1)
    with pytest.raises(InputError, match="Give them as X"):
        plot_partition(without)
    x = np.arange(40.0)
    x[3] = np.nan
    assert sum(bar.get_height() for bar in plot_partition(without, x)[0, 0].patches) == 39
    with pytest.raises(InputError, match="X has 7 rows, but the partition is of 40"):
        plot_partition(without, x[:7])


def test_clusters_of_bounds_keep_the_labels_of_the_estimate():
    labels, other = np.array([0, 0, 0, 1, 1, 2]), np.array([2, 2, 1, 0, 0, 0])
    np.testing.assert_array_equal(_like(labels, other), [0, 0, 3, 1, 1, 1])
    np.testing.assert_array_equal(_like(other, other), other)


def test_bounds_that_are_one_partition_share_a_panel(drawn):
    result = found(drawn, 2)
    labels = result.labels
    other = np.roll(labels, 1)
    for bounds, titles in (
        ((labels, labels, labels), ["upper, lower and horizontal bounds"]),
        ((labels, other, other), ["upper bound", "lower and horizontal bounds"]),
        ((labels, other, np.roll(labels, 2)), ["upper bound", "lower bound", "horizontal bound"]),
    ):
        names = dict(zip(("upper", "lower", "horizontal"), bounds, strict=True))
        axes = plot_partition(replace(result, **names))
        shown = [ax.get_title().partition(":")[0] for ax in axes.flat]
        assert shown == ["estimate", *titles]
        assert axes.shape == ((2, 2) if len(titles) == 3 else (1, 1 + len(titles)))


def test_clusters_have_the_colours_and_names_of_their_components(drawn):
    result = found(drawn, 2)
    n = result.n_clusters
    assert result.components == (*range(n),)
    turned = replace(result, components=(1, -1, *range(2, n)), component_names=("a", "b"))
    assert turned.by_component == [0, *range(2, n), 1]
    axes = plot_partition(turned)
    axes[0, 0].figure.canvas.draw()
    first, second = axes[0, 0].collections[1], axes[0, 0].collections[0]
    np.testing.assert_array_equal(first.get_offsets(), result.X[result.labels == 0])
    assert to_hex(first.get_facecolor()[0]).upper() == colour(1)
    np.testing.assert_array_equal(second.get_offsets(), result.X[result.labels == 1])
    legend = [each.get_text() for each in axes[0, -1].get_legend().get_texts()]
    assert [each.partition(":")[0] for each in (legend[0], legend[n - 1])] == ["b", "noise"]
