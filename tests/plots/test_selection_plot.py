"""Criteria of a grid as they are plotted, against the table that they are plotted from."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import PathCollection

from bayesgmm import plot_selection, structures
from bayesgmm.errors import InputError, InvalidParameterError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def table():
    """Four structures by three numbers of components; one fit is not admissible."""
    rng = np.random.default_rng(2)
    records = [
        {"n_components": k, "covariance_type": word, "bic": 100.0 * rng.random(), "note": ""}
        for word in ("full", "EII", "VEV", "tied")
        for k in (1, 2, 3)
    ]
    records[0] |= {"bic": -1e9, "note": "Component 0 is singular."}
    return pd.DataFrame(records)


def test_lines_are_the_admissible_values_in_mclust_s_order():
    frame = table()
    ax = plot_selection(frame)
    *lines, best = ax.get_lines()
    assert [line.get_label() for line in lines] == ["EII", "EEE", "VEV", "VVV"]
    for line, word in zip(lines, ("EII", "tied", "VEV", "full"), strict=True):
        part = frame[(frame["covariance_type"] == word) & (frame["note"] == "")]
        shown = np.asarray(line.get_ydata(), dtype=np.float64)
        within = part["bic"] <= ax.get_ylim()[1]
        np.testing.assert_array_equal(shown[np.isfinite(shown)], part["bic"][within])
    admissible = frame[frame["note"] == ""]
    assert best.get_ydata() == [admissible["bic"].min()]
    low, high = ax.get_ylim()
    assert low < admissible["bic"].min() < admissible["bic"].median() < high


def test_lines_end_at_the_frame_with_a_triangle_for_each_worse_model():
    frame = table()
    ax = plot_selection(frame)
    top = ax.get_ylim()[1]
    worse = frame[(frame["note"] == "") & (frame["bic"] > top)]
    drawn = [each for each in ax.collections if isinstance(each, PathCollection)]
    triangles = np.vstack([each.get_offsets() for each in drawn])
    assert len(worse) > 0
    assert sorted(triangles[:, 0]) == sorted(worse["n_components"])
    assert (triangles[:, 1] == top).all()


def test_fourteen_structures_can_be_told_apart():
    codes = [each.code for each in structures()]
    frame = pd.DataFrame(
        [
            {"n_components": k, "covariance_type": code, "bic": 10.0 * i + k, "note": ""}
            for i, code in enumerate(codes)
            for k in (1, 2)
        ]
    )
    ax = plot_selection(frame)
    *lines, _ = ax.get_lines()
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}
    assert len(looks) == len(lines) == 14
    assert len({line.get_color() for line in lines}) == 7
    # The best first; those without a point on the axis have no entry of their own.
    legend = ax.get_legend()
    *named, best = [text.get_text() for text in legend.get_texts()]
    assert best == f"best: {codes[0]}, 1"
    assert named == codes[: len(named)]
    outside = legend.get_title().get_text().removeprefix("outside the axis: ").split(", ")
    assert sorted(outside) == sorted(codes[len(named) :])
    assert 0 < len(outside) < 6


def test_what_cannot_be_plotted_is_said():
    with pytest.raises(InputError, match="no admissible model"):
        plot_selection(table().assign(note="none"))
    with pytest.raises(InputError, match="no column 'bic'"):
        plot_selection(table().drop(columns="bic"))
    with pytest.raises(InvalidParameterError, match="selection must be a Selection or its table"):
        plot_selection([1])
