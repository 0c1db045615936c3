"""Label switching, and agreement of the chains after relabelling."""

import math

from bayesgmm.plots.label_plots import plot_label_switching
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parameter_names import spelled
from bayesgmm.reporting.parts import (
    Figure,
    Row,
    Section,
    Shown,
    Table,
    count,
    fixed,
    percent,
    plain,
)
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.reporting.svg import RASTER_FROM, released, style, to_svg
from bayesgmm.verdicts.figures import RESULTS
from bayesgmm.verdicts.switching import LabelSwitching

_SHORT = {
    "no switching": "Labels did not switch, and the chains agree.",
    "between chains": "Labels differ between the chains, which agree after relabelling.",
    "within chains": "Labels switch within the chains, which agree after relabelling.",
}


def switching_section(inputs: Inputs) -> Section:
    """Diagnosis of label switching."""
    found = inputs.switching
    explanation = spelled(inputs, found.explanation)
    forms = [
        (
            str(row["form"]),
            fixed(row["largest r_hat"], 3),
            spelled(inputs, str(row["of"])),
            count(row["least ess_bulk"]),
            count(row["least ess_tail"]),
        )
        for row in found.table.reset_index().to_dict("records")
    ]
    chains = [
        (
            f"chain {chain}",
            " ".join(str(each) for each in row["modal labelling"]),
            percent(row["proportion"]),
            count(row["switches"]),
            percent(row["ambiguous"]),
        )
        for chain, row in found.chains.iterrows()
    ]
    return Section(
        found.state,
        f"{_SHORT.get(found.verdict, '')} {explanation}".strip(),
        (_figure(inputs, found),),
        (
            _evidence(found),
            Table(
                "Largest R-hat and least effective sample sizes of each form of the draws",
                ("", "largest R-hat", "of", "least bulk ESS", "least tail ESS"),
                forms,
            ),
            Table(
                "Chains",
                ("", "modal labelling", "draws with it", "switches", "ambiguous draws"),
                chains,
                found.relabelled_by,
            ),
        ),
        (
            f"Advice: {found.advice}",
            found.caveat,
            *(f"Not computed: {note}." for note in found.notes),
        ),
        found.to_dict(),
        reason=_SHORT.get(found.verdict, "") if found.state == "good" else explanation,
    )


def _evidence(found: LabelSwitching) -> Table:
    """The checks, each with what follows from it."""
    rows: list[Row] = [
        (
            check.question,
            RESULTS[check.state],
            _plain(check.figure),
            _plain(check.bound),
            "" if check.state == "good" else check.consequence,
        )
        for check in found.checks
    ]
    heads = ("", "result", "figure", "bound", "consequence")
    return Table("Evidence for the verdict", heads, rows)


def _plain(value: float) -> Shown:
    """A figure without trailing zeros; nothing where there is none."""
    return Shown(plain(value), "" if math.isnan(value) else f"{value:.4g}")


def _figure(inputs: Inputs, found: LabelSwitching) -> Figure:
    """Traces of the means in the column that separates the components best."""
    (j,) = shown_features(inputs, 1)
    name = inputs.labels_short[j]
    with style():
        axes = plot_label_switching(found, feature=j)
        figure = axes[0].figure
        figure.set_size_inches(7.6, 5.2)
        for ax in axes[:2]:
            ax.set_ylabel(f"mean of {name}")
            for line in ax.lines:
                line.set_rasterized(
                    len(line.get_xdata()) * found.permutations.shape[0] > RASTER_FROM
                )
        return Figure(
            to_svg(released(figure)),
            f"Traces of the components' means of {name}, chain by chain, before and after "
            "relabelling, and the labelling of each draw.",
            "Traces of the means, one colour for each label, as sampled and after relabelling. The "
            "ribbon shows the labelling of each draw; ticks below it mark ambiguous draws.",
            wide=True,
        )
