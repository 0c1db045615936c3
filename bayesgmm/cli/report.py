"""`bayesgmm report`: fit, posterior, relabelling and diagnostics on one page."""

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_mixture, read_rows
from bayesgmm.cli.options import count_option, covariance_option, data_options, result_options
from bayesgmm.cli.output import Results, heard_warnings, printable

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
    help="Sample the posterior too, or not.",
)
@count_option(
    "--draws", None, "Draws kept of each chain.  [default: as convergence needs]", least=4
)
@count_option("--chains", 4, "Number of chains.")
@click.option("--truth", help="Mixture from which the rows were drawn: a file of `fit -o`.")
@click.option("--title", help="Heading of the page.  [default: the data's name]")
@result_options(
    "Seed of the starts and of the sampler.",
    "The page to write.",
    default="report.html",
    show_default=True,
)
def report(
    components: int | None,
    covariance: str,
    chosen: bool,
    sampled: bool,
    draws: int | None,
    chains: int,
    truth: str | None,
    title: str | None,
    seed: int,
    results: Results,
    **source: Any,
) -> None:
    r"""Write one HTML page on the mixture that describes DATA, and on whether to believe it.

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    standard input. The page is one self-contained file.

    \b
    Examples:
      bayesgmm report faithful -k 2
      bayesgmm report faithful --select --no-posterior
      bayesgmm report measurements.csv -k 3 --label-column species -o page.html
    """
    from bayesgmm.display import stages

    if components is None and not chosen:
        raise click.UsageError("Give the number of components, -k, or choose it by --select.")
    if truth == source["data"] == "-":
        raise click.UsageError("Standard input is read once: use - for DATA or --truth alone.")
    results.check_target()
    known = None if truth is None else read_mixture(truth)
    with heard_warnings(results.quiet), stages(not results.quiet) as stage:
        with stage("Reading the rows"):
            rows = read_rows(quiet=results.quiet, **source)
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
            with stage(f"Sampling the posterior: {chains} chains"):
                posterior = _sampled(rows.X, em, draws, chains, seed)
        with stage("Relabelling, diagnosing, drawing"):
            page = bayesgmm.report(
                rows.X,
                em=em,
                posterior=posterior,
                truth=known,
                labels=rows.labels,
                selection=selection,
                title=printable(title or _title(source["data"])),
                source=rows.name,
                command=_command(),
            )
    text = page.to_json() if results.as_json else str(page)
    results.write(text, "The report was", page.html.encode)


def _sampled(
    X: Any, em: "bayesgmm.GaussianMixture", draws: int | None, chains: int, seed: int
) -> Any:
    """Draw from the posterior; return None, with a note, if the structure has no sampler."""
    try:
        posterior = bayesgmm.sample_posterior(
            X, init=em, draws=draws, chains=chains, rng=seed, progressbar=False
        )
    except bayesgmm.errors.InvalidParameterError as error:
        click.echo(f"Note: the posterior was not sampled. {error}", err=True)
        return None
    if posterior.attrs.get("interrupted"):
        # The sampler returns the draws so far, and half a posterior makes no page.
        raise KeyboardInterrupt
    return posterior


def _title(data: str) -> str:
    return "Standard input" if data == "-" else Path(data).stem.replace("_", " ")


def _command() -> str:
    """Return the command line of the page, without the options that concern its file alone."""
    context = click.get_current_context()
    words = ["bayesgmm", str(context.info_name)]
    for parameter in context.command.params:
        name = str(parameter.name)
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if given and name in context.params and name not in _NOT_THE_PAGE:
            words += _words(parameter, context.params[name])
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    r"""Quote a word for a shell; write bytes that are not UTF-8 as $'\xff'."""
    text = printable(word)
    if text == word:
        return shlex.quote(word)
    escaped = printable(word.replace("\\", "\\\\").replace("'", "\\'"))
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
