"""Traces and ranks of the chains, component by component."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import rankdata

from bayesgmm.arrays import Array
from bayesgmm.plots.style import colour
from bayesgmm.posterior.draws import Draws
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import Figure
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.reporting.svg import MUTED, RASTER_FROM, RULE, canvas, style, to_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 8
_BINS = 20


def chains_figure(inputs: Inputs, draws: Draws) -> Figure:
    """Trace and ranks of the mean of each component in the column that separates them best."""
    (j,) = shown_features(inputs, 1)
    name, shown = inputs.labels_short[j], range(min(draws.n_components, _MOST))
    with style():
        figure = canvas(7.6, 0.6 + 1.15 * len(shown))
        grid = figure.subplots(
            len(shown), 2, squeeze=False, sharex="col", gridspec_kw={"width_ratios": [3, 2]}
        )
        for k in shown:
            values = draws.means[..., k, j]
            _trace(grid[k, 0], values, k)
            _ranks(grid[k, 1], values, k)
            grid[k, 0].set_ylabel(inputs.named(k), fontsize=9)
        grid[0, 0].set_title(f"mean of {name}", parse_math=False)
        grid[0, 1].set_title("ranks, by chain")
        grid[-1, 0].set_xlabel("draw, chain after chain")
        grid[-1, 1].set_xlabel("rank among the draws of all chains")
        return Figure(
            to_svg(figure),
            f"Traces of the means of {name} after relabelling, and histograms of their ranks in "
            "each chain, a line of panels for each component.",
            "Traces after relabelling, and the number of draws of each chain by their rank among "
            "those of all chains. Chains that agree have level lines, near the dashed one."
            + (f" The first {_MOST} components." if draws.n_components > _MOST else ""),
            wide=True,
        )


def _trace(axes: "Axes", values: Array, component: int) -> None:
    n_chains, n_draws = values.shape
    for chain, drawn in enumerate(values):
        axes.plot(
            chain * n_draws + np.arange(n_draws), drawn, color=colour(component), lw=0.5,
            alpha=0.9, rasterized=values.size > RASTER_FROM,
        )  # fmt: skip
        if chain:
            axes.axvline(chain * n_draws, color=RULE, lw=0.8)
    axes.set_xlim(0, n_chains * n_draws)
    axes.locator_params(axis="y", nbins=3)


def _ranks(axes: "Axes", values: Array, component: int) -> None:
    n_draws = values.shape[1]
    bins = max(min(_BINS, n_draws // 5), 1)
    ranks = rankdata(values).reshape(values.shape)
    edges = np.linspace(0.5, values.size + 0.5, bins + 1)
    for chain in ranks:
        axes.stairs(np.histogram(chain, edges)[0], edges, baseline=None, color=colour(component))
    axes.axhline(n_draws / bins, color=MUTED, lw=0.8, ls="--")
    axes.set(xlim=(0, values.size), ylim=(0, None), yticks=[], xticks=[])
    axes.spines["left"].set_visible(False)
