"""Recovery of a known truth."""

import math
from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.diagnostics.truth_recovery import recovery
from bayesgmm.display import plural
from bayesgmm.plots.interval_plots import lines_of, plot_recovery
from bayesgmm.plots.style import short
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parameter_names import in_order, page_names
from bayesgmm.reporting.parts import (
    PROBABILITY,
    Figure,
    Section,
    State,
    Table,
    fixed,
    percent,
    significant,
)
from bayesgmm.reporting.svg import legend_below, panel, style, to_svg

_MOST_ROWS = 40
# Standard deviations below the nominal proportion that chance does not explain.
_TOO_FEW = 3.0


def recovery_section(inputs: Inputs) -> Section:
    """Comparison of the fit with the known truth."""
    if inputs.truth is None:
        reason = "The truth is known for simulated rows only, and none was given."
        return Section(None, reason, asked=False)
    fit: Any = inputs.em_estimate
    kind = "normal 90 % intervals of EM's estimates"
    if inputs.posterior is not None:
        fit, kind = inputs.switching.relabelled(), "equal-tailed 90 % posterior intervals"
    found = recovery(fit, inputs.truth, prob=PROBABILITY, variables=inputs.variables, rng=0)
    k, d = inputs.truth.means.shape
    table = found.table.set_axis(page_names(inputs, inputs.truth)).iloc[in_order(d, k)]
    known = table[np.isfinite(table["z"].to_numpy(dtype=np.float64))]
    state, sentences = _judge(known, kind)
    if inputs.noise is not None:
        sentences.append("Compared are the components, without the noise.")
    if inputs.contamination is not None:
        sentences.append("Compared are the components, without their outliers.")
    rows = [
        (
            short(str(name), 60),
            significant(row["truth"]),
            significant(row["estimate"]),
            significant(row["spread"], 2),
            significant(row["lower"]),
            significant(row["upper"]),
            fixed(row["z"], 2),
        )
        for name, row in table.head(_MOST_ROWS).iterrows()
    ]
    hidden = len(table) - len(rows)
    whole = [
        (str(name), significant(row["value"]), significant(row["error"], 2))
        for name, row in found.whole.iterrows()
    ]
    return Section(
        state,
        " ".join(sentences),
        (_figure(known.head(_MOST_ROWS)),) if len(known) else (),
        (
            Table(
                "True and estimated parameters",
                ("", "truth", "estimate", "spread", "from", "to (90 %)", "z"),
                rows,
                f"Not shown: {plural(hidden, 'more parameter')}." if hidden > 0 else "",
            ),
            Table("Density and classification", ("", "value", "Monte Carlo error"), whole),
        ),
        found.notes,
        {
            "matched_to": found.order,
            "n_compared": len(known),
            "share_covered": _covered(known),
            "interval_probability": PROBABILITY,
        },
    )


def _covered(known: pd.DataFrame) -> float:
    """Proportion of intervals that contain the truth."""
    return float(known["covered"].astype(bool).mean()) if len(known) else float("nan")


def _judge(known: pd.DataFrame, kind: str) -> tuple[State, list[str]]:
    if not len(known):
        return "unknown", ["Coverage cannot be assessed without standard errors."]
    covered, n = _covered(known), len(known)
    worst = float(np.abs(known["z"].to_numpy(dtype=np.float64)).max())
    sentences = [
        f"Of {n:,} {kind}, {percent(covered, 0).text} contain the truth; the largest error is "
        f"{significant(worst, 2).text} standard deviations."
    ]
    expected_spread = math.sqrt(PROBABILITY * (1 - PROBABILITY) / n)
    if covered < PROBABILITY - _TOO_FEW * expected_spread:
        return "care", [*sentences, "This is fewer than chance would explain."]
    return "good", sentences


def _figure(known: pd.DataFrame) -> Figure:
    with style():
        figure, axes = panel(5.8, 1.5 + 0.2 * lines_of(known))
        plot_recovery(known, ax=axes)
        legend_below(figure, axes)
        # The section's first sentence gives the number of intervals that contain the truth.
        axes.set_title("")
        return Figure(
            to_svg(figure),
            f"Errors of {plural(len(known), 'parameter')} in units of their spread, with 90 % "
            "intervals.",
            "Estimates minus the truth with 90 % intervals; intervals that include 0 contain the "
            "truth.",
        )
