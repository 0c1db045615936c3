"""Goodness of fit: the mixture over the rows, and a predictive check."""

from dataclasses import replace

import numpy as np

from bayesgmm.diagnostics.predictive_check import STATISTICS, Check, check
from bayesgmm.display import plural
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.mixture_pictures import HEAD, mixture_figure
from bayesgmm.reporting.parts import (
    Figure,
    Row,
    Section,
    State,
    Table,
    UnavailableError,
    between,
    fixed,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.reporting.svg import INK, MUTED, RULE, panel, style, to_svg

_DOUBTFUL = 0.05
# A distance between distributions that is visible in a plot.
_PLAIN = 0.1


def fit_section(inputs: Inputs) -> Section:
    """Agreement of the mixture with the rows, and a picture of more columns than at the head."""
    section = check_section(inputs)
    if inputs.n_features <= HEAD:
        return section
    with style():
        picture = mixture_figure(inputs.observed, inputs.described)
    return replace(section, figures=(picture, *section.figures))


def check_section(inputs: Inputs) -> Section:
    """Agreement of the mixture with the rows."""
    mixture, rows = inputs.mixture, inputs.observed.X[inputs.complete]
    if inputs.observed.errors is not None:
        raise UnavailableError("the rows have measurement errors, which replicates lack")
    if not len(rows):
        raise UnavailableError("every row has a missing entry")
    if inputs.observed.weights is not None:
        raise UnavailableError("the rows have weights, which replicates lack")
    if (rows == rows[:1]).all(axis=0).any():
        raise UnavailableError(f"a column is constant in {plural(len(rows), 'complete row')}")
    features = shown_features(inputs)
    draws = inputs.predictive_draws(features)
    replicated = mixture.marginal(features)
    if inputs.contamination is not None:
        replicated = inputs.contamination.pairs(replicated)
    found = check(
        np.ascontiguousarray(rows[:, features]),
        replicated,
        noise=inputs.noise and inputs.noise.marginal(features),
        draws=draws,
    )
    state, verdict = _judge(inputs, features, found)
    numbers = {
        "p_value": found.p_value,
        "n_rows_compared": found.n_rows,
        "n_replicates": found.n_replicates,
        "z": found.z,
        "replicates_from": "em" if draws is None else "posterior",
    }
    return Section(
        state,
        verdict,
        (_check_figure(inputs, features, found),),
        (_table(inputs, features, found),),
        (
            f"Replicates are {found.n_replicates} samples of {plural(found.n_rows, 'row')} drawn "
            + (
                "from the posterior predictive distribution. "
                if draws is not None
                else "from the fitted mixture and its noise. "
                if inputs.noise is not None
                else "from the fitted mixture with its outliers. "
                if inputs.contamination is not None
                else "from the fitted mixture. "
            )
            + "The p-value is that of the most extreme statistic, calibrated by the replicates; it "
            "is conservative, since the parameters were estimated from the same rows."
            + (
                ""
                if len(rows) == len(inputs.observed.X)
                else f" They are compared with the {plural(len(rows), 'row')} without missing "
                "entries, which is fair if entries are missing completely at random."
            ),
        ),
        numbers,
    )


def _judge(inputs: Inputs, features: list[int], found: Check) -> tuple[State, str]:
    place, statistic = np.unravel_index(int(np.abs(found.z).argmax()), found.z.shape)
    where = f"the {STATISTICS[statistic]} of {inputs.labels_short[features[int(place)]]}"
    text = fixed(found.p_value, 3).text
    origin = (
        "the fitted mixture"
        if inputs.posterior is None
        else "the posterior predictive distribution"
    )
    drawn = f"Replicates drawn from {origin}"
    z = found.z[place, statistic]
    off_by = f"{significant(abs(z), 2).text} standard deviations {'above' if z > 0 else 'below'}"
    closer = (
        " The mixture is closer to the data than to replicates, since its parameters were "
        "estimated from the data."
    ) * bool(statistic == 0 and z < 0)
    if found.p_value >= _DOUBTFUL:
        return "good", (
            f"{drawn} are consistent with the data (p = {text}): the "
            f"most extreme statistic, {where}, is {off_by} their mean.{closer}"
        )
    off = float(found.observed[:, 0].max())
    state: State = "bad" if off > _PLAIN else "care"
    return state, (
        f"{drawn} differ from the data (p = {text}): {where} is {off_by} "
        f"their mean.{closer} The largest distance between the distribution "
        f"functions of a column is {percent(off, 1).text}."
    )


def _check_figure(inputs: Inputs, features: list[int], found: Check) -> Figure:
    """The statistics in standard deviations of the replicates."""
    d = len(features)
    with style():
        figure, axes = panel(5.6, 1.3 + 0.4 * d)
        axes.axvline(0.0, color=RULE, linewidth=1.0)
        limit = max(4.0, float(np.abs(found.z).max()) * 1.1)
        for s, (mark, name) in enumerate(zip("os^v<", STATISTICS, strict=True)):
            places = np.arange(d) + (s - 2) * 0.15
            axes.hlines(
                places, found.low_z[:, s], found.high_z[:, s], color=MUTED, alpha=0.3, linewidth=4.0
            )
            axes.plot(
                found.z[:, s], places, mark, color=INK, markersize=4.5,
                alpha=0.75, label=name, linestyle="none",
            )  # fmt: skip
        axes.set(xlabel="standard deviations of the replicates from their mean",
                 xlim=(-limit, limit), ylim=(d - 0.5, -0.5))  # fmt: skip
        axes.set_yticks(range(d), [inputs.labels_short[j] for j in features])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        figure.legend(loc="outside upper center", ncols=3, fontsize=8.5, handletextpad=0.2)
        worst = float(np.abs(found.z).max())
        return Figure(
            to_svg(figure),
            "Five statistics of each column, in standard deviations of the replicates; the most "
            f"extreme is {worst:.1f} from their mean.",
            "Statistics of the data in standard deviations of the replicates. Grey lines: the "
            "central 95 % of the replicates, as in the table.",
        )


def _table(inputs: Inputs, features: list[int], found: Check) -> Table:
    rows: list[Row] = [
        (
            inputs.labels_short[j],
            *(
                between(found.observed[place, s], found.low[place, s], found.high[place, s])
                for s in range(len(STATISTICS))
            ),
        )
        for place, j in enumerate(features)
    ]
    return Table(
        "Statistics of the data, with the central 95 % of the replicates",
        ("column", *STATISTICS),
        rows,
    )
