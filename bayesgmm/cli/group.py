"""The group of commands: their errors as sentences, their ends as exit statuses."""

import contextlib
import errno
import io
import os
import sys
from typing import Any

import click

# What takes time to import is loaded where it is used: help and usage errors come at once.
import bayesgmm
from bayesgmm.cli.options import DEBUG

_OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Commands(click.Group):
    """A group whose commands end in a sentence and an exit status, not in a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        # Letters that the terminal's encoding lacks are written as escapes.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if sys.stdout is None:  # Python would let the results vanish.
            click.echo(
                "Error: Standard output is closed. Redirect it to a file, or to /dev/null.",
                err=True,
            )
            sys.exit(1)
        try:
            return super().main(*args, **kwargs)
        except OSError as error:  # from --help and --version
            if error.errno not in _OUTPUT_ERRORS:
                raise
            _discard_output()
            click.echo(f"Error: {_as_sentence(error).message}", err=True)
            sys.exit(1)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # Whoever read the results has enough.
            _discard_output()
            ctx.exit(1)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.meta.get(DEBUG):
                raise
            if _is_of_output(error):
                _discard_output()
            raise _as_sentence(error) from error


def _discard_output() -> None:
    """Let nothing more be written to standard output; Python would complain when it exits."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_output(error: Exception) -> bool:
    """Whether an error came from writing to standard output: files' errors name the file."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRORS


def _as_sentence(error: Exception) -> click.ClickException:
    if isinstance(error, bayesgmm.errors.InvalidParameterError):
        return click.UsageError(str(error))
    if isinstance(error, bayesgmm.errors.BayesGMMError):
        return click.ClickException(str(error))
    if isinstance(error, OSError):
        if _is_of_output(error):
            return click.ClickException(
                f"The results were not written in full to standard output. {error.strerror}. Write "
                "them to another disk."
            )
        where = f"{error.filename}: " if error.filename else ""
        return click.ClickException(f"{where}{error.strerror or error}.")
    if isinstance(error, MemoryError):
        return click.ClickException("The data do not fit into memory.")
    return click.ClickException(
        f"{type(error).__name__}: {error}\nThis is an error of the program, not of yours. Run it "
        "again with --debug to see where it happened."
    )
