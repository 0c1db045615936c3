"""The page on verdicts has every verdict of the code, in its words."""

import ast
import re
import runpy
from pathlib import Path

import known_posteriors

import bayesgmm.verdicts
from bayesgmm.diagnostics import em_vs_posterior

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "verdicts.md").read_text("utf-8")
PAGE = runpy.run_path(str(DOCS / "verdict_sentences.py"))


def constants(node):
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def names_in(path):
    """The seventh argument of every Check in a file, or the texts given to that variable."""
    tree = ast.parse(path.read_text("utf-8"))
    calls = [each for each in ast.walk(tree) if isinstance(each, ast.Call)]
    given = [
        each.args[6]
        for each in calls
        if isinstance(each.func, ast.Name) and each.func.id == "Check" and len(each.args) > 6
    ]
    found = {each.value for each in given if isinstance(each, ast.Constant)}
    variables = {each.id for each in given if isinstance(each, ast.Name)}
    for assignment in (each for each in ast.walk(tree) if isinstance(each, ast.Assign)):
        for target in assignment.targets:
            pairs = [(target, assignment.value)]
            if isinstance(target, ast.Tuple) and isinstance(assignment.value, ast.Tuple):
                pairs = list(zip(target.elts, assignment.value.elts, strict=True))
            for variable, value in pairs:
                if isinstance(variable, ast.Name) and variable.id in variables:
                    found |= constants(value)
    return found


def test_the_page_is_what_the_code_says():
    """After a change: `python docs/verdict_sentences.py`."""
    assert PAGE["with_sentences"](TEXT) == TEXT


def test_every_verdict_is_on_the_page():
    rooms = Path(bayesgmm.verdicts.__file__).parent
    names = set().union(*(names_in(path) for path in rooms.glob("*.py"))) - {""}
    shown = {each.name for each in PAGE["verdicts"]().values()}
    assert shown == names
    assert len(names) == 11
    todo = TEXT[TEXT.index("## What to do") : TEXT.index("## Every verdict")]
    terms = {
        each for line in re.findall(r"^(.+)\n: ", todo, re.MULTILINE) for each in line.split(", ")
    }
    assert names <= terms


def test_every_sentence_on_em_and_the_posterior_is_on_the_page():
    tree = ast.parse(Path(em_vs_posterior.__file__).read_text("utf-8"))
    judge = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    parts = constants(judge["verdict_of"]) | constants(judge["_cause"])
    sentences = [part for part in parts if " " in part and len(part) > 12]
    printed = TEXT[TEXT.index("<!-- comparisons -->") :]
    docstrings = {ast.get_docstring(judge[each]) for each in ("verdict_of", "_cause")}
    for part in set(sentences) - docstrings:
        assert part in printed, part
    assert "Outside the posterior's interval" in TEXT


def test_the_table_of_verdicts_on_known_posteriors():
    assert known_posteriors.recorded_table() in TEXT
