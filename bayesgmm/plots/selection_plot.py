"""A selection as lines: the criterion by K, one line for each structure."""

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.arguments import check_axes, shown
from bayesgmm.errors import InvalidParameterError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from bayesgmm.selection.model_selection import Selection

# Okabe and Ito's colours, which the colour-blind tell apart.
_COLOURS = {"E": "#0072B2", "V": "#D55E00", "I": "#009E73"}
_MARKERS = {"II": "o", "EI": "s", "VI": "D", "EE": "^", "VE": "v", "EV": "P", "VV": "X", "": "o"}
_LABELS = {
    "bic": "BIC, smaller is better",
    "icl": "ICL, smaller is better",
    "aic": "AIC, smaller is better",
    "cv": "held-out log-likelihood in nats, larger is better",
}


def plot_selection(selection: "Selection", *, ax: "Axes | None" = None) -> "Axes":
    """Draw the criterion of every trustworthy cell against the number of components.

    Colour says whether volumes are equal or vary, the marker which shape and orientation. The axis
    spans what competes: cells far behind the best may lie outside.

    Parameters
    ----------
    selection : Selection
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure if None.

    Returns
    -------
    matplotlib.axes.Axes
    """
    import matplotlib.pyplot as plt

    check_axes(ax)
    if not hasattr(selection, "to_mclust"):
        raise InvalidParameterError(
            f"selection must be what select_mixture returned, not {shown(selection)}."
        )
    if ax is None:
        ax = plt.subplots(figsize=(7.5, 4.8), layout="constrained")[1]
    name = "cv_log_likelihood" if selection.criterion == "cv" else selection.criterion
    wide = selection.table.assign(
        value=selection.table[name].where(selection.table["note"] == "")
    ).pivot(index="n_components", columns="covariance_type", values="value")
    order = [code for code in selection.to_mclust().columns if code in wide.columns]
    for code in order:
        equal = code[0] == "E"
        ax.plot(
            wide.index,
            wide[code],
            color=_COLOURS[code[0]],
            marker=_MARKERS[code[1:]],
            linestyle="-" if equal else "--",
            linewidth=1.0,
            markersize=5.0,
            markerfacecolor=_COLOURS[code[0]] if equal else "white",
            label=code,
        )
    first = selection.ranked().iloc[0]
    ax.plot(
        first["n_components"],
        first[name],
        marker="o",
        markersize=15.0,
        markerfacecolor="none",
        markeredgecolor="black",
        linestyle="none",
        label=f"best: {first['covariance_type']}, {first['n_components']}",
    )
    _frame_what_competes(ax, wide.to_numpy(dtype=np.float64), larger=selection.criterion == "cv")
    ax.set_xlabel("number of components K")
    ax.set_ylabel(_LABELS[selection.criterion])
    ax.set_xticks(list(wide.index))
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, fontsize=9)
    return ax


def _frame_what_competes(ax: "Axes", values: np.ndarray, *, larger: bool) -> None:
    """Limit the axis to the better three quarters of the cells."""
    found = values[np.isfinite(values)]
    sign = -1.0 if larger else 1.0
    best, far = np.min(sign * found), np.quantile(sign * found, 0.75)
    margin = 0.06 * max(far - best, 1.0)
    low, high = sorted((sign * (best - margin), sign * (far + margin)))
    ax.set_ylim(low, high)
