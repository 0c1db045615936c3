"""The group of commands: errors become sentences and exit statuses."""

import contextlib
import errno
import io
import os
import sys
from typing import Any

import click

# Slow imports are made where they are used, so that help and usage errors come at once.
import bayesgmm
from bayesgmm.cli.options import DEBUG
from bayesgmm.cli.wording import in_options
from bayesgmm.display import listed

# Options of the same use, where a command has one of them: by the names of other commands and of
# Python.
_SIZE = ("--components", "--max-components")
_STRUCTURE = ("--covariance", "--structures")
_ALIKE = {
    **dict.fromkeys(["--components", "--max-components", "--n-components", "--k"], _SIZE),
    "--min-components": ("--components",),
    **dict.fromkeys(["--covariance", "--structures", "--covariance-type"], _STRUCTURE),
    **dict.fromkeys(["--random-state", "--rng"], ("--seed",)),
    "--n-samples": ("--rows",),
    "--sample-weight": ("--weights",),
    "--noise-component": ("--noise",),
    "--error-covariances": ("--errors",),
}
# Least likeness of an option that is offered for a slip of the pen.
_NEAR = 0.75
_OUTPUT_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


class Commands(click.Group):
    """Commands that report an error by a sentence and an exit status, not by a traceback."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        # Characters outside the terminal's encoding are written as escapes.
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        if sys.stdout is None:  # Python would discard the results silently.
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
            # The reader of the results has closed the pipe.
            _discard_output()
            ctx.exit(1)
        except click.NoSuchOption as error:
            raise _no_such_option(error) from None
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.meta.get(DEBUG):
                raise
            if _is_of_output(error):
                _discard_output()
            raise _as_sentence(error) from error


def _no_such_option(error: click.NoSuchOption) -> click.UsageError:
    """An unknown option, with the one of the same use, the commands that have it, or one alike."""
    from bayesgmm.arguments import did_you_mean

    context = error.ctx
    if context is None or context.parent is None:
        return error
    assert isinstance(context.parent.command, click.Group)
    name, known = error.option_name, _options(context.command)
    alike = [each for each in _ALIKE.get(name, ()) if each in known]
    others = context.parent.command.commands.items()
    having = [f"`bayesgmm {other}`" for other, each in others if name in _options(each)]
    if alike:
        advice = f" Use {alike[0]}."
    elif having:
        advice = f" It is an option of {listed(having)}."
    else:
        advice = did_you_mean(name, known, _NEAR)
    return click.UsageError(f"No such option {name!r}.{advice}", ctx=context)


def _options(command: click.Command) -> set[str]:
    return {word for each in command.params for word in (*each.opts, *each.secondary_opts)}


def _discard_output() -> None:
    """Discard further output, of whose failure Python would complain at its exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_output(error: Exception) -> bool:
    """Return whether an error is of standard output: errors of files name the file."""
    return isinstance(error, OSError) and error.filename is None and error.errno in _OUTPUT_ERRORS


def _as_sentence(error: Exception) -> click.ClickException:
    if isinstance(error, bayesgmm.errors.InvalidParameterError):
        return click.UsageError(in_options(str(error)))
    if isinstance(error, bayesgmm.errors.BayesGMMError):
        return click.ClickException(in_options(str(error)))
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
        f"{type(error).__name__}: {error}\nThis is an error of the program, not of the user. Run "
        "it again with --debug for the traceback."
    )
