"""Configuration of the documentation: `sphinx-build -W docs docs/_build/html`."""

import runpy
import shutil
from importlib.metadata import version as installed_version
from pathlib import Path

HERE = Path(__file__).parent

# The notebooks live beside the documentation and are shown with the outputs that they keep.
shutil.rmtree(HERE / "notebooks", ignore_errors=True)
shutil.rmtree(HERE / "reference", ignore_errors=True)
shutil.copytree(HERE.parent / "notebooks", HERE / "notebooks", ignore=shutil.ignore_patterns(".*"))

# The pictures of the gallery are drawn by its own lines.
runpy.run_path(str(HERE / "gallery.py"))["main"]()

project = "bayesgmm"
author = "the bayesgmm developers"
copyright = "the bayesgmm developers"
version = release = installed_version("bayesgmm")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_nb",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
autosummary_generate = True
autosummary_imported_members = True
nitpicky = False

html_theme = "pydata_sphinx_theme"
html_title = "bayesgmm"
html_show_sourcelink = False
html_theme_options = {"show_toc_level": 2, "navigation_with_keys": False}

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"

autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
