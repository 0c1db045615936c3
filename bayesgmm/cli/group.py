"""The group of commands: their errors as sentences, their ends as exit statuses."""

import os
import sys
from typing import Any

import click

# What takes time to import is loaded where it is used: help and usage errors come at once.
import bayesgmm
from bayesgmm.cli.options import DEBUG


class Commands(click.Group):
    """A group whose commands end in a sentence and an exit status, not in a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(130)
        except BrokenPipeError:
            # Whoever read the results has enough. Python would complain once more when it exits.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except (click.ClickException, click.Abort, click.exceptions.Exit):
            raise
        except Exception as error:
            if ctx.meta.get(DEBUG):
                raise
            raise _as_sentence(error) from error


def _as_sentence(error: Exception) -> click.ClickException:
    if isinstance(error, bayesgmm.errors.InvalidParameterError):
        return click.UsageError(str(error))
    if isinstance(error, bayesgmm.errors.BayesGMMError):
        return click.ClickException(str(error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return click.ClickException(f"{where}{error.strerror or error}.")
    if isinstance(error, MemoryError):
        return click.ClickException("The data do not fit into memory.")
    return click.ClickException(
        f"{type(error).__name__}: {error}\nThis is an error of the program, not of yours. Run it "
        "again with --debug to see where it happened."
    )
