"""Plot of a study of recovery: errors, coverage and classification along one factor."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.arguments import check_kind
from bayesgmm.diagnostics.recovery_study import FACTORS, RecoveryStudy
from bayesgmm.display import listed
from bayesgmm.errors import InputError
from bayesgmm.plots.style import FAINT, INK, PAPER, RULE, colour, legend_beside, marker, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_X_LABELS = {
    "overlap": "average overlap of a pair",
    "n_rows": "rows n",
    "n_components": "components K",
    "covariance_type": "structure",
}
# Variable, title and label of the axis; what belongs to fits as a whole is in per cent.
_PANELS = (
    ("bias", "bias (away from the centre)", "bias"),
    ("rmse", "root mean squared error", "RMSE"),
    ("coverage", "coverage of the intervals", "coverage (%)"),
    ("excess_error_rate", "excess misclassification", "excess (percentage points)"),
    ("missed", "maximum missed (EM)", "fits (%)"),
    ("not_converged", "not converged", "fits (%)"),
)
_KIND_NAMES = {
    "weight": "weights",
    "mean": "means (component s.d.)",
    "sd": "s.d. (relative)",
    "correlation": "correlations",
}
_ENGINE_NAMES = {"em": "EM", "posterior": "posterior"}
# Bars of two Monte Carlo standard errors.
_BARS = 2.0


def plot_recovery_study(result: RecoveryStudy | xr.Dataset) -> "NDArray[Any]":
    """Plot bias, RMSE, coverage, error rates and missed maxima of a study along one factor.

    Bars are two Monte Carlo standard errors. Colour and marker show the kind of parameter. Solid
    lines with filled markers are EM's, dashed lines with open markers those of the posterior.
    Errors of means are in standard deviations of their component, those of standard deviations
    relative to the true ones.

    Parameters
    ----------
    result : RecoveryStudy or Dataset
        Result of `recovery_study`, or its `results`. If more than one factor varies, choose
        values of the others: ``plot_recovery_study(study.results.sel(n_rows=1000))``.

    Returns
    -------
    ndarray of 6 matplotlib Axes, of shape (2, 3)

    Raises
    ------
    InputError
        If more than one factor varies, or a variable is missing.
    InvalidParameterError
        If `result` is of another kind.

    Examples
    --------
    >>> from bayesgmm import plot_recovery_study, recovery_study
    >>> study = recovery_study(2, 1, 100, overlap=[0.05, 0.2], n_mixtures=3, n_jobs=1, rng=1)
    >>> axes = plot_recovery_study(study)
    """
    check_kind("result", result, RecoveryStudy | xr.Dataset, "a RecoveryStudy or its results")
    found = _checked(result.results if isinstance(result, RecoveryStudy) else result)
    factor = next((name for name in FACTORS if found.sizes.get(name, 1) > 1), None)
    if factor is None:
        factor = next((name for name in FACTORS if name in found.dims), FACTORS[2])
    found = found.squeeze([name for name in FACTORS if name in found.dims and name != factor])
    if factor not in found.dims:
        found = found.expand_dims(factor)
    axes: NDArray[Any] = new_axes(2, 3, figsize=(10.5, 6.0), sharex=True)
    for ax, (name, title, label) in zip(axes.flat, _PANELS, strict=True):
        _draw(ax, found, name, factor)
        ax.set_title(title, loc="left", fontsize="medium")
        ax.set_ylabel(label)
        _name_levels(ax, found[factor].values, factor)
    for ax in axes[1]:
        ax.set_xlabel(_X_LABELS[factor])
    _add_references(axes, found)
    _draw_legend(axes, found)
    return axes


def _checked(results: xr.Dataset) -> xr.Dataset:
    """The results along one factor, with rates in per cent."""
    names = ("bias", "rmse", "coverage", "excess_error_rate", "missed", "converged")
    missing = [
        each for name in names for each in (name, f"{name}_se") if each not in results.data_vars
    ]
    if missing or not {"engine", "kind"} <= set(results.dims):
        lost = ", ".join(missing or ["engine and kind as dims"])
        raise InputError(f"The results have no {lost}. Give those of recovery_study.")
    several = [name for name in FACTORS if results.sizes.get(name, 1) > 1]
    if len(several) > 1:
        first = several[1]
        raise InputError(
            f"{listed(several)} vary, and one factor can be plotted. Choose values of the others, "
            f"as in study.results.sel({first}={results[first].values[0].item()!r})."
        )
    rates = ("coverage", "excess_error_rate", "missed")
    scaled = {each: 100.0 * results[each] for name in rates for each in (name, f"{name}_se")}
    scaled["not_converged"] = 100.0 * (1.0 - results["converged"])
    scaled["not_converged_se"] = 100.0 * results["converged_se"]
    return results.assign(scaled)


def _draw(ax: "Axes", found: xr.Dataset, name: str, factor: str) -> None:
    """A line for each engine, and for each kind where the quantity has one."""
    kinds = list(found["kind"].values) if "kind" in found[name].dims else [None]
    series = [(engine, kind) for engine in found["engine"].values for kind in kinds]
    for i, (engine, kind) in enumerate(series):
        at = {"engine": engine} if kind is None else {"engine": engine, "kind": kind}
        values, errors = found[name].sel(at), found[f"{name}_se"].sel(at)
        if values.isnull().all():
            continue
        shade, mark = _look(found, kind)
        em = engine == "em"
        # Side by side, or bars would cover one another.
        shift = (0.28 if len(kinds) > 1 else 0.1) * (i / max(len(series) - 1, 1) - 0.5)
        ax.errorbar(
            np.arange(found.sizes[factor]) + shift, values.values,
            yerr=_BARS * np.nan_to_num(errors.values), color=shade, marker=mark, ms=4.5, lw=1.1,
            elinewidth=1.0, capsize=1.5, ls="-" if em else "--", mfc=shade if em else PAPER,
        )  # fmt: skip


def _look(found: xr.Dataset, kind: str | None) -> tuple[str, Any]:
    if kind is None:
        return INK, "o"
    j = list(found["kind"].values).index(kind)
    return colour(j), marker(j)


def _name_levels(ax: "Axes", levels: Any, factor: str) -> None:
    ax.set_xticks(range(len(levels)), [str(each) for each in levels])
    ax.set_xlim(-0.5, len(levels) - 0.5)


def _add_references(axes: "NDArray[Any]", found: xr.Dataset) -> None:
    """Zero, the nominal coverage, scales."""
    bias, rmse, coverage, *rates = axes.flat
    bias.axhline(0.0, color=RULE, lw=1.2, zorder=1)
    rmse.set_yscale("log")
    coverage.axhline(100.0 * found.attrs.get("prob", np.nan), color=FAINT, lw=1.2, zorder=1)
    for ax in (coverage, *rates):
        low, high = ax.get_ylim()
        # Shares; bars may reach beyond.
        ax.set_ylim(max(low, 0.0) if ax is coverage else 0.0, min(high, 101.0))


def _draw_legend(axes: "NDArray[Any]", found: xr.Dataset) -> None:
    from matplotlib.lines import Line2D

    kinds = [str(each) for each in found["kind"].values]
    handles = [
        Line2D([], [], color=colour(j), marker=marker(j), ls="", ms=5, label=_KIND_NAMES[kind])
        for j, kind in enumerate(kinds)
        if found["rmse"].sel(kind=kind).notnull().any()
    ]
    for engine in found["engine"].values:
        em = engine == "em"
        handles.append(
            Line2D(
                [], [], color=INK, marker="o", ms=5, ls="-" if em else "--",
                mfc=INK if em else PAPER, label=_ENGINE_NAMES[str(engine)],
            )
        )  # fmt: skip
    legend_beside(axes[0, 2], handles=handles)
