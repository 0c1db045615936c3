"""The error where every start collapsed, with its likely reasons."""

from collections import Counter

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.data.coercion import label
from bayesgmm.data.degeneracy import nearly_dependent
from bayesgmm.display import plural
from bayesgmm.em.multistart import Attempt
from bayesgmm.em.settings import Settings
from bayesgmm.errors import FitError
from bayesgmm.likelihood.scaling import Units

# Columns of at most this number of distinct values are named if all starts collapse.
_FEW_VALUES = 10

# Rows are named as far out beyond this number of median deviations, if they are rare.
_FAR, _RARE = 20.0, 0.05


def all_collapsed(
    attempts: list[Attempt],
    settings: Settings,
    x: Array,
    names: tuple[str, ...] | None,
    units: Units,
) -> FitError:
    """The error of a fit of rows (n, D) none of whose starts led to a mixture."""
    k, structure = settings.n_components, settings.structure
    outcomes = Counter(
        str(each.degeneracy or "collapsed on the way to its maximum") for each in attempts
    )
    table = [f"  {count} x {reason}" for reason, count in outcomes.most_common(4)]
    if len(outcomes) > len(table):
        table.append(f"  and {len(outcomes) - len(table)} other outcomes")
    remedies = ["fewer components, as select_mixture finds them"] if k > 1 else []
    if settings.priors is None:
        remedies.append("priors='default', which keeps every covariance from collapsing")
        if not settings.reg_covar:
            remedies.append("reg_covar > 0")
    if structure.free and k > 1 and np.isinf(settings.eigenvalue_ratio):
        remedies.append("eigenvalue_ratio=100, a bound on the ratio of two components' variances")
    if "V" in structure.code and k > 1:
        shared = "E" if x.shape[1] == 1 else "EEI" if structure.diagonal else "tied"
        remedies.append(f"covariances that components share (covariance_type={shared!r})")
    return FitError(
        "\n".join(
            (
                f"None of {len(attempts)} starts with {plural(k, 'component')} led to a mixture:",
                *table,
                *_coincidences(x, names, units),
                *([] if structure.diagonal else nearly_dependent(x, names)),
                *([] if settings.noise else _far_rows(x)),
                f"Use {', or '.join(remedies)}." if remedies else "Use other rows or columns.",
            )
        )
    )


def _coincidences(x: Array, names: tuple[str, ...] | None, units: Units) -> list[str]:
    """Properties of the rows by which components collapse: equal rows, columns of few values."""
    lines = []
    distinct = len(np.unique(x, axis=0))
    if distinct < 0.9 * len(x):
        lines.append(f"Only {distinct} of {len(x)} rows are distinct.")
    seen = len(np.unique(units.to_fit(x), axis=0))
    if seen < 0.9 * distinct:
        lines.append(
            f"Beside the farthest values only {seen} of {distinct} rows differ by more than "
            "rounding. Remove outliers."
        )
    few = [j for j in range(x.shape[1]) if len(np.unique(x[:, j])) <= _FEW_VALUES]
    if few and len(x) > 2 * _FEW_VALUES:
        listed = ", ".join(label(names, j) for j in few[:6])
        lines.append(
            f"Few distinct values ({_FEW_VALUES} at most) in {listed}: a component on one of them "
            "has no variance there. Leave out what is a count or a label."
        )
    return lines


def _far_rows(x: Array) -> list[str]:
    """A sentence on few rows that lie far from all others, on which a component collapses."""
    off = np.abs(x - np.nanmedian(x, axis=0))
    spread = np.nanmedian(off, axis=0)
    far = np.flatnonzero((off > _FAR * spread).any(axis=1)) if spread.all() else np.zeros(0, int)
    if not 0 < len(far) <= _RARE * len(x):
        return []
    which = ", ".join(map(str, far[:5])) + (" and others" if len(far) > 5 else "")
    where = f"Row {which} lies" if len(far) == 1 else f"Rows {which} lie"
    return [
        f"{where} far from all others; for outliers, noise_component=True (--noise) adds a "
        "component."
    ]
