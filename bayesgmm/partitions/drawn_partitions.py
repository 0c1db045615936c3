"""Partitions of the rows under each draw of a posterior."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.validation import Data, check_data
from bayesgmm.errors import InputError
from bayesgmm.labels.memberships import Allocations
from bayesgmm.likelihood.responsibilities_of_draws import tally
from bayesgmm.posterior.reader import (
    SAMPLE_DIMS,
    Posterior,
    has_rows,
    posterior_group,
    read_draws,
    read_rows,
)

# Allocations of all rows in all draws, and counts of a search: 0.8 GB each.
_MOST = 100_000_000


@dataclass(frozen=True, slots=True, eq=False)
class DrawnPartitions:
    """A cluster for each row in each draw.

    Attributes
    ----------
    labels : ndarray of int64, shape (T, n)
        Clusters from 0 to J - 1, chain by chain.
    n_clusters : int
        J.
    shape : tuple of int
        Chains and draws of each.
    rows : Data or None
        The rows, if they are known.
    """

    labels: Integers
    n_clusters: int
    shape: tuple[int, int]
    rows: Data | None

    def tables(self, labels: Integers) -> Array:
        """Contingency tables (T, J, K) of each draw and a partition (n,) with labels below K."""
        return tally(self.labels, np.eye(labels.max() + 1)[labels], self.n_clusters)


def drawn_partitions(
    posterior: Posterior,
    X: Any,
    allocations: str | None,
    variables: Mapping[str, str] | None,
    rng: np.random.Generator,
) -> DrawnPartitions:
    """The sampled allocations; without any, components drawn by each draw's responsibilities.

    Raises
    ------
    InputError
        If a group or variable is missing, allocations have other axes than (chain, draw, row), or
        there are more than 1e8 of them.
    """
    if allocations is not None:
        return _sampled(posterior, X, allocations)
    draws = read_draws(posterior, variables)
    rows = read_rows(posterior, draws.n_features, X)
    shape, k = draws.weights.shape[:2], draws.n_components
    _check_size(shape, len(rows.X), k)
    labels = draws.over(rows).allocate(int(rng.integers(2**63)))
    rows = rows._replace(feature_names=rows.feature_names or draws.feature_names)
    return DrawnPartitions(labels, k + (draws.noise is not None), shape, rows)


def _sampled(posterior: Posterior, X: Any, name: str) -> DrawnPartitions:
    group = posterior_group(posterior)
    if name not in group.data_vars:
        raise InputError(f"The posterior has no variable {name!r} of allocations.")
    array = group[name]
    if array.ndim != 3 or not set(SAMPLE_DIMS) <= set(array.dims):
        raise InputError(
            f"Allocations must have the axes (chain, draw, row); {name!r} has {dict(array.sizes)}."
        )
    values: NDArray[Any] = array.transpose(*SAMPLE_DIMS, ...).values
    shape, n = (values.shape[0], values.shape[1]), values.shape[2]
    if values.dtype.kind not in "iu" or values.size == 0:
        raise InputError(f"Allocations must be integers; {name!r} holds {values.dtype}.")
    clusters, labels = np.unique(values, return_inverse=True)
    _check_size(shape, n, len(clusters))
    found = Allocations(labels.reshape(-1, n), len(clusters))
    rows = _rows_beside(posterior, X, n)
    return DrawnPartitions(found.labels, len(clusters), shape, rows)


def _rows_beside(posterior: Posterior, X: Any, n: int) -> Data | None:
    """The rows that allocations (n,) are of: X, or the stored ones if these can be found."""
    if X is None:
        if not has_rows(posterior):
            return None
        stored = posterior["observed_data"].to_dataset()
        tables = [a.values for a in stored.data_vars.values() if a.ndim in (1, 2) and len(a) == n]
        if len(tables) != 1 or tables[0].dtype.kind not in "fiu":
            return None
        (X,) = tables
    if getattr(X, "ndim", None) == 1:
        X = np.asarray(X)[:, np.newaxis]
    rows = check_data(X, allow_nan=True, allow_unseen=True)
    if len(rows.X) != n:
        raise InputError(f"X has {len(rows.X)} rows, but the allocations are of {n}.")
    return rows


def _check_size(shape: tuple[int, ...], n: int, k: int) -> None:
    size = shape[0] * shape[1] * max(n, k * k)
    if size > _MOST:
        step = -(-size // _MOST)
        raise InputError(
            f"{shape[0] * shape[1]} draws of {n} rows in up to {k} clusters exceed the memory set "
            f"aside for them. Thin the draws by a step of {step}: "
            f"posterior.isel(draw=slice(None, None, {step}))."
        )
