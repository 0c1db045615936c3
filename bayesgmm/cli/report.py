"""`bayesgmm report`: fit, sample, relabel, diagnose, and say it all on one page."""

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_mixture, read_rows
from bayesgmm.cli.messages import heard_warnings, shown, write_results
from bayesgmm.cli.options import (
    covariance_option,
    data_options,
    debug_option,
    force_option,
    json_option,
    output_option,
    quiet_option,
    seed_option,
)
from bayesgmm.cli.progress import stages

_MOST_COMPONENTS = 9
_NOT_THE_PAGE = {"output", "force", "quiet", "as_json"}


@click.command()
@data_options
@click.option("-k", "--components", type=click.IntRange(min=1), help="Number of components.")
@covariance_option
@click.option(
    "--select",
    "chosen",
    is_flag=True,
    help="Choose K, up to that of -k or 9, and the covariance structure by BIC.",
)
@click.option(
    "--posterior/--no-posterior",
    "sampled",
    default=True,
    show_default=True,
    help="Whether to sample the posterior too.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=4),
    default=1000,
    show_default=True,
    help="Draws that are kept of each chain.",
)
@click.option(
    "--chains",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Chains of the sampler.",
)
@click.option("--truth", help="The mixture that the rows were drawn from: a file of `fit -o`.")
@click.option("--title", help="Heading of the page.  [default: the data's name]")
@seed_option("Seed of the starts and of the sampler.")
@json_option
@output_option("The page to write.", default="report.html", show_default=True)
@force_option
@quiet_option
@debug_option
def report(
    components: int | None,
    covariance: str,
    chosen: bool,
    sampled: bool,
    draws: int,
    chains: int,
    truth: str | None,
    title: str | None,
    seed: int,
    as_json: bool,
    output: Path,
    force: bool,
    quiet: bool,
    **source: Any,
) -> None:
    r"""Write one HTML page that says which mixture describes DATA, and whether to believe it.

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    standard input. The page is one file that needs nothing else.

    \b
    Examples:
      bayesgmm report faithful -k 2
      bayesgmm report faithful --select --no-posterior
      bayesgmm report measurements.csv -k 3 --label-column species -o page.html
    """
    from bayesgmm.data.table_files import check_target

    if components is None and not chosen:
        raise click.UsageError("Say how many components, -k, or let --select choose.")
    if truth == source["data"] == "-":
        raise click.UsageError("Standard input is read once: either DATA or --truth can be -.")
    check_target(output, force=force)
    known = None if truth is None else read_mixture(truth)
    with heard_warnings(quiet), stages(quiet) as stage:
        with stage("Reading the rows"):
            rows = read_rows(quiet=quiet, **source)
        if chosen:
            with stage("Choosing K and the structure"):
                selection = bayesgmm.select_mixture(
                    rows.X,
                    range(1, (components or _MOST_COMPONENTS) + 1),
                    rng=seed,
                    progressbar=False,
                )
            em = selection.best
        else:
            selection = None
            with stage("Fitting by EM"):
                em = bayesgmm.GaussianMixture(
                    components or 1, covariance_type=covariance, random_state=seed
                ).fit(rows.X)
        posterior = None
        if sampled:
            with stage(f"Sampling the posterior: {chains} chains of {draws} draws"):
                posterior = _sampled(rows.X, em, draws, chains, seed)
        with stage("Relabelling, diagnosing, drawing"):
            page = bayesgmm.report(
                rows.X,
                em=em,
                posterior=posterior,
                truth=known,
                labels=rows.labels,
                selection=selection,
                title=shown(title or _title(source["data"])),
                source=rows.name,
                command=_command(),
            )
    text = page.to_json() if as_json else str(page)
    write_results(text, "The report was", output, page.html.encode, force=force, quiet=quiet)


def _sampled(X: Any, em: "bayesgmm.GaussianMixture", draws: int, chains: int, seed: int) -> Any:
    """Draw from the posterior; None, with a word, where a structure has no sampler."""
    try:
        posterior = bayesgmm.sample_posterior(
            X,
            em.n_components,
            covariance_type=em.covariance_type,
            draws=draws,
            chains=chains,
            rng=seed,
            progressbar=False,
        )
    except bayesgmm.errors.InvalidParameterError as error:
        click.echo(f"Note: the posterior was not sampled. {error}", err=True)
        return None
    if posterior.attrs.get("interrupted"):
        # The sampler hands over what it has; a page of half a posterior is not asked for.
        raise KeyboardInterrupt
    return posterior


def _title(data: str) -> str:
    return "Standard input" if data == "-" else Path(data).stem.replace("_", " ")


def _command() -> str:
    """Return the command line that makes the same page, without what only says where to put it."""
    context = click.get_current_context()
    words = ["bayesgmm", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name in context.params and name not in _NOT_THE_PAGE:
            words += _words(parameter, context.params[name])
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    r"""Quote a word for a shell; bytes that are not UTF-8 are written as $'\xff'."""
    text = shown(word)
    if text == word:
        return shlex.quote(word)
    escaped = shown(word.replace("\\", "\\\\").replace("'", "\\'"))
    return f"$'{escaped}'"


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    if isinstance(value, list):
        line = io.StringIO()
        csv.writer(line, lineterminator="").writerow(value)
        value = line.getvalue()
    if isinstance(parameter, click.Argument):
        return [str(value)]
    if isinstance(value, bool):
        return [parameter.opts[0] if value else parameter.secondary_opts[0]]
    return [parameter.opts[0], str(value)]
