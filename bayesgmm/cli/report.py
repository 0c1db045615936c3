"""`bayesgmm report`: fit, posterior, relabelling and diagnostics on one page."""

from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.command_line import command_line
from bayesgmm.cli.input_rows import Rows, read_mixture, read_rows
from bayesgmm.cli.options import (
    contaminated_option,
    count_option,
    covariance_option,
    data_options,
    known_option,
    noise_option,
    priors_option,
    read_priors,
    result_options,
    target_accept_option,
    weights_option,
)
from bayesgmm.cli.output import (
    NOT_THE_PAGE,
    Results,
    heard_warnings,
    printable,
    title_of,
)
from bayesgmm.cli.python_rows import python_rows
from bayesgmm.cli.wording import in_options
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError

_MOST_COMPONENTS = 9
# Components beyond those of the page of which the evidence is computed, and their largest number.
_FURTHER, _MOST_OF_EVIDENCE = 2, 12


@click.command()
@data_options
@weights_option
@click.option("-k", "--components", type=click.IntRange(min=1), help="Number of components.")
@known_option
@covariance_option
@noise_option
@contaminated_option
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
@click.option(
    "--evidence",
    "weighed",
    is_flag=True,
    help="Compute how probable each K is, up to two more than that of the page; at most 12.",
)
@count_option(
    "--draws",
    default=None,
    what="Draws kept of each chain.  [default: as convergence needs]",
    least=4,
)
@count_option("--chains", default=4, what="Number of chains.")
@priors_option
@target_accept_option
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
    noise: bool,
    contaminated: bool,
    chosen: bool,
    sampled: bool,
    weighed: bool,
    draws: int | None,
    chains: int,
    priors: Path | None,
    target_accept: float,
    truth: str | None,
    title: str | None,
    seed: int,
    results: Results,
    **source: Any,
) -> None:
    r"""Write one HTML page on the mixture that describes DATA, and on whether to believe it.

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    standard input. The page is one self-contained file: report.html, which replaces an earlier
    such page, or the file of -o.

    \b
    Examples:
      bayesgmm report faithful -k 2
      bayesgmm report faithful --select --no-posterior
      bayesgmm report iris -k 3 --label-column label --no-posterior
    """
    from bayesgmm.display import stages

    if components is None and not chosen:
        chosen_line = command_line(extra=["--select"])
        raise click.UsageError(
            f"Give the number of components, as in -k 2, or choose it by --select:\n  {chosen_line}"
        )
    if priors is not None and not (sampled or weighed):
        raise click.UsageError(
            "--priors are those of the posterior and of --evidence: leave out --no-posterior."
        )
    if truth == source["data"] == "-":
        raise click.UsageError("Standard input is read once: use - for DATA or --truth alone.")
    if weighed and (noise or contaminated):
        raise click.UsageError("--evidence is for components alone, not --noise or --contaminated.")
    given, results = read_priors(priors), results.replacing_own_page()
    results.check_target()
    watched = not results.quiet
    with heard_warnings(results.quiet), stages(watched) as stage:
        with stage("Reading the rows"):
            known = None if truth is None else read_mixture(truth)
            rows = read_rows(quiet=results.quiet, **source)
        if chosen:
            grid = range(1, (components or _MOST_COMPONENTS) + 1)
            with stage("Choosing K and the structure"):
                selection = bayesgmm.select_mixture(
                    rows.X,
                    grid,
                    labels=rows.known,
                    noise_component=noise,
                    contaminated=contaminated,
                    sample_weight=rows.weights,
                    rng=seed,
                    progressbar=watched,
                )
            em, interrupted = selection.best, selection.interrupted
        else:
            selection, interrupted = None, False
            with stage("Fitting by EM"):
                em = bayesgmm.GaussianMixture(
                    components or 1,
                    covariance_type=covariance,
                    noise_component=noise,
                    contaminated=contaminated,
                    random_state=seed,
                ).fit(rows.X, sample_weight=rows.weights, labels=rows.known)
        posterior = None
        if sampled and not interrupted:
            with stage(f"Sampling the posterior: {plural(chains, 'chain')}"):
                plan: dict[str, Any] = {
                    "chains": chains,
                    "target_accept": target_accept,
                    "rng": seed,
                }
                plan |= {"priors": given}
                posterior, interrupted = _sampled(rows.X, em, draws, plan, watched)
        found = None
        if weighed and not interrupted:
            with stage("Integrating over the parameters of each K"):
                found, interrupted = _weighed(rows, em, given, seed, watched)
        if interrupted:
            click.echo("Interrupted: the page is made from the results so far.", err=True)
        with stage("Relabelling, diagnosing, drawing"):
            page = bayesgmm.report(
                rows.X,
                em=em,
                posterior=posterior,
                truth=known,
                labels=rows.labels,
                selection=selection,
                evidence=found,
                title=printable(title or title_of(source["data"])),
                source=rows.name + "; interrupted before the end" * interrupted,
                command=command_line(without=NOT_THE_PAGE),
                reading=python_rows(rows, **source),
            )
    text = page.to_json() if results.as_json else str(page)
    results.write(text, "The report was", page.html.encode)
    if interrupted:
        click.get_current_context().exit(130)


def _sampled(
    X: Any,
    em: "bayesgmm.GaussianMixture",
    draws: int | None,
    plan: dict[str, Any],
    watched: bool,
) -> tuple[Any, bool]:
    """Draw from the posterior; return the draws, if any, and whether Ctrl-C ended them."""
    try:
        posterior = bayesgmm.sample_posterior(X, init=em, draws=draws, progressbar=watched, **plan)
    except KeyboardInterrupt:  # before the first draw
        return None, True
    return posterior, bool(posterior.attrs["interrupted"])


def _weighed(
    rows: Rows, em: "bayesgmm.GaussianMixture", priors: Any, seed: int, watched: bool
) -> tuple[Any, bool]:
    """The evidence, or why there is none, and whether Ctrl-C ended it; a refusal is a note."""
    if rows.weights is not None or rows.known is not None:
        reason = "It is for rows without weights and known labels."
        click.echo(f"The evidence was not computed: {reason}", err=True)
        return reason, False
    ks = range(1, min(em.n_components + _FURTHER, _MOST_OF_EVIDENCE) + 1)
    try:
        structure = em.covariance_type
        found = bayesgmm.evidence(
            rows.X, ks, covariance_type=structure, priors=priors, rng=seed, progressbar=watched
        )
    except (InputError, InvalidParameterError) as error:
        reason = in_options(str(error))
        click.echo(f"The evidence was not computed: {reason}", err=True)
        return reason, False
    except KeyboardInterrupt:
        return "It was interrupted.", True
    return found, False
