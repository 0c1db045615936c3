"""Options that several commands share, and the checks of their values."""

import csv
import functools
import importlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
from click.shell_completion import CompletionItem

import bayesgmm
from bayesgmm.cli.command_line import command_line
from bayesgmm.cli.output import STANDARD_OUTPUT, Results
from bayesgmm.cli.wording import in_options

DEBUG = "bayesgmm.debug"

type Decorator = Callable[[Any], Any]


def _remember_debug(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    ctx.meta[DEBUG] = value


def _check_structure(
    _ctx: click.Context, _parameter: click.Parameter, value: str | None
) -> str | None:
    if value is None:
        return None
    from bayesgmm.covariance.structures import as_structure

    try:
        as_structure(value)
    except bayesgmm.errors.InvalidParameterError as error:
        raise click.BadParameter(in_options(str(error))) from None
    return value


def split(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Cut a list of names at its commas; names with a comma are in double quotes."""
    return None if value is None else next(csv.reader([value], skipinitialspace=True), [])


def _delimiter(_ctx: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    value = {"\\t": "\t", "tab": "\t", "space": " "}.get(value or "", value)
    if value is not None and (len(value) != 1 or value in '"\r\n'):
        raise click.BadParameter("must be one character, or tab, or space.")
    return value


def _output(_ctx: click.Context, _parameter: click.Parameter, value: Path | None) -> Path | None:
    return STANDARD_OUTPUT if value == Path("-") else value


def _components(ctx: click.Context, _parameter: click.Parameter, value: int | None) -> int | None:
    # Options that were given are processed before those that were not.
    if value is None and ctx.params.get("init") is None:
        line = command_line("select", context=ctx)
        raise click.UsageError(
            "Missing option '-k'. Give the number of components, as in -k 2, or choose it:"
            f"\n  {line}"
        )
    return value


def read_priors(path: Path | None) -> "bayesgmm.Priors | None":
    """Return the priors in a file that `--priors` names, perhaps with all that `sample` printed."""
    if path is None:
        return None
    try:
        text = path.read_text("utf-8")
        if printed := re.match(r'\s*\{\s*"schema": "bayesgmm\.sample"', text):
            text = json.dumps(json.loads(printed.string).get("priors"))
        return bayesgmm.Priors.from_json(text)
    except OSError as error:
        raise click.BadParameter(f"{path}: {error.strerror}.", param_hint="--priors") from None
    except ValueError as error:  # of the text, of its JSON, of the priors
        raise click.BadParameter(
            f"{path}: {in_options(str(error))}", param_hint="--priors"
        ) from None


def completion(module: str, function: str, *, files: bool) -> Callable[..., list[CompletionItem]]:
    """Return a function that completes the names that a function of the package lists.

    Parameters
    ----------
    module, function : str
        Imported when a word is completed.
    files : bool
        Complete names of files too.
    """

    def complete(
        _ctx: click.Context, _parameter: click.Parameter, word: str
    ) -> list[CompletionItem]:
        names = getattr(importlib.import_module(module), function)()
        items = [CompletionItem(name) for name in names if name.startswith(word)]
        return [*items, CompletionItem(word, type="file")] if files else items

    return complete


def count_option(*names: str, default: int | None, what: str, least: int = 1) -> Decorator:
    """Return an option for an integer of at least `least`."""
    kind = click.IntRange(min=least)
    return click.option(*names, type=kind, default=default, show_default=True, help=what)


def seed_option(what: str) -> Decorator:
    """Return `--seed`, whose help begins with `what`."""
    what = f"{what} The same seed gives the same result."
    return count_option("--seed", default=0, what=what, least=0)


def output_option(what: str, **more: Any) -> Decorator:
    """Return `-o`: a path to write to; - is standard output."""
    kind = click.Path(path_type=Path)
    return click.option("-o", "--output", type=kind, callback=_output, help=what, **more)


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
    "--quiet", is_flag=True, help="Show errors only: no warnings, messages or progress."
)
components_option = click.option(
    "-k",
    "--components",
    type=click.IntRange(min=1),
    callback=_components,
    help="Number of components, which `bayesgmm select` chooses.  [required]",
)


def covariance_or(default: str | None, shown: str) -> Decorator:
    """Return `--covariance`, with a default and the words for it."""
    return click.option(
        "--covariance",
        default=default,
        callback=_check_structure,
        help=f"full, tied, diag, spherical, or a code of mclust such as VVV.  [default: {shown}]",
    )


covariance_option = covariance_or("full", "full")


def init_option(what: str) -> Decorator:
    """Return `--init`, whose help ends with `what`."""
    return click.option(
        "--init", type=click.Path(), help=f"File that `bayesgmm fit -o` wrote: {what}"
    )


noise_option = click.option(
    "--noise",
    is_flag=True,
    help="Add a component of uniform noise, for rows that belong to none of the others.",
)
contaminated_option = click.option(
    "--contaminated",
    is_flag=True,
    help="Give each component outliers of its own: the same mean, a broader covariance.",
)
known_option = click.option(
    "--labels",
    "known",
    help="Column of known components: numbers from 0, or names of groups in alphabetical order; "
    "empty where unknown. Not fitted as a column.",
)
weights_option = click.option(
    "--weights", help="Column of the number of times that each row counts; not fitted."
)


priors_option = click.option(
    "--priors",
    type=click.Path(path_type=Path),
    help='JSON file of priors, as {"concentration": 1, "mean_sd": [2, 30]}, or that which '
    "`sample --json` printed.",
)
target_accept_option = click.option(
    "--target-accept",
    type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Acceptance rate of NUTS to aim at: higher where transitions diverge.",
)
equal_weights_option = click.option(
    "--equal-weights", is_flag=True, help="Hold the weights of all components equal."
)


class Grid(NamedTuple):
    """Models of a grid, as `select_mixture` takes them."""

    n_components: range
    covariance_type: str | list[str]


def grid_options(command: Any) -> Any:
    """Add the options for the models of a grid, passed as `grid`."""

    @functools.wraps(command)
    def run(
        *, max_components: int, min_components: int, structures: list[str] | None, **rest: Any
    ) -> Any:
        if min_components > max_components:
            raise click.UsageError(
                f"--min-components {min_components} is more than --max-components {max_components}."
            )
        sizes = range(min_components, max_components + 1)
        return command(grid=Grid(sizes, "all" if structures is None else structures), **rest)

    largest = "The largest number of components to try: -k 5 tries 1 to 5."
    for option in (
        click.option(
            "--structures",
            callback=split,
            help="Covariance structures to try, as EEE,VVV,diag.  [default: all]",
        ),
        count_option("--min-components", default=1, what="The smallest."),
        count_option("-k", "--max-components", default=9, what=largest),
    ):
        run = option(run)
    return run


def data_options(command: Any) -> Any:
    """Add the argument DATA and the options for reading it: the arguments of `read_rows`."""
    labels = "Column of known groups: compared, not fitted."
    return reading_options(click.option("--label-column", help=labels)(command))


def reading_options(command: Any) -> Any:
    """Add the argument DATA and the options for reading it, without that for known groups."""
    for add in (
        click.option(
            "--header/--no-header",
            default=None,
            help="Whether the first line of a CSV holds names.  [default: found]",
        ),
        click.option(
            "--decimal",
            type=click.Choice([".", ","]),
            default=".",
            show_default=True,
            help="Decimal mark of a CSV.",
        ),
        click.option(
            "--delimiter",
            callback=_delimiter,
            help="One character, tab or space.  [default: found]",
        ),
        click.option("--drop-missing", is_flag=True, help="Leave out rows with missing values."),
        click.option(
            "--na",
            callback=split,
            help="Marks of missing values beside the usual ones, as -999,unknown.",
        ),
        click.option(
            "--errors",
            callback=split,
            help="Columns of the standard errors of the fitted columns, in their order.",
        ),
        click.option("--exclude", callback=split, help="Columns to leave out: names or positions."),
        click.option(
            "--columns", callback=split, help="Columns to fit: names or positions, as a,b,2."
        ),
        click.argument(
            "data",
            shell_complete=completion("bayesgmm.datasets.load", "dataset_names", files=True),
        ),
    ):
        command = add(command)
    return command


def result_options(seed: str, output: str, **more: Any) -> Decorator:
    """Return a decorator that adds --seed and the options of `Results`, passed as `results`.

    Parameters
    ----------
    seed, output : str
        Help for --seed and -o.
    **more
        Further settings of -o.
    """

    def add(command: Any) -> Any:
        @functools.wraps(command)
        def run(
            *, as_json: bool, output: Path | None, force: bool, quiet: bool, **rest: Any
        ) -> Any:
            return command(results=Results(as_json, output, force, quiet), **rest)

        for option in (
            quiet_option,
            force_option,
            output_option(output, **more),
            click.option(
                "--json", "as_json", is_flag=True, help="Print a JSON object, not the summary."
            ),
            seed_option(seed),
        ):
            run = option(run)
        return run

    return add
