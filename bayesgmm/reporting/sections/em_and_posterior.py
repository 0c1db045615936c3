"""EM's estimates beside the posterior's: where they agree, and where they do not."""

import numpy as np
import pandas as pd

from bayesgmm.diagnostics.em_vs_posterior import compare_engines
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    Figure,
    Section,
    Shown,
    State,
    Table,
    UnavailableError,
    estimate,
    fixed,
    percent,
    short,
)
from bayesgmm.reporting.svg import INK, MUTED, RULE, panel, style, to_svg

_PROBABILITY = 0.9
_MOST_ROWS = 40
# Posterior standard deviations between the two that are no cause for thought.
_FAR = 1.0


def engines_section(inputs: Inputs) -> Section:
    """Say whether the two engines tell the same story."""
    if inputs.em is None:
        raise UnavailableError("no EM fit was given")
    tree = inputs.relabelled_tree
    errors = inputs.standard_errors
    found = compare_engines(
        inputs.mixture if errors.found is None else errors.found,
        tree,
        X=inputs.rows,
        prob=_PROBABILITY,
    )
    differences = found.table["difference"].to_numpy(dtype=np.float64)
    if not np.isfinite(differences).any():
        raise UnavailableError("the posterior has too few draws to have a spread")
    largest = float(np.nanmax(np.abs(differences)))
    state: State = "good" if largest <= _FAR else "care"
    table = _farthest(found.table, differences)
    hidden = len(found.table) - len(table)
    rows: list[tuple[str | Shown, ...]] = [
        (
            short(str(name), 60),
            estimate(row["em"], row["standard_error"]),
            estimate(row["posterior_mean"], row["posterior_sd"]),
            fixed(row["difference"], 2),
            percent(row["contraction"]),
        )
        for name, row in table.iterrows()
    ]
    return Section(
        "engines",
        "EM against the posterior",
        state,
        found.verdict,
        (_figure(table),),
        (
            Table(
                "Estimates of both, standard errors and deviations in brackets",
                ("", "EM", "posterior", "difference in s.d.", "prior's variance removed"),
                tuple(rows),
                f"The {len(rows)} that are farthest apart of {len(found.table)}." if hidden else "",
            ),
        ),
        found.notes,
        {
            "largest_difference": largest,
            "n_parameters": len(found.table),
            "log_likelihood": found.log_likelihood,
        },
    )


def _farthest(table: pd.DataFrame, differences: "np.ndarray") -> pd.DataFrame:
    """Return the rows that there is room for, in their order: those farthest apart."""
    order = np.argsort(-np.abs(np.nan_to_num(differences)), kind="stable")
    return table.iloc[np.sort(order[:_MOST_ROWS])]


def _figure(table: pd.DataFrame) -> Figure:
    """Both intervals of each parameter in the posterior's own units."""
    spread = table["posterior_sd"].to_numpy(dtype=np.float64)
    centre = table["posterior_mean"].to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        em, low, high, error = (
            table["em"].to_numpy(dtype=np.float64) - centre,
            table["lower"].to_numpy(dtype=np.float64) - centre,
            table["upper"].to_numpy(dtype=np.float64) - centre,
            1.645 * table["standard_error"].to_numpy(dtype=np.float64),
        )
        em, low, high, error = (each / spread for each in (em, low, high, error))
    place = np.arange(len(table))
    with style():
        figure, axes = panel(5.8, 1.2 + 0.2 * len(table))
        axes.axvline(0.0, color=RULE, linewidth=1.0)
        axes.hlines(place - 0.16, low, high, color="#0072B2", linewidth=2.2, label="posterior")
        axes.hlines(place + 0.16, em - error, em + error, color="#D55E00", linewidth=2.2)
        axes.plot(em, place + 0.16, "D", color="#D55E00", markersize=4, label="EM")
        axes.set_yticks(place, [short(str(name), 40) for name in table.index], fontsize=8)
        axes.set(
            xlabel="posterior standard deviations from the posterior mean",
            ylim=(len(table) - 0.5, -0.5),
        )
        axes.tick_params(axis="y", length=0, labelcolor=INK, color=MUTED)
        axes.spines["left"].set_visible(False)
        figure.legend(loc="outside upper center", ncols=2)
        svg = to_svg(figure)
    return Figure(
        svg,
        f"EM's estimate and the posterior's interval of {len(table)} parameters.",
        "Blue, the middle 90 % of the posterior; orange, EM's estimate with its 90 % interval.",
    )
