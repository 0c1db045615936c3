"""The command line of a running command, or of a related one, as a line for a shell."""

import csv
import io
import shlex
from collections.abc import Collection
from typing import Any

import click

from bayesgmm.cli.output import STANDARD_OUTPUT, printable

# Options that name files to write.
_TARGETS = ("output", "memberships")


def command_line(
    name: str | None = None,
    *,
    without: Collection[str] = (),
    extra: Collection[str] = (),
    context: click.Context | None = None,
    again: bool = False,
) -> str:
    """Return the arguments that were given to the running command as one line.

    Parameters
    ----------
    name : str, optional
        Another command, which receives those arguments that it has. None: the running command.
    without : collection of str
        Names of parameters to leave out.
    extra : collection of str
        Words to add at the end.
    context : click.Context, optional
        None: the current one.
    again : bool
        For a line that is pasted after the running command has written its files: with --force.
    """
    context = context or click.get_current_context()
    name = name or str(context.info_name)
    assert context.parent is not None
    assert isinstance(context.parent.command, click.Group)
    known = {each.name for each in context.parent.command.commands[name].params} - {*without}
    words = ["bayesgmm", name]
    for parameter in context.command.params:
        key = str(parameter.name)
        given = context.get_parameter_source(key) is click.core.ParameterSource.COMMANDLINE
        if given and key in known and key in context.params:
            words += _words(parameter, context.params[key])
    words += extra
    if again and not context.params.get("force") and any(map(_is_file_of, _TARGETS)):
        words.append("--force")
    return " ".join(map(_quoted, words))


def _is_file_of(name: str) -> bool:
    """Return whether an option that was given names a file to write."""
    context = click.get_current_context()
    given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    return given and context.params[name] != STANDARD_OUTPUT


def given_options(names: Collection[str]) -> list[str]:
    """Return the options of the running command that were given, of those parameters."""
    context = click.get_current_context()
    found = []
    for each in context.command.params:
        name = str(each.name)
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name in names:
            last = each.secondary_opts and context.params.get(name) is False
            found.append((each.secondary_opts if last else each.opts)[0])
    return found


def joined(names: Collection[str]) -> str:
    """Return names as one word of the command line: the inverse of `options.split`."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(names)
    return line.getvalue()


def _quoted(word: str) -> str:
    r"""Quote a word for a shell; write bytes that are not UTF-8 as $'\xff'."""
    text = printable(word)
    if text == word:
        return shlex.quote(word)
    escaped = printable(word.replace("\\", "\\\\").replace("'", "\\'"))
    return f"$'{escaped}'"


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    if isinstance(value, list):
        value = joined(value)
    if isinstance(parameter, click.Argument):
        return [str(value)]
    if isinstance(value, bool):
        return [parameter.opts[0] if value else parameter.secondary_opts[0]]
    return [parameter.opts[0], str(value)]
