"""`bayesgmm fit`: one mixture by maximum likelihood, as text or JSON."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_rows
from bayesgmm.cli.known_groups import groups_by_fit, groups_fields, groups_text
from bayesgmm.cli.membership_table import memberships_csv
from bayesgmm.cli.options import (
    components_option,
    contaminated_option,
    covariance_option,
    data_options,
    equal_weights_option,
    known_option,
    noise_option,
    priors_option,
    read_priors,
    result_options,
    weights_option,
)
from bayesgmm.cli.output import (
    Results,
    check_output,
    contamination_fields,
    document,
    heard_warnings,
    json_text,
    noise_fields,
    write_file,
)
from bayesgmm.cli.streamed_rows import (
    Stream,
    check_streamed,
    open_source,
    opened_executor,
    stream_options,
    write_parts,
)

if TYPE_CHECKING:
    from bayesgmm.data.validation import Data


@click.command()
@data_options
@weights_option
@known_option
@components_option
@covariance_option
@equal_weights_option
@noise_option
@contaminated_option
@priors_option
@click.option(
    "--eigenvalue-ratio",
    type=click.FloatRange(min=1.0),
    help="Largest ratio of the variances of two components in any direction.  [default: no bound]",
)
@click.option(
    "--order-by",
    type=click.Choice(["means", "weights", "variances"]),
    help="Number components by ascending means, descending weights or ascending variances.  "
    "[default: means, or as in --labels]",
)
@click.option(
    "--memberships",
    type=click.Path(path_type=Path),
    help="Also write the rows with their components, as `bayesgmm predict` does.",
)
@stream_options(checkpoint=True)
@result_options("Seed of the starts.", "Also write the fit, as JSON.")
def fit(
    components: int,
    covariance: str,
    equal_weights: bool,
    noise: bool,
    contaminated: bool,
    priors: Path | None,
    eigenvalue_ratio: float | None,
    order_by: str | None,
    memberships: Path | None,
    seed: int,
    results: Results,
    stream: Stream | None,
    **source: Any,
) -> None:
    r"""Fit a mixture to DATA by maximum likelihood.

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    standard input. Write ./iris for a file that is named like a data set. With --stream, DATA is
    read in parts, may be a folder of Parquet files, and --memberships ends in .parquet or .npy.

    \b
    Examples:
      bayesgmm fit faithful -k 2
      bayesgmm fit faithful -k 2 -o model.json --memberships labelled.csv --force
      bayesgmm fit faithful -k 2 --noise
      bayesgmm fit faithful -k 2 --stream --checkpoint passes.json
      bayesgmm fit iris -k 3 --columns petal_length,petal_width --json
    """
    from bayesgmm.display import stages

    given = read_priors(priors)
    results.check_target()
    if memberships is not None:
        check_output(memberships, force=results.force)
    settings: dict[str, Any] = {
        "n_components": components,
        "covariance_type": covariance,
        "equal_weights": equal_weights,
        "noise_component": noise,
        "contaminated": contaminated,
        "priors": given,
        "eigenvalue_ratio": eigenvalue_ratio,
        "random_state": seed,
    }
    if stream is not None:
        with stages(not results.quiet) as stage, stage("Fitting by EM"):
            check_streamed(memberships)
            model = bayesgmm.GaussianMixture(**settings)
            model.set_params(order_by=order_by or "means", verbose=not results.quiet)
            _fit_parts(model, stream, memberships, seed, results, source)
        return
    with heard_warnings(results.quiet) as heard, stages(not results.quiet) as stage:
        with stage("Reading the rows"):
            rows = read_rows(quiet=results.quiet, keep_cells=memberships is not None, **source)
        with stage("Fitting by EM"):
            # The import of the estimator takes longest: the first stage is told before it.
            model = bayesgmm.GaussianMixture(**settings)
            model.set_params(order_by=order_by or ("means" if rows.known is None else None))
            model.fit(rows.X, sample_weight=rows.weights, labels=rows.known)
    table = groups_by_fit(rows, model)
    if results.as_json:
        fields = _fields(model, seed, len(rows.X.X), rows.X)
        fields["known_groups"] = groups_fields(rows, table)
        text = json_text("fit", rows.name, fields, heard)
    else:
        text = f"Data: {rows.name}\n\n{model.summary(rows.X)}{groups_text(table)}"
    results.write(text, *document(model))
    if memberships is not None:
        content, quiet = memberships_csv(rows, model), results.quiet
        write_file(memberships, content, "The memberships were", force=results.force, quiet=quiet)


def _fit_parts(
    model: "bayesgmm.GaussianMixture",
    stream: Stream,
    memberships: Path | None,
    seed: int,
    results: Results,
    source: dict[str, Any],
) -> None:
    """Fit to rows that are read in parts."""
    with (
        heard_warnings(results.quiet) as heard,
        opened_executor(stream.dask) as executor,
    ):
        rows = open_source(**source)
        model.fit(rows, executor=executor, checkpoint=stream.checkpoint)
        name = rows.describe().strip("'")
        if results.as_json:
            text = json_text("fit", name, _fields(model, seed, rows.n_rows, None), heard)
        else:
            text = f"Data: {name}\n\n{model.summary()}"
        results.write(text, *document(model))
        if memberships is not None:
            write_parts(model, rows, memberships, executor, results.force, results.quiet)


def _fields(
    model: "bayesgmm.GaussianMixture", seed: int, n_rows: int, X: "Data | None"
) -> dict[str, Any]:
    """Return all that the summary shows, at full precision; without X, of a source of rows."""
    from bayesgmm.covariance.structures import as_structure
    from bayesgmm.estimator.fit_summary import agreed_starts
    from bayesgmm.estimator.source_results import sizes_under
    from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya

    sizes = sizes_under(model, X)
    mixture, noise, outliers = model.mixture_, model.noise_, model.contamination_
    structure = as_structure(model.covariance_type)
    starts = model.starts_.to_dict("records")
    agreed, made = agreed_starts(model)
    return {
        "n_rows": n_rows,
        "sum_of_weights": model.n_rows_,
        "n_features": mixture.n_features,
        "n_components": mixture.n_components,
        "covariance_type": structure.name,
        "covariance_code": structure.code,
        "covariance_words": structure.words,
        "equal_weights": model.equal_weights,
        "seed": seed,
        "log_likelihood": model.log_likelihood_,
        "n_parameters": model.n_parameters_,
        "bic": model.bic(X),
        "aic": model.aic(X),
        "icl": model.icl(X),
        "converged": bool(model.converged_),
        "n_iter": model.n_iter_,
        "remaining": model.remaining_,
        "sizes": sizes[:-1].tolist(),
        "feature_names": mixture.feature_names,
        "weights": mixture.weights.tolist(),
        "means": mixture.means.tolist(),
        "covariances": mixture.covariances.tolist(),
        "noise": noise and noise_fields(noise, int(sizes[-1])),
        "contamination": outliers and contamination_fields(outliers),
        "bhattacharyya": bhattacharyya(mixture).tolist(),
        "starts_made": made,
        "starts_agreed": agreed,
        "starts": starts,
    }
