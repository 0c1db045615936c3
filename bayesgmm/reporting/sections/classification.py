"""Which rows belong where, how surely, and which are hardest to place."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.diagnostics.known_groups import CrossTable, cross_table
from bayesgmm.plots.style import colour
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    Shown,
    State,
    Table,
    count,
    fixed,
    percent,
    plural,
    significant,
)
from bayesgmm.reporting.sections.mixture import shown_features
from bayesgmm.reporting.svg import panel, style, to_svg

type Array = NDArray[np.float64]

_SURE = 0.9
_HARDEST = 10
_MOST_GROUPS = 20


def membership_section(inputs: Inputs) -> Section:
    """Say where the rows belong."""
    responsibilities = inputs.memberships[1]
    k = responsibilities.shape[1]
    labels = responsibilities.argmax(axis=1)
    largest = responsibilities.max(axis=1)
    unsure = int((largest < _SURE).sum())
    mistaken = float((1.0 - largest).mean())
    sure = f"All rows but {unsure:,} have a component" if unsure else "Every row has a component"
    sentences = [
        f"{sure} of probability at least {percent(_SURE, 0).text}. If the mixture holds, "
        f"{percent(mistaken, 2).text} of the rows are expected to be in the wrong component."
    ]
    state: State = "good" if mistaken < 0.05 else "care"
    tables = [_sizes(responsibilities, labels, largest)]
    numbers: dict[str, Any] = {
        "n_unsure": unsure,
        "expected_misclassified": mistaken,
        "threshold": _SURE,
    }
    if k == 1:
        sentences = ["One component takes every row."]
    else:
        tables.append(_hardest(inputs, responsibilities, largest))
    if inputs.labels is not None:
        known = [each for each, whole in zip(inputs.labels, inputs.complete, strict=True) if whole]
        table = cross_table(known, labels, k)
        numbers |= {
            "known_groups": list(table.groups),
            "agreement": table.agreement,
            "adjusted_rand_index": table.adjusted_rand_index,
        }
        sentences.append(
            f"Of the rows, {percent(table.agreement).text} lie in the component that stands for "
            f"their known group (adjusted Rand index {fixed(table.adjusted_rand_index, 3).text})."
        )
        tables.insert(1, _groups(table, k))
    figures = (_figure(labels, largest, k),) if k > 1 else ()
    return Section(
        "membership", "Membership", state, " ".join(sentences), figures, tables, (), numbers
    )


def _sizes(responsibilities: Array, labels: NDArray[np.int64], largest: Array) -> Table:
    rows: list[tuple[str | Shown, ...]] = []
    for i, expected in enumerate(responsibilities.sum(axis=0)):
        mine = largest[labels == i]
        rows.append(
            (
                f"component {i}",
                count(len(mine)),
                fixed(float(expected), 1),
                percent(float(mine.mean()) if len(mine) else float("nan")),
                count(int((mine < _SURE).sum())),
            )
        )
    return Table(
        "Sizes",
        ("", "rows", "expected rows", "mean probability", f"below {_SURE:.0%}"),
        tuple(rows),
        "Rows are counted in their likeliest component; expected rows are sums of probabilities.",
    )


def _hardest(inputs: Inputs, responsibilities: Array, largest: Array) -> Table:
    """The rows whose likeliest component is least likely, with their two likeliest."""
    features = shown_features(inputs, 4)
    places = np.flatnonzero(inputs.complete)
    rows: list[tuple[str | Shown, ...]] = []
    for b in np.argsort(largest, kind="stable")[:_HARDEST].tolist():
        first, second = np.argsort(-responsibilities[b], kind="stable")[:2].tolist()
        rows.append(
            (
                Shown(int(places[b]), f"row {places[b]}"),
                *(significant(inputs.rows[b, j], 5) for j in features),
                count(first),
                percent(responsibilities[b, first]),
                count(second),
                percent(responsibilities[b, second]),
            )
        )
    heads = (*(inputs.labels_short[j] for j in features),)
    return Table(
        "The rows that are hardest to place",
        ("", *heads, "likeliest", "probability", "next", "its probability"),
        tuple(rows),
        "Rows are counted from 0.",
    )


def _groups(table: CrossTable, k: int) -> Table:
    rows: list[tuple[str | Shown, ...]] = [
        (group, *(count(each) for each in counts))
        for group, counts in zip(table.groups, table.counts, strict=True)
    ]
    hidden = len(rows) > _MOST_GROUPS
    return Table(
        "Known groups and components",
        ("group", *(f"component {i}" for i in range(k))),
        tuple(rows[:_MOST_GROUPS]),
        f"The first {_MOST_GROUPS} of {plural(len(table.groups), 'group')}." if hidden else "",
    )


def _figure(labels: NDArray[np.int64], largest: Array, k: int) -> Figure:
    """How sure the rows are: a histogram of the largest responsibility, by component."""
    edges = np.linspace(min(0.5, np.floor(largest.min() * 20) / 20), 1.0, 21)
    with style():
        figure, axes = panel(5.6, 2.8)
        heights = np.array([np.histogram(largest[labels == i], edges)[0] for i in range(k)])
        bottom = np.zeros(len(edges) - 1)
        for i in range(k):
            axes.bar(
                edges[:-1], heights[i], np.diff(edges) * 0.92, bottom=bottom, align="edge",
                color=colour(i), linewidth=0, label=f"component {i}",
            )  # fmt: skip
            bottom = bottom + heights[i]
        axes.set_yscale("symlog", linthresh=10)
        axes.set(xlabel="probability of the likeliest component", ylabel="rows", xlim=(edges[0], 1))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        if k <= 8:
            axes.legend(loc="upper left")
        svg = to_svg(figure)
    return Figure(
        svg,
        "Histogram of the probability of each row's likeliest component, stacked by component.",
        "Rows on the right are placed surely. The scale of rows is linear to 10, then logarithmic.",
    )
