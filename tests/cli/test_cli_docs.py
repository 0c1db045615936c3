"""The page on the command line says what the parser says."""

import inspect
import re
import runpy
from pathlib import Path

import bayesgmm
from bayesgmm.cli import main
from bayesgmm.data.csv_columns import Notation

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "command_line.md").read_text("utf-8")


def test_the_help_on_the_page_is_that_of_the_commands():
    """After a change: `python docs/command_help.py`."""
    with_help = runpy.run_path(str(DOCS / "command_help.py"))["with_help"]
    assert with_help(TEXT) == TEXT
    headings = re.findall(r"^### `bayesgmm (\w+)`$", TEXT, re.MULTILINE)
    assert sorted(headings) == sorted(main.commands)


def test_options_in_the_prose_exist():
    prose = TEXT[: TEXT.index("## All options")]
    known = {
        option
        for command in main.commands.values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    found = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", prose))
    assert found <= known
    assert len(found) > 20


def test_the_table_of_commands_and_options():
    part = TEXT[TEXT.index("## Which command takes what") : TEXT.index("## Draws in a file")]
    heads, _, *lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in part.splitlines()
        if line.startswith("|")
    ]
    assert len(lines) > 10
    for words, *cells in lines:
        options = re.findall("`(--[a-z-]+)`", words)
        for head, cell in zip(heads[1:], cells, strict=True):
            command = main.commands[head.strip("`")]
            has = {each for parameter in command.params for each in parameter.opts}
            for option in options:
                assert (option in has) == (cell == "yes"), (head, option)


def test_names_of_arguments_in_the_table_exist():
    found = re.findall(r"`(?:bayesgmm\.)?(\w+)\(([^`]*)\)`", TEXT[: TEXT.index("## All options")])
    checked = 0
    for function, arguments in found:
        for name in re.findall(r"(\w+)=", arguments):
            assert name in inspect.signature(getattr(bayesgmm, function)).parameters, function
            checked += 1
    assert checked > 8
    estimator = inspect.signature(bayesgmm.GaussianMixture).parameters
    assert {"n_components", "covariance_type", "random_state", "order_by"} <= set(estimator)


def test_marks_of_missing_values_on_the_page_are_those_that_are_read():
    row = next(line for line in TEXT.splitlines() if line.startswith("| missing values"))
    marks = re.findall("`([^`]+)`", row.split("|")[2])
    assert len(marks) == 12
    assert all(map(Notation().is_missing, marks))
