"""The panels of an explorer, one for each model, and the curve of BIC on which each is marked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from bayesgmm.display import listed, plural
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.plots.selection_plot import BEYOND, plot_selection
from bayesgmm.plots.style import INK
from bayesgmm.reporting.build import made
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import Figure, Section, fixed
from bayesgmm.reporting.sections.classification import membership_section
from bayesgmm.reporting.sections.em_starts import starts_section
from bayesgmm.reporting.sections.goodness_of_fit import check_section
from bayesgmm.reporting.sections.model_choice import standing_section
from bayesgmm.reporting.sections.parameters import mixture_section
from bayesgmm.reporting.svg import legend_below, panel, style, to_svg
from bayesgmm.reporting.verdict_box import Summary, summarise

_SECTIONS: tuple[tuple[str, str, Callable[[Inputs], Section]], ...] = (
    ("mixture", "The mixture", mixture_section),
    ("choice", "Choice of K and structure", standing_section),
    ("starts", "Maximum", starts_section),
    ("fit", "Goodness of fit", check_section),
    ("membership", "Classification", membership_section),
)


@dataclass(frozen=True, eq=False)
class Panel:
    """What an explorer shows of one model, or the reasons why there is nothing to show.

    Attributes
    ----------
    n_components : int
    structure : str
        mclust's code; "" for all structures of the grid, if none has a fit.
    status : str
        The model and its BIC in a line.
    summary : Summary or None
        As at the head of a report; None without a fit.
    sections : sequence of Section
    reasons : sequence of str
        Why there is no fit.
    """

    n_components: int
    structure: str
    status: str
    summary: Summary | None = None
    sections: Sequence[Section] = ()
    reasons: Sequence[str] = ()

    @property
    def key(self) -> str:
        """Its name in the page."""
        return f"{self.n_components}-{self.structure or 'none'}"

    def document(self) -> dict[str, Any]:
        """Return every number and sentence."""
        head = {"n_components": self.n_components, "covariance_type": self.structure or None}
        head |= {"status": self.status}
        if self.summary is None:
            return {**head, "no_fit": list(self.reasons)}
        sections = {each.key: each.document() for each in self.sections}
        return {**head, **self.summary.document(), "sections": sections}


def fitted_panel(inputs: Inputs, fit: GaussianMixture, structure: str) -> Panel:
    """The panel of a model: its picture, and the verdicts of the report."""
    own = replace(inputs, em=fit, selected=fit)
    sections = [made(key, title, make, own) for key, title, make in _SECTIONS]
    bic = float(own.criteria.bic)
    assert inputs.selection is not None
    table = inputs.selection
    above = bic - float(table["bic"].where(table["note"] == "").min())
    k = fit.mixture_.n_components
    # Search and fit end within a millionth of a nat of the same maximum.
    place = "the smallest" if above < 1e-4 else f"{fixed(above, 2).text} above the smallest"
    status = f"K = {k}, {structure}: BIC {fixed(bic, 2).text}, {place}"
    return Panel(k, structure, status, summarise(own, sections), sections)


def empty_panel(n_components: int, notes: Mapping[str, str], structure: str = "") -> Panel:
    """The panel of a model without a fit, or of a K without any: the notes by structure."""
    codes: dict[str, list[str]] = {}
    for code, note in notes.items():
        codes.setdefault(note.rstrip("."), []).append(code)
    reasons = [
        f"{listed(those)}: {note}." if len(codes) > 1 else f"{note[:1].upper()}{note[1:]}."
        for note, those in codes.items()
    ]
    name = f", {structure}" if structure else ""
    return Panel(n_components, structure, f"K = {n_components}{name}: no fit", reasons=reasons)


def marked_curve(table: pd.DataFrame, panels: Sequence[Panel]) -> Figure:
    """Plot BIC against K, with a mark for each panel, of which the page shows one at a time."""
    fitted = table[(table["note"] == "") & table["bic"].notna()]
    values = fitted.set_index(["n_components", "covariance_type"])["bic"]
    with style():
        figure, axes = panel(5.6, 4.2)
        plot_selection(fitted, ax=axes)
        top = axes.get_ylim()[1]
        for each in panels:
            k = each.n_components
            axes.axvline(
                k, color=INK, linewidth=1.2, linestyle=":", zorder=1, gid=f"line-{each.key}"
            )
            if each.summary is not None:
                axes.plot(
                    [k], [min(values[k, each.structure], top)], marker="D", markersize=12.0,
                    color=INK, markerfacecolor="none", markeredgewidth=1.8, zorder=6,
                    gid=f"at-{each.key}", clip_on=False,
                )  # fmt: skip
        axes.set_xticks(sorted({each.n_components for each in panels}))
        legend_below(figure, axes, columns=5, titled=True)
        return Figure(
            to_svg(figure),
            "BIC against the number of components for "
            f"{plural(fitted['covariance_type'].nunique(), 'structure')}, with a mark for the "
            "model that is shown.",
            "BIC against the number of components, a line for each covariance structure. The "
            "circle marks the smallest; the dotted line and the diamond mark the model above. "
            + BEYOND,
        )
