"""Location and scale of data columns, from which default priors follow."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import label
from bayesgmm.errors import InputError

# Ranges whose squares float64 holds with all digits.
_LEAST, _MOST = 1e-150, 1e150


class ColumnScales:
    """Ranges, medians and standard deviations of the columns of weighted rows, without NaN."""

    def __init__(self, x: Array, weights: Array | None, names: tuple[str, ...] | None) -> None:
        if weights is not None:
            x, weights = x[weights > 0.0], weights[weights > 0.0]
        least, most = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        # Halves, as a difference may overflow where its half does not.
        self.range = 2.0 * (0.5 * most - 0.5 * least)
        self.midrange = 0.5 * least + 0.5 * most
        for j, r in enumerate(self.range):
            if r == 0.0:
                raise InputError(
                    f"X is constant in {label(names, j)}, so its range gives the priors no scale. "
                    "Drop the column."
                )
            if not _LEAST < r < _MOST:
                raise InputError(
                    f"X has range {r:.3g} in {label(names, j)}, whose square float64 does not "
                    "hold. Rescale the column."
                )
        columns = [_column(x[:, j], weights) for j in range(x.shape[1])]
        self.median = np.array([median for median, _ in columns])
        self.deviation = np.array([deviation for _, deviation in columns])


def _column(x: Array, weights: Array | None) -> tuple[float, float]:
    """Weighted median and standard deviation of a column; integer weights repeat rows."""
    seen = ~np.isnan(x)
    x = x[seen]
    if weights is None:
        return float(np.median(x)), float(x.std())
    # A power of two near the largest, so that integers stay exact.
    v = np.ldexp(weights[seen], -np.frexp(weights[seen].max())[1])
    order = np.argsort(x)
    below = np.cumsum(v[order])
    low = int(np.searchsorted(below, 0.5 * below[-1]))
    # Exactly one half on either side: the middle of the two neighbours.
    high = min(low + 1, len(x) - 1) if below[low] == 0.5 * below[-1] else low
    middle = 0.5 * (x[order[low]] + x[order[high]])
    mean = np.average(x, weights=v)
    return float(middle), float(np.sqrt(np.average((x - mean) ** 2, weights=v)))
