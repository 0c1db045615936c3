"""Plots of a mixture over its rows: densities, ellipses, uncertainty of classification."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from bayesgmm.arguments import check_axes, check_choice, check_names, check_probability
from bayesgmm.arrays import Array, Booleans
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.feature_choice import feature_indices, separating_features
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.plots.mixture_content import Fit, Picture, pictured
from bayesgmm.plots.plane_maps import draw_borders, draw_uncertainty, shade_words
from bayesgmm.plots.style import (
    FAINT,
    INK,
    NOISE,
    NOISE_LINE,
    RULE,
    colour,
    dashes,
    feature_labels,
    legend_beside,
    marker,
    name_axes,
    new_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


# Probabilities that contours enclose.
_CONTOURS = (0.5, 0.8, 0.95)
# Maximum numbers of features in a grid of pairs, and of components in a legend.
_FEATURES, _NAMED = 5, 40
_GRID = 120
_SMALLEST, _LARGEST = 8.0, 70.0


def plot_mixture(
    fit: Fit,
    X: Any = None,
    *,
    kind: Literal["density", "classification", "uncertainty"] = "density",
    features: Iterable[int | str] | None = None,
    prob: float = 0.9,
    variables: Mapping[str, str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes | NDArray[Any]":
    """Plot a mixture over the rows.

    "density", two features: contours that enclose 50, 80 and 95 % of the density, an ellipse that
    contains `prob` of each component, and the rows, each in the colour and with the marker of its
    most probable component; the size of a point increases with the uncertainty of the
    classification.
    One feature: the density and its components over a histogram, and a dashed line where the most
    probable component changes. More features: both, pair by pair. For a posterior, up to 60 draws
    are shown by thin lines, and the density is the mean over them; its labels should not switch
    (see `relabel`).

    "classification": lines where the most probable component changes in place of contours, and
    points of one size. "uncertainty": shades, or for one feature a curve, for the probability of
    another component than the most probable one. Lines and shades are drawn for a mixture of two
    features, as those of more depend on all features.

    Rows that are most probably noise are grey crosses, behind the others; with one feature they lie
    on the axis, and a dotted line is the density of noise. Lines and shades count noise as one more
    component, and contours leave it out. Rows that are most probably outliers of their component
    are crosses in its colour; contours and lines count them for it, and ellipses are of its other
    rows.

    Parameters
    ----------
    fit : Mixture, fitted GaussianMixture, StandardErrors, or posterior (DataTree or Dataset)
    X : (n, D), optional
        The rows; for a posterior by default those in ``observed_data``. At most 3,000 are shown.
    kind : {"density", "classification", "uncertainty"}
    features : sequence of int or str, optional
        Features by index or name. By default all; of more than five, those in which the means of
        the components differ most relative to the variance.
    prob : float
        Probability that an ellipse contains.
    variables : mapping, optional
        Names of weights, means and covariances in the posterior, as for `relabel`.
    ax : matplotlib Axes, optional
        For one or two features.

    Returns
    -------
    matplotlib Axes, or ndarray of them (D, D) for more than two features

    Raises
    ------
    InputError, InputTypeError
        If X or the posterior cannot be used, or their numbers of features differ.
    InvalidParameterError
        If `fit` is of another kind, `kind` is unknown, `prob` is not between 0 and 1, or `ax` is
        given for more than two features.
    NotFittedError
        If `fit` is an estimator that was not fitted.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset, plot_mixture
    >>> X = load_dataset("faithful").X
    >>> ax = plot_mixture(GaussianMixture(2, random_state=0).fit(X), X)
    """
    prob = check_probability("prob", prob)
    check_names("variables", variables)
    check_axes(ax)
    check_choice("kind", kind, ("density", "classification", "uncertainty"))
    picture = pictured(fit, X, prob, variables)._replace(kind=kind)
    kept = _kept_features(picture.mixture, features)
    labels = feature_labels(picture.mixture.feature_names, picture.mixture.n_features)
    names = [labels[j] for j in kept]
    picture = picture.of(kept)
    if len(kept) > 2:
        if ax is not None:
            raise InvalidParameterError(
                f"{len(kept)} features need a grid of axes. Omit ax, or choose at most two "
                "features."
            )
        return _draw_pairs(picture, names)
    one = len(kept) == 1
    ax = new_axes(figsize=(7.2, 4.4)) if ax is None else ax
    if one:
        draw = _draw_probabilities if kind == "uncertainty" and picture.whole else _draw_line
        draw(ax, picture, names[0])
    else:
        _draw_plane(ax, picture, names)
    handles, title = _legend(picture, plane=not one)
    legend_beside(ax, handles=handles, title=title)
    return ax


def _kept_features(mixture: Mixture, features: Iterable[int | str] | None) -> list[int]:
    if features is not None:
        return feature_indices(features, mixture.feature_names, mixture.n_features)
    return separating_features(mixture, _FEATURES)


# --- two features ---------------------------------------------------------------------------------


def _draw_plane(ax: "Axes", picture: Picture, names: Sequence[str]) -> None:
    """Draw contours, ellipses and rows of two features."""
    mixture = picture.mixture
    low, high = picture.limits()
    x, y = (np.linspace(low[j], high[j], _GRID) for j in range(2))
    if picture.kind == "density":
        _draw_contours(ax, picture, x, y)
    elif picture.whole:
        charted = draw_borders if picture.kind == "classification" else draw_uncertainty
        charted(ax, picture, x, y)
    _draw_rows(ax, picture)
    radius = float(np.sqrt(chi2.ppf(picture.prob, 2)))
    for k in range(mixture.n_components):
        for draw in picture.draws:
            ellipse = _ellipse(draw, k, radius)
            ax.plot(*ellipse, color=colour(k), alpha=0.18, lw=0.6, zorder=3)
        ellipse = _ellipse(mixture, k, radius)
        ax.plot(*ellipse, color="white", lw=3.2, zorder=3.5)
        ax.plot(*ellipse, color=colour(k), ls=dashes(k), lw=1.8, zorder=4)
        ax.plot(
            *mixture.means[k], marker="X", ms=9, mfc=colour(k), mec="white", mew=1.2, ls="",
            zorder=5,
        )  # fmt: skip
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(low[1], high[1])
    name_axes(ax, *names)


def _draw_contours(ax: "Axes", picture: Picture, x: Array, y: Array) -> None:
    points = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    density = picture.density(points).reshape(_GRID, _GRID)
    # The density on the grid may miss a level that a narrow component exceeds.
    levels = [each for each in _levels(picture) if each < density.max()]
    if levels:
        widths = np.linspace(0.7, 1.3, len(levels))
        ax.contour(x, y, density, levels=levels, colors=FAINT, linewidths=widths, zorder=1)


def _draw_rows(ax: "Axes", picture: Picture) -> None:
    """Draw rows in the colours of their components, larger if more uncertain."""
    spread = 0.0 if picture.kind == "classification" else _LARGEST - _SMALLEST
    sizes = _SMALLEST + spread * picture.uncertainty
    alpha = float(np.clip(40.0 / np.sqrt(max(len(sizes), 1)), 0.25, 0.8))
    for k, mine in _outlying(picture):
        x, y = picture.rows[mine].T
        ax.scatter(
            x, y, s=sizes[mine], color=FAINT if k < 0 else colour(k), marker=NOISE,
            linewidths=0.9, zorder=1.5,
        )  # fmt: skip
    for k in range(picture.mixture.n_components):
        mine = (picture.labels == k) & ~picture.outlying
        x, y = picture.rows[mine].T
        ax.scatter(
            x, y, s=sizes[mine], color=colour(k), marker=marker(k), alpha=alpha, linewidths=0,
            zorder=2,
        )  # fmt: skip


def _outlying(picture: Picture) -> Iterator[tuple[int, Booleans]]:
    """The rows that are noise (-1), or outliers of each component, where there are any."""
    for k in np.unique(picture.labels[picture.outlying]).tolist():
        yield k, (picture.labels == k) & picture.outlying


def _ellipse(mixture: Mixture, component: int, radius: float) -> Array:
    """Points (2, m) at Mahalanobis distance `radius` from a component's mean."""
    angle = np.linspace(0.0, 2.0 * np.pi, 100)
    factor = np.linalg.cholesky(mixture.covariances[component])
    circle = radius * np.array([np.cos(angle), np.sin(angle)])
    return np.asarray(mixture.means[component][:, np.newaxis] + factor @ circle)


def _levels(picture: Picture) -> Array:
    """Levels of the contours: quantiles of the density at draws from itself."""
    mixtures = picture.mixtures
    size = -(-4000 // len(mixtures))
    points = np.vstack([each.sample(size, rng=t)[0] for t, each in enumerate(mixtures)])
    return np.asarray(np.unique(np.quantile(picture.density(points), 1.0 - np.array(_CONTOURS))))


# --- one feature ----------------------------------------------------------------------------------


def _bin_edges(values: Array, span: float) -> list[float]:
    """Edges of 10 to 80 bins by the rule of Freedman and Diaconis (1981).

    Values nearly equal relative to the span of the plot are in one bin.
    """
    lower, upper = np.quantile(values, (0.25, 0.75))
    least, largest = values.min(), values.max()
    if largest - least <= 1e-6 * span:
        half = np.maximum(0.01 * span, np.spacing(np.abs(least)))
        return [float(least - half), float(largest + half)]
    width = max(2.0 * (upper - lower) / np.cbrt(len(values)), (largest - least) / 80.0)
    # At a large offset some edges coincide.
    count = max(round((largest - least) / width), 10)
    return sorted(set(np.linspace(least, largest, count + 1).tolist()))


def _draw_line(ax: "Axes", picture: Picture, name: str) -> None:
    """Draw the density and its components over a histogram."""
    mixture = picture.mixture
    low, high = picture.limits()
    x = np.linspace(low[0], high[0], 400)
    if len(picture.rows):
        values = picture.rows[~np.isnan(picture.rows[:, 0]), 0]
        bins = _bin_edges(values, high[0] - low[0])
        ax.hist(values, bins=bins, density=True, color=RULE, edgecolor="white", zorder=1)
    share = 1.0 - picture.noise_weight
    total = share * picture.density(x[:, np.newaxis])
    if picture.noise is not None:
        level = picture.noise_weight * np.exp(picture.noise.log_density(x[:, np.newaxis]))
        total += level
        ax.plot(x, level, color=FAINT, ls=NOISE_LINE, lw=1.6, zorder=3)
    for k, mine in _outlying(picture):
        outlying = picture.rows[mine, 0]
        ax.plot(
            outlying, np.full(len(outlying), 0.04), transform=ax.get_xaxis_transform(),
            color=FAINT if k < 0 else colour(k), marker=NOISE, ms=5, mew=0.9, ls="", zorder=3,
        )  # fmt: skip
    # Broad and below the others, so as not to hide an isolated component.
    ax.plot(x, total, color=INK, lw=3.5, alpha=0.6, zorder=2)
    curves = share * np.exp(picture.log_components(x[:, np.newaxis]))
    for k in range(mixture.n_components):
        for draw in picture.draws:
            ax.plot(x, _component(draw, k, x), color=colour(k), alpha=0.15, lw=0.6, zorder=3)
        ax.plot(x, curves[:, k], color=colour(k), ls=dashes(k), lw=1.6, zorder=4)
    if picture.contamination is not None:
        outliers = np.exp(picture.log_outliers(x[:, np.newaxis]))
        for k, density in enumerate(outliers.T):
            ax.plot(x, density, color=colour(k), ls=NOISE_LINE, lw=1.6, zorder=3)
    seen = picture.visible_boundaries()
    ax.vlines(
        seen, 0.0, 1.0, transform=ax.get_xaxis_transform(), color=INK, lw=0.8, ls=(0, (4, 3)),
        zorder=3.5,
    )  # fmt: skip
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(bottom=0.0)
    name_axes(ax, name, "density")


def _draw_probabilities(ax: "Axes", picture: Picture, name: str) -> None:
    """Draw the probability of each component, and of another than the most probable one."""
    low, high = picture.limits()
    x = np.linspace(low[0], high[0], 400)
    found = picture.probabilities(x[:, np.newaxis])
    ax.fill_between(x, 1.0 - found.max(axis=1), color=FAINT, alpha=0.5, lw=0.0, zorder=1)
    for k in range(picture.mixture.n_components):
        ax.plot(x, found[:, k], color=colour(k), ls=dashes(k), lw=1.6, zorder=3)
    if picture.noise is not None:
        ax.plot(x, found[:, -1], color=FAINT, ls=NOISE_LINE, lw=1.6, zorder=3)
    ax.vlines(picture.rows[:, 0], -0.05, -0.01, color=INK, lw=0.4, alpha=0.6)
    ax.set_xlim(low[0], high[0])
    ax.set_ylim(-0.06, 1.02)
    name_axes(ax, name, "probability")


def _component(mixture: Mixture, component: int, x: Array) -> Array:
    return np.asarray(np.exp(mixture.log_joint(x[:, np.newaxis])[:, component]))


# --- many features --------------------------------------------------------------------------------


def _draw_pairs(picture: Picture, names: Sequence[str]) -> "NDArray[Any]":
    """Draw pairs of features below the diagonal, single features on it."""
    d = len(names)
    axes: NDArray[Any] = new_axes(d, d, figsize=(2.3 * d + 1.5, 2.1 * d))
    for i in range(d):
        for j in range(d):
            ax = axes[i, j]
            if j > i:
                ax.set_axis_off()
                continue
            if i == j:
                _draw_line(ax, picture.of([j]), names[j])
                ax.set_yticks([])
            else:
                _draw_plane(ax, picture.of([j, i]), [names[j], names[i]])
            ax.tick_params(labelsize="x-small")
            if i < d - 1:
                ax.set_xlabel("")
                ax.tick_params(labelbottom=False)
            if 0 < j < i:
                ax.set_ylabel("")
                ax.tick_params(labelleft=False)
    # No panel has the memberships of all features, which shades would show.
    handles, title = _legend(picture._replace(whole=False), plane=True)
    corner = {"loc": "upper right", "bbox_to_anchor": (1.0, 1.0)}
    legend_beside(axes[0, 0].figure, handles=handles, title=title, **corner)
    return axes


def _legend(picture: Picture, *, plane: bool) -> tuple[list[Any], str]:
    """Handles of the components, and a title that explains probabilities and sizes."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    words = picture.mixture.component_words
    drawn, noisy = len(picture.rows), picture.noise_weight > 0.0
    handles: list[Any] = [
        Line2D(
            [], [], color=colour(k), ls=dashes(k), lw=1.8, ms=5,
            marker=marker(k) if plane and drawn else "",
            label=f"component {words[k]}, weight {weight:#.2g}",
        )
        for k, weight in enumerate(picture.mixture.weights[:_NAMED])
    ]  # fmt: skip
    if further := picture.mixture.n_components - len(handles):
        handles.append(Line2D([], [], ls="", label=f"and {further} more"))
    lines = []
    if noisy:
        handles.append(_noise_handle(picture, plane=plane))
        lines.append("weights of components: of the rows that are not noise")
    contaminated = picture.contamination is not None
    if contaminated:
        handles.append(_outlier_handle(picture, plane=plane))
    if plane:
        shares = ", ".join(f"{100 * each:g}" for each in _CONTOURS)
        ellipse = f"ellipse: {100 * picture.prob:g} % of a component"
        lines.append(ellipse + ", without outliers" * contaminated)
        if picture.kind == "density":
            lines.append(f"contours: {shares} % of the density" + ", without noise" * noisy)
        if picture.kind == "uncertainty" and picture.whole:
            other = "another component" + " or noise" * noisy
            lines += [f"shades: probability of {other}", f"  ({shade_words()})"]
        if drawn and picture.kind != "classification":
            lines.append("larger points: more uncertain")
    elif picture.kind == "uncertainty":
        handles.append(Patch(color=FAINT, alpha=0.5, lw=0.0, label="uncertainty"))
    else:
        handles.append(Line2D([], [], color=INK, lw=3.5, alpha=0.6, label="mixture"))
        if len(picture.visible_boundaries()):
            boundary = Line2D([], [], color=INK, lw=0.8, ls=(0, (4, 3)), label="boundary")
            handles.append(boundary)
    return handles, "\n".join(lines + _what_is_drawn(picture))


def _what_is_drawn(picture: Picture) -> list[str]:
    """Lines of a legend on draws and rows."""
    drawn, lines = len(picture.rows), []
    if picture.draws:
        lines.append(f"thin lines: {plural(len(picture.draws), 'draw')}")
    if drawn and picture.noisy:
        lines.append("points: rows with their measurement errors")
    if drawn and (unseen := int(np.isnan(picture.rows).any(axis=1).sum())):
        lines.append(f"{plural(unseen, 'row')} with missing entries are not drawn everywhere")
    if picture.n_rows > drawn:
        lines.append(f"{drawn:,} of {picture.n_rows:,} rows")
    return lines


def _noise_handle(picture: Picture, *, plane: bool) -> Any:
    """The legend's entry of noise: crosses where rows are drawn, a line where its density is."""
    return _cross(picture, plane, FAINT, f"noise, weight {picture.noise_weight:#.2g}")


def _outlier_handle(picture: Picture, *, plane: bool) -> Any:
    """The legend's entry of outliers of components, which have the components' colours."""
    return _cross(picture, plane, INK, "outliers of a component, in its colour")


def _cross(picture: Picture, plane: bool, color: str, label: str) -> Any:
    from matplotlib.lines import Line2D

    crosses = len(picture.rows) and (plane or picture.kind != "uncertainty")
    return Line2D(
        [], [], color=color, marker=NOISE if crosses else "", ms=5, mew=0.9,
        ls="" if plane else NOISE_LINE, label=label,
    )  # fmt: skip
