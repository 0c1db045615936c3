"""The README's promises: its Python runs and prints what it says, its commands are those of CI."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from command_lines import and_again, examples_of, words_of

from bayesgmm.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(marker, text=README):
    found = re.search(rf"<!-- {marker} -->\n```\w+\n(.*?)\n```\n<!-- end -->", text, re.DOTALL)
    assert found is not None, marker
    return found[1]


def test_the_python_runs_and_prints_what_its_comments_say():
    code = block("python")
    promised = re.findall(r"^print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert len(promised) == code.count("print(")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "README.md", "exec"), {})
    assert said.getvalue().splitlines() == promised


@pytest.mark.parametrize("marker", ["main job", "tests"])
def test_each_command_is_one_line_that_sets_itself_up(marker):
    command = block(marker)
    assert "\n" not in command
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install -q ")
    subprocess.run(["bash", "-n", "-c", command], check=True)


def test_ci_runs_the_test_command_of_the_readme():
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    extraction = re.search(r"^tests=\$\((.*)\)$", ci, re.MULTILINE)
    assert extraction is not None
    found = subprocess.run(
        ["bash", "-c", extraction[1]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == block("tests") + "\n"
    assert 'bash -euo pipefail -c "$tests"' in ci
    assert re.findall("pytest.*", ci) == ["pytest -n 2 -m slow"]


def test_the_main_job_writes_the_report_and_says_where(tmp_path, monkeypatch):
    command = block("main job").rpartition("&& .venv/bin/")[2].split()
    assert command[0] == "bayesgmm"
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, command[1:])
    assert result.exit_code == 0
    assert "-1130.26396" in result.stdout
    assert "The report was written to report.html." in result.stderr
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in ("The mixture", "R-hat is at most", "labels", "Methods"):
        assert words in page


PAGES = {
    "README.md": "labelled.csv",
    "docs/command_line.md": "labelled.csv",
    "docs/first_minute.md": "groups.csv",
    "docs/larger_than_memory.md": None,
}


def commands_of(page):
    return block("commands", (ROOT / page).read_text(encoding="utf-8"))


def sound_groups(path):
    header, *rows = path.read_text().splitlines()
    assert header.startswith("eruptions,waiting,component,probability,probability_0")
    assert len(rows) == 272


def runs_elsewhere(page, words):
    """Whether a page before this one, or a command's help, has the line for the same rows."""

    def of_the_shipped_rows(words):
        return [each.replace("faithful.csv", "faithful") for each in words]

    if words[1] not in ("select", "explore", "report"):  # others make what the next lines read
        return False
    before = [*PAGES][: [*PAGES].index(page)]
    lines = [line for each in before for line in commands_of(each).splitlines()]
    lines += [line for command in main.commands for line in examples_of(command)]
    return of_the_shipped_rows(words) in [of_the_shipped_rows(words_of(line)) for line in lines]


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("page", "groups"), PAGES.items())
def test_the_commands_work_twice_in_a_row(tmp_path, monkeypatch, page, groups):
    """In this process, which has the imports of all of them behind it.

    Lines that are examples of a command's help run in `tests/cli/test_cli_help.py`.
    """
    monkeypatch.chdir(tmp_path)
    of_help = [words_of(line) for command in main.commands for line in examples_of(command)]
    lines = [
        each
        for each in commands_of(page).splitlines()
        if words_of(each) not in of_help and not runs_elsewhere(page, words_of(each))
    ]
    for line in and_again(lines):
        name, *words = words_of(line)
        assert name == "bayesgmm"
        *words, sign, path = words if ">" in words else (*words, "", "")
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.stderr
        assert "Error" not in result.stderr
        if sign:
            Path(path).write_text(result.stdout, encoding="utf-8")
    if groups is not None:
        sound_groups(tmp_path / groups)


@pytest.mark.skipif(os.name != "posix", reason="lines for bash")
def test_a_shell_runs_the_commands(tmp_path):
    """The quick ones of the README; the syntax of all."""
    for page in PAGES:
        subprocess.run(["bash", "-n", "-c", commands_of(page)], check=True)
    lines = commands_of("README.md").splitlines()
    quick = [line for line in lines if line.split()[1] in ("datasets", "fit", "predict")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(quick)],
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Error" not in result.stderr
    sound_groups(tmp_path / PAGES["README.md"])


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_list_of_pages_is_complete():
    linked = set(re.findall(r"\(docs/(\w+)\.md\)", README))
    # Pages that only hold lists of others.
    contents = {"get_started", "user_guide", "tutorials", "reference", "development"}
    assert linked == {path.stem for path in (ROOT / "docs").glob("*.md")} - contents
