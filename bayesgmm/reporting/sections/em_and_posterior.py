"""Comparison of EM's estimates with the posterior."""

import numpy as np
import pandas as pd

from bayesgmm.arrays import Array, Integers
from bayesgmm.diagnostics.em_vs_posterior import compare_engines
from bayesgmm.display import plural
from bayesgmm.plots.interval_plots import lines_of, plot_engines
from bayesgmm.plots.style import short
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parameter_names import beside_components, in_order, page_names, spelled
from bayesgmm.reporting.parts import (
    PROBABILITY,
    Figure,
    Section,
    State,
    Table,
    UnavailableError,
    estimate,
    fixed,
    percent,
)
from bayesgmm.reporting.svg import legend_below, panel, style, to_svg

_MOST_ROWS = 40
# Difference in posterior standard deviations above which the estimates disagree.
_FAR = 1.0


def engines_section(inputs: Inputs) -> Section:
    """Agreement of EM and the posterior."""
    if inputs.em is None:
        raise UnavailableError("no EM fit was given")
    if inputs.posterior is None:
        raise UnavailableError("no posterior was given")
    found = compare_engines(
        inputs.em_estimate,
        inputs.switching.relabelled(),
        X=inputs.observed,
        prob=PROBABILITY,
        variables=inputs.variables,
    )
    names = [*page_names(inputs, inputs.mixture), *beside_components(inputs, inputs.draws).values()]
    whole = found.table.set_axis(names)
    k, d = inputs.mixture.means.shape
    order = in_order(d, k)
    whole = whole.iloc[[*order, *range(len(order), len(whole))]]
    differences = whole["difference"].abs()
    if not np.isfinite(differences).any():
        raise UnavailableError("the posterior has too few draws for a standard deviation")
    largest = float(differences.max())
    state: State = "good" if largest <= _FAR else "care"
    table = whole.iloc[_chosen(whole, differences.fillna(0.0).to_numpy())]
    return Section(
        state,
        spelled(inputs, found.verdict),
        (_figure(table),),
        (_table(table, len(whole)),),
        found.notes,
        {
            "largest_difference": largest,
            "n_parameters": len(whole),
            "log_likelihood": found.log_likelihood,
        },
    )


def _chosen(whole: pd.DataFrame, differences: Array) -> Integers:
    """The rows shown: the largest difference, means and weights, then others by difference."""
    first = [str(name).startswith(("mean of ", "weight")) for name in whole.index]
    first[int(differences.argmax())] = True
    order = np.lexsort((-differences, ~np.array(first)))
    return np.asarray(np.sort(order[:_MOST_ROWS]))


def _table(table: pd.DataFrame, total: int) -> Table:
    rows = [
        (
            short(str(name), 120),
            estimate(row["em"], row["standard_error"]),
            estimate(row["posterior_mean"], row["posterior_sd"]),
            fixed(row["difference"], 2),
            percent(row["contraction"]),
        )
        for name, row in table.iterrows()
    ]
    note = (
        "Contraction is the proportion by which the prior variance of a weight or mean is reduced."
    )
    if len(table) < total:
        note += (
            f" Shown are {len(table)} of {total} parameters: weights and means before others, and "
            "of each those that differ most."
        )
    return Table(
        "Estimates with standard errors, and posterior means with standard deviations",
        ("", "EM", "posterior", "difference in s.d.", "contraction"),
        rows,
        note,
    )


def _figure(table: pd.DataFrame) -> Figure:
    """Intervals of both, in posterior standard deviations."""
    with style():
        figure, axes = panel(7.0, 1.5 + 0.26 * lines_of(table))
        plot_engines(table, ax=axes)
        legend_below(figure, axes, columns=1)
        return Figure(
            to_svg(figure),
            f"EM's estimates and posterior means of {plural(len(table), 'parameter')}, with 90 % "
            "intervals.",
            "Differences from EM's estimate, with the 90 % intervals of EM and of the posterior.",
        )
