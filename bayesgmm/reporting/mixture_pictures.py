"""Figures of the mixture and the rows for a page, for any number of columns."""

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np

from bayesgmm.data.validation import Data
from bayesgmm.mixture.feature_choice import separating_features
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.plots.mixture_content import MOST_ROWS, Described
from bayesgmm.plots.mixture_plots import plot_mixture
from bayesgmm.plots.plane_maps import shade_words
from bayesgmm.reporting.parts import Figure, percent
from bayesgmm.reporting.svg import RASTER_FROM, legend_below, panel, released, style, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

# Columns up to which the picture at the head of the page shows all.
HEAD = 2
_MOST_PAIRED = 6
_COMPONENTS = 4
_LEGIBLE = 12
# Maximum number of rows from which principal components are computed.
_ROWS = 20_000
_PLANE = (
    "Rows in the colour of their most probable component; larger points are more uncertain. An "
    "ellipse contains 90 % of a component; contours enclose 50, 80 and 95 % of the density."
)
_NOISE = (
    " Grey crosses are rows that are most probably noise, which contours and the components' "
    "weights leave out."
)
_NOISE_LINE = (
    "The dotted line is noise; crosses are rows that are most probably noise, which the "
    "components' weights leave out."
)
_OUTLIERS = (
    " Crosses are rows that are most probably outliers of their component, which its ellipse "
    "leaves out."
)
_OUTLIER_LINE = (
    " Dotted lines are outliers, which their component includes; crosses are rows that are most "
    "probably outliers."
)
# Rows and contours have a smaller zorder, axes, ellipses and means a larger one.
_ABOVE_ROWS = 2.4
# Margin of a common frame relative to the range of the rows, and inches of a line of its legend.
_MARGIN, _LINE = 0.06, 0.21


class Drawing(NamedTuple):
    """Settings of all pictures of the rows on a page.

    Attributes
    ----------
    raster_from : int
        Number of rows above which they are an image and not a path for each.
    features : tuple of int, optional
        Columns of the picture in one panel. None: those that separate the mixture best.
    limits : dict of (float, float), optional
        xlim and ylim. None: those of the rows and the mixture.
    """

    raster_from: int = RASTER_FROM
    features: tuple[int, ...] | None = None
    limits: dict[str, tuple[float, float]] | None = None

    @classmethod
    def common(cls, rows: Data, mixture: Mixture, raster_from: int) -> Self:
        """One frame for several mixtures of the rows, in the columns that separate this one."""
        features = tuple(separating_features(mixture, HEAD))
        low, high = np.nanmin(rows.X, axis=0), np.nanmax(rows.X, axis=0)
        margin = _MARGIN * (high - low)
        limits = [(float(low[j] - margin[j]), float(high[j] + margin[j])) for j in features]
        return cls(raster_from, features, dict(zip(("xlim", "ylim"), limits, strict=False)))


def head_figure(rows: Data, fit: Described, drawing: Drawing) -> Figure:
    """Plot rows and mixture in one panel: in all columns, or the two that separate it best."""
    d = fit.mixture.n_features
    if d == 1:
        return Figure(
            _single(rows, fit, 3.6, drawing),
            "Histogram of the column with the density of the mixture and of each component.",
            "Histogram and density (grey line). The area under a component is its "
            + ("proportion of all rows. " + _NOISE_LINE if fit.noise_weight else "weight.")
            + _OUTLIER_LINE * (fit.contamination is not None),
        )
    if d == HEAD:
        return Figure(
            _single(rows, fit, 4.8, drawing),
            "Scatter plot of the rows with density contours and an ellipse for each component.",
            _plane(rows, fit),
        )
    whose = "of the selected model differ" if drawing.features else "differ"
    return Figure(
        _single(rows, fit, 4.4, drawing),
        "Scatter plot of the rows in the two columns that separate the components best, with "
        "an ellipse for each component.",
        f"The two of {d} columns in which the components {whose} most. {_plane(rows, fit)}",
    )


def uncertainty_figure(rows: Data, fit: Described, drawing: Drawing) -> Figure:
    """Plot the uncertainty of classification over one column, or the plane of two."""
    curve = fit.mixture.n_features == 1
    return Figure(
        _single(rows, fit, 2.8 if curve else 4.4, drawing, kind="uncertainty"),
        f"{'Curves' if curve else 'A map'} of the uncertainty of classification.",
        "Probability of each component (lines), and of another than the most probable one (grey)."
        + (" The dotted line is noise." if fit.noise_weight else "")
        if curve
        else "Darker shades: a larger probability of another component than the most probable "
        f"one ({shade_words()})." + (" Noise counts as a component." if fit.noise_weight else ""),
    )


def mixture_figure(rows: Data, fit: Described) -> Figure:
    """Plot rows and mixture of more than two columns: pairs of up to six, or principal components.

    To be called in the page's style.
    """
    d = fit.mixture.n_features
    if d <= _MOST_PAIRED:
        return Figure(
            to_svg(_pairs(rows, fit)),
            f"Scatter plots of all pairs of the {d} columns with the components' ellipses.",
            f"{_plane(rows, fit)} The diagonal shows single columns.",
            True,
        )
    turned, seen, share = _principal(rows, fit)
    return Figure(
        to_svg(_pairs(turned, seen)),
        f"Scatter plots of the rows on the first {seen.mixture.n_features} principal components.",
        f"The first {seen.mixture.n_features} principal components of {d} standardised columns, "
        f"which explain {percent(share, 0).text} of the variance. {_plane(rows, fit)}",
        True,
    )


def _plane(rows: Data, fit: Described) -> str:
    """What a plane of two columns shows."""
    n = len(rows.X)
    noise = _NOISE if fit.noise_weight else _OUTLIERS * (fit.contamination is not None)
    return _PLANE + noise + (f" Drawn are {MOST_ROWS:,} of {n:,} rows." if n > MOST_ROWS else "")


def _single(
    rows: Data,
    fit: Described,
    height: float,
    drawing: Drawing,
    kind: Literal["density", "uncertainty"] = "density",
) -> str:
    """Plot rows and mixture in one panel; in a common frame, a longer legend adds to its height."""
    with style():
        figure, axes = panel(5.6, height)
        features = drawing.features or separating_features(fit.mixture, HEAD)
        plot_mixture(fit, rows, kind=kind, features=features, ax=axes)
        legend_below(figure, axes, most=_LEGIBLE)
        if drawing.limits is not None:
            axes.set(**drawing.limits)
            entries = sum(len(each.get_texts()) for each in figure.legends)
            figure.set_figheight(height + _LINE * -(-entries // 2))
        _light(figure, len(rows.X), drawing.raster_from)
        return to_svg(figure)


def _pairs(rows: Data, fit: Described) -> "Canvas":
    axes: Any = plot_mixture(fit, rows, features=range(fit.mixture.n_features))
    figure: Canvas = axes[0, 0].figure
    side = min(9.0, 2.1 * fit.mixture.n_features)
    figure.set_size_inches(side, side)
    if fit.mixture.n_components > _LEGIBLE:
        for legend in list(figure.legends):
            legend.remove()
    _light(figure, len(rows.X))
    return released(figure)


def _light(figure: "Canvas", n: int, raster_from: int = RASTER_FROM) -> None:
    """Store many rows as an image, and not as a path for each; axes keep the page's colours."""
    if n > raster_from:
        for axes in figure.axes:
            axes.set_axisbelow(False)
            axes.set_rasterization_zorder(_ABOVE_ROWS)


def _principal(rows: Data, fit: Described) -> tuple[Data, Described, float]:
    """Rows and mixture on the first principal components of the standardised columns.

    Missing entries are filled with their conditional means.
    """
    x = fit.mixture.impute(rows.X) if rows.has_missing else rows.X
    mean, unit = x.mean(axis=0), x.std(axis=0)
    z = (x - mean) / unit
    some = z[np.unique(np.linspace(0, len(z) - 1, min(len(z), _ROWS)).astype(np.int64))]
    _, values, vectors = np.linalg.svd(some, full_matrices=False)
    axes = vectors[:_COMPONENTS]
    # The sign of a principal component is arbitrary: its largest loading is made positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(len(axes)), largest])[:, np.newaxis]
    seen = fit.mixture.transformed(1.0 / unit, -mean / unit).transformed(axes)
    names = [f"principal component {i + 1}" for i in range(len(axes))]
    seen = Mixture(seen.weights, seen.means, seen.covariances, names)
    share = float(np.square(values[: len(axes)]).sum() / np.square(values).sum())
    # Noise over a box is not uniform along oblique axes.
    return Data(z @ axes.T, None), fit._replace(mixture=seen, noise=None), share
