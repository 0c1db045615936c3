"""Draw the pictures of docs/gallery.md by the lines above them: `python docs/gallery.py`."""

import re
from pathlib import Path

import matplotlib.pyplot as plt

HERE = Path(__file__).parent
# A block of Python, and below it its picture: its text, and a file named after the API's name.
_PICTURES = re.compile(
    r"^```python\n(.*?)^```\n\n!\[([^]]+)\]\(gallery/(\w+)\.png\)$", re.DOTALL | re.MULTILINE
)


def main() -> dict[str, str]:
    """Write docs/gallery/NAME.png for each block; return the text of each name's picture."""
    plt.switch_backend("agg")
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    pictures = {}
    for code, text, name in _PICTURES.findall((HERE / "gallery.md").read_text("utf-8")):
        exec(compile(code, f"gallery.md, {name}", "exec"), {})
        plt.gcf().savefig(folder / f"{name}.png", dpi=90, bbox_inches="tight")
        plt.close("all")
        pictures[name] = text
    return pictures


if __name__ == "__main__":
    main()
