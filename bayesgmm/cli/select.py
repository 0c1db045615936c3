"""`bayesgmm select`: the choice of K and covariance structure, as text or JSON."""

from typing import TYPE_CHECKING, Any

import click

import bayesgmm
from bayesgmm.cli.command_line import command_line
from bayesgmm.cli.input_rows import read_rows
from bayesgmm.cli.known_groups import groups_by_fit, groups_fields, groups_text
from bayesgmm.cli.options import (
    Grid,
    contaminated_option,
    count_option,
    data_options,
    equal_weights_option,
    grid_options,
    known_option,
    noise_option,
    result_options,
    weights_option,
)
from bayesgmm.cli.output import (
    Results,
    contamination_fields,
    document,
    heard_warnings,
    json_text,
    noise_fields,
)

if TYPE_CHECKING:
    from bayesgmm.selection.selection_result import Selection


@click.command()
@data_options
@weights_option
@known_option
@noise_option
@contaminated_option
@grid_options
@click.option(
    "--criterion",
    type=click.Choice(["bic", "icl", "aic", "cv"]),
    default="bic",
    show_default=True,
    help="Criterion of the ranking; cv is the log-likelihood of held-out rows.",
)
@equal_weights_option
@click.option(
    "--max-time",
    type=click.FloatRange(min=0.0, min_open=True),
    default=float("inf"),
    metavar="SECONDS",
    help="End the search after this time, and choose among the models fitted until then.",
)
@count_option("--top", default=5, what="Number of models to print.")
@result_options("Seed of the starts and folds.", "Also write the best mixture, as JSON.")
def select(
    grid: Grid,
    noise: bool,
    contaminated: bool,
    criterion: str,
    equal_weights: bool,
    max_time: float,
    top: int,
    seed: int,
    results: Results,
    **source: Any,
) -> None:
    r"""Choose the number of components and the covariance structure for DATA.

    DATA is as for `fit`. A model that cannot be trusted is never chosen; --json lists all of them,
    with notes.

    \b
    Examples:
      bayesgmm select faithful
      bayesgmm select iris -k 5 --structures EEE,VVV -o best.json --force
    """
    from bayesgmm.display import stages

    results.check_target()
    with heard_warnings(results.quiet) as heard, stages(not results.quiet) as stage:
        with stage("Reading the rows"):
            rows = read_rows(quiet=results.quiet, **source)
        with stage("Choosing K and the structure"):
            found = bayesgmm.select_mixture(
                rows.X,
                *grid,
                criterion=criterion,
                equal_weights=equal_weights,
                sample_weight=rows.weights,
                labels=rows.known,
                noise_component=noise,
                contaminated=contaminated,
                max_time=max_time,
                rng=seed,
                progressbar=not results.quiet,
            )
    table = groups_by_fit(rows, found.best)
    if results.as_json:
        fields = {**_fields(found, seed), "known_groups": groups_fields(rows, table)}
        text = json_text("selection", rows.name, fields, heard)
    else:
        best = found.ranked().iloc[0]
        chosen = ["-k", str(best["n_components"]), "--covariance", str(best["covariance_type"])]
        line = command_line("fit", without={"output", "force"}, extra=chosen)
        summary = f"{found.summary(top)}\n\nTo fit the first of the table alone:\n  {line}"
        text = f"Data: {rows.name}\n\n{summary}{groups_text(table)}"
    results.write(text, *document(found.best, "best "))
    if found.interrupted:
        raise KeyboardInterrupt


def _fields(found: "Selection", seed: int) -> dict[str, Any]:
    """Return the whole table and the best mixture, at full precision."""
    best = found.best
    return {
        "n_rows": found.n_rows,
        "criterion": found.criterion,
        "equal_weights": found.best.equal_weights,
        "seed": seed,
        "interrupted": found.interrupted,
        "models": found.table.to_dict("records"),
        "best": {
            "n_components": best.mixture_.n_components,
            "covariance_type": found.ranked().iloc[0]["covariance_type"],
            "log_likelihood": best.log_likelihood_,
            "n_parameters": best.n_parameters_,
            "weights": best.mixture_.weights.tolist(),
            "means": best.mixture_.means.tolist(),
            "covariances": best.mixture_.covariances.tolist(),
            "noise": best.noise_ and noise_fields(best.noise_),
            "contamination": best.contamination_ and contamination_fields(best.contamination_),
            "feature_names": best.mixture_.feature_names,
        },
    }
