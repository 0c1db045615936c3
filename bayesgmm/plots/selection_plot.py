"""Plot of a model selection: the criterion by K, a line for each covariance structure."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bayesgmm.arguments import check_axes
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import InputError
from bayesgmm.plots.style import INK, PAPER, colour, legend_beside, new_axes, table_of
from bayesgmm.selection.selection_result import CRITERIA, Selection

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {"E": colour(0), "V": colour(1)}
_MARKERS = {"II": "o", "EI": "s", "VI": "D", "EE": "^", "VE": "v", "EV": "P", "VV": "X", "": "o"}


def plot_selection(selection: Selection | pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the criterion of every admissible model against the number of components.

    The colour and the line show whether volumes are equal or vary, the marker the shape and
    orientation. The axis covers the better two thirds of the models; the others may lie
    outside.

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
    for code in [volume + rest for rest in _MARKERS for volume in _COLOURS]:
        if code not in wide.columns:
            continue
        equal = code[0] == "E"
        ax.plot(
            wide.index, wide[code], color=_COLOURS[code[0]], marker=_MARKERS[code[1:]],
            linestyle="-" if equal else "--", linewidth=1.0, markersize=5.0,
            markerfacecolor=_COLOURS[code[0]] if equal else PAPER, label=code,
        )  # fmt: skip
    larger = criterion == "cv"
    best = admissible[name].idxmax() if larger else admissible[name].idxmin()
    k, value = admissible.loc[best, "n_components"], admissible.loc[best, name]
    ax.plot(
        k, value, marker="o", markersize=15.0, markerfacecolor="none", markeredgecolor=INK,
        linestyle="none", label=f"best: {codes[best]}, {k}",
    )  # fmt: skip
    _limit_to_competitors(ax, admissible[name].to_numpy(dtype=np.float64), larger=larger)
    ax.set_xlabel("number of components K")
    ax.set_ylabel(label)
    ax.set_xticks(list(wide.index))
    legend_beside(ax)
    return ax


def _limit_to_competitors(ax: "Axes", values: np.ndarray, *, larger: bool) -> None:
    """Limit the axis to the better two thirds of the models."""
    sign = -1.0 if larger else 1.0
    best, far = np.min(sign * values), np.quantile(sign * values, 2 / 3)
    margin = 0.06 * max(far - best, 1.0)
    low, high = sorted((sign * (best - margin), sign * (far + margin)))
    ax.set_ylim(low, high)
