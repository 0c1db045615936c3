"""The column of known groups beside the components: as text, and as fields of JSON."""

from typing import TYPE_CHECKING, Any

from bayesgmm.cli.input_rows import Rows
from bayesgmm.display import plural

if TYPE_CHECKING:
    import xarray as xr

    import bayesgmm
    from bayesgmm.arrays import Integers
    from bayesgmm.diagnostics.known_groups import CrossTable


def groups_by_fit(rows: Rows, model: "bayesgmm.GaussianMixture") -> "CrossTable | None":
    """Count rows by known group and by the most probable component of a fit, if there are groups.

    Noise is component -1, which matches no group.
    """
    if rows.labels is None:
        return None
    from bayesgmm.diagnostics.known_groups import cross_table

    mixture = model.mixture_
    found = model.predict(rows.X)
    return cross_table(rows.labels, found, mixture.n_components, mixture.component_words)


def groups_by_posterior(rows: Rows, relabelled: "xr.DataTree") -> "CrossTable | None":
    """The same at the posterior means, with components numbered as those of EM's estimate."""
    if rows.labels is None:
        return None
    from bayesgmm.diagnostics.known_groups import cross_table

    found, k = _components(rows, relabelled)
    return cross_table(rows.labels, found, k, rows.X.group_names)


def _components(rows: Rows, relabelled: "xr.DataTree") -> "tuple[Integers, int]":
    """The most probable component of each row at the posterior means, and K."""
    import numpy as np

    from bayesgmm.labels.consistent_draws import consistent_draws
    from bayesgmm.likelihood.outliers import memberships
    from bayesgmm.mixture.matching import match_components
    from bayesgmm.posterior.reader import read_estimate

    draws = consistent_draws(relabelled)
    estimate = read_estimate(relabelled)
    if draws.groups is None and estimate is not None:
        order = match_components(draws.mean(), estimate).order
        draws = draws.permuted(np.broadcast_to(order, draws.weights.shape))
    noise, outliers = draws.mean_outliers()
    probabilities = memberships(rows.X, draws.mean(), noise, outliers)[1]
    found = probabilities.argmax(axis=1)
    if noise is not None:
        found[1.0 - probabilities.sum(axis=1) > probabilities.max(axis=1)] = -1
    return found, draws.n_components


def groups_text(table: "CrossTable | None") -> str:
    """Return a paragraph and a table below the summary of a command; "" without groups."""
    if table is None:
        return ""
    return (
        f"\n\nKnown groups and components: {table.agreement:.2%} of "
        f"{plural(table.n_rows, 'row')} of known group agree, adjusted "
        f"Rand index {table.adjusted_rand_index:.4f}\n{table}"
    )


def groups_fields(rows: Rows, table: "CrossTable | None") -> dict[str, Any] | None:
    """Return the same for JSON."""
    if table is None:
        return None
    return {
        "column": rows.label_column,
        "groups": list(table.groups),
        "counts": table.counts.tolist(),
        "agreement": table.agreement,
        "adjusted_rand_index": table.adjusted_rand_index,
    }
