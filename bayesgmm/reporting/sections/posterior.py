"""The posterior of each parameter after relabelling, with R-hat and effective sample sizes."""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.convergence.agreement import mcse
from bayesgmm.convergence.monitored import parameter_name
from bayesgmm.display import listed, plural
from bayesgmm.plots.style import colour
from bayesgmm.posterior.draws import Draws
from bayesgmm.reporting.chain_pictures import chains_figure
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parameter_names import correlation_name, of_component, spelled
from bayesgmm.reporting.parts import (
    PROBABILITY,
    Figure,
    Row,
    Section,
    State,
    Table,
    count,
    fixed,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.reporting.svg import panels, style, to_svg
from bayesgmm.verdicts.sampler_statistics import read_transitions
from bayesgmm.verdicts.switching import RELABELLED

_MOST_ROWS = 60
_CUT = (
    "Components marked by † overlap with another one: their relabelled draws are cut at the "
    "overlap, so that means are pushed apart and intervals are too short."
)
# Columns in the table and the figure, and panels of the figure.
_MOST_COLUMNS, _PANELS = 6, 10
# Proportion of the draws on either side of a histogram that its axis may leave out.
_TAIL = 0.001
# Quantities of the statistics beside those of Gaussian components.
_NOISE, _OUTLIERS = "weight of noise", ("proportion of outliers", "log inflation")
# Questions of the evidence that this section answers.
_OF_CHAINS = "the chains agree", "the sampler reports no trouble"


def posterior_section(inputs: Inputs) -> Section:
    """Summary of the posterior, and convergence of the sampler."""
    draws, statistics = inputs.draws, inputs.switching.statistics
    relabelled = statistics[statistics["form"] == RELABELLED].set_index("quantity")
    largest = float(relabelled["r_hat"].max())
    bulk, tail = float(relabelled["ess_bulk"].min()), float(relabelled["ess_tail"].min())
    transitions = read_transitions(inputs.posterior)
    state, sentences = _judge(inputs, largest, min(bulk, tail))
    if inputs.switching.cut:
        sentences.append(_CUT)
    cut = inputs.switching.cut
    parameters = list(_parameters(inputs, draws, shown_features(inputs, _MOST_COLUMNS)))
    rows = [
        _row(
            of_component(name, inputs.component_words[k]) + ("†" if k in cut else ""),
            values,
            relabelled.loc[key],
        )
        for name, k, key, values in parameters[:_MOST_ROWS]
    ]
    if draws.noise_weight is not None:
        invariant = statistics[statistics["form"] != RELABELLED].set_index("quantity")
        rows.insert(0, _row(_NOISE, draws.noise_weight, invariant.loc[_NOISE]))
    hidden = max(len(parameters) - _MOST_ROWS, 0)
    notes = ["MCSE: the Monte Carlo standard error of the mean."]
    if cut:
        notes.append(_CUT)
    if hidden > 0:
        notes.append(f"Not shown: {plural(hidden, 'more parameter')}.")
    notes += _of_columns(inputs)
    table = Table(
        "Posterior summary after relabelling",
        ("", "mean", "MCSE", "s.d.", "from", "to (90 %)", "R-hat", "bulk ESS", "tail ESS"),
        rows,
        " ".join(notes),
    )
    return Section(
        state,
        " ".join(sentences),
        (_figure(inputs, parameters), chains_figure(inputs, draws)),
        (table,),
        [f"Not computed: {note}." for note in inputs.switching.notes],
        {
            "n_chains": draws.n_chains,
            "n_draws": draws.n_draws,
            "largest_r_hat": largest,
            "least_ess_bulk": bulk,
            "least_ess_tail": tail,
            "divergences": transitions.all_divergences,
            "interval_probability": PROBABILITY,
        },
    )


def _judge(inputs: Inputs, r_hat: float, ess: float) -> tuple[State, list[str]]:
    """The state of the evidence, and its findings on chains and sampler in full."""
    draws = inputs.draws
    drawn = f"{plural(draws.n_chains, 'chain')} of {plural(draws.n_draws, 'draw')}"
    sentences = [f"{drawn}: too few to assess convergence."]
    if np.isfinite(r_hat):
        sentences = [
            f"{drawn}: after relabelling, R-hat is at most {fixed(r_hat, 3).text}, and the "
            f"effective sample size of every parameter is at least {count(ess).text}."
        ]
    evidence = inputs.switching.evidence
    for question in _OF_CHAINS:
        result, finding, consequence = evidence.loc[question, ["result", "finding", "consequence"]]
        if result != "passed":
            sentences += [spelled(inputs, each) for each in (finding, consequence) if each]
    if evidence.loc[_OF_CHAINS[1], "result"] == "passed":
        sentences.append(evidence.loc[_OF_CHAINS[1], "finding"])
    return inputs.switching.state, sentences


def _parameters(
    inputs: Inputs, draws: Draws, features: list[int]
) -> Iterator[tuple[str, int, str, Array]]:
    """Name, component, name among the statistics, and draws (chain, draw)."""
    components = range(draws.n_components)

    def each(word: str, name: str, values: Array) -> Iterator[tuple[str, int, str, Array]]:
        """A parameter of all components; values (chain, draw, K)."""
        for k in components:
            yield name, k, parameter_name(word, k), values[..., k]

    yield from each("weight", "weight", draws.weights)
    words, names = draws.feature_words, inputs.labels_short
    for j in features:
        yield from each(f"mean of {words[j]}", f"mean of {names[j]}", draws.means[..., j])
    deviations = np.sqrt(np.diagonal(draws.covariances, axis1=-2, axis2=-1))
    for j in features:
        yield from each(f"sd of {words[j]}", f"s.d. of {names[j]}", deviations[..., j])
    for i, j in itertools.combinations(sorted(features), 2):
        values = draws.covariances[..., i, j] / (deviations[..., i] * deviations[..., j])
        if values.any():
            key = f"correlation of {words[i]} and {words[j]}"
            yield from each(key, correlation_name(names, i, j), values)
    if draws.outliers is not None:
        for word, values in zip(
            _OUTLIERS, (draws.outliers[0], np.log(draws.outliers[1])), strict=True
        ):
            yield from each(word, word, values)


def _row(name: str, values: Array, statistics: Any) -> Row:
    low, high = np.quantile(values, [(1 - PROBABILITY) / 2, (1 + PROBABILITY) / 2])
    spread = float(values.std(ddof=1)) if values.size > 1 else float("nan")
    decimals = _decimals(spread)
    return (
        name,
        fixed(float(values.mean()), decimals),
        significant(mcse(values), 2),
        fixed(spread, decimals),
        fixed(float(low), decimals),
        fixed(float(high), decimals),
        fixed(statistics["r_hat"], 3),
        count(statistics["ess_bulk"]),
        count(statistics["ess_tail"]),
    )


def _decimals(spread: float) -> int:
    if not np.isfinite(spread) or spread <= 0:
        return 4
    return 2 - int(np.floor(np.log10(spread)))


def _of_columns(inputs: Inputs) -> list[str]:
    """A sentence on the columns that are left out, if there are any."""
    left = inputs.n_features - _MOST_COLUMNS
    if left <= 0:
        return []
    return [
        f"Shown are the {_MOST_COLUMNS} columns that separate the components best; "
        f"{plural(left, 'column')} more {'is' if left == 1 else 'are'} left out."
    ]


def _figure(inputs: Inputs, parameters: list[tuple[str, int, str, Array]]) -> Figure:
    """Histograms of weights, means and deviations over all draws, a colour for each component."""
    groups: dict[str, list[Array]] = {}
    for name, _, _, values in parameters:
        if name.startswith("correlation"):
            continue
        groups.setdefault(name, []).append(values.ravel())
    names = list(groups)[:_PANELS]
    left_out = [each for each in groups if each not in names]
    if any(name.startswith("correlation") for name, *_ in parameters):
        left_out.append("correlations")
    with style():
        figure, grid = panels(names, 1.7, (0.4, 0.2), across=2)
        for axes, name in zip(grid, names, strict=True):
            ends = [np.quantile(values, (_TAIL, 1.0 - _TAIL)) for values in groups[name]]
            span = float(np.min(ends)), float(np.max(ends))
            for k, values in enumerate(groups[name]):
                inside = values[(values >= span[0]) & (values <= span[1])]
                axes.hist(inside, bins=30, color=colour(k), alpha=0.55, density=True)
            axes.set_yticks([])
        caption = [
            "Marginal posterior distributions after relabelling, all chains together, one colour "
            f"for each component, without the outermost {percent(_TAIL).text} of the draws on "
            "either side.",
            *([f"Not drawn: {listed(left_out)}."] if left_out else []),
            *_of_columns(inputs),
        ]
        return Figure(
            to_svg(figure),
            f"Histograms of the posterior draws of {', '.join(names)}, one colour for each "
            "component.",
            " ".join(caption),
            wide=len(names) > 2,
        )
