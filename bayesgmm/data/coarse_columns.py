"""Columns of few values, values that many rows share, and copied rows: no Gaussian describes them.

A value that a column has been rounded to stands for an interval. The density of a component that is
narrower than the steps between values is that of a point, and may be as high as one likes.
"""

from collections.abc import Mapping

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import Names, label
from bayesgmm.display import plural

# Columns of more distinct values are continuous: their steps are small beside any component.
_MANY = 1000
# Steps are equal up to this, and values nearer than this share of their range are one.
_EQUAL, _ONE_VALUE = 1e-3, 1e-9
_MOST_UNEQUAL = 0.1
# Steps, in standard deviations of the column, that are coarse.
_COARSE = 0.25
# Share of the rows, rows, and ratio to the next most frequent value from which on a value is named.
_HEAP_SHARE, _HEAP_ROWS, _HEAP_RATIO = 0.05, 10, 5.0
# Share of distinct rows below which copies are named; of a bootstrap sample 63 % are.
_DISTINCT = 0.6
_MOST_NAMED = 4
# Rows below which coincidences say nothing.
_FEWEST = 30


def coarse_values(X: Array) -> tuple[Array | None, ...]:
    """Sorted distinct values of each column whose values lie far apart; None for other columns.

    Values are equal steps apart, or whole multiples of them, or they are few: at most the square
    root of the number of rows. Half of the steps are more than a quarter of a standard deviation.
    Columns that were seen in fewer than 30 rows are not judged.
    """
    return tuple(_coarse(column) for column in X.T)


def _coarse(column: Array) -> Array | None:
    seen = column[~np.isnan(column)]
    values = _distinct(seen)
    if values is None or len(values) < 2 or len(seen) < _FEWEST:
        return None
    apart = np.diff(values)
    values = values[np.append(True, apart > _ONE_VALUE * (values[-1] - values[0]))]
    unit = max(-values[0], values[-1])  # squares of what remains do not overflow
    coarse = _COARSE * (seen / unit).std()
    # Half of the gaps are at least their median.
    if 2.0 * (values[-1] / unit - values[0] / unit) <= (len(values) - 1) * coarse:
        return None
    gaps = np.diff(values)
    if np.median(gaps) / unit <= coarse:
        return None
    ratios = gaps / gaps.min()
    rounding = 4.0 * np.spacing(unit) / gaps.min()
    unequal = np.abs(ratios - np.rint(ratios)) > _EQUAL + rounding
    return values if len(values) ** 2 <= len(seen) or unequal.mean() <= _MOST_UNEQUAL else None


def _distinct(seen: Array) -> Array | None:
    """Sorted distinct values; None if there are many. Entries are read until that is known."""
    values, start, step = np.empty(0), 0, 4 * _MANY
    while start < len(seen):
        values = np.unique(np.concatenate((values, seen[start : start + step])))
        if len(values) > _MANY:
            return None
        start, step = start + step, 4 * step
    return values


def step_at(values: Array, place: float) -> float:
    """The least step between the distinct values around a place."""
    i = int(np.clip(np.searchsorted(values, place), 1, len(values) - 1))
    return float(np.diff(values[max(i - 2, 0) : i + 2]).min())


def unsuitable_columns(X: Array, names: Names = None) -> list[str]:
    """Sentences on columns and values that spoil a Gaussian likelihood, with advice.

    Parameters
    ----------
    X : (n, D)
        NaN are ignored.
    names : tuple of str, optional
        Names of the columns.
    """
    found = coarse_values(X)
    coarse = {j: values for j, values in enumerate(found) if values is not None}
    sentences = [_on_steps(coarse, names)] if coarse else []
    for j in range(X.shape[1]):
        if j not in coarse:
            sentences += _on_heap(X[:, j], label(names, j))
    return sentences


def _on_steps(coarse: Mapping[int, Array], names: Names) -> str:
    listed = ", ".join(label(names, j) for j in [*coarse][:_MOST_NAMED])
    more = len(coarse) - _MOST_NAMED
    listed += f" and {plural(more, 'other')}" if more > 0 else ""
    sizes = [len(values) for values in coarse.values()]
    number = f"{min(sizes)}" + f" to {max(sizes)}" * (max(sizes) > min(sizes))
    return (
        f"X has only {number} distinct values in {listed}, more than a quarter of a standard "
        "deviation apart. A component that narrows onto a single value has an unbounded "
        "likelihood, so that components may be values and not groups. Leave out labels and counts, "
        "and add uniform noise of one step's width to measurements that were rounded."
    )


def _on_heap(column: Array, where: str) -> list[str]:
    seen = column[~np.isnan(column)]
    values, counts = np.unique(seen, return_counts=True)
    if len(values) < 2 or len(seen) < _FEWEST:
        return []
    top = int(counts.argmax())
    heap, second = int(counts[top]), int(np.delete(counts, top).max())
    if heap < max(_HEAP_ROWS, _HEAP_SHARE * len(seen), _HEAP_RATIO * second):
        return []
    return [
        f"X has the value {values[top]:.6g} in {heap} of {len(seen)} rows in {where}, and no other "
        f"value in more than {plural(second, 'row')}. A component that narrows onto this "
        "value has an unbounded likelihood. Fit the other rows alone, or leave the column out."
    ]


def copied_rows(X: Array) -> list[str]:
    """A sentence on rows that are copies of others, if they are many: a fit may weigh rows so.

    Criteria do not: they take copies for independent rows. A single column that was rounded has
    equal values without copies.
    """
    n, d = X.shape
    if n < _FEWEST or d == 1 or any(len(np.unique(each)) > _DISTINCT * n for each in X.T):
        return []
    distinct = len(np.unique(X, axis=0))
    if distinct > _DISTINCT * n:
        return []
    return [
        f"Only {distinct} of {n} rows of X are distinct. A copy counts as an independent "
        "observation, which favours components on few distinct rows, and more of them. Drop "
        "copies that were made by accident."
    ]
