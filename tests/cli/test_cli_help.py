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


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("select faithful --components 4", "Use --max-components."),
        ("explore faithful --components 4", "Use --max-components."),
        ("fit faithful --max-components 4", "Use --components."),
        ("report faithful --n-components 4", "Use --components."),
        ("select faithful --covariance diag", "Use --structures."),
        ("fit faithful -k 2 --structures VVV", "Use --covariance."),
        ("fit faithful -k 2 --random-state 3", "Use --seed."),
        (
            "fit faithful -k 2 --draws 5",
            "option of `bayesgmm report` and `bayesgmm sample`.",
        ),
        (
            "fit faithful -k 2 --init x",
            "option of `bayesgmm report` and `bayesgmm sample`.",
        ),
        ("sample faithful --select", "It is an option of `bayesgmm report`."),
        ("report faithful -k 2 --memberships x", "It is an option of `bayesgmm fit`."),
        ("report faithful --initt x", "Did you mean '--init'?"),
        ("fit faithful -k 2 --covarience diag", "Did you mean '--covariance'?"),
        ("simulate blobs -n 5 --row 3", "Did you mean '--rows'?"),
        ("datasets --jsn", "Did you mean '--json'?"),
    ],
)
def test_an_unknown_option_is_answered_by_its_use(bayesgmm_command, words, advice):
    result = bayesgmm_command(*words.split())
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1].endswith(advice)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_of_another_command_is_taken_for_a_slip(bayesgmm_command, name):
    words = {
        word
        for command in main.commands.values()
        for each in command.params
        if isinstance(each, click.Option)
        for word in (*each.opts, *each.secondary_opts)
    }
    own = {w for each in main.commands[name].params for w in (*each.opts, *each.secondary_opts)}
    for word in words - own - {"-h", "--help"}:
        last = bayesgmm_command(name, word).stderr.splitlines()[-1]
        assert f"No such option {word!r}." in last
        used = re.search(r"Use (--[a-z-]+)\.", last)
        assert "`bayesgmm " in last or (used is not None and used[1] in own), last


def test_nothing_is_offered_for_an_option_like_no_other(bayesgmm_command):
    result = bayesgmm_command("fit", "faithful", "--zzz")
    assert result.stderr.splitlines()[-1] == "Error: No such option '--zzz'."
