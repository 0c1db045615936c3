"""`bayesgmm predict`: the component or class of each row, by a model that was fitted before."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_model, read_rows
from bayesgmm.cli.membership_table import memberships_csv
from bayesgmm.cli.options import force_option, output_option, quiet_option, reading_options
from bayesgmm.cli.output import STANDARD_OUTPUT, check_output, write_file
from bayesgmm.cli.streamed_rows import (
    Stream,
    check_streamed,
    open_source,
    opened_executor,
    stream_options,
    write_parts,
)

if TYPE_CHECKING:
    from bayesgmm.data.tables import Table
    from bayesgmm.data.validation import Data


@click.command()
@click.argument("model", type=click.Path())
@reading_options
@stream_options(checkpoint=False)
@output_option("CSV file to write; with --stream, .parquet or .npy.  [default: standard output]")
@force_option
@quiet_option
def predict(
    model: str,
    output: Path | None,
    force: bool,
    quiet: bool,
    columns: list[str] | None,
    stream: Stream | None,
    **source: Any,
) -> None:
    r"""Write DATA with the component of each row under MODEL, a file that `fit -o` wrote.

    MODEL may also be a file that `to_json` of a Mixture, GaussianMixture or
    GaussianMixtureClassifier wrote; of the last, classes take the place of components.

    The columns of DATA are written as they are, followed by the most probable component, its
    probability, and the probability of each component. Columns are matched with those of MODEL by
    name, apart from a unit in brackets behind one of both; --columns gives them, in the order of
    MODEL, where DATA has no names.

    \b
    Examples:
      bayesgmm fit faithful -k 2 -o model.json --force
      bayesgmm predict model.json faithful -o labelled.csv --force
    """
    from bayesgmm.display import stages

    if model == source["data"] == "-":
        raise click.UsageError("Standard input is read once: use - for MODEL or DATA alone.")
    if output is not None:
        check_output(output, force=force)
    if stream is not None and output in {None, STANDARD_OUTPUT}:
        raise click.UsageError("With --stream, -o must name a .parquet or .npy file.")
    with stages(not quiet) as stage:
        with stage("Reading the model"):
            if stream is not None:
                check_streamed(output)
            fitted = read_model(model)
            mixture = fitted if isinstance(fitted, bayesgmm.Mixture) else fitted.mixture_
        if stream is not None and output is not None:
            names = mixture.feature_names
            columns = columns or (None if names is None else list(names))
            with stage("Computing the memberships"), opened_executor(stream.dask) as executor:
                parts = open_source(columns=columns, **source)
                write_parts(fitted, parts, output, executor, force, quiet)
            return
        with stage("Reading the rows"):
            rows = read_rows(
                columns=columns,
                label_column=None,
                quiet=quiet,
                choice=lambda table: _matching(table, mixture.feature_names),
                keep_cells=True,
                **source,
            )
            rows = rows._replace(X=_named_alike(rows.X, mixture.feature_names))
        with stage("Computing the memberships"):
            mixture.check_observed(rows.X)
            content = memberships_csv(rows, fitted)
    if output is None or output == STANDARD_OUTPUT:
        click.echo(content, nl=False)
        return
    write_file(output, content, "The memberships were", force=force, quiet=quiet)


def _matching(table: "Table", names: tuple[str, ...] | None) -> list[str] | None:
    """Return the columns of a table that a mixture has, in its order; None for all."""
    if names is None:
        return None
    listed = ", ".join(map(repr, names))
    if table.names is None:
        raise bayesgmm.errors.InputError(
            f"The columns of the data have no names, but the mixture has {listed:.2000}. Name "
            "their positions in this order with --columns."
        )
    found = [_name_in(table.names, name) for name in names]
    missing = [name for name, own in zip(names, found, strict=True) if own is None]
    if missing:
        raise bayesgmm.errors.InputError(
            f"The data have no column named {' or '.join(map(repr, missing)):.2000}. The mixture "
            f"has {listed:.2000}, the data "
            f"{', '.join(map(repr, table.names)):.2000}. Rename the columns of the data."
        )
    return [own for own in found if own is not None]


def _name_in(columns: Sequence[str], name: str) -> str | None:
    """Return the name itself, or the only column that has it apart from a unit."""
    from bayesgmm.data.tables import same_name

    alike = [name] if name in columns else [each for each in columns if same_name(each, name)]
    return alike[0] if len(alike) == 1 else None


def _named_alike(X: "Data", names: tuple[str, ...] | None) -> "Data":
    """Return rows with the model's names of their columns, where these differ by units alone.

    Raises
    ------
    InputError
        If --columns gives columns of other names.
    """
    from bayesgmm.data.tables import same_name

    own = X.feature_names
    if names is None or own is None or len(own) != len(names) or set(own) == set(names):
        return X
    for mine, name in zip(own, names, strict=True):
        if not same_name(mine, name):
            raise bayesgmm.errors.InputError(
                f"--columns gives {mine!r} of the data for {name!r} of the model. Rename the "
                "column in the data if it is the same."
            )
    return X._replace(feature_names=names)
