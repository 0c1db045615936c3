"""`bayesgmm simulate`: rows of known truth."""

from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_mixture
from bayesgmm.cli.options import (
    completion,
    force_option,
    output_option,
    quiet_option,
    seed_option,
)
from bayesgmm.cli.output import STANDARD_OUTPUT, check_output, write_file


@click.command()
@click.argument("model", shell_complete=completion("bayesgmm", "scenarios", files=True))
@click.option(
    "-n", "--rows", type=click.IntRange(min=1), required=True, help="Number of rows to draw."
)
@seed_option("Seed of the draws.")
@click.option(
    "--missing",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Proportion of entries to remove completely at random.",
)
@click.option("--labels", is_flag=True, help="Add a last column with the component of each row.")
@output_option("File to write, .csv or .npy.  [default: CSV on standard output]")
@force_option
@quiet_option
def simulate(
    model: str,
    rows: int,
    seed: int,
    missing: float,
    labels: bool,
    output: Path | None,
    force: bool,
    quiet: bool,
) -> None:
    r"""Draw rows from MODEL: a worked example, or a file that `fit -o` wrote.

    With - the file is read from standard input.

    \b
    Worked examples: rusty_machine, heights, overlapping_ellipses, blobs

    \b
    Examples:
      bayesgmm simulate blobs -n 800 --labels -o blobs.csv --force
      bayesgmm fit blobs.csv -k 4 --label-column component
    """
    import numpy as np

    from bayesgmm.data.coercion import column_names
    from bayesgmm.data.csv_files import csv_text
    from bayesgmm.data.table_files import npy_bytes
    from bayesgmm.display import stages

    if output == STANDARD_OUTPUT:
        output = None
    if output is not None:
        if output.suffix.lower() not in {".csv", ".npy"}:
            raise click.UsageError(f"The output {str(output)!r} must end in .csv or .npy.")
        check_output(output, force=force)
    if model in bayesgmm.scenarios() or not (model == "-" or Path(model).exists()):
        mixture = bayesgmm.scenario(model)
    else:
        with stages(not quiet) as stage, stage("Reading the model"):
            mixture = read_mixture(model)
    drawn = bayesgmm.simulate(mixture, rows, rng=seed, missing=missing)
    if output is not None and output.suffix.lower() == ".npy":
        content = npy_bytes(np.column_stack([drawn.X, drawn.labels]) if labels else drawn.X)
    else:
        names = list(column_names(mixture.feature_names, mixture.n_features))
        columns: list[Any] = list(drawn.X.T)
        if labels:
            names.append("component")
            columns.append(drawn.labels)
        content = csv_text(names, columns).encode()
    if output is None:
        click.echo(content, nl=False)  # in UTF-8, whatever the terminal's encoding
    else:
        write_file(output, content, "The rows were", force=force, quiet=quiet)
