"""Sentences on the model and its fit, ready for the methods section of a paper."""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMError
from bayesgmm.estimator.fit_summary import agreed_starts
from bayesgmm.posterior.draws import Draws
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    PROBABILITY,
    UnavailableError,
    between,
    count,
    fixed,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.verdicts.sampler_statistics import read_transitions
from bayesgmm.verdicts.switching import RELABELLED

# Components and columns whose figures are given.
_MOST, _MOST_COLUMNS = 4, 6
_ENDS = (1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2


def for_a_paper(inputs: Inputs) -> str:
    """The model, its fit, its posterior and its components in sentences."""
    parts = _of_em, _of_rows, _of_posterior, _of_priors, _of_components
    return " ".join(sentence for part in parts for sentence in part(inputs))


def _of_em(inputs: Inputs) -> Iterator[str]:
    if inputs.em is None:
        return
    fit = inputs.em
    structure = as_structure(fit.covariance_type)
    k, d = fit.mixture_.means.shape
    kind = f"covariance structure {structure.code}: {structure.words}"
    way = "maximum likelihood" if fit.priors_ is None else "maximum posterior density"
    agreed, made = agreed_starts(fit)
    reached = f"{agreed} of {made} starts reached the reported maximum"
    if inputs.searched:
        reached = "K and the structure were selected from a grid of models"
    noise = ""
    if fit.noise_ is not None:
        share = percent(fit.noise_.weight).text
        noise = f" and a component of uniform noise (weight {share})"
    if fit.contamination_ is not None:
        share = percent(float(fit.weights_ @ fit.contamination_.proportions)).text
        noise = f", each contaminated with outliers of its own ({share} in all),"
    yield (
        f"A Gaussian mixture with {plural(k, 'component')}{f' ({kind})' if d > 1 else ''}{noise} "
        "was "
        f"fitted to {plural(len(inputs.observed.X), 'observation')} of {plural(d, 'variable')} by "
        f"{way} with the EM algorithm, using bayesgmm {version('bayesgmm')}. "
        f"{reached} (log-likelihood "
        f"{fixed(inputs.criteria.log_likelihood, 2).text}, "
        f"{plural(fit.n_parameters_, 'free parameter')}, BIC "
        f"{fixed(inputs.criteria.bic, 2).text})."
    )
    yield from held_sentences(fit)


def _of_rows(inputs: Inputs) -> Iterator[str]:
    """Missing entries, measurement errors and weights of the rows, and known components."""
    rows = inputs.observed
    missing = np.isnan(rows.X)
    if missing.any():
        cells, incomplete = int(missing.sum()), int(missing.any(axis=1).sum())
        were = "was" if cells == 1 else "were"
        yield (
            f"{plural(cells, 'value')} in {plural(incomplete, 'observation')} {were} missing, and "
            f"{were} taken as missing at random: the likelihood is that of the observed values."
        )
    if rows.errors is not None:
        yield "The known errors of measurement of the observations were part of the likelihood."
    if rows.weights is not None:
        total = significant(float(rows.weights.sum())).text
        yield f"Observations were weighted, with weights that add up to {total}."
    if inputs.known is not None:
        given = int((inputs.known >= 0).sum())
        verb = "was" if given == 1 else "were"
        whose = "The component" if given == 1 else "The components"
        yield f"{whose} of {plural(given, 'observation')} {verb} known to the fit."


def held_sentences(fit: Any) -> list[str]:
    """A sentence on the parameters that a fit held, if it did."""
    if fit._held is None:
        return []
    words = fit._held.words
    were = "were" if "s of" in words or " and " in words else "was"
    return [f"{words[0].upper()}{words[1:]} {were} fixed beforehand."]


def _of_posterior(inputs: Inputs) -> Iterator[str]:
    if inputs.posterior is None:
        return
    try:
        draws, table = inputs.draws, inputs.switching.statistics
    except (BayesGMMError, UnavailableError):
        return  # the section on the posterior says why
    relabelled = table[table["form"] == RELABELLED]
    sampler, attributes = "", inputs.posterior.attrs
    if attributes.get("sampler") == "laplace":
        sampler = "at its mode (Laplace's method) "
    elif attributes.get("modes") == "joined":
        sampler = "by independent Metropolis proposals, fitted to its modes after a run of NUTS, "
    elif "sampler" in attributes:
        sampler = "by NUTS "
    diverged = read_transitions(inputs.posterior).all_divergences
    divergences = f"; {plural(diverged, 'transition')} diverged" if diverged else ""
    yield (
        f"The posterior was sampled {sampler}in {plural(draws.n_chains, 'chain')} of "
        f"{plural(draws.n_draws, 'draw')}. After relabelling, R-hat was at most "
        f"{fixed(relabelled['r_hat'].max(), 3).text} and the bulk effective sample size at least "
        f"{count(relabelled['ess_bulk'].min()).text}{divergences}."
    )


def _of_priors(inputs: Inputs) -> Iterator[str]:
    for of, priors in inputs.priors.items():
        yield (
            f"Priors{f' of {of}' if of else ''} were {priors.words}; their parameters are given in "
            "the table of priors."
        )


def _of_components(inputs: Inputs) -> Iterator[str]:
    """Weights, means and standard deviations of the largest components."""
    mixture = inputs.mixture
    k, d = mixture.means.shape
    largest = sorted(np.argsort(-mixture.weights, kind="stable")[:_MOST].tolist())
    columns = sorted(shown_features(inputs, _MOST_COLUMNS))
    omitted = [f"{len(largest)} of {k} components, the largest"] * (k > len(largest))
    omitted += [f"{len(columns)} of {d} variables, those that separate the components best"] * (
        d > len(columns)
    )
    limits = f" ({'; '.join(omitted)})" if omitted else ""
    if inputs.posterior is None:
        deviations = np.sqrt(mixture.variances)
        each = "; ".join(_estimated(inputs, i, columns, deviations) for i in largest)
        yield f"Estimated means and standard deviations{limits}: {each}."
        return
    try:
        draws, usable = inputs.draws, inputs.switching.state != "bad"
    except (BayesGMMError, UnavailableError):
        return  # the section on the posterior says why
    if not usable:
        yield (
            "Posterior figures of single components are left out: the draws have not passed the "
            "checks of labels and convergence."
        )
        return
    each = "; ".join(_drawn(inputs, draws, i, columns) for i in largest)
    share = percent(PROBABILITY, 0).text
    yield f"Posterior means with {share} credible intervals{limits}: {each}."


def _estimated(inputs: Inputs, k: int, columns: list[int], deviations: Array) -> str:
    """EM's figures of a component."""
    mixture, names = inputs.mixture, inputs.labels_short
    share = percent((1.0 - inputs.noise_weight) * float(mixture.weights[k])).text
    places = [
        f"{names[j]} {significant(mixture.means[k, j]).text} "
        f"(s.d. {significant(deviations[k, j], 3).text})"
        for j in columns
    ]
    return f"component {inputs.component_words[k]} ({share} of the rows) {', '.join(places)}"


def _drawn(inputs: Inputs, draws: Draws, k: int, columns: list[int]) -> str:
    """Posterior means of a component's parameters with their intervals."""
    others = 1.0 if draws.noise_weight is None else 1.0 - draws.noise_weight
    figures = [f"weight {_interval(draws.weights[..., k] * others)}"]
    for j in columns:
        name, deviation = inputs.labels_short[j], np.sqrt(draws.covariances[..., k, j, j])
        figures += [
            f"mean of {name} {_interval(draws.means[..., k, j])}",
            f"s.d. of {name} {_interval(deviation)}",
        ]
    return f"component {inputs.component_words[k]}: {', '.join(figures)}"


def _interval(values: Array) -> str:
    return between(float(values.mean()), *np.quantile(values, _ENDS)).text
