"""Configuration of the documentation: `sphinx-build -W docs docs/_build/html`."""

import runpy
import shutil
from importlib.metadata import version as installed_version
from pathlib import Path

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

HERE = Path(__file__).parent

# The notebooks live beside the documentation and are shown with the outputs that they keep.
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
shutil.rmtree(HERE / "reference", ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns(".*"))

# The pictures of the gallery are drawn by its own lines, and shown on the pages of the names too.
pictures = runpy.run_path(str(HERE / "gallery.py"))["main"]()

project = "bayesgmm"
author = "the bayesgmm developers"
copyright = "the bayesgmm developers"
version = release = installed_version("bayesgmm")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
autosummary_generate = True
autosummary_imported_members = True
autosummary_context = {"pictures": pictures}
# Where file names do not distinguish case, Report and report would be one page.
autosummary_filename_map = {
    "bayesgmm.Evidence": "bayesgmm.Evidence-class",
    "bayesgmm.Recovery": "bayesgmm.Recovery-class",
    "bayesgmm.Report": "bayesgmm.Report-class",
    "bayesgmm.likelihood.Score": "bayesgmm.likelihood.Score-class",
}
nitpicky = False

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_title = "bayesgmm"
html_static_path = ["_static"]
html_css_files = ["formulas.css"]
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False


def _formula(translator, node):
    """Write a formula as MathML, which browsers show without a script."""
    block = isinstance(node, nodes.math_block)
    formula = tex2mathml(node.astext(), as_block=block)
    for bar, form in (('<mo class="mathopen">|', "prefix"), ("<mo>|", "postfix")):
        formula = formula.replace(bar, f'<mo form="{form}" stretchy="false">|')
    translator.body.append(f'<div class="math">{formula}</div>\n' if block else formula)
    raise nodes.SkipNode


def _check_addresses(app, exception):
    """Warn of pages that fetch something from the network."""
    if exception is None and app.builder.format == "html":
        find = runpy.run_path(str(HERE / "addresses.py"))
        for pattern, look in (("*.html", find["fetched"]), ("*.css", find["fetched_by_style"])):
            for path in Path(app.outdir).rglob(pattern):
                for address in look(path.read_text("utf-8")):
                    logging.getLogger(__name__).warning("%s fetches %s", path.name, address)


def setup(app):
    """Register the formulas and the check."""
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
    app.connect("build-finished", _check_addresses)
