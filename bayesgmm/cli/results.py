"""What a command writes and says: files, summaries, warnings as sentences."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.options import STANDARD_OUTPUT


def shown(word: str | os.PathLike[str]) -> str:
    """Return a word of the command line as text, with bytes that are not UTF-8 as escapes."""
    text = os.fspath(word)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # halves of surrogate pairs that do not stand for bytes
        return text.encode("utf-8", "backslashreplace").decode()


def write_results(
    text: str,
    what: str,
    output: Path | None,
    content: Callable[[], bytes],
    *,
    force: bool,
    quiet: bool,
) -> None:
    """Write a command's file and print its summary, also if the file cannot be written.

    Where the file goes to standard output, the summary goes to standard error.
    """
    from bayesgmm.data.table_files import write_atomically

    try:
        if output is not None:
            write_atomically(output, content(), force=force)
            if not quiet:
                click.echo(f"{what} written to {shown(output)}.", err=True)
    finally:
        click.echo(text, err=output == STANDARD_OUTPUT)


@contextmanager
def heard_warnings(quiet: bool) -> Iterator[list[str]]:
    """Collect the package's warnings as sentences, and say them unless `quiet`."""
    heard: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always", bayesgmm.errors.BayesGMMWarning)
        plain = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *rest: Any, **more: Any) -> None:
            if not issubclass(category, bayesgmm.errors.BayesGMMWarning):
                plain(message, category, *rest, **more)
                return
            heard.append(str(message))
            if not quiet:
                click.echo(f"Warning: {message}", err=True)

        warnings.showwarning = show
        yield heard
