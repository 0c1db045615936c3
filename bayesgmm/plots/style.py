"""Shared by all plots: colours and markers of components, names on axes, new figures, tables."""

from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from bayesgmm.arguments import check_kind
from bayesgmm.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# The colour-blind-safe colours of Okabe and Ito; yellow, faint on white, comes last.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")
# Five markers beside seven colours: the pair of the first thirty-five components is their own.
_MARKERS = ("o", "s", "^", "D", "v")
N_COLOURS = len(_COLOURS)
# Marker and line style of noise, which is FAINT.
NOISE, NOISE_LINE = "x", (0, (1.0, 1.5))
INK = "#333333"
FAINT = "#999999"
RULE = "#dddddd"
PAPER = "#ffffff"


def colour(component: int) -> str:
    """The colour of a component, by its index; beyond seven, `dashes` and `marker` differ."""
    return _COLOURS[component % len(_COLOURS)]


def dashes(component: int) -> Any:
    """The line style of a component: solid for the first seven, then a dash and ever more dots."""
    again = component // len(_COLOURS)
    return (0, (5.0, 2.0) + (1.0, 2.0) * (again - 1)) if again else "-"


def marker(component: int) -> Any:
    """The marker of a component, by its index; from the 36th on, stars of ever more points."""
    further = component - len(_COLOURS) * len(_MARKERS)
    if further < 0:
        return _MARKERS[component % len(_MARKERS)]
    return (5 + further // len(_COLOURS), 1, 0.0)


def short(name: str, length: int = 28) -> str:
    """A name for a label: without control characters, and cut if it is long."""
    clean = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in name)
    return clean if len(clean) <= length else f"{clean[: length - 1]}\N{HORIZONTAL ELLIPSIS}"


def short_names(names: Sequence[str], length: int = 28) -> list[str]:
    """Names for labels, as `short` gives them but different from one another.

    Long names that begin alike are shown from shortly before the character in which they differ.
    """
    shown = [short(name, length) for name in names]
    for each in _repeated(shown):
        same = [j for j, label in enumerate(shown) if label == each]
        alike = takewhile(
            lambda at: len(set(at)) == 1, zip(*(names[j] for j in same), strict=False)
        )
        start = max(sum(1 for _ in alike) - length // 3, 0)
        for j in same:
            shown[j] = short(f"\N{HORIZONTAL ELLIPSIS}{names[j][start:]}", length)
    repeated = _repeated(shown)
    return [
        f"{short(names[j], length - 12)} (column {j})" if label in repeated else label
        for j, label in enumerate(shown)
    ]


def _repeated(labels: Sequence[str]) -> list[str]:
    return [label for label, times in Counter(labels).items() if times > 1]


def feature_labels(names: Sequence[str] | None, n_features: int) -> list[str]:
    """Labels of axes: the features' names, or their indices."""
    if names is None:
        return ["x"] if n_features == 1 else [f"feature {j}" for j in range(n_features)]
    return short_names(names, 40)


def name_axes(ax: "Axes", x: str, y: str) -> None:
    """Label axes literally: a $ in a name does not start a formula."""
    ax.set_xlabel(x, parse_math=False)
    ax.set_ylabel(y, parse_math=False)


def new_axes(rows: int = 1, columns: int = 1, **options: Any) -> Any:
    """Axes of a new figure, laid out so that labels and legends do not overlap."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, layout="constrained", **options)[1]


def legend_beside(ax: "Axes | Figure", **options: Any) -> Any:
    """A legend to the right of the axes, in columns that are no taller than most figures."""
    handles = options.get("handles") or cast("Axes", ax).get_legend_handles_labels()[0]
    return ax.legend(
        **{"loc": "upper left", "bbox_to_anchor": (1.01, 1.0)} | options,
        ncols=1 + len(handles) // 22,
        frameon=False, alignment="left", fontsize="small", title_fontsize="small",
    )  # fmt: skip


def table_of(name: str, result: Any, kind: type, columns: Sequence[str]) -> pd.DataFrame:
    """The table of a result of some kind, or a table, with the columns that are needed.

    Raises
    ------
    InputError
        If a column is missing.
    InvalidParameterError
        If the result is of another kind; `name` is the argument's name.
    """
    check_kind(name, result, kind | pd.DataFrame, f"a {kind.__name__} or its table")
    table: pd.DataFrame = getattr(result, "table", result)
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputError(f"The table has no column {', '.join(map(repr, missing))}.")
    return table
