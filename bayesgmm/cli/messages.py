"""Warnings as sentences on standard error, and words of the command line as text."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

import bayesgmm


def shown(word: str | os.PathLike[str]) -> str:
    """Return a word of the command line as text, with bytes that are not UTF-8 as escapes."""
    text = os.fspath(word)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # halves of surrogate pairs that do not stand for bytes
        return text.encode("utf-8", "backslashreplace").decode()


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
