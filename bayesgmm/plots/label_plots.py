"""Plots of label switching: traces before and after relabelling, labellings, ambiguity."""

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import check_axes, check_choice, check_kind
from bayesgmm.arrays import Array, Booleans, Indices
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.feature_choice import feature_indices
from bayesgmm.plots.style import FAINT, INK, colour, dashes, feature_labels, legend_beside, new_axes
from bayesgmm.verdicts.switching import LabelSwitching

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Draws of all chains in a trace, ticks of ambiguous draws, labellings with a colour of their own.
_DRAWN, _TICKS, _NAMED = 4000, 600, 6
# Units of the ambiguity, by method.
_UNITS = {
    "ecr": "rows",
    "ecr-iterative-1": "rows",
    "ecr-iterative-2": "rows",
    "stephens": "nats",
    "pra": "squared standard deviations",
    "pra-raw": "squared parameters",
    "data-based": "squared standard deviations",
    "ordered": "the parameter's units",
}
_KIND = "a LabelSwitching, the result of label_switching"


def plot_label_switching(
    result: LabelSwitching,
    *,
    parameter: Literal["means", "variances", "weights"] = "means",
    feature: int | str = 0,
) -> "NDArray[Any]":
    """Plot traces of a parameter as sampled and relabelled, and a ribbon of the labellings.

    The chains are side by side. The colour of the ribbon gives the labelling of each draw: which
    component, as sampled, has which label. Ticks below it mark ambiguous draws, whose second best
    labels fit nearly as well.

    Parameters
    ----------
    result : LabelSwitching
        Result of `label_switching`.
    parameter : {"means", "variances", "weights"}
    feature : int or str
        Feature of this mean or variance.

    Returns
    -------
    ndarray of 3 matplotlib Axes
        Traces as sampled, relabelled traces, and the ribbon.

    Raises
    ------
    InputError
        If the feature does not exist.
    InvalidParameterError
        If the parameter is unknown, or `result` is of another kind.

    Examples
    --------
    >>> from bayesgmm import label_switching, plot_label_switching
    >>> from bayesgmm import sample_posterior, scenario, simulate
    >>> X = simulate(scenario("overlapping_ellipses"), 300, rng=1).X
    >>> posterior = sample_posterior(X, 2, draws=500, rng=0)
    >>> axes = plot_label_switching(label_switching(posterior))
    """
    check_kind("result", result, LabelSwitching, _KIND)
    check_choice("parameter", parameter, ("means", "variances", "weights"))
    labelling = result.labelling
    before = labelling.gaussian_draws
    names = feature_labels(before.feature_names, before.n_features)
    (j,) = feature_indices([feature], before.feature_names, before.n_features)
    axes: NDArray[Any] = new_axes(
        3, 1, figsize=(8.4, 6.2), sharex=True, gridspec_kw={"height_ratios": [4, 4, 1]}
    )
    for ax, draws, title in (
        (axes[0], before, "as sampled"),
        (axes[1], labelling.relabelled, "relabelled"),
    ):
        values = draws.parameter(parameter, feature)
        _draw_traces(ax, values)
        low, high = _bulk(values)
        outside = int(((values < low) | (values > high)).any(axis=-1).sum())
        beyond = f" ({plural(outside, 'draw')} outside the axis)" if outside else ""
        ax.set_title(title + beyond, loc="left", fontsize="medium")
        ax.set_ylim(low, high)
        name = "weight" if parameter == "weights" else f"{parameter[:-1]} of {names[j]}"
        ax.set_ylabel(name, parse_math=False)
    for line in legend_beside(axes[0], title="component").get_lines():
        line.set(linewidth=2.0, alpha=1.0)
    _draw_ribbon(axes[2], labelling.permutations, labelling.ambiguous)
    _mark_chains(axes, before.n_chains, before.n_draws)
    return axes


def plot_ambiguity(result: LabelSwitching, *, ax: "Axes | None" = None) -> "Axes":
    """Plot the distribution of the ambiguity: the excess cost of the second best labels.

    Each chain has a line, the empirical distribution function over its draws. Draws to the left of
    the dashed line are ambiguous.

    Parameters
    ----------
    result : LabelSwitching
        Result of `label_switching`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InvalidParameterError
        If there is a single component, whose labels cannot be ambiguous, or `result` is of another
        kind.

    Examples
    --------
    >>> from bayesgmm import label_switching, plot_ambiguity
    >>> from bayesgmm import sample_posterior, scenario, simulate
    >>> X = simulate(scenario("overlapping_ellipses"), 300, rng=1).X
    >>> posterior = sample_posterior(X, 2, draws=500, rng=0)
    >>> ax = plot_ambiguity(label_switching(posterior))
    """
    check_axes(ax)
    check_kind("result", result, LabelSwitching, _KIND)
    labelling = result.labelling
    if labelling.n_components == 1:
        raise InvalidParameterError("A single component has one labelling, without ambiguity.")
    ax = new_axes(figsize=(7.2, 4.2)) if ax is None else ax
    n_draws = labelling.ambiguity.shape[1]
    proportions = np.arange(1, n_draws + 1) / n_draws
    chains = zip(labelling.ambiguity, labelling.ambiguous.mean(axis=1), strict=True)
    for c, (ambiguity, unclear) in enumerate(chains):
        ax.step(
            np.sort(ambiguity), proportions, where="post", color=colour(c), ls=dashes(c), lw=1.4,
            label=f"{c} ({100 * unclear:.2g} % ambiguous)",
        )  # fmt: skip
    ax.axvline(labelling.threshold, color=INK, ls="--", lw=1.0, label="limit of ambiguity")
    ax.set_xlim(left=0.0)
    ax.set_ylim(0.0, 1.02)
    ax.set_xlabel(f"excess cost of the second best labels ({_UNITS[labelling.method]})")
    ax.set_ylabel("cumulative proportion of draws")
    legend_beside(ax, title="chain")
    return ax


def _bulk(values: Array) -> tuple[float, float]:
    """Limits that do not depend on a few draws of an empty component, which follow the prior."""
    low, high = np.quantile(values, [0.002, 0.998])
    margin = 0.3 * (high - low) or 0.5
    return max(low - margin, values.min() - 0.1 * margin), min(
        high + margin, values.max() + 0.1 * margin
    )


def _draw_traces(ax: "Axes", values: Array) -> None:
    n_chains, n_draws, k = values.shape
    step = max(n_chains * n_draws // _DRAWN, 1)
    for i in range(k):
        for c, chain in enumerate(values[:, ::step, i]):
            ax.plot(
                c * n_draws + step * np.arange(len(chain)), chain, color=colour(i), lw=0.7,
                ls=dashes(i), alpha=0.8, label=str(i) if c == 0 else None,
            )  # fmt: skip


def _mark_chains(axes: "NDArray[Any]", n_chains: int, n_draws: int) -> None:
    """Draw lines between the chains, and number them below the last axes."""
    for ax in axes:
        for c in range(1, n_chains):
            ax.axvline(c * n_draws, color=INK, lw=0.8)
    last = axes[-1]
    last.set_xticks((np.arange(n_chains) + 0.5) * n_draws, [f"chain {c}" for c in range(n_chains)])
    last.tick_params(axis="x", length=0)
    last.set_xlabel(f"draws of each chain, 0 to {n_draws - 1}")
    last.set_xlim(0, n_chains * n_draws)


def _draw_ribbon(ax: "Axes", permutations: Indices, ambiguous: Booleans) -> None:
    """Draw a colour for each labelling, with a legend of the most frequent."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    flat = permutations.reshape(-1, permutations.shape[2])
    labellings, index, counts = np.unique(flat, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    names = [f"{tuple(int(k) for k in labellings[i])}" for i in order[:_NAMED]]
    shades = _shades(len(names))
    if len(labellings) > _NAMED:
        names.append(f"{len(labellings) - _NAMED} others")
        shades.append(FAINT)
    cells = np.minimum(rank[index.ravel()], len(names) - 1)
    ax.imshow(
        cells[np.newaxis], aspect="auto", interpolation="nearest", cmap=ListedColormap(shades),
        vmin=-0.5, vmax=len(names) - 0.5, extent=(0, len(cells), 0, 1),
    )  # fmt: skip
    # More ticks could not be distinguished.
    step = max(len(cells) // _TICKS, 1)
    unclear = step * np.unique(np.flatnonzero(ambiguous) // step)
    ax.vlines(unclear, -0.35, -0.05, color=INK, lw=0.6)
    ax.set_ylim(-0.4, 1.0)
    ax.set_yticks([])
    ax.set_ylabel("labels")
    handles = [Patch(color=shade, label=name) for shade, name in zip(shades, names, strict=True)]
    title = "components with labels 0, 1, …"
    legend_beside(ax, handles=handles, title=title, bbox_to_anchor=(1.01, 1.6))


def _shades(count: int) -> list[Any]:
    """Colours of cividis from dark to light, which differ from those of components."""
    from matplotlib import colormaps

    return list(colormaps["cividis"](np.linspace(0.0, 1.0, max(count, 2))))[:count]
