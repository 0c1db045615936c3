"""Draw the pictures of docs/gallery.md by the lines above them: `python docs/gallery.py`."""

import re
from pathlib import Path

import matplotlib.pyplot as plt

HERE = Path(__file__).parent


def main() -> None:
    """Write docs/gallery/0.png, 1.png, ..., one for each block of Python."""
    plt.switch_backend("agg")
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    text = (HERE / "gallery.md").read_text("utf-8")
    for i, block in enumerate(re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)):
        exec(compile(block, f"gallery.md, block {i}", "exec"), {})
        plt.gcf().savefig(folder / f"{i}.png", dpi=90, bbox_inches="tight")
        plt.close("all")


if __name__ == "__main__":
    main()
