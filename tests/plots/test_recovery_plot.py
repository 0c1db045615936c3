"""What the plot of a study of recovery shows, read back from its artists."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib import pyplot as plt

from bayesgmm import plot_recovery_study, recovery_study
from bayesgmm.errors import InputError

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def study():
    grid = {"overlap": [0.05, 0.2], "n_mixtures": 3, "n_samples": 2}
    return recovery_study(2, 2, [100, 200], n_jobs=1, rng=1, progressbar=False, **grid)


def test_lines_are_the_results_and_bars_two_standard_errors(study):
    results = study.results.sel(n_rows=200)
    axes = plot_recovery_study(results)
    axes[0, 0].figure.canvas.draw()
    assert axes.shape == (2, 3)
    names = ["bias", "rmse", "coverage", "excess_error_rate", "missed", "converged"]
    for ax, name in zip(axes.flat, names, strict=True):
        found = results[[name, f"{name}_se"]].squeeze()
        kinds = found["kind"].values if "kind" in found.dims else [None]
        assert len(ax.containers) == len(kinds)
        for kind, bars in zip(kinds, ax.containers, strict=True):
            each = found if kind is None else found.sel(kind=kind)
            values = each[name].values
            unit = 100.0 if name not in ("bias", "rmse") else 1.0
            expected = 100.0 * (1.0 - values) if name == "converged" else unit * values
            line, _, (segments,) = bars
            np.testing.assert_allclose(line.get_ydata(), expected)
            ends = np.array([path.vertices[:, 1] for path in segments.get_paths()])
            reach = 2.0 * unit * each[f"{name}_se"].values
            np.testing.assert_allclose(np.diff(ends)[:, 0], 2.0 * reach, rtol=1e-6)
    assert [each.get_text() for each in axes[1, 0].get_xticklabels()] == ["0.05", "0.2"]
    assert axes[1, 1].get_xlabel() == "average overlap of a pair"
    legend = [each.get_text() for each in axes[0, 2].get_legend().get_texts()]
    assert legend == [
        "weights", "means (component s.d.)", "s.d. (relative)", "correlations", "EM",
    ]  # fmt: skip


def test_a_single_cell_and_another_factor_can_be_drawn(study):
    axes = plot_recovery_study(study.results.sel(n_rows=[100], overlap=[0.05]))
    assert axes[1, 0].get_xlabel() == "components K"
    axes = plot_recovery_study(study.results.sel(overlap=0.2))
    assert axes[1, 0].get_xlabel() == "rows n"


def test_several_factors_and_other_tables_are_refused(study):
    with pytest.raises(InputError, match=r"overlap and n_rows vary.*sel\(n_rows=100\)"):
        plot_recovery_study(study)
    with pytest.raises(InputError, match="have no bias"):
        plot_recovery_study(xr.Dataset())
    with pytest.raises(InputError, match="have no missed_se"):
        plot_recovery_study(study.results.drop_vars("missed_se"))
