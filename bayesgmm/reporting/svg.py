"""Figures as inline SVG in the page's colours and fonts, reproducible byte for byte."""

import base64
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from bayesgmm.plots import style as plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Placeholders for colours of the page, which depend on its light or dark scheme.
INK, MUTED, RULE, PAPER = plots.INK, plots.FAINT, plots.RULE, plots.PAPER
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"}
_VARIABLES |= {
    each.lower(): f"--c{i}" for i, each in enumerate(map(plots.colour, range(plots.N_COLOURS)))
}
# Number of points above which they are stored as an image and not as paths.
RASTER_FROM = 2000
# Inches of a line of panels, and of a panel that is alone.
_LINE, _ALONE = 6.9, 3.4

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
    """Set the page's style, in which figures are made and written."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The browser has glyphs that the font used for the layout may lack.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        yield


def canvas(width: float, height: float) -> "Canvas":
    """Return an empty figure, in inches, that is not registered with pyplot."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def panels(
    labels: Sequence[str], height: float, margins: tuple[float, float], across: int = 3
) -> "tuple[Canvas, list[Axes]]":
    """Return a figure of panels without a left spine, their x axes labelled.

    A line has at most `across` panels and lines are as equal as can be, so that four panels are
    two and two. Heights of lines and margins (of the width, of the height) are in inches.
    """
    lines = -(-len(labels) // across)
    columns = -(-len(labels) // lines)
    width = _LINE / columns if columns > 1 else _ALONE
    figure = canvas(width * columns + margins[0], height * lines + margins[1])
    grid = figure.subplots(lines, columns, squeeze=False).ravel().tolist()
    for axes in grid[len(labels) :]:
        axes.set_visible(False)
    for axes, label in zip(grid, labels, strict=False):
        axes.set_xlabel(label)
        axes.locator_params(axis="x", nbins=4)
        axes.spines["left"].set_visible(False)
    return figure, grid[: len(labels)]


def panel(width: float = 5.6, height: float = 3.4) -> "tuple[Canvas, Axes]":
    """Return a figure of one panel."""
    figure = canvas(width, height)
    return figure, figure.add_subplot()


def released(figure: "Canvas") -> "Canvas":
    """Return a figure of pyplot, removed from its register."""
    import matplotlib.pyplot as plt

    plt.close(figure)
    return figure


def legend_below(
    figure: "Canvas", axes: "Axes", columns: int = 2, most: int = 20, *, titled: bool = False
) -> None:
    """Move the legend of the axes below the figure; remove it if it has more than `most` entries.

    Its title, which a caption repeats, is kept if `titled`.

    The screen of a phone is too narrow for a legend beside the axes.
    """
    legend = axes.get_legend()
    if legend is None:
        return
    handles: Any = legend.legend_handles
    title = legend.get_title().get_text() if titled else ""
    legend.remove()
    if len(handles) <= most:
        columns = min(columns, len(handles))
        figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, title=title or None,
            title_fontsize=9.0,
        )  # fmt: skip


def to_svg(figure: "Canvas") -> str:
    """Return a figure as an SVG element for an HTML page.

    Metadata and namespaces are removed, and placeholders replaced by the colours and fonts of the
    page. Only attributes are changed, not the user's text.
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
        if "d" in element.attrib:
            element.attrib["d"] = _rounded(element.attrib["d"])
        if element.tag == "image":
            element.attrib["href"] = _with_palette(element.attrib["href"])
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
    """Return the SVG with a prefix before each id, so that ids are unique on a page."""
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


def _rounded(path: str) -> str:
    """Return a path with its coordinates to a hundredth of a point."""
    return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(path.split()))


def _with_palette(address: str) -> str:
    """Return the data address of a PNG with at most 256 colours, a quarter of the bytes."""
    from PIL import Image

    head, _, text = address.partition(",")
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        # The one method that keeps degrees of transparency.
        image.quantize(256, Image.Quantize.FASTOCTREE).save(buffer, "png", optimize=True)
    return f"{head},{base64.b64encode(buffer.getvalue()).decode()}"


def _plain_name(name: str) -> str:
    return name.rpartition("}")[2]


def _in_page(value: str) -> str:
    """Return an attribute with the page's colours and fonts."""
    value = re.sub(r"font: ([\d.]+px) [^;]*", r"font: \1 var(--sans)", value)
    for placeholder, variable in _VARIABLES.items():
        value = value.replace(placeholder, f"var({variable})")
    return value
