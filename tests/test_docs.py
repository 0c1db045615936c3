"""Examples in docs and docstrings run as they stand, and print what they say."""

import contextlib
import doctest
import importlib
import io
import re
from pathlib import Path

import pytest

import bayesgmm

DOCS = sorted((Path(__file__).parents[1] / "docs").glob("*.md"))
BLOCKS = {
    f"{path.stem}-{i}": block
    for path in DOCS
    for i, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.M)
    )
}
PACKAGE = Path(bayesgmm.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in PACKAGE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", BLOCKS)
def test_an_example_of_the_docs_runs_and_prints_what_it_says(name):
    promised = re.findall(r"^print\(.*\)  # (.*)$", BLOCKS[name], re.MULTILINE)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(BLOCKS[name], name, "exec"), {})
    lines = said.getvalue().splitlines()
    assert all(line in lines for line in promised)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_docstrings(name):
    failures, examples = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert examples > 0
    assert failures == 0


def test_there_are_examples():
    assert len(BLOCKS) >= 3
    assert len(MODULES) >= 12
