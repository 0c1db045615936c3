"""The figures that the sections share: densities, contours with ellipses, pairs."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bayesgmm.model import Mixture
from bayesgmm.reporting.drawing import INK, MUTED, RASTER_FROM, canvas, colour, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

type Array = NDArray[np.float64]
type Labels = NDArray[np.int64]

# Points of one panel; more would only be drawn over one another.
_MOST_POINTS = 20_000
_GRID = 120


def thinned(n: int, most: int = _MOST_POINTS) -> NDArray[np.int64]:
    """Return the indices of at most so many rows, evenly through the data."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.int64))


def density(x: Array, mixture: Mixture, name: str) -> "Canvas":
    """Draw one column: a histogram, the mixture's density, and each component's share of it."""
    figure, axes = panel()
    values = x[:, 0]
    low, high = _span(values, mixture, 0)
    bins = int(np.clip(np.sqrt(len(values)), 12, 60))
    axes.hist(values, bins=bins, range=(low, high), density=True, color=MUTED, alpha=0.25)
    grid = np.linspace(low, high, 400)
    joint = np.exp(mixture.log_joint(grid[:, np.newaxis]))
    for k in range(mixture.n_components):
        axes.plot(grid, joint[:, k], color=colour(k), label=f"component {k}")
    if mixture.n_components > 1:
        axes.plot(grid, joint.sum(axis=1), color=INK, linestyle="--", label="mixture")
    if mixture.n_components <= len(LEGIBLE):
        axes.legend()
    axes.set(xlabel=name, ylabel="density", xlim=(low, high))
    return figure


LEGIBLE = range(8)


def contours(x: Array, mixture: Mixture, labels: Labels, names: tuple[str, ...]) -> "Canvas":
    """Draw two columns: the rows, the mixture's density contours, an ellipse for each component."""
    figure, axes = panel(5.6, 4.6)
    points(axes, x, labels)
    (x0, x1), (y0, y1) = (_span(x[:, j], mixture, j) for j in (0, 1))
    gx, gy = np.meshgrid(np.linspace(x0, x1, _GRID), np.linspace(y0, y1, _GRID))
    log_density = mixture.log_density(np.column_stack([gx.ravel(), gy.ravel()]))
    axes.contour(gx, gy, log_density.reshape(gx.shape), levels=_levels(log_density),
                 colors=MUTED, linewidths=0.7, linestyles="solid")  # fmt: skip
    ellipses(axes, mixture, named=True)
    axes.set(xlabel=names[0], ylabel=names[1], xlim=(x0, x1), ylim=(y0, y1))
    return figure


def pairs(x: Array, mixture: Mixture, labels: Labels, names: tuple[str, ...]) -> "Canvas":
    """Draw each pair of columns below the diagonal, and each column's density on it."""
    d = len(names)
    side = max(1.35, 7.6 / d)
    figure = canvas(side * d, side * d)
    grid = figure.subplots(d, d, squeeze=False)
    keep = thinned(len(x), 60_000 // d)
    for i in range(d):
        for j in range(d):
            axes = grid[i, j]
            axes.tick_params(labelsize=7, length=2)
            axes.locator_params(nbins=4)
            if j > i:
                axes.set_visible(False)
                continue
            span = _span(x[:, j], mixture, j)
            axes.set_xlim(span)
            if i == j:
                _column(axes, x[:, j], mixture.marginal(j), span)
                axes.set_yticks([])
                axes.spines["left"].set_visible(False)
            else:
                points(axes, x[keep][:, [j, i]], labels[keep], size=3.0)
                ellipses(axes, mixture.marginal([j, i]), named=False)
                axes.set_ylim(_span(x[:, i], mixture, i))
            axes.tick_params(labelbottom=i == d - 1, labelleft=j == 0 and i > 0)
            if i == d - 1:
                axes.set_xlabel(names[j], fontsize=9)
            if j == 0 and i > 0:
                axes.set_ylabel(names[i], fontsize=9)
    return figure


def _column(axes: "Axes", x: Array, mixture: Mixture, span: tuple[float, float]) -> None:
    axes.hist(x, bins=30, range=span, density=True, color=MUTED, alpha=0.25)
    grid = np.linspace(*span, 200)
    joint = np.exp(mixture.log_joint(grid[:, np.newaxis]))
    for k in range(mixture.n_components):
        axes.plot(grid, joint[:, k], color=colour(k), linewidth=1.0)


def points(axes: "Axes", x: Array, labels: Labels, size: float = 9.0) -> None:
    """Draw rows in their components' colours, as an image where there are many."""
    keep = thinned(len(x))
    many = len(keep) > RASTER_FROM
    # In the rows' own order no component covers another.
    colours = np.array([colour(k) for k in range(int(labels.max(initial=0)) + 1)])
    axes.scatter(
        x[keep, 0], x[keep, 1], c=colours[labels[keep]], s=2.0 if many else size,
        alpha=0.35 if many else 0.6, linewidths=0, rasterized=many,
    )  # fmt: skip


def ellipses(axes: "Axes", mixture: Mixture, *, named: bool) -> None:
    """Draw, for each component, the ellipse that holds 90 % of it."""
    from matplotlib.patches import Ellipse

    radius = np.sqrt(-2.0 * np.log(0.1))
    for k in range(mixture.n_components):
        # In units of the columns, or a small variance would be lost beside a large one.
        values, vectors = np.linalg.eigh(mixture.covariances[k])
        width, height = 2.0 * radius * np.sqrt(np.maximum(values, 0.0))
        angle = float(np.degrees(np.arctan2(vectors[1, 0], vectors[0, 0])))
        axes.add_patch(
            Ellipse(
                (float(mixture.means[k, 0]), float(mixture.means[k, 1])), width, height,
                angle=angle, fill=False, edgecolor=colour(k), linewidth=1.6 if named else 1.1,
            )
        )  # fmt: skip
        if named:
            axes.annotate(
                str(k), mixture.means[k], ha="center", va="center", fontsize=11,
                fontweight="bold", color=INK,
            )  # fmt: skip


def _levels(log_density: Array) -> Array:
    """Contours at equal steps of log density, from the top down to where nothing is left."""
    top = float(log_density.max())
    return np.asarray(np.linspace(top - 5.5, top - 0.3, 8))


def _span(x: Array, mixture: Mixture, j: int) -> tuple[float, float]:
    """The stretch of a column that rows and components take, and a little more."""
    spread = np.sqrt(mixture.variances[:, j])
    weighty = mixture.weights > 1e-3
    low = min(float(x.min()), float((mixture.means[:, j] - 2.5 * spread)[weighty].min()))
    high = max(float(x.max()), float((mixture.means[:, j] + 2.5 * spread)[weighty].max()))
    margin = 0.02 * (high - low)
    return low - margin, high + margin
