"""Label switching drawn: traces before and after, who has which label, and how clearly."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arguments import check_axes, check_choice
from bayesgmm.diagnostics.relabelling import Reference, feature_index
from bayesgmm.diagnostics.switching import labels_of
from bayesgmm.errors import InvalidParameterError
from bayesgmm.plots.style import FAINT, INK, colour, feature_labels, new_axes
from bayesgmm.posterior.draws import Draws, Posterior

if TYPE_CHECKING:
    from matplotlib.axes import Axes

type Array = NDArray[np.float64]

# Draws of all chains that a trace shows, and labellings that have a colour of their own.
_DRAWN, _NAMED = 4000, 6
# Where a cost of ambiguity comes from, by method.
_UNITS = {
    "ecr": "rows",
    "ecr-iterative-1": "rows",
    "ecr-iterative-2": "rows",
    "stephens": "nats",
    "pra": "squared standard deviations",
    "data-based": "squared standard deviations",
    "ordered": "the parameter's units",
}


def plot_label_switching(
    posterior: Posterior,
    *,
    parameter: str = "means",
    feature: int | str = 0,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    variables: Mapping[str, str] | None = None,
) -> "NDArray[Any]":
    """Draw traces of a parameter as sampled and relabelled, above a ribbon of the labellings.

    The chains stand side by side. The ribbon's colour says which component, as sampled, has which
    label; a dark tick below it marks a draw whose second best labels fit nearly as well.

    Parameters
    ----------
    posterior : DataTree or Dataset
        A relabelled one is shown under the labels that it was sampled with, and relabelled.
    parameter : {"means", "variances", "weights"}
    feature : int or str
        Whose mean or variance.
    method, reference, X, variables
        As for `relabel`.

    Returns
    -------
    ndarray of 3 matplotlib Axes
        Traces as sampled, traces relabelled, and the ribbon.

    Raises
    ------
    InputError
        If a group or variable is missing.
    InvalidParameterError
        If the parameter or the feature is unknown.
    """
    check_choice("parameter", parameter, ("means", "variances", "weights"))
    labelled = labels_of(posterior, method, reference, X, variables)
    before = labelled.draws
    after = before.permuted(labelled.permutations)
    step = max(before.n_chains * before.n_draws // _DRAWN, 1)
    axes: NDArray[Any] = new_axes(
        3, 1, figsize=(8.4, 6.2), sharex=True, gridspec_kw={"height_ratios": [4, 4, 1]}
    )
    for ax, draws, title in (
        (axes[0], before, "as sampled"),
        (axes[1], after, f"relabelled by {labelled.method}"),
    ):
        values, name = _parameter(draws, parameter, feature)
        _draw_traces(ax, values[:, ::step], step, before.n_draws)
        low, high = _bulk(values)
        outside = int(((values < low) | (values > high)).any(axis=-1).sum())
        beyond = f" ({outside} draws reach beyond the axis)" if outside else ""
        ax.set_title(title + beyond, loc="left", fontsize="medium")
        ax.set_ylim(low, high)
        ax.set_ylabel(name, parse_math=False)
    legend = axes[0].legend(
        title="component", loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False,
        fontsize="small", title_fontsize="small", alignment="left",
    )  # fmt: skip
    for line in legend.get_lines():
        line.set(linewidth=2.0, alpha=1.0)
    _draw_ribbon(axes[2], labelled.permutations, labelled.ambiguous)
    for ax in axes:
        for c in range(1, before.n_chains):
            ax.axvline(c * before.n_draws, color=INK, lw=0.8)
    middles = (np.arange(before.n_chains) + 0.5) * before.n_draws
    axes[2].set_xticks(middles, [f"chain {c}" for c in range(before.n_chains)])
    axes[2].tick_params(axis="x", length=0)
    axes[2].set_xlabel(f"draws of each chain, 0 to {before.n_draws - 1}")
    axes[2].set_xlim(0, before.n_chains * before.n_draws)
    return axes


def plot_ambiguity(
    posterior: Posterior,
    *,
    method: str = "ecr",
    reference: Reference | None = None,
    X: Any = None,
    variables: Mapping[str, str] | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how clearly each draw's labels win: the cost of the second best labels less the best's.

    One line a chain: the share of its draws with an ambiguity of at most so much. Left of the
    dashed line a draw is ambiguous.

    Parameters
    ----------
    posterior, method, reference, X, variables
        As for `relabel`.
    ax : matplotlib Axes, optional

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    InputError
        If a group or variable is missing.
    InvalidParameterError
        If there is one component only, which has no second best label.
    """
    check_axes(ax)
    labelled = labels_of(posterior, method, reference, X, variables)
    if labelled.draws.n_components == 1:
        raise InvalidParameterError("One component has one labelling: nothing can be ambiguous.")
    ax = new_axes(figsize=(7.2, 4.2)) if ax is None else ax
    shares = np.arange(1, labelled.draws.n_draws + 1) / labelled.draws.n_draws
    for c, chain in enumerate(labelled.ambiguity):
        unclear = 100 * float(labelled.ambiguous[c].mean())
        ax.step(
            np.sort(chain), shares, where="post", color=colour(c), lw=1.4,
            label=f"{c} ({unclear:.2g} % ambiguous)",
        )  # fmt: skip
    ax.axvline(labelled.least, color=INK, ls="--", lw=1.0, label="ambiguous left of it")
    ax.set_xlim(left=0.0)
    ax.set_ylim(0.0, 1.02)
    ax.set_xlabel(f"cost of the second best labels less the best's ({_UNITS[labelled.method]})")
    ax.set_ylabel("share of draws at most so ambiguous")
    ax.legend(
        title="chain", loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False,
        fontsize="small", title_fontsize="small", alignment="left",
    )  # fmt: skip
    return ax


def _parameter(draws: Draws, parameter: str, feature: int | str) -> tuple[Array, str]:
    """One parameter of every component, (chain, draw, K), and what its axis is called."""
    if parameter == "weights":
        return draws.weights, "weight"
    j = feature_index(draws, feature)
    name = feature_labels(draws.feature_names, draws.n_features)[j]
    if parameter == "means":
        return draws.means[..., j], f"mean of {name}"
    return draws.covariances[..., j, j], f"variance of {name}"


def _bulk(values: Array) -> tuple[float, float]:
    """Limits that a few draws of an empty component, which roam the prior, do not set."""
    low, high = np.quantile(values, [0.002, 0.998])
    margin = 0.3 * (high - low) or 0.5
    return max(low - margin, values.min() - 0.1 * margin), min(
        high + margin, values.max() + 0.1 * margin
    )


def _draw_traces(ax: "Axes", values: Array, step: int, n_draws: int) -> None:
    for k in range(values.shape[2]):
        for c, chain in enumerate(values[..., k]):
            ax.plot(
                c * n_draws + step * np.arange(len(chain)), chain, color=colour(k), lw=0.5,
                alpha=0.8, label=str(k) if c == 0 else None,
            )  # fmt: skip


def _draw_ribbon(ax: "Axes", permutations: NDArray[np.intp], ambiguous: NDArray[np.bool_]) -> None:
    """A colour for each labelling, the frequent ones named."""
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    flat = permutations.reshape(-1, permutations.shape[2])
    found, index, counts = np.unique(flat, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    # Traces use the first colours for components: the ribbon's are labellings, in greys and blues.
    names = [f"{tuple(int(k) for k in found[i])}" for i in order[:_NAMED]]
    shades = _shades(len(names))
    if len(found) > _NAMED:
        names.append(f"{len(found) - _NAMED} others")
        shades.append(FAINT)
    cells = np.minimum(rank[index.ravel()], len(names) - 1)
    ax.imshow(
        cells[np.newaxis], aspect="auto", interpolation="nearest", cmap=ListedColormap(shades),
        vmin=-0.5, vmax=len(names) - 0.5, extent=(0, len(cells), 0, 1),
    )  # fmt: skip
    unclear = np.flatnonzero(ambiguous)
    ax.vlines(unclear, -0.35, -0.05, color=INK, lw=0.6)
    ax.set_ylim(-0.4, 1.0)
    ax.set_yticks([])
    ax.set_ylabel("labels")
    ax.legend(
        handles=[Patch(color=shade, label=name) for shade, name in zip(shades, names, strict=True)],
        title="component of label 0, 1, …", loc="upper left", bbox_to_anchor=(1.01, 1.6),
        frameon=False, fontsize="small", title_fontsize="small", alignment="left",
    )  # fmt: skip


def _shades(count: int) -> list[Any]:
    """Colours of cividis, from dark to light: apart from one another and from the traces'."""
    from matplotlib import colormaps

    return list(colormaps["cividis"](np.linspace(0.0, 1.0, max(count, 2))))[:count]
