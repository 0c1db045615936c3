"""Figures as inline SVG in the page's colours and type, of the same bytes each time."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from bayesgmm.plots.style import N_COLOURS, colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Stand-ins that are replaced by the page's own colours, which differ by day and by night.
INK, MUTED, RULE, PAPER = "#333333", "#999999", "#dddddd", "#ffffff"
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"}
_VARIABLES |= {each.lower(): f"--c{i}" for i, each in enumerate(map(colour, range(N_COLOURS)))}
# More points than this are drawn as an image, or the file would hold a path for each.
RASTER_FROM = 2000

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "bayesgmm",
    "text.parse_math": False,
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 10.0,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.formatter.useoffset": False,
    "figure.facecolor": "none",
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "patch.edgecolor": INK,
    "lines.linewidth": 1.6,
    "savefig.dpi": 150,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the page's style: all figures are made and written inside."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The reader's browser has the letters that the font of the layout may lack.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def canvas(width: float, height: float) -> "Canvas":
    """Return an empty figure, in inches, that belongs to no display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def panel(width: float = 5.6, height: float = 3.4) -> "tuple[Canvas, Axes]":
    """Return a figure of one panel."""
    figure = canvas(width, height)
    return figure, figure.add_subplot()


def released(figure: "Canvas") -> "Canvas":
    """Return a figure that pyplot made and no longer keeps."""
    import matplotlib.pyplot as plt

    plt.close(figure)
    return figure


def to_svg(figure: "Canvas") -> str:
    """Return a figure as an SVG element for the inside of a page.

    Without metadata and namespaces, which HTML does not need; with the page's colours and type in
    the place of their stand-ins. Only attributes are looked at: what a user wrote stays as it is.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if _plain_name(child.tag) in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        element.tag = _plain_name(element.tag)
        element.attrib = {_plain_name(k): _in_page(v) for k, v in element.attrib.items()}
        element.tail = None
    width = float(root.attrib["viewBox"].split()[2])
    # Points to CSS pixels.
    root.attrib = {
        "style": f"max-width: {width / 0.75:.0f}px",
        "viewBox": root.attrib["viewBox"],
        "aria-hidden": "true",
    }
    return ElementTree.tostring(root, encoding="unicode")


def with_own_ids(svg: str, prefix: str) -> str:
    """Return the SVG with a prefix before each id, so that figures of a page do not share any."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.attrib[name] = prefix + value
            elif name == "href" and value.startswith("#"):
                element.attrib[name] = f"#{prefix}{value[1:]}"
            elif "url(#" in value:
                element.attrib[name] = value.replace("url(#", f"url(#{prefix}")
    return ElementTree.tostring(root, encoding="unicode")


def _plain_name(name: str) -> str:
    return name.rpartition("}")[2]


def _in_page(value: str) -> str:
    """Return an attribute with the page's colours and type."""
    value = re.sub(r"font: ([\d.]+px) [^;]*", r"font: \1 var(--sans)", value)
    for stand_in, variable in _VARIABLES.items():
        value = value.replace(stand_in, f"var({variable})")
    return value
