"""What a posterior says of rows: densities, memberships, who belongs together, new data."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesgmm.arguments import check_count, check_rng
from bayesgmm.data.validation import check_data
from bayesgmm.errors import InputError, InputTypeError
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows
from bayesgmm.mixture.mixture import Mixture

type Array = NDArray[np.float64]

# Pairs of rows whose co-clustering is kept: 1.6 GB.
_MOST_PAIRS = 200_000_000


def log_likelihood(posterior: xr.DataTree, X: Any = None) -> xr.DataArray:
    """Log density of each row under each draw, nats.

    Parameters
    ----------
    posterior : DataTree
        As `sample_posterior` returns it.
    X : array-like of shape (n, D), optional
        Rows; the fitted ones by default.

    Returns
    -------
    DataArray of dims (chain, draw, row)
        What ``az.loo`` needs, in the group ``log_likelihood``.
    """
    group = _group(posterior)
    x = _rows(posterior, X)
    out = DrawnRows(x, *_stacked(group)).densities()
    shape = (group.sizes["chain"], group.sizes["draw"], len(x))
    coords = {"chain": group["chain"], "draw": group["draw"], "row": np.arange(len(x))}
    return xr.DataArray(out.reshape(shape), coords, ("chain", "draw", "row"), name="X")


def responsibilities(posterior: xr.DataTree, X: Any = None) -> xr.DataArray:
    """Posterior probability that a row belongs to each component, averaged over draws.

    Means something only if components keep their labels: relabel the posterior before, or see that
    they did not switch.

    Parameters
    ----------
    posterior : DataTree
    X : array-like of shape (n, D), optional
        Rows; the fitted ones by default.

    Returns
    -------
    DataArray of dims (row, component)
        Rows sum to 1.
    """
    group = _group(posterior)
    drawn = DrawnRows(_rows(posterior, X), *_stacked(group))
    as_they_are = np.tile(np.arange(drawn.n_components), (drawn.n_draws, 1))
    return xr.DataArray(
        drawn.average(as_they_are),
        {"row": np.arange(drawn.n_rows), "component": group["component"]},
        ("row", "component"),
        name="responsibilities",
    )


def co_clustering(posterior: xr.DataTree, X: Any = None) -> xr.DataArray:
    """Posterior probability that two rows belong to the same component, for all pairs.

    Does not depend on labels: it needs no relabelling.

    Parameters
    ----------
    posterior : DataTree
    X : array-like of shape (n, D), optional
        Rows; the fitted ones by default.

    Returns
    -------
    DataArray of dims (row, row_bis)
        Symmetric, 1 on the diagonal (a row belongs where it belongs).

    Raises
    ------
    InputError
        If there are more than 14,000 rows: the result has n^2 numbers.
    """
    x = _rows(posterior, X)
    n = len(x)
    if n * n > _MOST_PAIRS:
        raise InputError(
            f"X has {n} rows, whose {n * n:.3g} pairs are too many to keep. Give some of the rows "
            "as X."
        )
    out, draws = np.zeros((n, n)), 0
    for mixture in mixtures(posterior):
        shares = membership(x, mixture)[1]
        out += shares @ shares.T
        draws += 1
    out /= draws
    np.fill_diagonal(out, 1.0)
    names = {"row": np.arange(n), "row_bis": np.arange(n)}
    return xr.DataArray(out, names, ("row", "row_bis"), name="co_clustering")


def posterior_predictive(
    posterior: xr.DataTree, n_samples: int | None = None, *, rng: Any = None
) -> xr.DataArray:
    """New rows from each draw of the posterior.

    Parameters
    ----------
    posterior : DataTree
    n_samples : int, optional
        Rows for each draw; as many as were fitted by default.
    rng : anything that ``numpy.random.default_rng`` takes

    Returns
    -------
    DataArray of dims (chain, draw, row, feature)
    """
    group = _group(posterior)
    n = len(_rows(posterior, None)) if n_samples is None else check_count("n_samples", n_samples)
    generator = check_rng(rng)
    drawn = np.array([each.sample(n, rng=generator)[0] for each in mixtures(posterior)])
    shape = (group.sizes["chain"], group.sizes["draw"], *drawn.shape[1:])
    coords = {
        "chain": group["chain"],
        "draw": group["draw"],
        "row": np.arange(n),
        "feature": group["feature"],
    }
    return xr.DataArray(drawn.reshape(shape), coords, ("chain", "draw", "row", "feature"), name="X")


def mixtures(posterior: xr.DataTree) -> Iterator[Mixture]:
    """Each draw of a posterior as a Mixture, chain by chain."""
    for weights, means, covariances in zip(*_stacked(_group(posterior)), strict=True):
        yield Mixture(weights / weights.sum(), means, covariances)


def _group(posterior: xr.DataTree) -> xr.Dataset:
    if not isinstance(posterior, xr.DataTree) or "posterior" not in posterior.children:
        raise InputTypeError(
            "posterior must be a DataTree with a group 'posterior', as sample_posterior returns "
            f"it, not {type(posterior).__name__}."
        )
    group = posterior["posterior"].to_dataset()
    needed = {"chain", "draw", "component", "feature", "feature_bis"}
    missing = sorted({"weights", "means", "covariances"} - set(map(str, group.data_vars)))
    missing += sorted(needed - set(map(str, group.sizes)))
    if missing:
        raise InputError(
            f"The group 'posterior' has no {', '.join(map(repr, missing))}. It needs the variables "
            "weights, means and covariances, with the axes (chain, draw, component, feature, "
            "feature_bis), as sample_posterior makes it."
        )
    return group


def _rows(posterior: xr.DataTree, X: Any) -> Array:
    d = _group(posterior).sizes["feature"]
    if X is None:
        if "observed_data" not in posterior.children:
            raise InputError("The posterior has no group 'observed_data'. Give the rows as X.")
        X = np.ascontiguousarray(posterior["observed_data"]["X"].values)
    rows: Array = check_data(X).X
    if rows.shape[1] != d:
        raise InputError(f"X has {rows.shape[1]} features, but the posterior has {d}.")
    return rows


def _stacked(group: xr.Dataset) -> tuple[Array, Array, Array]:
    """Weights (T, K), means (T, K, D) and covariances (T, K, D, D), T = chains x draws."""
    sample = ("chain", "draw")
    dims = {
        "weights": ("component",),
        "means": ("component", "feature"),
        "covariances": ("component", "feature", "feature_bis"),
    }
    weights, means, covariances = (
        np.ascontiguousarray(group[name].transpose(*sample, *each).values).reshape(
            -1, *(group.sizes[dim] for dim in each)
        )
        for name, each in dims.items()
    )
    return weights, means, covariances
