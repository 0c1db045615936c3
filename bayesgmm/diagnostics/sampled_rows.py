"""The rows for which a posterior was sampled, told from others."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.posterior.reader import (
    Posterior,
    has_rows,
    observed,
)


def other_rows(posterior: Posterior, x: Array) -> int | None:
    """The number of rows in ``observed_data`` if they are not `x` (n, D) in any order, else None.

    None as well if the posterior's rows are not known.
    """
    if not has_rows(posterior):
        return None
    candidates = observed(posterior, x.shape[1])
    if len(candidates) != 1:
        return None
    (values,) = candidates.values()
    sampled = values.reshape(len(values), -1)
    same = sampled.shape == x.shape and np.array_equal(_sorted(sampled), _sorted(x), equal_nan=True)
    return None if same else len(sampled)


def _sorted(x: Array) -> Array:
    return x[np.lexsort(x.T)]
