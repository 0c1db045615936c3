"""`bayesgmm explore`: the models of a grid on one page, to be stepped through."""

from typing import Any

import click

import bayesgmm
from bayesgmm.cli.command_line import command_line
from bayesgmm.cli.input_rows import read_rows
from bayesgmm.cli.options import (
    Grid,
    data_options,
    grid_options,
    noise_option,
    result_options,
    weights_option,
)
from bayesgmm.cli.output import (
    NOT_THE_PAGE,
    Results,
    heard_warnings,
    page_json,
    printable,
    title_of,
)


@click.command()
@data_options
@weights_option
@noise_option
@grid_options
@click.option("--title", help="Heading of the page.  [default: the data's name]")
@result_options(
    "Seed of the search.", "The page to write.", default="explorer.html", show_default=True
)
def explore(
    grid: Grid, noise: bool, title: str | None, seed: int, results: Results, **source: Any
) -> None:
    r"""Write one HTML page on which K, and the structure, can be stepped through.

    DATA is as for `report`. For each K the page shows the mixture over the rows, its BIC among
    those of the others, and the verdicts of a report. The structure can be chosen too if the grid
    has at most 40 models. The page is one self-contained file that needs no server: explorer.html,
    which replaces an earlier such page, or the file of -o.

    \b
    Examples:
      bayesgmm explore faithful -k 5
      bayesgmm explore iris -k 4 --structures EEE,VVV -o page.html --force
    """
    from bayesgmm.display import stages

    results = results.replacing_own_page()
    results.check_target()
    with heard_warnings(results.quiet) as heard, stages(not results.quiet) as stage:
        with stage("Reading the rows"):
            rows = read_rows(quiet=results.quiet, **source)
        with stage("Fitting the models, diagnosing, drawing"):
            page = bayesgmm.explore(
                rows.X,
                *grid,
                labels=rows.labels,
                title=printable(title or title_of(source["data"])),
                source=rows.name,
                command=command_line(without=NOT_THE_PAGE),
                sample_weight=rows.weights,
                noise_component=noise,
                rng=seed,
                progressbar=not results.quiet,
            )
    interrupted = page.numbers["interrupted"]
    if interrupted:
        click.echo("Interrupted: the page is made of the models fitted so far.", err=True)
    text = page_json(page, rows.name, seed, heard) if results.as_json else str(page)
    results.write(text, "The page was", page.html.encode)
    if interrupted:
        click.get_current_context().exit(130)
