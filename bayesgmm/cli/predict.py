"""`bayesgmm predict`: the component or class of each row, by a model that was fitted before."""

from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.columns_to_fit import matching_columns, named_alike
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
                choice=lambda table: matching_columns(table, mixture.feature_names),
                keep_cells=True,
                allow_unseen=True,
                **source,
            )
            rows = rows._replace(X=named_alike(rows.X, mixture.feature_names))
        with stage("Computing the memberships"):
            mixture.check_observed(rows.X)
            content = memberships_csv(rows, fitted)
    if output is None or output == STANDARD_OUTPUT:
        click.echo(content, nl=False)
        return
    write_file(output, content, "The memberships were", force=force, quiet=quiet)
