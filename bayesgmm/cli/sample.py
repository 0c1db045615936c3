"""`bayesgmm sample`: draws from the posterior of a mixture, written as NetCDF."""

import json
import math
from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_rows
from bayesgmm.cli.messages import heard_warnings, write_results
from bayesgmm.cli.options import (
    components_option,
    covariance_option,
    data_options,
    debug_option,
    force_option,
    json_option,
    output_option,
    quiet_option,
    seed_option,
)

_SCHEMA, _VERSION = "bayesgmm.sample", 1


@click.command()
@data_options
@components_option
@covariance_option
@click.option("--draws", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--tune", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--chains", type=click.IntRange(min=1), default=4, show_default=True)
@seed_option("Seed of the starts and the chains.")
@json_option
@output_option("Also write the draws, as NetCDF.")
@force_option
@quiet_option
@debug_option
def sample(
    components: int,
    covariance: str,
    draws: int,
    tune: int,
    chains: int,
    seed: int,
    as_json: bool,
    output: Path | None,
    force: bool,
    quiet: bool,
    **source: Any,
) -> None:
    r"""Draw from the posterior of a mixture of DATA by NUTS.

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    standard input. The summary has EM's estimate beside the posterior.

    \b
    Examples:
      bayesgmm sample faithful -k 2 -o posterior.nc
      bayesgmm sample measurements.csv -k 3 --covariance diag --draws 2000
    """
    from bayesgmm.data.table_files import check_target

    if output is not None:
        check_target(output, force=force)
    rows = read_rows(quiet=quiet, **source)
    with heard_warnings(quiet) as heard:
        posterior = bayesgmm.sample_posterior(
            rows.X,
            components,
            covariance_type=covariance,
            draws=draws,
            tune=tune,
            chains=chains,
            rng=seed,
            progressbar=not quiet,
        )
    comparison = bayesgmm.compare_engines(None, bayesgmm.relabel(posterior))
    if as_json:
        document = {
            "schema": _SCHEMA,
            "version": _VERSION,
            "data": rows.name,
            **{name: _plain(value) for name, value in posterior.attrs.items()},
            "divergences": int(posterior["sample_stats"]["diverging"].sum()),
            "verdict": comparison.verdict,
            "parameters": [
                {name: _or_null(value) for name, value in row.items()}
                for row in comparison.table.reset_index().to_dict("records")
            ],
            "notes": list(comparison.notes),
            "warnings": heard,
        }
        text = json.dumps(document, allow_nan=False, indent=2)
    else:
        text = f"Data: {rows.name}\n\n{_summary(posterior, comparison)}"
    write_results(
        text,
        "The draws were",
        output,
        lambda: bytes(posterior.to_netcdf()),
        force=force,
        quiet=quiet,
    )
    if posterior.attrs["interrupted"]:
        raise KeyboardInterrupt


def _summary(posterior: Any, comparison: "bayesgmm.Agreement") -> str:
    """The sampling, and EM's estimate beside the posterior, as text."""
    from bayesgmm.results import as_text

    attributes, sizes = posterior.attrs, posterior["posterior"].sizes
    k = attributes["n_components"]
    title = (
        f"Posterior of a Gaussian mixture: {attributes['covariance_type']} with {k} component"
        + "s" * (k > 1)
    )
    divergences = int(posterior["sample_stats"]["diverging"].sum())
    drawn = (
        f"{sizes['chain']} chain{'s' * (sizes['chain'] > 1)} of {sizes['draw']} draws by "
        f"{attributes['sampler']} in {attributes['sampling_time']:.1f} s; {divergences} divergences"
    )
    interrupted = "INTERRUPTED: fewer draws than requested" if attributes["interrupted"] else None
    columns = ["em", "standard_error", "posterior_mean", "posterior_sd"]
    table = comparison.table[columns].set_axis(["EM", "SE", "mean", "sd"], axis="columns")
    table.index.name = None
    parts = [
        f"{title}\n{'=' * len(title)}",
        drawn,
        interrupted,
        comparison.verdict,
        "EM's estimate with its standard error, and the relabelled posterior:",
        table,
        *comparison.notes,
    ]
    return as_text([part for part in parts if part is not None])


def _plain(value: Any) -> Any:
    """Priors and versions are stored as JSON texts, since NetCDF has no nested attributes."""
    return json.loads(value) if isinstance(value, str) and value[:1] == "{" else value


def _or_null(value: Any) -> Any:
    """NaN becomes null in JSON."""
    return None if isinstance(value, float) and math.isnan(value) else value
