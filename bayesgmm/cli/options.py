"""Options that several commands share, and the words that they take."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import bayesgmm

DEBUG = "bayesgmm.debug"
STANDARD_OUTPUT = Path("/dev/stdout")


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[DEBUG] = value


def _check_structure(_ctx: click.Context, _parameter: click.Parameter, value: str) -> str:
    from bayesgmm.covariance.structures import as_structure

    try:
        as_structure(value)
    except bayesgmm.errors.InvalidParameterError as error:
        raise click.BadParameter(str(error)) from None
    return value


def split(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Cut a list of names at its commas; names that hold a comma stand in double quotes."""
    if value is None:
        return None
    import csv

    return next(csv.reader([value], skipinitialspace=True), [])


def _delimiter(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    value = {"\\t": "\t", "tab": "\t", "space": " "}.get(value or "", value)
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise click.BadParameter("must be one character, or tab, or space.")
    return value


def seed_option(what: str) -> Callable[[Any], Any]:
    """`--seed`, whose help begins with `what`."""
    return click.option(
        "--seed",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help=f"{what} The same seed gives the same result.",
    )


debug_option = click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_remember_debug,
    help="Show the traceback of an error.",
)
force_option = click.option("--force", is_flag=True, help="Replace an output file that exists.")
quiet_option = click.option(
    "--quiet", is_flag=True, help="No warnings, messages and progress; errors are still shown."
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print a JSON object instead of the summary."
)
components_option = click.option(
    "-k", "--components", type=click.IntRange(min=1), required=True, help="Number of components."
)
covariance_option = click.option(
    "--covariance",
    default="full",
    show_default=True,
    callback=_check_structure,
    help="full, tied, diag, spherical, or a code of mclust such as VVV.",
)


def _output(_ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    return STANDARD_OUTPUT if value == Path("-") else value


def output_option(what: str, **more: Any) -> Callable[[Any], Any]:
    """`-o`: a path to write to; - is standard output."""
    return click.option(
        "-o", "--output", type=click.Path(path_type=Path), callback=_output, help=what, **more
    )


def data_options(command: Any) -> Any:
    """Add the argument DATA and what says how to read it: the arguments of `read_rows`."""
    for add in (
        click.option(
            "--header/--no-header",
            default=None,
            help="Whether a CSV begins with names.  [default: found]",
        ),
        click.option(
            "--delimiter",
            callback=_delimiter,
            help="One character, tab or space.  [default: found]",
        ),
        click.option("--label-column", help="A column of known groups: not fitted, but compared."),
        click.option(
            "--columns", callback=split, help="Columns to fit: names or positions, as a,b,2."
        ),
        click.argument("data"),
    ):
        command = add(command)
    return command
