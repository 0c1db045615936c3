"""`bayesgmm sample`: draws from the posterior of a mixture, written as NetCDF."""

import json
import math
import re
from pathlib import Path
from typing import Any

import click

import bayesgmm
from bayesgmm.cli.input_rows import read_rows_of, read_start
from bayesgmm.cli.known_groups import groups_by_posterior, groups_fields, groups_text
from bayesgmm.cli.options import (
    components_option,
    contaminated_option,
    count_option,
    covariance_or,
    data_options,
    equal_weights_option,
    init_option,
    known_option,
    noise_option,
    priors_option,
    read_priors,
    result_options,
    target_accept_option,
    weights_option,
)
from bayesgmm.cli.output import Results, heard_warnings, json_text
from bayesgmm.cli.wording import in_options
from bayesgmm.display import plural


@click.command()
@data_options
@weights_option
@known_option
@noise_option
@contaminated_option
@init_option(
    "begin at that fit, with its columns, its number of components and its structure; its priors, "
    "too, unless others are given."
)
@components_option
@covariance_or(None, "full, or that of --init")
@equal_weights_option
@priors_option
@count_option(
    "--draws", default=None, what="Draws kept of each chain.  [default: as convergence needs]"
)
@count_option(
    "--tune", default=1000, what="Draws of each chain that tune the sampler and are discarded."
)
@count_option("--chains", default=4, what="Number of chains.")
@target_accept_option
@click.option(
    "--method",
    type=click.Choice(["nuts", "laplace"]),
    default="nuts",
    show_default=True,
    help="laplace, for many rows: draws at the mode, where the posterior is nearly normal.",
)
@result_options("Seed of the starts and the chains.", "Also write the draws, as NetCDF.")
def sample(
    init: str | None,
    components: int | None,
    covariance: str | None,
    noise: bool,
    contaminated: bool,
    equal_weights: bool,
    priors: Path | None,
    draws: int | None,
    tune: int,
    chains: int,
    target_accept: float,
    method: str,
    seed: int,
    results: Results,
    **source: Any,
) -> None:
    r"""Draw from the posterior of a mixture of DATA, by NUTS or at its mode (--method).

    DATA is a shipped data set (faithful, galaxies, iris) or a file: CSV, Parquet or NPY, or - for
    standard input. The summary shows the estimate by EM beside the posterior.

    \b
    Examples:
      bayesgmm sample faithful -k 2 -o posterior.nc --force
      bayesgmm sample faithful -k 2 --covariance diag --draws 500
      bayesgmm fit faithful -k 2 --covariance VEV -o model.json --force
      bayesgmm sample faithful --init model.json
    """
    from bayesgmm.display import stages

    given = read_priors(priors)
    results.check_target()
    with heard_warnings(results.quiet) as heard, stages(not results.quiet) as stage:
        with stage("Reading the rows"):
            start = None if init is None else read_start(init, components)
            names = None if start is None else start.mixture_.feature_names
            rows = read_rows_of(names, quiet=results.quiet, **source)
        with stage(f"Sampling the posterior: {plural(chains, 'chain')}"):
            posterior = bayesgmm.sample_posterior(
                rows.X,
                components,
                covariance_type=covariance,
                draws=draws,
                tune=tune,
                chains=chains,
                target_accept=target_accept,
                method=method,
                init="em" if start is None else start,
                sample_weight=rows.weights,
                labels=rows.known,
                noise_component=noise,
                contaminated=contaminated,
                equal_weights=equal_weights,
                priors=given,
                rng=seed,
                progressbar=not results.quiet,
            )
        with stage("Relabelling"):
            relabelled = bayesgmm.relabel(posterior)
            comparison = bayesgmm.compare_engines(None, relabelled)
            known = groups_by_posterior(rows, relabelled)
        groups = rows.X.group_names
        comparison.table.index = comparison.table.index.map(lambda name: _with_group(name, groups))
    if results.as_json:
        fields = {str(name): _nested(value) for name, value in posterior.attrs.items()}
        priors_used = bayesgmm.Priors.from_resolved(posterior.attrs["priors"])
        fields["priors"] = json.loads(priors_used.to_json())
        fields["divergences"] = _divergences(posterior)
        fields["verdict"] = in_options(comparison.verdict)
        fields["parameters"] = comparison.table.reset_index().to_dict("records")
        fields["notes"] = list(map(in_options, comparison.notes))
        fields["known_groups"] = groups_fields(rows, known)
        text = json_text("sample", rows.name, fields, heard)
    else:
        text = f"Data: {rows.name}\n\n{_summary(posterior, comparison)}{groups_text(known)}"
    results.write(text, "The draws were", lambda: bytes(posterior.to_netcdf()))
    if posterior.attrs["interrupted"]:
        raise KeyboardInterrupt


def _with_group(name: str, groups: tuple[str, ...] | None) -> str:
    """The name of a parameter, with that of its component's group if there is one."""
    found = re.fullmatch(r"(.*?\[)(\d+)(.*)", name)
    if groups is None or found is None or int(found[2]) >= len(groups):
        return name
    return f"{found[1]}{groups[int(found[2])]}{found[3]}"


def _convergence(attributes: Any, n_features: int) -> str:
    """The worst R-hat and effective sample size, and whether they are good enough."""
    from bayesgmm.convergence.agreement import AGREE
    from bayesgmm.covariance.structures import as_structure

    rhat, ess = attributes["rhat"], attributes["ess"]
    found = f"effective sample size at least {ess:.0f}"
    if not math.isnan(rhat):
        found = f"R-hat at most {rhat:.3f}, {found}"
    if ess >= attributes["min_ess"] and not rhat > AGREE:
        return f"Converged: {found}"
    structure = as_structure(attributes["covariance_type"])
    ties = structure.shares_parts(attributes["n_components"], n_features)
    other = (
        f", or --covariance full: components of {structure.code} share parts of their covariances, "
        "which mix slowly"
    ) * ties
    return (
        f"NOT converged: {found}. Intervals are unreliable; bayesgmm report says which quantities "
        f"mix slowly. More --draws may help{other}."
    )


def _divergences(posterior: Any) -> int | None:
    from bayesgmm.verdicts.sampler_statistics import read_transitions

    return read_transitions(posterior).all_divergences


def _priors(document: str) -> str:
    """The priors in words, with their numbers."""
    import numpy as np

    from bayesgmm.priors.documents import family_in_words, family_to_dict
    from bayesgmm.priors.resolved_priors import ResolvedPriors

    priors = ResolvedPriors.from_dict(json.loads(document))
    location, sd = (
        ", ".join(dict.fromkeys(f"{each:.4g}" for each in np.ravel(values)))
        for values in (priors.mean_location, priors.mean_sd)
    )
    return (
        f"Priors: {priors.words}; location of the means {location}, standard deviation {sd}; "
        f"covariances {family_in_words(family_to_dict(priors.covariances))}. All digits: --json, "
        "under priors. Others: --priors FILE."
    )


def _nested(value: Any) -> Any:
    """Return an attribute's value; NetCDF has no nested ones, and keeps them as JSON texts."""
    return json.loads(value) if isinstance(value, str) and value[:1] == "{" else value


def _summary(posterior: Any, comparison: "bayesgmm.Agreement") -> str:
    """The sampling, and EM's estimate beside the posterior, as text."""
    from bayesgmm.results import as_text

    attributes, sizes = posterior.attrs, posterior["posterior"].sizes
    k = attributes["n_components"]
    title = (
        f"Posterior of a Gaussian mixture: {attributes['covariance_type']} with "
        f"{plural(k, 'component')}"
    )
    divergences = _divergences(posterior)
    diverged = "" if divergences is None else f"; {plural(divergences, 'divergence')}"
    drawn = (
        f"{plural(sizes['chain'], 'chain')} of {plural(sizes['draw'], 'draw')} by "
        f"{attributes['sampler']} in {attributes['sampling_time']:.1f} s{diverged}"
    )
    interrupted = "INTERRUPTED: fewer draws than requested" if attributes["interrupted"] else None
    columns = ["em", "standard_error", "posterior_mean", "posterior_sd", "lower", "upper"]
    heads = ["EM", "SE", "mean", "sd", "lower", "upper"]
    table = comparison.table[columns].set_axis(heads, axis="columns")
    interval = f"{comparison.table.attrs['kind']} {comparison.table.attrs['prob']:.0%} interval"
    table.index.name = None
    parts = [
        f"{title}\n{'=' * len(title)}",
        drawn,
        interrupted,
        _priors(attributes["priors"]),
        _convergence(attributes, sizes["feature"]),
        comparison.verdict,
        "EM's estimate with its standard error, and the relabelled posterior with the bounds of an "
        f"{interval}:",
        table,
        *comparison.notes,
    ]
    return as_text([part for part in parts if part is not None])
