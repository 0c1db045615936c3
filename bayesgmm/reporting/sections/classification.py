"""Classification of the rows: sizes, uncertainty, known groups."""

from typing import Any

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.diagnostics.known_groups import CrossTable, cross_table
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMError
from bayesgmm.plots.style import FAINT, colour, short
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.mixture_pictures import HEAD, uncertainty_figure
from bayesgmm.reporting.parts import (
    Download,
    Figure,
    Row,
    Section,
    State,
    Table,
    UnavailableError,
    count,
    fixed,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.reporting.sections.probable_outliers import outliers
from bayesgmm.reporting.svg import PAPER, panel, style, to_svg

_CERTAIN = 0.9
# Expected misclassification rate from which on the classification is not to be relied on.
_MISTAKEN = 0.05
_MOST_UNCERTAIN = 10
_MOST_GROUPS = 20
# Proportion of a bar that has room for a number.
_LABELLED = 0.04


def membership_section(inputs: Inputs) -> Section:
    """Classification of the rows by their most probable component."""
    responsibilities = inputs.memberships[1]
    k = responsibilities.shape[1]
    labels, largest = inputs.assigned
    uncertain = int((largest < _CERTAIN).sum())
    mistaken = float((1.0 - largest).mean())
    rows = f"All rows but {uncertain:,} have" if uncertain else "Every row has"
    beside = ", or noise," if inputs.noise is not None else ""
    sentences = [
        f"{rows} a component{beside} of probability at least {percent(_CERTAIN, 0).text}. "
        "If the mixture is correct, the expected misclassification rate is "
        f"{percent(mistaken, 2).text}."
    ]
    state: State = "good" if mistaken < _MISTAKEN else "care"
    tables = [_sizes(inputs)]
    downloads: list[Download] = []
    numbers: dict[str, Any] = {
        "n_uncertain": uncertain,
        "expected_misclassified": mistaken,
        "threshold": _CERTAIN,
    }
    if k == 1 and inputs.noise is None:
        sentences = ["All rows belong to the single component."]
    if inputs.with_outliers:
        found, outlying, downloads = outliers(inputs)
        sentences.append(found)
        tables += outlying
    if inputs.noise is not None:
        numbers["n_noise"] = int((labels < 0).sum())
    if inputs.contamination is not None:
        numbers["n_outliers"] = int((inputs.outlying > 0.5).sum())
    if k > 1 or inputs.noise is not None:
        tables.append(_most_uncertain(inputs, responsibilities, largest))
    if inputs.known is not None:
        given = int((inputs.known >= 0).sum())
        sentences.append(
            f"Of {plural(given, 'row')} the component was known, and counts as certain."
        )
    averaged = _averaged(inputs)
    if averaged is not None and k > 1:
        numbers["expected_misclassified_posterior"] = averaged
        sentences.append(
            f"Averaged over the posterior, the rate is {percent(averaged, 2).text}: that of the "
            "estimate takes its parameters as known."
        )
        state = "care" if averaged >= _MISTAKEN else state
    groups = _known_groups(inputs, labels, k)
    if groups is not None:
        numbers |= {
            "known_groups": list(groups.groups),
            "agreement": groups.agreement,
            "adjusted_rand_index": groups.adjusted_rand_index,
        }
        sentences.append(
            f"The component agrees with the known group, after matching, for "
            f"{percent(groups.agreement).text} of {_rows_of(groups, inputs)} (adjusted Rand index "
            f"{fixed(groups.adjusted_rand_index, 3).text})"
            + ("; noise agrees with none." if groups.columns[-1] == "noise" else ".")
        )
        tables.insert(1, _groups(groups))
    figures = _figures(inputs, labels, largest, groups)
    return Section(
        state, " ".join(sentences), figures, tables, (), numbers, downloads=tuple(downloads)
    )


def _rows_of(groups: CrossTable, inputs: Inputs) -> str:
    if groups.n_rows == len(inputs.observed.X):
        return "the rows"
    return f"the {plural(groups.n_rows, 'row')} whose group is known"


def _known_groups(inputs: Inputs, components: Integers, k: int) -> CrossTable | None:
    """The known groups by component."""
    return (
        None
        if inputs.unseen_groups is None
        else cross_table(inputs.unseen_groups, components, k, inputs.component_words)
    )


def _figures(
    inputs: Inputs, labels: Integers, largest: Array, groups: CrossTable | None
) -> list[Figure]:
    k = inputs.mixture.n_components
    figures = []
    several = k > 1 or inputs.noise is not None
    if several and inputs.n_features <= HEAD:
        figures.append(uncertainty_figure(inputs.observed, inputs.described, inputs.drawing))
    if several:
        figures.append(_figure(inputs, labels, largest, k))
    if groups is not None:
        figures.append(_groups_figure(groups))
    return figures


def _averaged(inputs: Inputs) -> float | None:
    """The expected misclassification rate of probabilities averaged over relabelled draws.

    Noise is one of the classes. None where the fit has noise, outliers or known components of rows
    and the posterior has none, or the other way round.
    """
    try:
        labelling = inputs.switching.labelling
    except (BayesGMMError, UnavailableError):
        # The posterior's own section says why.
        return None
    draws, rows = labelling.draws, labelling.rows
    of_draws = draws and (draws.noise, draws.outliers, rows and rows.labels)
    of_fit = inputs.noise, inputs.contamination, inputs.known
    if of_draws and any((a is None) != (b is None) for a, b in zip(of_draws, of_fit, strict=True)):
        return None
    permutations = labelling.permutations.reshape(-1, labelling.n_components)
    averaged = labelling.memberships.average(permutations)
    rest = 1.0 - averaged.sum(axis=1)
    return float((1.0 - np.maximum(averaged.max(axis=1), rest)).mean())


def _sizes(inputs: Inputs) -> Table:
    labels, largest = inputs.assigned
    expected_rows = dict(enumerate(inputs.memberships[1].sum(axis=0)))
    if inputs.noise is not None:
        expected_rows[-1] = inputs.outlying.sum()
    rows: list[Row] = []
    for i, expected in expected_rows.items():
        mine = largest[labels == i]
        rows.append(
            (
                inputs.named(i),
                count(len(mine)),
                fixed(float(expected), 1),
                percent(float(mine.mean()) if len(mine) else float("nan")),
                count(int((mine < _CERTAIN).sum())),
            )
        )
    return Table(
        "Sizes",
        (
            "",
            "rows",
            "expected rows",
            "mean probability",
            f"rows below {percent(_CERTAIN, 0).text}",
        ),
        rows,
        "Rows are counted in their most probable component; expected rows are sums of "
        f"probabilities. Rows below {percent(_CERTAIN, 0).text} have no component of at least that "
        "probability.",
    )


def _most_uncertain(inputs: Inputs, responsibilities: Array, largest: Array) -> Table:
    """The rows of greatest uncertainty, with their two most probable components."""
    features = shown_features(inputs, 4)
    words = (*inputs.component_cells, "noise")
    if inputs.noise is not None:
        responsibilities = np.column_stack((responsibilities, inputs.outlying))
    rows: list[Row] = []
    for b in np.argsort(largest, kind="stable")[:_MOST_UNCERTAIN].tolist():
        first, second = np.argsort(-responsibilities[b], kind="stable")[:2].tolist()
        rows.append(
            (
                inputs.row(b),
                *(significant(inputs.observed.X[b, j], 5) for j in features),
                words[first],
                percent(responsibilities[b, first]),
                words[second],
                percent(responsibilities[b, second]),
            )
        )
    heads = (*(inputs.labels_short[j] for j in features),)
    return Table(
        "The most uncertain rows",
        ("", *heads, "component", "probability", "second", "its probability"),
        rows,
        inputs.rows_named,
    )


def _groups(table: CrossTable) -> Table:
    rows: list[Row] = [
        (group, *(count(each) for each in counts))
        for group, counts in zip(table.groups, table.counts, strict=True)
    ]
    hidden = len(rows) > _MOST_GROUPS
    return Table(
        "Known groups and components",
        ("group", *table.columns),
        rows[:_MOST_GROUPS],
        f"The first {_MOST_GROUPS} of {plural(len(table.groups), 'group')}." if hidden else "",
    )


def _groups_figure(table: CrossTable) -> Figure:
    """The known groups, each divided into the components of its rows."""
    shown = table.counts[:_MOST_GROUPS]
    shares = shown / shown.sum(axis=1, keepdims=True)
    left = np.cumsum(shares, axis=1) - shares
    places = np.arange(len(shown))
    with style():
        figure, axes = panel(5.6, 1.0 + 0.3 * len(shown))
        for i, name in enumerate(table.columns):
            shade, mark = (
                (FAINT, "\N{MULTIPLICATION SIGN}") if name == "noise" else (colour(i), str(i))
            )
            axes.barh(places, shares[:, i], 0.7, left[:, i], color=shade, edgecolor=PAPER)
            for at, share, start in zip(places, shares[:, i], left[:, i], strict=True):
                if share > _LABELLED:
                    axes.text(
                        start + share / 2, float(at), mark, ha="center", va="center", fontsize=9,
                        bbox={"boxstyle": "circle,pad=0.15", "fc": PAPER, "ec": "none"},
                    )  # fmt: skip
        names = [short(each, 24) for each in table.groups[: len(shown)]]
        axes.set_yticks(places, names)
        axes.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), xlabel="proportion of the group")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
        return Figure(
            to_svg(figure),
            "Bars of the known groups, each divided into the most probable components of its rows.",
            "Known groups, divided into the components of their rows; numbers are components"
            + (", grey is noise." if table.columns[-1] == "noise" else "."),
        )


def _figure(inputs: Inputs, labels: Integers, largest: Array, k: int) -> Figure:
    """Histogram of the largest responsibility of each row, by component."""
    edges = np.linspace(min(0.5, np.floor(largest.min() * 20) / 20), 1.0, 21)
    with style():
        figure, axes = panel(5.6, 2.8)
        bottom = np.zeros(len(edges) - 1)
        for i in [*range(k), *([-1] if (labels < 0).any() else [])]:
            heights = np.histogram(largest[labels == i], edges)[0]
            axes.bar(
                edges[:-1], heights, np.diff(edges) * 0.92, bottom=bottom, align="edge",
                color=FAINT if i < 0 else colour(i), linewidth=0, label=inputs.named(i),
            )  # fmt: skip
            bottom = bottom + heights
        axes.set_yscale("symlog", linthresh=10)
        axes.set(
            xlabel="probability of the most probable component", ylabel="rows", xlim=(edges[0], 1)
        )
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        if k <= 8:
            axes.legend(loc="upper left")
        return Figure(
            to_svg(figure),
            "Histogram of the probability of each row's most probable component, stacked by "
            "component.",
            "Rows by the probability of their most probable component. The vertical scale is "
            "linear to 10 and logarithmic above.",
        )
