"""Maps of a plane: the most probable component of each point, and its uncertainty."""

from typing import TYPE_CHECKING

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.plots.mixture_content import Picture
from bayesgmm.plots.style import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Probabilities of another component than the most probable one, at which shades begin.
_SHADES = (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def draw_borders(ax: "Axes", picture: Picture, x: Array, y: Array) -> None:
    """Draw lines where the most probable component changes, on the grid of x and y."""
    joint = picture.log_joint(_points(x, y)).T.reshape(-1, len(y), len(x))
    for k, own in enumerate(joint):
        others = np.delete(joint, k, axis=0)
        if len(others):
            lead = np.clip(own - others.max(axis=0), -50.0, 50.0)
            if lead.min() < 0.0 < lead.max():
                ax.contour(x, y, lead, levels=[0.0], colors=INK, linewidths=0.7, zorder=1)


def draw_uncertainty(ax: "Axes", picture: Picture, x: Array, y: Array) -> None:
    """Shade points by the probability of another component than the most probable one."""
    uncertain = 1.0 - picture.probabilities(_points(x, y)).max(axis=1)
    shades = np.linspace(0.08, 0.75, len(_SHADES) - 1)
    # Opacities of one grey, so that the map suits light and dark pages.
    for low, high, opacity in zip(_SHADES[:-1], _SHADES[1:], shades, strict=True):
        ax.contourf(
            x, y, uncertain.reshape(len(y), len(x)), levels=[low, high], colors=[FAINT],
            alpha=float(opacity), zorder=0.5,
        )  # fmt: skip


def shade_words() -> str:
    """The probabilities at which shades begin, for legends."""
    return f"shades from {', '.join(f'{100 * each:g}' for each in _SHADES[:-1])} %"


def _points(x: Array, y: Array) -> Array:
    return np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
