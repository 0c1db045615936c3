"""`bayesgmm report`: fit, posterior, relabelling and diagnostics on one page."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import bayesgmm
from bayesgmm.cli.command_line import command_line, given_options
from bayesgmm.cli.input_rows import Rows, read_mixture, read_rows_of, read_start
from bayesgmm.cli.options import (
    contaminated_option,
    count_option,
    covariance_option,
    data_options,
    init_option,
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
    page_json,
    printable,
    title_of,
)
from bayesgmm.cli.python_rows import python_rows
from bayesgmm.cli.wording import in_options
from bayesgmm.display import plural
from bayesgmm.errors import InputError, InvalidParameterError

if TYPE_CHECKING:
    import xarray as xr

_MOST_COMPONENTS = 9
# Parameters that a fit of a file, or draws of one, leave nothing for.
_OF_A_FIT = ("chosen", "covariance", "noise", "contaminated", "known", "weights")
_OF_SAMPLING = ("sampled", "draws", "chains", "priors", "target_accept")
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
@init_option(
    "the page is of that fit, with its columns, and no other is made; the posterior begins at it."
)
@click.option(
    "--draws-from",
    "stored",
    type=click.Path(path_type=Path),
    help="File that `bayesgmm sample -o` wrote: the page is of these draws, and no others are "
    "made.",
)
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
    init: str | None,
    stored: Path | None,
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
      bayesgmm fit faithful -k 2 --covariance VEV -o model.json --force
      bayesgmm report faithful --init model.json --no-posterior
      bayesgmm report faithful --select --no-posterior
      bayesgmm report iris -k 3 --label-column label --no-posterior
    """
    from bayesgmm.display import stages

    _check_options(click.get_current_context().params)
    given, results = read_priors(priors), results.replacing_own_page()
    results.check_target()
    watched = not results.quiet
    with heard_warnings(results.quiet) as heard, stages(watched) as stage:
        with stage("Reading the rows"):
            known = None if truth is None else read_mixture(truth)
            em = None if init is None else read_start(init, components)
            posterior = None if stored is None else _stored_draws(stored)
            names = _names(em, posterior)
            rows = read_rows_of(names, quiet=results.quiet, **source)
        beside: dict[str, Any] = {"noise_component": noise, "contaminated": contaminated}
        of_rows: dict[str, Any] = {"sample_weight": rows.weights, "labels": rows.known}
        selection, interrupted = None, False
        if chosen:
            with stage("Choosing K and the structure"):
                of_grid = range(1, (components or _MOST_COMPONENTS) + 1)
                selection = bayesgmm.select_mixture(
                    rows.X, of_grid, rng=seed, progressbar=watched, **beside, **of_rows
                )
            em, interrupted = selection.best, selection.interrupted
        elif components is not None and em is None:
            with stage("Fitting by EM"):
                em = bayesgmm.GaussianMixture(
                    components, covariance_type=covariance, random_state=seed, **beside
                ).fit(rows.X, **of_rows)
        _check_draws(posterior, em)
        if em is not None and sampled and posterior is None and not interrupted:
            with stage(f"Sampling the posterior: {plural(chains, 'chain')}"):
                plan: dict[str, Any] = {"chains": chains, "target_accept": target_accept}
                plan |= {"rng": seed, "priors": given, "draws": draws}
                posterior, interrupted = _sampled(rows.X, em, plan, watched)
        found = None
        if em is not None and weighed and not interrupted:
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
    text = page_json(page, rows.name, seed, heard) if results.as_json else str(page)
    results.write(text, "The report was", page.html.encode)
    if interrupted:
        click.get_current_context().exit(130)


def _check_options(given: Mapping[str, Any]) -> None:
    """Refuse options that do not go together."""
    if not any(given[name] for name in ("components", "chosen", "init", "stored")):
        chosen_line = command_line(extra=["--select"])
        raise click.UsageError(
            f"Give the number of components, as in -k 2, or choose it by --select:\n  {chosen_line}"
        )
    for option, name, others, reason in (
        ("--init", "init", _OF_A_FIT, "is a fit already"),
        ("--draws-from", "stored", _OF_SAMPLING, "has draws already"),
    ):
        if given[name] is not None and (found := given_options(others)):
            words = ", ".join(found)
            raise click.UsageError(f"The file of {option} {reason}: leave out {words}.")
    alone = given["stored"] is not None and not (given["components"] or given["chosen"])
    if alone and given["init"] is None and (given["weighed"] or given["weights"] or given["known"]):
        raise click.UsageError(
            "--evidence, --weights and --labels need a fit beside --draws-from: give -k or --init."
        )
    if given["priors"] is not None and not (given["sampled"] or given["weighed"]):
        raise click.UsageError(
            "--priors are those of the posterior and of --evidence: leave out --no-posterior."
        )
    if given["truth"] == given["data"] == "-":
        raise click.UsageError("Standard input is read once: use - for DATA or --truth alone.")
    if given["weighed"] and (given["noise"] or given["contaminated"]):
        raise click.UsageError("--evidence is for components alone, not --noise or --contaminated.")


def _names(
    em: "bayesgmm.GaussianMixture | None", posterior: "xr.DataTree | None"
) -> tuple[str, ...] | None:
    """The columns of a fit, or of draws, that were read from a file."""
    if em is not None:
        return em.mixture_.feature_names
    if posterior is None:
        return None
    from bayesgmm.posterior.reader import read_draws

    return read_draws(posterior).feature_names


def _stored_draws(path: Path) -> "xr.DataTree":
    """Read the draws that --draws-from names."""
    from bayesgmm.data.file_kinds import foreign_kind

    with path.open("rb") as file:
        head = file.read(8)
    kind = foreign_kind(head)
    wanted = "Give --draws-from a file that `bayesgmm sample -o` wrote."
    if not head.startswith(b"\x89HDF"):
        what = f": it is {kind.noun}" if kind else ""
        raise InputError(f"{printable(path)!r} does not hold draws{what}. {wanted}")
    import xarray as xr

    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(
            f"{printable(path)!r} cannot be read as draws ({error!s:.200}). {wanted}"
        ) from error


def _check_draws(posterior: "xr.DataTree | None", em: "bayesgmm.GaussianMixture | None") -> None:
    """Refuse draws of another number of components than the fit beside them has."""
    if posterior is None or em is None:
        return
    from bayesgmm.posterior.reader import read_draws

    k = read_draws(posterior).n_components
    if k != em.n_components:
        raise click.UsageError(
            f"The draws of --draws-from have {plural(k, 'component')}, and the fit beside them "
            f"{em.n_components}. Give -k {k}, or draw again: bayesgmm sample -k {em.n_components}."
        )


def _sampled(
    X: Any,
    em: "bayesgmm.GaussianMixture",
    plan: dict[str, Any],
    watched: bool,
) -> tuple[Any, bool]:
    """Draw from the posterior; return the draws, if any, and whether Ctrl-C ended them."""
    try:
        posterior = bayesgmm.sample_posterior(X, init=em, progressbar=watched, **plan)
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
