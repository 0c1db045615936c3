"""Whether labels switched, and whether the chains agree once that is undone."""

import math

import numpy as np

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
    short,
)
from bayesgmm.reporting.relabelled_draws import Relabelled
from bayesgmm.reporting.sections.mixture import shown_features
from bayesgmm.reporting.svg import canvas, style, to_svg

_STATES: dict[str, State] = {
    "no switching": "good",
    "between chains": "good",
    "within chains": "good",
    "overfitted or unidentified component": "care",
    "genuine multimodality or no convergence": "bad",
}
_SHORT = {
    "no switching": "Labels did not switch, and the chains agree.",
    "between chains": "The chains have different labels, and agree once these are undone.",
    "within chains": "Labels switch within the chains, which agree once that is undone.",
}
_MOST_SEEN = 400


def switching_section(inputs: Inputs) -> Section:
    """Say what became of the labels."""
    known = inputs.relabelled
    found = known.switching
    state = _STATES.get(found.verdict, "care")
    if state == "bad" and not math.isfinite(found.r_hat("label-invariant")):
        # One chain, or too few draws: nothing is known, for better or worse.
        state = "care"
    worst = found.table().reset_index()
    forms: list[tuple[str | Shown, ...]] = [
        (
            str(row["form"]),
            fixed(row["largest r_hat"], 3),
            short(str(row["of"]), 60),
            _whole(row["least ess_bulk"]),
            _whole(row["least ess_tail"]),
        )
        for row in worst.to_dict("records")
    ]
    chains: list[tuple[str | Shown, ...]] = [
        (
            f"chain {chain}",
            " ".join(str(each) for each in row["modal labelling"]),
            percent(row["share in it"]),
            count(row["switches"]),
            percent(row["ambiguous"]),
        )
        for chain, row in found.chains.iterrows()
    ]
    return Section(
        "switching",
        "Label switching",
        state,
        f"{_SHORT.get(found.verdict, '')} {found.explanation}".strip(),
        (_figure(inputs, known),),
        (
            Table(
                "The worst of each form of the draws",
                ("", "largest R-hat", "of", "least bulk ESS", "least tail ESS"),
                tuple(forms),
            ),
            Table(
                "Chains",
                ("", "its labelling", "draws in it", "switches", "ambiguous draws"),
                tuple(chains),
                f"Relabelled by {found.method}.",
            ),
        ),
        (
            f"Advice: {found.advice}",
            found.caveat,
            *(f"Not computed: {note}." for note in found.notes),
        ),
        found.to_dict(),
        reason=_SHORT.get(found.verdict, "") if state == "good" else found.explanation,
    )


def _whole(value: float) -> Shown:
    return count(int(value)) if math.isfinite(value) else fixed(value, 0)


def _figure(inputs: Inputs, known: Relabelled) -> Figure:
    """The means of the most telling column, draw by draw: as sampled, and relabelled."""
    (j,) = shown_features(inputs, 1)
    sampled, draws = known.sampled, known.draws
    with style():
        figure = canvas(6.4, 3.0)
        grid = figure.subplots(1, 2, sharey=True)
        seen = np.unique(
            np.linspace(0, draws.n_draws - 1, min(draws.n_draws, _MOST_SEEN)).astype(int)
        )
        for axes, each, title in zip(
            grid, (sampled, draws), ("as sampled", "relabelled"), strict=True
        ):
            for k in range(draws.n_components):
                traces = each.means[:, seen, k, j].ravel()
                axes.plot(
                    np.arange(len(traces)), traces, ".", color=colour(k), markersize=1.5,
                    rasterized=True,
                )  # fmt: skip
            for chain in range(1, draws.n_chains):
                axes.axvline(chain * len(seen), color="#999999", linewidth=0.6)
            middle = (np.arange(draws.n_chains) + 0.5) * len(seen)
            axes.set_xticks(middle, [str(c) for c in range(draws.n_chains)])
            axes.set(title=title, xlabel="chain")
            axes.tick_params(axis="x", length=0)
        grid[0].set_ylabel(f"mean of {inputs.labels_short[j]}")
        svg = to_svg(figure)
    return Figure(
        svg,
        f"Draws of the components' means of {inputs.labels_short[j]}, chain beside chain, before "
        "and after relabelling.",
        "A colour is a label. Where labels are undone, each keeps its place in all chains.",
        wide=True,
    )
