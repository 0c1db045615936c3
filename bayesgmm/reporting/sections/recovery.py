"""The truth, where it is known, beside what was found."""

import math
from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.diagnostics.truth_recovery import recovery
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    Shown,
    State,
    Table,
    fixed,
    percent,
    plural,
    short,
    significant,
)
from bayesgmm.reporting.svg import INK, RULE, panel, style, to_svg

_PROBABILITY = 0.9
_MOST_ROWS = 40
# Standard deviations below the nominal share of intervals that would hold the truth by chance.
_SHORT = 3.0


def recovery_section(inputs: Inputs) -> Section:
    """Say whether the truth was found."""
    if inputs.truth is None:
        return Section(
            "recovery",
            "Recovery of the truth",
            None,
            "The truth is not known, as it is of simulated rows, and there is nothing to compare.",
        )
    fit: Any
    if inputs.posterior is not None:
        fit = inputs.relabelled_tree
        source = "the posterior's intervals"
    elif inputs.standard_errors.found is not None:
        fit, source = inputs.standard_errors.found, "EM's estimates and standard errors"
    else:
        fit, source = inputs.mixture, "EM's estimates"
    found = recovery(fit, inputs.truth, prob=_PROBABILITY, rng=0)
    table = found.table
    known = table[np.isfinite(table["z"].to_numpy(dtype=np.float64))]
    state, sentences = _judge(known, source)
    rows: list[tuple[str | Shown, ...]] = [
        (
            short(str(name), 40),
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
    whole: list[tuple[str | Shown, ...]] = [
        (str(name), significant(row["value"]), significant(row["error"], 2))
        for name, row in found.whole.iterrows()
    ]
    numbers = {
        "matched_to": found.order,
        "n_compared": len(known),
        "share_covered": _share(known),
        "interval_probability": _PROBABILITY,
    }
    return Section(
        "recovery",
        "Recovery of the truth",
        state,
        " ".join(sentences),
        (_figure(known.head(_MOST_ROWS)),) if len(known) else (),
        (
            Table(
                "The truth and what was found",
                ("", "truth", "estimate", "spread", "from", "to (90 %)", "z"),
                tuple(rows),
                f"{hidden} more parameters are not shown." if hidden > 0 else "",
            ),
            Table("The density as a whole", ("", "value", "Monte Carlo error"), tuple(whole)),
        ),
        found.notes,
        numbers,
    )


def _share(known: pd.DataFrame) -> float:
    return float(known["covered"].astype(bool).mean()) if len(known) else float("nan")


def _judge(known: pd.DataFrame, source: str) -> tuple[State, list[str]]:
    if not len(known):
        return "unknown", ["There are no intervals to judge by; errors are in the table."]
    share, n = _share(known), len(known)
    worst = float(np.abs(known["z"].to_numpy(dtype=np.float64)).max())
    sentences = [
        f"By {source}, {percent(share, 0).text} of {plural(n, 'interval')} of 90 % hold the truth; "
        f"the largest error is {significant(worst, 2).text} standard deviations."
    ]
    expected_spread = math.sqrt(_PROBABILITY * (1 - _PROBABILITY) / n)
    if share < _PROBABILITY - _SHORT * expected_spread:
        return "care", [*sentences, "That is fewer than chance would explain."]
    return "good", sentences


def _figure(known: pd.DataFrame) -> Figure:
    z = known["z"].to_numpy(dtype=np.float64)
    with style():
        figure, axes = panel(5.8, 0.9 + 0.19 * len(known))
        place = np.arange(len(known))
        axes.axvline(0.0, color=RULE, linewidth=1.2)
        axes.hlines(place, z - 1.645, z + 1.645, color=INK, linewidth=1.2, alpha=0.6)
        axes.plot(z, place, "o", color=INK, markersize=4)
        axes.set_yticks(place, [short(str(name), 40) for name in known.index], fontsize=8)
        axes.set(xlabel="error, in standard deviations", ylim=(len(known) - 0.5, -0.5))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        svg = to_svg(figure)
    return Figure(
        svg,
        f"Errors of {len(known)} parameters in units of their spread, with 90 % intervals.",
        "A line that crosses zero holds the truth.",
    )
