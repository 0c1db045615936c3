"""Examples in docs and docstrings run as they stand, and print what they say."""

import ast
import contextlib
import doctest
import importlib
import inspect
import io
import re
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import bayesgmm

pytestmark = pytest.mark.usefixtures("undrawn")

DOCS = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
BLOCKS = {
    f"{path.stem}-{i}": block
    for path in DOCS
    for i, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.M)
    )
}
PACKAGE = Path(bayesgmm.__file__).parent
# What stands in the columns headed "bayesgmm" of the tables for users of other packages.
TABLES = re.findall(
    r"^\|(.*\| bayesgmm \|.*)\n\|[-|]+\n((?:\|.*\n)+)",
    (Path(__file__).parents[1] / "docs" / "coming_from.md").read_text("utf-8"),
    re.MULTILINE,
)
OURS = sorted(
    {
        code
        for header, rows in TABLES
        for row in rows.splitlines()
        for code in re.findall(
            "`([^`]+)`",
            re.split(r"\s\|(?:\s|$)", row[1:])[
                [x.strip() for x in header.split("|")].index("bayesgmm")
            ],
        )
    }
)
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)

NAMES = {
    name: getattr(room, name)
    for room in (bayesgmm, bayesgmm.likelihood, bayesgmm.executors)
    for name in room.__all__
    if name not in ("__version__", "errors", "executors", "likelihood")
}
# Methods for other rooms, which check rows or look up what a fit knows of its own.
CHECKS = {"check_observed", "check_rows", "errors_of", "labels_of", "weights_of"}


SAMPLED, SAMPLE = {}, bayesgmm.sample_posterior


def as_key(value):
    """What tells arguments of `sample_posterior` apart, or None."""
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, pd.DataFrame):
        return tuple(value.columns), as_key(value.to_numpy())
    return value if isinstance(value, int | float | str) else None


@pytest.fixture(autouse=True)
def posteriors_are_sampled_once(monkeypatch):
    """Many examples begin with the same posterior of the same rows and seed."""

    def sampled(*args, **settings):
        shown = {name: each for name, each in settings.items() if name != "progressbar"}
        key = tuple(as_key(each) for each in args), *((n, as_key(v)) for n, v in shown.items())
        if "rng" not in shown or None in key[0] or any(each is None for _, each in key[1:]):
            return SAMPLE(*args, **settings)
        if key not in SAMPLED:
            SAMPLED[key] = SAMPLE(*args, **settings)
        return SAMPLED[key].copy(deep=True)

    monkeypatch.setattr(bayesgmm, "sample_posterior", sampled)


@pytest.mark.parametrize("name", BLOCKS)
def test_an_example_of_the_docs_runs_and_prints_what_it_says(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    promised = re.findall(r"^print\(.*\)  # (.*)$", BLOCKS[name], re.MULTILINE)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(BLOCKS[name], name, "exec"), {})
    lines = said.getvalue().splitlines()
    assert all(line in lines for line in promised)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    failures, examples = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    )
    plt.close("all")
    assert examples > 0
    assert failures == 0


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_has_an_example(name):
    assert "\n>>> " in inspect.getdoc(NAMES[name])


@pytest.mark.parametrize("kind", [bayesgmm.GaussianMixture, bayesgmm.Mixture])
def test_methods_have_examples(kind):
    methods = {name: each for name, each in vars(kind).items() if inspect.isfunction(each)}
    lacking = {
        name
        for name, each in methods.items()
        if not name.startswith("_") and "\n>>> " not in inspect.getdoc(each)
    }
    assert lacking <= CHECKS


@pytest.fixture(scope="module")
def analysis():
    """What the tables call by name."""
    X = bayesgmm.load_dataset("faithful").X
    fit = bayesgmm.GaussianMixture(2, random_state=0).fit(X)
    return {
        **{name: getattr(bayesgmm, name) for name in bayesgmm.__all__},
        "bootstrap_lrt": partial(bayesgmm.bootstrap_lrt, n_resamples=9),
        "np": np,
        "bayesgmm": bayesgmm,
        "X": X,
        "x": X,
        "y": fit.predict(X),
        "df": pd.DataFrame(X),
        "fit": fit,
        "gm": fit,
        "w": fit.weights_,
        "m": fit.means_,
        "c": fit.mixture_.covariances,
        "v": np.ones(len(X)),
        "p": fit.predict_proba(X),
        "n": len(X),
        "K": 2,
        "k": 1,
        "prob": 0.9,
        "errors": np.full(X.shape, [0.1, 3.0]),
        "Xerr": np.broadcast_to(np.diag([0.01, 9.0]), (len(X), 2, 2)),
        "posterior": bayesgmm.sample_posterior(X, 2, rng=0, progressbar=False),
        "rng": 1,
        "selection": bayesgmm.select_mixture(X, [1, 2, 3], "full", progressbar=False),
        "ax": plt.figure().subplots(),
    }


@pytest.mark.parametrize("code", OURS)
def test_our_column_of_the_tables_for_users_of_other_packages(code, analysis):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        exec(compile(code.replace("...", ""), "coming_from.md", "exec"), dict(analysis))
    plt.close("all")


def test_there_are_examples():
    assert len(TABLES) >= 7
    assert len(OURS) >= 45
    assert len(BLOCKS) >= 3
    assert len(MODULES) >= 12


def test_every_public_name_has_a_page():
    api = (Path(__file__).parents[1] / "docs" / "api.md").read_text("utf-8")
    listed = re.findall(r"^   (\w+)$", api, re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(NAMES) == set(listed)


def test_every_plot_has_a_picture():
    pictures = set(
        re.findall(r"\]\(gallery/(\w+)\.png\)", (DOCS[0].parent / "gallery.md").read_text("utf-8"))
    )
    assert pictures == {name for name in NAMES if name.startswith("plot_")} | {"GaussianMixture"}


def test_names_of_pages_differ_by_more_than_case():
    conf = ast.parse((DOCS[0].parent / "conf.py").read_text("utf-8"))
    (renamed,) = (
        ast.literal_eval(each.value)
        for each in conf.body
        if isinstance(each, ast.Assign) and each.targets[0].id == "autosummary_filename_map"
    )
    pages = [
        f"bayesgmm.likelihood.{name}" if name in bayesgmm.likelihood.__all__ else f"bayesgmm.{name}"
        for name in NAMES
    ]
    assert set(renamed) <= set(pages)
    files = {renamed.get(page, page).casefold() for page in pages}
    assert len(files) == len(pages)
