"""The rows for which a posterior was sampled, told from others."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.errors import InputError
from bayesgmm.posterior.draws import Posterior, has_rows, read_rows


def other_rows(posterior: Posterior, x: Array) -> int | None:
    """The number of rows in ``observed_data`` if they are not `x` (n, D) in any order, else None.

    None as well if the posterior's rows are not known.
    """
    if not has_rows(posterior):
        return None
    try:
        sampled = read_rows(posterior, x.shape[1]).X
    except InputError:  # several variables might be the rows, or none
        return None
    same = sampled.shape == x.shape and np.array_equal(_sorted(sampled), _sorted(x))
    return None if same else len(sampled)


def _sorted(x: Array) -> Array:
    return x[np.lexsort(x.T)]
