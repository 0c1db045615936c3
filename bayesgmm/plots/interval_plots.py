"""Plots of estimates with intervals, in units that make all parameters comparable."""

import textwrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import norm

from bayesgmm.arguments import check_axes
from bayesgmm.arrays import Array
from bayesgmm.diagnostics.em_vs_posterior import Agreement
from bayesgmm.diagnostics.truth_recovery import Recovery
from bayesgmm.errors import InputError
from bayesgmm.plots.style import FAINT, INK, PAPER, RULE, legend_beside, new_axes, short, table_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Parameters in one plot; of more, those with the largest differences.
_SHOWN = 60
_OF_RECOVERY = ("truth", "estimate", "spread", "lower", "upper", "covered")
_OF_ENGINES = ("em", "standard_error", "posterior_mean", "posterior_sd", "lower", "upper")


def plot_recovery(result: Recovery | pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Plot estimates and intervals about a known truth.

    Each parameter has a line: its estimate and interval minus the truth, in standard errors or
    posterior standard deviations. Intervals that miss the truth have another colour and marker.
    Without standard errors, the errors are shown in the data's units.

    Parameters
    ----------
    result : Recovery or DataFrame
        Result of `recovery`, or its table. Of more than 60 parameters, the 60 with the largest
        errors are shown.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If a column is missing, or the table has no estimates.
    InvalidParameterError
        If `result` is of another kind.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, plot_recovery, recovery, scenario, simulate
    >>> truth = scenario("overlapping_ellipses")
    >>> fit = GaussianMixture(2, random_state=0).fit(simulate(truth, 1000, rng=1).X)
    >>> ax = plot_recovery(recovery(fit.standard_errors(), truth, rng=0))
    """
    check_axes(ax)
    table = table_of("result", result, Recovery, _OF_RECOVERY)
    kept = table[table["estimate"].notna()]
    if kept.empty:
        raise InputError("The table has no estimates to plot.")
    attributes = dict(table.attrs)
    known = bool((kept["spread"] > 0).any())
    if known:
        # The weight of a single component is 1 without error.
        kept = kept[kept["spread"] > 0]
    error = kept["estimate"] - kept["truth"]
    unit = kept["spread"] if known else pd.Series(1.0, index=kept.index)
    kept = _farthest(kept, error / unit)
    error, unit = error[kept.index], unit[kept.index]
    ax = new_axes(figsize=(7.2, 1.4 + 0.24 * lines_of(kept))) if ax is None else ax
    _draw_intervals(ax, kept, error, unit, known=known)
    _name_rows(ax, kept, len(table))
    if known:
        kinds = {"normal": "normal intervals", "quantile": "equal-tailed posterior intervals"}
        kind = kinds.get(str(attributes.get("kind")), "intervals")
        prob = attributes.get("prob")
        covered = int(kept["covered"].fillna(False).sum())
        stated = f"{100 * prob:g} % {kind}" if prob is not None else kind
        ax.set_title(
            f"{stated}: {covered} of {len(kept)} contain the truth", loc="left", fontsize="medium"
        )
        posterior = attributes.get("kind") == "quantile"
        scale = "posterior s.d." if posterior else "standard errors"
        ax.set_xlabel(f"estimate minus truth ({scale})")
    else:
        ax.set_xlabel("estimate minus truth, without standard errors (data's units)")
    return ax


def plot_engines(result: Agreement | pd.DataFrame, *, ax: "Axes | None" = None) -> "Axes":
    """Plot maximum likelihood and the posterior, parameter by parameter.

    All values are minus EM's estimate, in posterior standard deviations. Each parameter has two
    lines: EM's estimate with its normal interval, and below it the posterior mean with its
    equal-tailed interval of the same probability.

    Parameters
    ----------
    result : Agreement or DataFrame
        Result of `compare_engines`, or its table. Of more than 60 parameters, the 60 with the
        largest differences are shown.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If a column is missing, or every posterior standard deviation is 0.
    InvalidParameterError
        If `result` is of another kind.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, compare_engines, load_dataset, plot_engines, relabel
    >>> from bayesgmm import sample_posterior
    >>> X = load_dataset("faithful").X
    >>> posterior = relabel(sample_posterior(X, 2, draws=500, rng=0))
    >>> ax = plot_engines(compare_engines(GaussianMixture(2, random_state=0).fit(X), posterior))
    """
    check_axes(ax)
    table = table_of("result", result, Agreement, _OF_ENGINES)
    kept = table[table["posterior_sd"] > 0]
    if kept.empty:
        raise InputError("Every posterior standard deviation of the table is 0.")
    kept = _farthest(kept, (kept["posterior_mean"] - kept["em"]) / kept["posterior_sd"])
    prob = float(table.attrs.get("prob", 0.9))
    ax = new_axes(figsize=(7.2, 1.4 + 0.34 * lines_of(kept))) if ax is None else ax
    places = _places(kept)
    unit, em = kept["posterior_sd"].to_numpy(), kept["em"].to_numpy()
    reach = norm.ppf(0.5 + 0.5 * prob) * kept["standard_error"].to_numpy() / unit
    low, high = ((kept[name].to_numpy() - em) / unit for name in ("lower", "upper"))
    middle = (kept["posterior_mean"].to_numpy() - em) / unit
    ax.axvline(0.0, color=RULE, lw=1.2, zorder=1)
    ax.hlines(places + 0.16, -reach, reach, color=FAINT, lw=1.8, zorder=2)
    ax.plot(
        np.zeros(len(kept)), places + 0.16, ls="", marker="o", ms=5, color=FAINT, mfc=PAPER,
        zorder=3, label=f"EM, {100 * prob:g} % normal interval",
    )  # fmt: skip
    ax.hlines(places - 0.16, low, high, color=INK, lw=1.8, zorder=2)
    ax.plot(
        middle, places - 0.16, ls="", marker="s", ms=4.5, color=INK, zorder=3,
        label=f"posterior mean, {100 * prob:g} % equal-tailed interval",
    )  # fmt: skip
    _name_rows(ax, kept, len(table))
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), frameon=False, fontsize="small")
    ax.set_xlabel("difference from EM (posterior s.d.)")
    return ax


def _farthest(table: pd.DataFrame, off: "pd.Series[float]") -> pd.DataFrame:
    """The rows with the largest differences, if there are too many to plot."""
    if len(table) <= _SHOWN:
        return table
    farthest = off.abs().sort_values(ascending=False, kind="stable").index[:_SHOWN]
    return table[table.index.isin(farthest)]


def lines_of(table: pd.DataFrame) -> float:
    """The height of a plot of these parameters, in units of a name of one line."""
    return float(sum(_heights(table)))


def _places(table: pd.DataFrame) -> Array:
    """The place of each parameter, the first on top, 1 apart where names take one line."""
    heights = _heights(table)[::-1]
    return (np.cumsum(heights) - (np.array(heights) + 1.0) / 2.0)[::-1]


def _heights(table: pd.DataFrame) -> list[float]:
    """The height of each parameter's name: more where it is broken into lines."""
    return [1.0 + 0.6 * _broken(name).count("\n") for name in table.index]


def _broken(name: object) -> str:
    """A parameter's name, broken into lines where it is long."""
    return "\n".join(textwrap.wrap(short(str(name), 120), 40))


def _name_rows(ax: "Axes", table: pd.DataFrame, total: int) -> None:
    """Write the parameters' names down the axis, literally, and their number if they are fewer."""
    ax.set_yticks(_places(table), [_broken(name) for name in table.index], fontsize="small")
    for tick in ax.get_yticklabels():
        tick.set_parse_math(False)
    ax.set_ylim(-0.8, lines_of(table) - 0.2)
    ax.tick_params(axis="y", length=0, colors=INK)
    if len(table) < total:
        ax.set_ylabel(f"{len(table)} of {total} parameters")


def _draw_intervals(
    ax: "Axes", table: pd.DataFrame, error: "pd.Series[float]", unit: "pd.Series[float]", *,
    known: bool,
) -> None:  # fmt: skip
    """Draw a line for each parameter, the first on top."""
    places = _places(table)
    ax.axvline(0.0, color=RULE, lw=1.2, zorder=1)
    hit = table["covered"].fillna(True).to_numpy(dtype=bool)
    for mask, shade, mark, label in (
        (hit, FAINT, "o", "contains the truth"),
        (~hit, INK, "D", "misses the truth"),
    ):
        if not mask.any():
            continue
        part, at = table[mask], places[mask]
        scale = unit[mask].to_numpy()
        middle = error[mask].to_numpy() / scale
        if known:
            low = (part["lower"] - part["truth"]).to_numpy() / scale
            high = (part["upper"] - part["truth"]).to_numpy() / scale
            ax.hlines(at, low, high, color=shade, lw=1.8, zorder=2)
        ax.plot(middle, at, ls="", marker=mark, ms=5, color=shade, zorder=3, label=label)
    if known:
        legend_beside(ax)
