"""Plot of a model selection: the criterion by K, a line for each covariance structure."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayesgmm.arguments import check_axes
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import InputError
from bayesgmm.plots.style import FAINT, INK, PAPER, colour, legend_beside, new_axes, table_of
from bayesgmm.selection.selection_result import CRITERIA, Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D

# Colour and marker by shape and orientation; equal volumes are solid lines with filled markers.
_STYLES = {
    "II": (FAINT, "o"),
    "EI": (colour(4), "s"),
    "VI": (colour(5), "D"),
    "EE": (colour(0), "^"),
    "VE": (colour(2), "v"),
    "EV": (colour(3), "P"),
    "VV": (colour(1), "X"),
    "": (INK, "o"),
}

# A sentence for captions.
BEYOND = "A triangle at the frame is a model beyond it."


def plot_selection(selection: Selection | pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the criterion of every admissible model against the number of components.

    Colour and marker show shape and orientation; the line is solid where volumes are equal, and
    dashed where they vary. The axis covers the better two thirds of the models; a triangle at its
    frame stands for a worse one. The legend lists structures by their best value, and names last
    those that lie outside the axis.

    Parameters
    ----------
    selection : Selection or DataFrame
        Result of `select_mixture`, or its table, of which BIC is plotted.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If a column is missing, or the table has no admissible model.
    InvalidParameterError
        If `selection` is of another kind.

    Examples
    --------
    >>> from bayesgmm import load_dataset, plot_selection, select_mixture
    >>> ax = plot_selection(select_mixture(load_dataset("faithful").X, range(1, 6), rng=0))
    """
    check_axes(ax)
    criterion = selection.criterion if isinstance(selection, Selection) else "bic"
    name, label = CRITERIA[criterion]
    columns = ("n_components", "covariance_type", name, "note")
    table = table_of("selection", selection, Selection, columns)
    admissible = table[(table["note"] == "") & np.isfinite(table[name])]
    if admissible.empty:
        raise InputError("The table has no admissible model to plot.")
    ax = new_axes(figsize=(7.5, 4.8)) if ax is None else ax
    codes = admissible["covariance_type"].map(lambda each: as_structure(str(each)).code)
    wide = admissible.assign(code=codes).pivot_table(
        index="n_components", columns="code", values=name, aggfunc="first"
    )
    # In mclust's order.
    lines = {}
    for code in [volume + rest for rest in _STYLES for volume in "EV"]:
        if code not in wide.columns:
            continue
        (shade, mark), equal = _STYLES[code[1:]], code[0] == "E"
        (lines[code],) = ax.plot(
            wide.index, wide[code], color=shade, marker=mark, linestyle="-" if equal else "--",
            linewidth=1.1, markersize=5.0, markerfacecolor=shade if equal else PAPER, label=code,
        )  # fmt: skip
    larger = criterion == "cv"
    best = admissible[name].idxmax() if larger else admissible[name].idxmin()
    k, value = admissible.loc[best, "n_components"], admissible.loc[best, name]
    (circle,) = ax.plot(
        k, value, marker="o", markersize=15.0, markerfacecolor="none", markeredgecolor=INK,
        linestyle="none", label=f"best: {codes[best]}, {k}",
    )  # fmt: skip
    _limit_to_competitors(ax, admissible[name].to_numpy(dtype=np.float64), larger=larger)
    ax.set_xlabel("number of components K")
    ax.set_ylabel(label)
    ax.set_xticks(list(wide.index))
    values = (wide if larger else -wide).max().sort_values(ascending=False, kind="stable")
    low, high = ax.get_ylim()
    within = wide.columns[((wide >= low) & (wide <= high)).any()]
    shown = [lines[code] for code in values.index if code in within]
    outside = [code for code in lines if code not in within]
    title = f"outside the axis: {', '.join(outside)}" if outside else None
    legend_beside(ax, handles=[*shown, circle], title=title)
    for line in lines.values():
        _stop_at_frame(ax, line, larger=larger)
    return ax


def _stop_at_frame(ax: "Axes", line: "Line2D", *, larger: bool) -> None:
    """Let a line end at the frame of the axes, with a triangle for each worse model."""
    from matplotlib.collections import LineCollection

    ks, values = (np.asarray(each, dtype=np.float64) for each in line.get_data())
    low, high = ax.get_ylim()
    beyond = values < low if larger else values > high
    line.set_ydata(np.where(beyond, np.nan, values))
    shade, ended = line.get_color(), np.clip(values, low, high)
    ax.scatter(
        ks[beyond], ended[beyond], s=25.0, marker="v" if larger else "^", color=shade,
        clip_on=False, zorder=5,
    )  # fmt: skip
    points = np.column_stack((ks, ended))
    leaving = np.flatnonzero(beyond[1:] != beyond[:-1])
    ax.add_collection(
        LineCollection(
            [points[[k, k + 1]] for k in leaving], colors=shade, linestyles=line.get_linestyle(),
            linewidths=line.get_linewidth(),
        ),
        autolim=False,
    )  # fmt: skip


def _limit_to_competitors(ax: "Axes", values: np.ndarray, *, larger: bool) -> None:
    """Limit the axis to the better two thirds of the models."""
    sign = -1.0 if larger else 1.0
    best, far = np.min(sign * values), np.quantile(sign * values, 2 / 3)
    margin = 0.06 * max(far - best, 1.0)
    low, high = sorted((sign * (best - margin), sign * (far + margin)))
    ax.set_ylim(low, high)
