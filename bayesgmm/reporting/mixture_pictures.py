"""The mixture drawn over its rows, for any number of columns, fit for a page."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.mixture.mixture import Mixture
from bayesgmm.plots.mixture_plots import plot_mixture
from bayesgmm.reporting.parts import percent
from bayesgmm.reporting.svg import RASTER_FROM, panel, released

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

type Array = NDArray[np.float64]

_MOST_PAIRED = 6
_COMPONENTS = 4
_LEGIBLE = 12
# Principal components are found on so many rows.
_ROWS = 20_000
# Rows and contours are drawn below this, ellipses and means above.
_ABOVE_ROWS = 2.5


class Picture(NamedTuple):
    """A figure with its words."""

    figure: "Canvas"
    alt: str
    caption: str
    wide: bool


def picture(rows: Array, mixture: Mixture) -> Picture:
    """Draw rows and mixture: one column, two, pairs of up to six, or principal components."""
    d = mixture.n_features
    if d == 1:
        return Picture(
            _single(rows, mixture, 3.6),
            "Histogram of the column with the density of the mixture and of each component.",
            "Each component has the area of its weight; the grey line is their sum.",
            False,
        )
    what = (
        "A row has the colour of its likeliest component, and is the larger the less sure that is. "
        "An ellipse holds 90 % of its component; contours enclose 50, 80 and 95 % of the density."
    )
    if d == 2:
        return Picture(
            _single(rows, mixture, 4.8),
            "Rows as points, with density contours and an ellipse for each component.",
            what,
            False,
        )
    if d <= _MOST_PAIRED:
        return Picture(
            _pairs(rows, mixture),
            f"Each pair of the {d} columns as points with the components' ellipses.",
            f"{what} On the diagonal, each column alone.",
            True,
        )
    turned, seen, share = _principal(rows, mixture)
    return Picture(
        _pairs(turned, seen),
        f"Rows and components on the first {_COMPONENTS} principal components.",
        f"Of {d} columns at unit variance, the first {seen.n_features} principal components, which "
        f"carry {percent(share, 0).text} of the variance. {what}",
        True,
    )


def _single(rows: Array, mixture: Mixture, height: float) -> "Canvas":
    figure, axes = panel(5.6, height)
    plot_mixture(mixture, rows, ax=axes)
    legend = axes.get_legend()
    handles: Any = legend.legend_handles if legend is not None else []
    if legend is not None:
        legend.remove()
    # Below and not beside: there is no room beside on a phone.
    if len(handles) <= _LEGIBLE:
        figure.legend(handles=handles, loc="outside lower center", ncols=min(2, len(handles)))
    _light(figure, len(rows))
    return figure


def _pairs(rows: Array, mixture: Mixture) -> "Canvas":
    axes: Any = plot_mixture(mixture, rows, features=range(mixture.n_features))
    figure: Canvas = axes[0, 0].figure
    side = min(9.0, 2.1 * mixture.n_features)
    figure.set_size_inches(side, side)
    if mixture.n_components > _LEGIBLE:
        for legend in list(figure.legends):
            legend.remove()
    _light(figure, len(rows))
    return released(figure)


def _light(figure: "Canvas", n: int) -> None:
    """Make an image of the rows where there are many, or each would stand in the file."""
    if n > RASTER_FROM:
        for axes in figure.axes:
            axes.set_rasterization_zorder(_ABOVE_ROWS)


def _principal(rows: Array, mixture: Mixture) -> tuple[Array, Mixture, float]:
    """Rows and mixture on the first principal components of the standardised columns."""
    mean, unit = rows.mean(axis=0), rows.std(axis=0)
    z = (rows - mean) / unit
    some = z[np.unique(np.linspace(0, len(z) - 1, min(len(z), _ROWS)).astype(np.int64))]
    _, values, vectors = np.linalg.svd(some, full_matrices=False)
    axes = vectors[:_COMPONENTS]
    # The sign of a principal component is free: its largest loading is positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, np.newaxis]
    seen = mixture.transformed(1.0 / unit, -mean / unit).transformed(axes)
    names = [f"principal component {i + 1}" for i in range(len(axes))]
    seen = Mixture(seen.weights, seen.means, seen.covariances, names)
    share = float(np.square(values[: len(axes)]).sum() / np.square(values).sum())
    return z @ axes.T, seen, share
