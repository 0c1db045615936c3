"""Plot of a partition: clusters, uncertain rows, and the bounds of the credible ball."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import check_kind
from bayesgmm.arrays import Array, Booleans, Indices, Integers
from bayesgmm.data.validation import check_data
from bayesgmm.display import listed, plural
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.feature_choice import feature_indices
from bayesgmm.partitions.matched_clusters import matched
from bayesgmm.partitions.posterior_partition import BOUNDS, Partition
from bayesgmm.plots.style import (
    FAINT,
    INK,
    colour,
    feature_labels,
    legend_beside,
    marker,
    name_axes,
    new_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SIZE, _NAMED = 12.0, 20


def plot_partition(
    result: Partition, X: Any = None, *, features: Iterable[int | str] | None = None
) -> "NDArray[Any]":
    """Plot the partition of a posterior over the rows, beside the bounds of its credible ball.

    Rows have the colour, the marker and the name of the component with which their cluster shares
    most rows (`Partition.components`), as in `plot_mixture`; rings mark uncertain rows. Clusters of
    the bounds have the colour of the cluster of the estimate with which they share most rows, if
    that is not another's, and otherwise a colour that the estimate lacks. With one feature the
    panels are stacked histograms, and rings on the axis mark uncertain rows. Bounds that are the
    same partition share a panel.

    Parameters
    ----------
    result : Partition
        Result of `posterior_partition`.
    X : array-like of shape (n, D), optional
        The rows, if the result does not have them.
    features : sequence of one or two int or str, optional
        Features by index or name. By default those in which the clusters differ most relative to
        the variance within them.

    Returns
    -------
    ndarray of matplotlib Axes, of shape (2, 2), or (1, P) for less than four panels
        The estimate, and the upper, lower and horizontal bounds.

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used, has another number of rows, or is missing.
    InvalidParameterError
        If `result` is of another kind, or more than two features are given.

    Examples
    --------
    >>> from bayesgmm import load_dataset, plot_partition, posterior_partition, sample_posterior
    >>> posterior = sample_posterior(load_dataset("faithful").X, 2, draws=200, rng=0)
    >>> axes = plot_partition(posterior_partition(posterior, rng=1))
    """
    check_kind("result", result, Partition, "a Partition, the result of posterior_partition")
    rows, names = _rows(result, X)
    kept = _kept_features(rows, names, result.labels, features)
    labels = [feature_labels(names, rows.shape[1])[j] for j in kept]
    panels = _panels(result)
    shape = (2, 2) if len(panels) == 4 else (1, len(panels))
    size = (4.8 * shape[1], 3.6 * shape[0])
    axes: NDArray[Any] = new_axes(*shape, figsize=size, sharex=True, sharey=True, squeeze=False)
    draw = _draw_line if len(kept) == 1 else _draw_plane
    for ax, (title, part) in zip(axes.flat, panels.items(), strict=True):
        marked = result.uncertain if part is result.labels else np.zeros(len(part), dtype=bool)
        draw(ax, rows[:, kept], _places(result)[_like(result.labels, part)], marked)
        ax.set_title(f"{title}:\n{plural(part.max() + 1, 'cluster')}", fontsize="medium")
        name_axes(ax, labels[0], labels[1] if len(kept) > 1 else "rows")
        ax.label_outer()
    _draw_legend(axes, result)
    return axes


def _panels(result: Partition) -> dict[str, Integers]:
    """The estimate and the bounds by their titles; equal bounds have one."""
    equal: dict[bytes, list[str]] = {}
    for name in BOUNDS:
        equal.setdefault(getattr(result, name).tobytes(), []).append(name)
    titles = {
        f"{listed(names)} {'bound' if len(names) == 1 else 'bounds'}": names[0]
        for names in equal.values()
    }
    bounds = {title: getattr(result, name) for title, name in titles.items()}
    return {"estimate": result.labels, **bounds}


def _places(result: Partition) -> Integers:
    """The numbers by which clusters have colours: those of the estimate, and further ones."""
    own = [*result.components]
    further = max(own, default=0) + 1
    return np.array([*own, *range(max(further, 0), further + len(result.labels))])


def _rows(result: Partition, X: Any) -> tuple[Array, tuple[str, ...] | None]:
    if X is None:
        if result.X is None:
            raise InputError("The posterior has no rows beside its allocations. Give them as X.")
        return result.X, result.feature_names
    if getattr(X, "ndim", None) == 1:
        X = np.asarray(X)[:, np.newaxis]
    data = check_data(X, allow_nan=True, allow_unseen=True)
    if len(data.X) != len(result.labels):
        raise InputError(f"X has {len(data.X)} rows, but the partition is of {len(result.labels)}.")
    return data.X, data.feature_names


def _kept_features(
    x: Array, names: tuple[str, ...] | None, labels: Integers, features: Iterable[int | str] | None
) -> list[int]:
    """One or two features: those asked for, or of the largest variance between clusters."""
    if features is not None:
        kept = feature_indices(features, names, x.shape[1])
        if len(kept) not in (1, 2):
            raise InvalidParameterError(f"features must be one or two of them, not {len(kept)}.")
        return kept
    if x.shape[1] <= 2:
        return list(range(x.shape[1]))
    within = np.zeros(x.shape[1])
    for k in np.unique(labels):
        own = x[labels == k]
        seen = ~np.isnan(own)
        means = np.where(seen, own, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
        within += np.where(seen, np.square(own - means), 0.0).sum(axis=0)
    ratios = within / np.maximum(np.nanvar(x, axis=0) * (~np.isnan(x)).sum(axis=0), 1e-300)
    return sorted(np.argsort(ratios, kind="stable")[:2].tolist())


def _like(labels: Integers, other: Integers) -> Indices:
    """Labels of another partition, each that of the cluster with which it shares most rows.

    Larger overlaps come first; clusters that are left have labels beyond those of the first.
    """
    names = matched(labels, other)
    left = names < 0
    names[left] = labels.max() + 1 + np.arange(left.sum())
    return np.asarray(names[other], dtype=np.intp)


def _look(k: int) -> tuple[str, Any]:
    """The colour and the marker of a component, -1 for noise."""
    return (FAINT, "x") if k < 0 else (colour(k), marker(k))


def _draw_plane(ax: "Axes", rows: Array, labels: Indices, marked: Booleans) -> None:
    alpha = float(np.clip(40.0 / np.sqrt(len(rows)), 0.25, 0.8))
    for k in np.unique(labels).tolist():
        x, y = rows[labels == k].T
        width = 0.8 if k < 0 else 0.0
        shade, mark = _look(k)
        ax.scatter(x, y, s=_SIZE, color=shade, marker=mark, alpha=alpha, linewidths=width, zorder=2)
    x, y = rows[marked].T
    ax.scatter(x, y, s=4.0 * _SIZE, facecolors="none", edgecolors=INK, linewidths=0.6, zorder=3)


def _draw_line(ax: "Axes", rows: Array, labels: Indices, marked: Booleans) -> None:
    x = rows[:, 0]
    seen = ~np.isnan(x)
    edges = np.histogram_bin_edges(x[seen], bins=min(max(len(x) // 10, 10), 60))
    bottom = np.zeros(len(edges) - 1)
    for k in np.unique(labels).tolist():
        heights = np.histogram(x[seen & (labels == k)], edges)[0]
        ax.bar(
            edges[:-1], heights, np.diff(edges), bottom, align="edge", color=_look(k)[0],
            edgecolor="white", linewidth=0.4, zorder=2,
        )  # fmt: skip
        bottom += heights
    at = x[marked]
    ax.scatter(
        at, np.zeros(len(at)), s=4.0 * _SIZE, facecolors="none", edgecolors=INK, linewidths=0.6,
        clip_on=False, zorder=3,
    )  # fmt: skip


def _draw_legend(axes: "NDArray[Any]", result: Partition) -> None:
    from matplotlib.lines import Line2D

    sizes = result.table["rows"].tolist()
    handles = []
    for j in result.by_component[:_NAMED]:
        shade, mark = _look(result.components[j])
        text = f"{result.cluster_names[j]}: {plural(sizes[j], 'row')}"
        handles.append(Line2D([], [], color=shade, marker=mark, ls="", ms=5, label=text))
    if len(sizes) > _NAMED:
        handles.append(Line2D([], [], ls="", label=f"{len(sizes) - _NAMED} others"))
    count = int(result.uncertain.sum())
    handles.append(
        Line2D(
            [], [], ls="", marker="o", mfc="none", mec=INK, mew=0.6, ms=7,
            label=f"uncertain: {count}",
        )
    )  # fmt: skip
    title = "clusters, by the component\nof most of their rows"
    legend_beside(axes[0, -1], handles=handles, title=title)
