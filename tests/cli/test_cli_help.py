"""Help, examples and completion of all commands."""

import re
import shlex
import subprocess
import sys

import click
import pytest
from click.shell_completion import BashComplete
from command_lines import and_again, examples_of, words_of

from bayesgmm.cli import main
from bayesgmm.datasets.load import dataset_names

COMMANDS = sorted(main.commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_stands_on_its_own_line_and_parses(bayesgmm_command, name):
    result = bayesgmm_command(name, "--help")
    assert result.exit_code == 0
    assert "\\b" not in result.stdout
    assert "\b" not in result.stdout
    examples = [line for line in result.stdout.splitlines() if line.startswith("    bayesgmm ")]
    assert all(line.count("bayesgmm ") == 1 for line in examples)
    assert examples_of(name) == [line.strip() for line in examples]
    assert any(line.startswith(f"    bayesgmm {name}") for line in examples)
    for line in examples:
        _, command, *words = shlex.split(line)
        context = main.commands[command].make_context(command, words)
        assert context.params


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_work_twice_in_a_row(bayesgmm_command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for line in and_again(examples_of(name)):
        result = bayesgmm_command(*words_of(line)[1:])
        assert result.exit_code == 0, result.output


def test_the_list_of_commands_is_of_sentences(bayesgmm_command):
    text = bayesgmm_command("--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", text, re.MULTILINE), name


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("fit", "bayesgmm select faithful --columns waiting"),
        ("sample", "bayesgmm select faithful --columns waiting"),
        ("report", "bayesgmm report faithful --columns waiting --select --seed 3"),
    ],
)
def test_without_k_the_message_has_the_line_that_chooses_it(bayesgmm_command, command, line):
    result = bayesgmm_command(command, "faithful", "--columns", "waiting", "--seed", 3)
    assert result.exit_code == 2
    shown = [each.strip() for each in result.stderr.splitlines() if each.startswith("  bayesgmm ")]
    assert [set(shlex.split(each)) for each in shown] == [{*shlex.split(line), "--seed", "3"}]
    _, name, *words = shlex.split(shown[0])
    main.commands[name].make_context(name, words)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"datasets", "simulate"}))
def test_data_are_completed_by_names_and_files(name):
    complete = BashComplete(main, {}, "bayesgmm", "_BAYESGMM_COMPLETE")
    words = [name, "model.json"] if name == "predict" else [name]
    items = complete.get_completions(words, "fa")
    assert [each.value for each in items if each.type == "plain"] == ["faithful"]
    assert [each.type for each in items if each.type != "plain"] == ["file"]
    everything = {each.value for each in complete.get_completions(words, "")}
    assert set(dataset_names()) <= everything


def test_names_are_completed():
    complete = BashComplete(main, {}, "bayesgmm", "_BAYESGMM_COMPLETE").get_completions
    assert [each.value for each in complete(["datasets"], "g")] == ["galaxies"]
    assert [(each.value, each.type) for each in complete(["simulate"], "bl")] == [
        ("blobs", "plain"),
        ("bl", "file"),
    ]
    assert [each.value for each in complete([], "pre")] == ["predict"]


def test_help_needs_no_slow_import():
    code = f"""
import sys
from bayesgmm.cli import main
for name in {COMMANDS}:
    main([name, "--help"], standalone_mode=False)
print(sorted({{"numpy", "rich", "scipy", "sklearn", "pandas"}} & set(sys.modules)), file=sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stderr == "[]\n"


def test_options_are_described():
    for name, command in main.commands.items():
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, (name, parameter.name)
