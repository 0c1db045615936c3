"""The command line of a running command, or of a related one, as a line for a shell."""

import csv
import io
import shlex
from collections.abc import Collection
from typing import Any

import click

from bayesgmm.cli.output import printable


def command_line(
    name: str | None = None,
    *,
    without: Collection[str] = (),
    extra: Collection[str] = (),
    context: click.Context | None = None,
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
    return " ".join(map(_quoted, [*words, *extra]))


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
