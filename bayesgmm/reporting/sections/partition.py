"""The partition of the rows that the posterior supports as a whole."""

from dataclasses import replace
from typing import Any

import numpy as np

from bayesgmm.display import plural
from bayesgmm.partitions.matched_clusters import components_of
from bayesgmm.partitions.posterior_partition import BOUNDS, Partition, posterior_partition
from bayesgmm.plots.partition_plot import plot_partition
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.overlap import overlap_sentence
from bayesgmm.reporting.parts import (
    Figure,
    Row,
    Section,
    Table,
    count,
    percent,
    significant,
)
from bayesgmm.reporting.sections.parameters import shown_features
from bayesgmm.reporting.svg import RASTER_FROM, legend_below, released, style, to_svg

# Allocations that a page takes time for, and the fewest draws that make a partition.
_ALLOCATIONS, _LEAST_DRAWS = 10_000_000, 100
# Equal draws give equal pages.
_SEED, _MOST_CLUSTERS = 0, 20


def partition_section(inputs: Inputs) -> Section:
    """The point estimate of the partition, its credible ball and its uncertain rows."""
    if inputs.posterior is None:
        return Section(None, "Not computed: no posterior was given.", asked=False)
    draws, n = inputs.draws, len(inputs.observed.X)
    step = max(-(-draws.n_chains * draws.n_draws * n // _ALLOCATIONS), 1)
    if step > 1 and draws.n_chains * (draws.n_draws // step) < _LEAST_DRAWS:
        reason = f"Not computed: {plural(n, 'row')} are too many. Use posterior_partition on some."
        return Section(None, reason)
    found = posterior_partition(
        inputs.posterior.isel(draw=slice(None, None, step)),
        inputs.observed._replace(feature_names=inputs.labels_short),
        variables=inputs.variables,
        rng=_SEED,
    )
    mixture = inputs.mixture
    components = components_of(found.labels, inputs.assigned[0], mixture.n_components)
    names = inputs.component_words
    found = replace(found, components=components, component_names=names)
    uncertain = int(found.uncertain.sum())
    are = "is" if uncertain == 1 else "are"
    sentences = [
        f"The draws as a whole support {plural(found.n_clusters, 'cluster')}: the partition of "
        "least expected variation of information.",
        f"{plural(uncertain, 'row')} {are} in another cluster in more than a quarter of the draws."
        if uncertain
        else "Every row is with most of its cluster in at least three quarters of the draws.",
    ]
    elsewhere = int((np.array(components)[found.labels] != inputs.assigned[0]).sum())
    if found.n_clusters > 1:
        sentences.append(_beside_components(inputs, elsewhere))
    if overlap_sentence(inputs):
        sentences.append(
            "The clusters follow the components of the model, some of which overlap: several may "
            "be parts of one group that is not normal."
        )
    numbers: dict[str, Any] = {
        "n_clusters": found.n_clusters,
        "n_uncertain": uncertain,
        "n_not_in_their_component": elsewhere,
        "expected_loss": found.expected_loss,
        "radius": found.radius,
        "prob": found.prob,
        "draws": found.losses.size,
    }
    tables = (_clusters(found), _bounds(found))
    return Section(None, " ".join(sentences), (_figure(inputs, found),), tables, numbers=numbers)


def _beside_components(inputs: Inputs, elsewhere: int) -> str:
    """A sentence on rows whose cluster is not that of their component under Classification."""
    if not elsewhere:
        return "Every row is in the cluster of the component that is its most probable one."
    estimate = "EM's estimate" if inputs.em is not None else "the posterior mean"
    return (
        f"{plural(elsewhere, 'row')} {'is' if elsewhere == 1 else 'are'} in another cluster than "
        "that of the component under Classification: there a row has the component that is its "
        f"most probable one under {estimate} alone, here the cluster with which it is together in "
        "most draws, whose parameters vary."
    )


def _clusters(found: Partition) -> Table:
    rows: list[Row] = [
        (
            f"cluster {found.cluster_names[k]}",
            count(row["rows"]),
            count(row["uncertain"]),
            percent(row["membership"]),
            percent(row["together"]),
        )
        for k in found.by_component[:_MOST_CLUSTERS]
        for row in [found.table.loc[k]]
    ]
    hidden = found.n_clusters - len(rows)
    note = (
        "Membership: the mean proportion of draws in which a row is with most of its cluster. "
        "Together: the mean probability that two of its rows share a cluster."
    )
    if hidden:
        note += f" Not shown: {plural(hidden, 'more cluster')}."
    note += (
        " Clusters have the number or name of the component with which they share most rows, and "
        "further numbers where they share most with none."
    )
    heads = ("", "rows", "uncertain", "membership", "together")
    return Table("Clusters of the partition", heads, rows, note)


def _bounds(found: Partition) -> Table:
    words = dict(zip(BOUNDS, ("fewest clusters", "most clusters", "farthest"), strict=True))
    rows: list[Row] = [
        (words[str(name)], significant(row["loss"]), count(row["clusters"]))
        for name, row in found.bounds.iterrows()
    ]
    note = (
        f"The ball holds {percent(found.prob, 0).text} of the draws: those within "
        f"{found.radius:.4g} {found.unit} of the partition. Of these, the farthest are shown. The "
        f"mean over all draws is {found.expected_loss:.4g} {found.unit}."
    )
    return Table("Bounds of the credible ball", ("", found.unit, "clusters"), rows, note)


def _figure(inputs: Inputs, found: Partition) -> Figure:
    with style():
        axes = plot_partition(found, features=shown_features(inputs, 2))
        figure = axes[0, 0].figure
        figure.set_size_inches(7.6, 2.8 * len(axes) + 0.6 * (len(axes) == 1))
        for ax in axes.flat:
            for points in ax.collections:
                points.set_rasterized(axes.size * len(found.labels) > RASTER_FROM)
        legend_below(figure, axes[0, -1], columns=3)
        return Figure(
            to_svg(released(figure)),
            "The rows in the colours of the clusters of the partition, and of three bounds of its "
            "credible ball.",
            "The partition, with rings around uncertain rows, and the bounds of its credible ball.",
            wide=True,
        )
