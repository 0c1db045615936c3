"""Draw the pictures of docs/gallery.md by the lines above them: `python docs/gallery.py`."""

import re
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np

import bayesgmm

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
    with patch.object(bayesgmm, "sample_posterior", _Sampled()):
        for code, text, name in _PICTURES.findall((HERE / "gallery.md").read_text("utf-8")):
            exec(compile(code, f"gallery.md, {name}", "exec"), {})
            plt.gcf().savefig(folder / f"{name}.png", dpi=90, bbox_inches="tight")
            plt.close("all")
            pictures[name] = text
    return pictures


class _Sampled:
    """Posteriors; several pictures begin with the same one, which is sampled once."""

    def __init__(self) -> None:
        self._plain, self._found = bayesgmm.sample_posterior, {}

    def __call__(self, X: Any, *args: Any, **settings: Any) -> Any:
        key = (type(X), np.asarray(X).tobytes(), args, *settings.items())
        if key not in self._found:
            self._found[key] = self._plain(X, *args, **settings)
        return self._found[key]


if __name__ == "__main__":
    main()
