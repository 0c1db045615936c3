"""`bayesgmm select`: the choice of K and covariance structure, as text or JSON."""

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import Rows, read_rows
from bayesgmm.cli.messages import heard_warnings, write_results
from bayesgmm.cli.options import (
    data_options,
    debug_option,
    force_option,
    json_option,
    output_option,
    quiet_option,
    seed_option,
    split,
)

if TYPE_CHECKING:
    from bayesgmm.selection.model_selection import Selection

_SCHEMA, _VERSION = "bayesgmm.selection", 1


@click.command()
@data_options
@click.option(
    "--max-components",
    type=click.IntRange(min=1),
    default=9,
    show_default=True,
    help="The largest number of components to try.",
)
@click.option(
    "--min-components",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The smallest.",
)
@click.option(
    "--structures",
    callback=split,
    help="Covariance structures to try, as EEE,VVV,diag.  [default: all]",
)
@click.option(
    "--criterion",
    type=click.Choice(["bic", "icl", "aic", "cv"]),
    default="bic",
    show_default=True,
    help="What ranks; cv is the log-likelihood of held-out rows.",
)
@click.option(
    "--top", type=click.IntRange(min=1), default=5, show_default=True, help="Cells to print."
)
@seed_option("Seed of the starts and folds.")
@json_option
@output_option("Also write the best mixture, as JSON.")
@force_option
@quiet_option
@debug_option
def select(
    max_components: int,
    min_components: int,
    structures: list[str] | None,
    criterion: str,
    top: int,
    seed: int,
    as_json: bool,
    output: Path | None,
    force: bool,
    quiet: bool,
    **source: Any,
) -> None:
    r"""Choose the number of components and the covariance structure for DATA.

    DATA is as for `fit`. A cell that cannot be trusted never wins; --json gives all, with notes.

    \b
    Examples:
      bayesgmm select faithful
      bayesgmm select measurements.csv --max-components 5 --structures EEE,VVV -o best.json
    """
    from bayesgmm.data.table_files import check_target

    if min_components > max_components:
        raise click.UsageError(
            f"--min-components {min_components} is more than --max-components {max_components}."
        )
    if output is not None:
        check_target(output, force=force)
    rows = read_rows(quiet=quiet, **source)
    with heard_warnings(quiet) as heard:
        found = bayesgmm.select_mixture(
            rows.X,
            range(min_components, max_components + 1),
            "all" if structures is None else structures,
            criterion=criterion,
            rng=seed,
            progressbar=not quiet,
        )
    if as_json:
        text = json.dumps(_document(found, rows, seed, heard), allow_nan=False, indent=2)
    else:
        text = f"Data: {rows.name}\n\n{found.summary(top)}"
    write_results(
        text,
        "The best mixture was",
        output,
        lambda: found.best.mixture_.to_json().encode() + b"\n",
        force=force,
        quiet=quiet,
    )


def _document(found: "Selection", rows: Rows, seed: int, heard: list[str]) -> dict[str, Any]:
    """The whole table and the best mixture, at full precision."""
    best = found.best
    cells = found.table.to_dict("records")
    return {
        "schema": _SCHEMA,
        "version": _VERSION,
        "program": f"bayesgmm {bayesgmm.__version__}",
        "data": rows.name,
        "n_rows": found.n_rows,
        "criterion": found.criterion,
        "seed": seed,
        "cells": [{str(key): _plain(value) for key, value in cell.items()} for cell in cells],
        "best": {
            "n_components": best.mixture_.n_components,
            "covariance_type": found.ranked().iloc[0]["covariance_type"],
            "log_likelihood": best.log_likelihood_,
            "n_parameters": best.n_parameters_,
            "weights": best.mixture_.weights.tolist(),
            "means": best.mixture_.means.tolist(),
            "covariances": best.mixture_.covariances.tolist(),
            "feature_names": best.mixture_.feature_names,
        },
        "warnings": heard,
    }


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold: a number that is none becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
