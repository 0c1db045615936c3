"""What all plots share: colours and markers of components, names on axes, figures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's colours, which the colour-blind tell apart; yellow, faint on white, comes last.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#F0E442")
# Five markers beside seven colours: thirty-five components before a pair repeats.
_MARKERS = ("o", "s", "^", "D", "v")
N_COLOURS = len(_COLOURS)
_LONGEST_NAME = 40
INK = "#333333"
FAINT = "#999999"


def colour(component: int) -> str:
    """The colour of a component, by its index."""
    return _COLOURS[component % len(_COLOURS)]


def marker(component: int) -> str:
    """The marker of a component, by its index."""
    return _MARKERS[component % len(_MARKERS)]


def shown(name: str) -> str:
    """A name cut to a length that fits an axis."""
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def feature_labels(names: Sequence[str] | None, n_features: int) -> list[str]:
    """What axes are called: the features' names, or their indices."""
    if names is None:
        return ["x"] if n_features == 1 else [f"feature {j}" for j in range(n_features)]
    return [shown(name) for name in names]


def name_axes(ax: "Axes", x: str, y: str) -> None:
    """Write axis labels as they are: a $ in a name starts no formula."""
    ax.set_xlabel(x, parse_math=False)
    ax.set_ylabel(y, parse_math=False)


def new_axes(rows: int = 1, columns: int = 1, **options: Any) -> Any:
    """Axes of a new figure that keeps labels and legends apart; no display is needed."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, layout="constrained", **options)[1]
