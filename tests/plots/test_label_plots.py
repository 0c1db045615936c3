"""What the plots of labels show, read back from their artists."""

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot as plt

from bayesgmm import label_switching, plot_ambiguity, plot_label_switching, relabel
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.labels import labelling
from bayesgmm.plots.style import colour

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def traces(ax, component):
    return [line.get_ydata() for line in ax.lines if line.get_color() == colour(component)]


def test_traces_before_and_after(galaxies):
    axes = plot_label_switching(label_switching(galaxies))
    axes[0].figure.canvas.draw()
    for ax, tree in ((axes[0], galaxies), (axes[1], relabel(galaxies))):
        for k in range(3):
            shown = traces(ax, k)
            assert len(shown) == 4
            np.testing.assert_array_equal(shown, tree["posterior"]["means"].values[:, :, k, 0])
        assert ax.get_ylabel() == "mean of x"


def test_the_ribbon_shows_each_draw_s_labelling(galaxies):
    axes = plot_label_switching(label_switching(galaxies), parameter="weights")
    (image,) = axes[2].images
    cells = np.asarray(image.get_array())[0].reshape(4, 1000)
    found = label_switching(galaxies)
    names = [each.get_text() for each in axes[2].get_legend().get_texts()]
    for c in range(4):
        assert names[np.bincount(cells[c]).argmax()] == str(found.chains["modal labelling"][c])
    assert [each.get_text() for each in axes[2].get_xticklabels()] == [
        f"chain {c}" for c in range(4)
    ]


def test_a_relabelled_posterior_is_drawn_as_it_was_sampled(overlapping):
    one = plot_label_switching(label_switching(overlapping), parameter="variances")
    other = plot_label_switching(label_switching(relabel(overlapping)), parameter="variances")
    for before, after in zip(one[:2], other[:2], strict=True):
        for k in range(2):
            np.testing.assert_array_equal(traces(before, k), traces(after, k))


def test_a_roaming_component_does_not_set_the_axis(too_many):
    axes = plot_label_switching(label_switching(too_many))
    low, high = axes[0].get_ylim()
    means = too_many["posterior"]["means"].values[..., 0]
    outside = ((means < low) | (means > high)).any(axis=-1).sum()
    assert outside < 0.02 * means[..., 0].size
    if outside:
        assert f"({outside} draws outside the axis)" in axes[0].get_title(loc="left")


def test_ambiguity_is_a_distribution_a_chain(overlapping):
    found = label_switching(overlapping)
    ax = plot_ambiguity(found)
    *chains, _ = ax.lines
    for c, line in enumerate(chains):
        np.testing.assert_array_equal(line.get_xdata(), np.sort(found.ambiguity[c]))
    assert "(rows)" in ax.get_xlabel()
    assert "nats" in plot_ambiguity(label_switching(overlapping, method="stephens")).get_xlabel()


def test_nothing_is_labelled_again(galaxies, monkeypatch):
    found = label_switching(galaxies)

    def refuse(problem):
        raise AssertionError("labelled again")

    for method in labelling.GAUSSIAN:
        monkeypatch.setitem(labelling.GAUSSIAN, method, refuse)
    plot_label_switching(found)
    plot_ambiguity(found)


def test_few_draws_and_what_cannot_be_drawn(galaxies):
    few = label_switching(galaxies.isel(chain=[0], draw=[0]))
    plot_label_switching(few)[0].figure.canvas.draw()
    plot_ambiguity(few).figure.canvas.draw()
    with pytest.raises(InvalidParameterError, match="parameter must be"):
        plot_label_switching(few, parameter="scales")
    with pytest.raises(InputError, match="3 is not a feature"):
        plot_label_switching(few, feature=3)
    with pytest.raises(InvalidParameterError, match="result must be a LabelSwitching"):
        plot_label_switching(galaxies)
    one = galaxies["posterior"].to_dataset().isel(component=[0])
    one["weights"] = 1.0 + 0.0 * one["weights"]
    with pytest.raises(InvalidParameterError, match="without ambiguity"):
        plot_ambiguity(label_switching(one))
