"""Draw the README's picture of a report: `python docs/picture.py`. Needs Chromium."""

import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

import bayesgmm

HERE = Path(__file__).parent


def main() -> None:
    """Write docs/report.png: the head of the page and the posterior, side by side."""
    X = bayesgmm.load_dataset("faithful").frame  # columns named with their units
    posterior = bayesgmm.sample_posterior(X, 2, rng=0, progressbar=False)
    em = bayesgmm.GaussianMixture(2, random_state=0).fit(X)
    page = bayesgmm.report(X, em=em, posterior=posterior, title="Old Faithful", source="faithful")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "report.html"
        page.save(file)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        window = browser.new_page(viewport={"width": 800, "height": 1000})
        window.goto(file.as_uri())
        window.screenshot(path=Path(folder) / "head.png")
        window.evaluate("document.querySelector('#posterior').scrollIntoView()")
        window.screenshot(path=Path(folder) / "posterior.png")
        browser.close()
        both = Image.new("RGB", (1620, 1000), "#dcdcd4")
        for place, name in enumerate(("head", "posterior")):
            both.paste(Image.open(Path(folder) / f"{name}.png"), (820 * place, 0))
        both = both.resize((1215, 750), Image.Resampling.LANCZOS)
        # The octree keeps the few strong colours among many greys.
        few = both.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(HERE / "report.png", optimize=True)


if __name__ == "__main__":
    main()
