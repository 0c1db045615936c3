"""Intervals as they are drawn, against the tables that they are drawn from."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from bayesgmm import plot_engines, plot_recovery
from bayesgmm.errors import InputError, InvalidParameterError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def table(size=6, spread=0.5):
    rng = np.random.default_rng(4)
    truth = rng.standard_normal(size)
    estimate = truth + 0.6 * rng.standard_normal(size)
    reach = 1.645 * spread
    frame = pd.DataFrame(
        {
            "truth": truth,
            "estimate": estimate,
            "error": estimate - truth,
            "spread": spread,
            "lower": estimate - reach,
            "upper": estimate + reach,
            "covered": pd.array(np.abs(estimate - truth) <= reach, dtype="boolean"),
            "z": (estimate - truth) / spread,
        },
        index=pd.Index([f"mean[{i}, $x^{{]" for i in range(size)], name="parameter"),
    )
    frame.attrs = {"prob": 0.9, "kind": "normal"}
    return frame


def test_estimates_and_intervals_stand_where_they_should():
    frame = table()
    ax = plot_recovery(frame)
    ax.figure.canvas.draw()
    points = np.vstack([np.column_stack(line.get_data()) for line in ax.lines[1:]])
    points = points[np.argsort(-points[:, 1])]
    np.testing.assert_allclose(points[:, 0], frame["z"], rtol=1e-12)
    ends = np.vstack([segment for each in ax.collections for segment in each.get_segments()])
    ends = ends.reshape(-1, 2, 2)
    ends = ends[np.argsort(-ends[:, 0, 1])]
    np.testing.assert_allclose(ends[:, 0, 0], (frame["lower"] - frame["truth"]) / 0.5)
    np.testing.assert_allclose(ends[:, 1, 0], (frame["upper"] - frame["truth"]) / 0.5)
    hits = int(frame["covered"].sum())
    assert hits < 6
    title = ax.get_title(loc="left")
    assert title == f"90 % normal intervals: {hits} of 6 contain the truth"
    assert [each.get_text() for each in ax.get_yticklabels()] == list(frame.index)


def test_of_many_parameters_the_farthest_off():
    frame = table(90)
    ax = plot_recovery(frame)
    assert ax.get_ylabel() == "60 of 90 parameters"
    names = [each.get_text() for each in ax.get_yticklabels()]
    expected = frame["z"].abs().nlargest(60).index
    assert sorted(names) == sorted(expected)


def test_without_standard_errors():
    frame = table()
    frame[["spread", "lower", "upper", "z"]] = np.nan
    frame["covered"] = pd.array([pd.NA] * 6, dtype="boolean")
    ax = plot_recovery(frame)
    assert "data's units" in ax.get_xlabel()
    np.testing.assert_allclose(ax.lines[1].get_xdata(), frame["error"])


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(InputError, match="no column 'covered'"):
        plot_recovery(table().drop(columns="covered"))
    with pytest.raises(InvalidParameterError, match="result must be a Recovery or its table"):
        plot_recovery([1])
    with pytest.raises(InputError, match="no estimates"):
        plot_recovery(table().assign(estimate=np.nan))


def engines(size=5):
    rng = np.random.default_rng(6)
    em, mean = rng.standard_normal((2, size))
    sd, error = rng.uniform(0.5, 1.5, (2, size))
    frame = pd.DataFrame(
        {
            "em": em,
            "standard_error": error,
            "posterior_mean": mean,
            "posterior_sd": sd,
            "lower": mean - 1.7 * sd,
            "upper": mean + 1.5 * sd,
            "difference": (mean - em) / sd,
            "contraction": np.nan,
        },
        index=pd.Index([f"sd[{i}, x]" for i in range(size)], name="parameter"),
    )
    frame.attrs = {"prob": 0.8, "kind": "equal-tailed"}
    return frame


def test_engines_stand_side_by_side():
    frame = engines()
    ax = plot_engines(frame)
    ax.figure.canvas.draw()
    em, posterior = (line.get_xdata() for line in ax.lines[1:])
    np.testing.assert_array_equal(em, 0.0)
    np.testing.assert_allclose(posterior, frame["difference"])
    normal, drawn = (np.array(each.get_segments())[..., 0] for each in ax.collections)
    # The 90 % point of the standard normal: an interval of 80 %.
    reach = 1.2815515655446004 * frame["standard_error"] / frame["posterior_sd"]
    np.testing.assert_allclose(normal, np.column_stack([-reach, reach]))
    np.testing.assert_allclose(drawn[:, 0], frame["difference"] - 1.7)
    np.testing.assert_allclose(drawn[:, 1], frame["difference"] + 1.5)
    said = [each.get_text() for each in ax.get_legend().get_texts()]
    assert said == ["EM, 80 % normal interval", "posterior mean, 80 % equal-tailed interval"]


def test_engines_without_standard_errors():
    frame = engines(70).assign(standard_error=np.nan)
    ax = plot_engines(frame)
    ax.figure.canvas.draw()
    assert ax.get_ylabel() == "60 of 70 parameters"
    with pytest.raises(InputError, match="no column 'em'"):
        plot_engines(table())
    with pytest.raises(InputError, match="posterior standard deviation"):
        plot_engines(engines().assign(posterior_sd=0.0))


@pytest.mark.parametrize("size", [2, 6])
@pytest.mark.parametrize("name", ["m", "correlation[0, a long name of a column, another]"])
def test_a_plain_picture_shows_the_whole_legend(size, name):
    index = pd.Index([f"{name} {i}" for i in range(size)], name="parameter")
    for plot, frame in ((plot_engines, engines(size)), (plot_recovery, table(size))):
        figure = plot(frame.set_index(index)).figure
        figure.savefig(io.BytesIO(), format="png")
        shown, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
        assert shown.xmin >= 0.0
        assert shown.ymin >= 0.0
        assert shown.xmax <= width
        assert shown.ymax <= height
