"""Model-based hierarchical agglomeration: one tree of merges, to be cut at any number of groups.

Beginning from single rows, the two groups are merged, again and again, that lower the
classification likelihood least (Banfield & Raftery 1993). With W_k the scatter of group k about its
mean and n_k its rows, a criterion minimises

    EII   tr(sum_k W_k)                              (Ward's)
    VII   sum_k n_k D log((tr W_k + a) / (D n_k))
    EEE   log |sum_k W_k + a I / D|
    VVV   sum_k n_k log |(W_k + a I / D) / n_k|

where a, a share of the mean variance of a row, stands in for the scatter that a group of few rows,
or of equal ones, does not have (Fraley 1998 adds terms of the trace for the same purpose).
Otherwise every group of at most D rows would be perfect.

References
----------
Banfield, J. D. and Raftery, A. E. (1993). Model-based Gaussian and non-Gaussian clustering.
Biometrics 49, 803-821.
Fraley, C. (1998). Algorithms for model-based Gaussian hierarchical clustering. SIAM Journal on
Scientific Computing 20, 270-281.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bayesgmm.errors import InvalidParameterError
from bayesgmm.model.compile import jit

type Array = NDArray[np.float64]

CRITERIA = ("VVV", "EEE", "VII", "EII")
_VVV, _EEE, _VII, _EII = range(4)

# The stand-in for missing scatter, as a share of the mean sum of squares of a row: of those tried
# on six data sets the ones whose cuts led EM to the best known optimum most often.
_STAND_IN, _SHARED_STAND_IN = 0.1, 0.3
# Costs are rounded to this, so that equal ones stay equal in rotated or rescaled coordinates: ties
# go by row, not by rounding.
_QUANTUM = 2.0**-36


@dataclass(frozen=True, slots=True, eq=False)
class MergeTree:
    """The merges of an agglomeration, in their order.

    Attributes
    ----------
    merges : ndarray of int, shape (n - 1, 2)
        Each merge puts the group of the second row into that of the first. A group is known by its
        first row, so the first of a pair is always less than the second.
    costs : ndarray of shape (n - 1,)
        What each merge added to the criterion, in the criterion's own units: squared lengths
        relative to the mean variance (EII), nats times two (VII, VVV), share of the
        determinant (EEE).
    """

    merges: NDArray[np.int64]
    costs: Array

    def labels(self, n_groups: int) -> NDArray[np.int64]:
        """The group of each row where `n_groups` are left, (n,); numbered by their first rows.

        Raises
        ------
        InvalidParameterError
            If there are fewer rows than groups, or no group.
        """
        n = len(self.merges) + 1
        if not 1 <= n_groups <= n:
            raise InvalidParameterError(f"n_groups={n_groups} must be from 1 to {n}, the rows.")
        root = np.arange(n)
        done = self.merges[: n - n_groups]
        root[done[:, 1]] = done[:, 0]
        while not np.array_equal(further := root[root], root):
            root = further
        return np.unique(root, return_inverse=True)[1].astype(np.int64)


def agglomerate(rows: Array, criterion: str = "VVV", row_weights: Array | None = None) -> MergeTree:
    """Merge rows into ever fewer groups.

    Deterministic; equal costs go by row. Multiplying the rows by a power of two changes no bit.
    Rows should be whitened, or their columns brought to one scale, before they come here: VII and
    EII know no other metric than that of the rows, and the stand-in for missing scatter is round.
    Time and memory are of order n^2: for a few thousand rows at most.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Finite.
    criterion : {"VVV", "EEE", "VII", "EII"}
        As at the head of this module.
    row_weights : ndarray of shape (n,), optional
        How often each row counts; positive.

    Raises
    ------
    InvalidParameterError
        For another criterion.
    """
    if criterion not in CRITERIA:
        raise InvalidParameterError(
            f"Rows can be merged by {', '.join(CRITERIA)}, not by criterion={criterion!r}."
        )
    n, d = rows.shape
    counts = np.ones(n) if row_weights is None else np.array(row_weights, dtype=np.float64)
    means = rows - rows[0]
    largest = np.abs(means).max()
    means = np.ldexp(means, -np.frexp(largest)[1])
    means -= counts @ means / counts.sum()
    variance = float(counts @ np.square(means).sum(axis=1)) / counts.sum()
    if variance > 0.0:
        means /= np.sqrt(variance)
    merges, costs = np.empty((n - 1, 2), dtype=np.int64), np.empty(n - 1)
    kind = CRITERIA.index(criterion)
    if kind == _EEE:
        _merge_shared(means, counts, _SHARED_STAND_IN / d, merges, costs)
    else:
        _merge(means, counts, kind, _STAND_IN, merges, costs)
    return MergeTree(merges, costs)


@jit
def _merge(means, counts, kind, stand_in, merges, costs):
    """Merge under a criterion that is a sum over groups; means and counts are overwritten.

    The cost of every pair is kept in a table, and the least of every row of it (the generic
    algorithm of Mullner 2011, arXiv:1109.2378).
    """
    n, d = means.shape
    size = d if kind == _VVV else 1
    scatters = np.zeros((n, size, size))
    traces = np.zeros(n)
    own = np.zeros(n)
    work = np.empty((size, size))
    row = np.empty(n)
    table = np.empty((n, n))
    near = np.full(n, -1)
    least = np.full(n, np.inf)
    alive = np.ones(n, dtype=np.bool_)
    for i in range(n):
        own[i] = _value(kind, scatters[i], traces[i], counts[i], stand_in, d, work)
    for i in range(n - 1):
        _costs(kind, i, i + 1, alive, means, counts, scatters, traces, own, stand_in, work, row)
        for j in range(i + 1, n):
            table[i, j] = row[j]
        _scan(i, table, alive, near, least)
    for m in range(n - 1):
        i = -1
        for k in range(n):
            if alive[k] and near[k] >= 0 and (i < 0 or least[k] < least[i]):
                i = k
        j = near[i]
        merges[m, 0], merges[m, 1], costs[m] = i, j, least[i]
        _join(i, j, means, counts, scatters, traces)
        own[i] = _value(kind, scatters[i], traces[i], counts[i], stand_in, d, work)
        alive[j] = False
        _costs(kind, i, 0, alive, means, counts, scatters, traces, own, stand_in, work, row)
        for k in range(i + 1, n):
            table[i, k] = row[k]
        for k in range(i):
            if alive[k]:
                table[k, i] = row[k]
                if near[k] == i or near[k] == j:
                    _scan(k, table, alive, near, least)
                elif row[k] < least[k] or (row[k] == least[k] and i < near[k]):
                    least[k], near[k] = row[k], i
        for k in range(i + 1, j):
            if alive[k] and near[k] == j:
                _scan(k, table, alive, near, least)
        _scan(i, table, alive, near, least)


@jit
def _scan(i, table, alive, near, least):
    """Find the group after i that costs least to merge with it."""
    best, which = np.inf, -1
    for j in range(i + 1, alive.size):
        if alive[j] and (which < 0 or table[i, j] < best):
            best, which = table[i, j], j
    near[i], least[i] = which, best


@jit
def _value(kind, scatter, trace, count, stand_in, d, work):
    """A group's term of the criterion; 0 for EII, whose costs need none."""
    if kind == _EII:
        return 0.0
    if kind == _VII or trace == 0.0:
        return count * d * (np.log(trace + stand_in) - np.log(d * count))
    for a in range(d):
        for b in range(d):
            work[a, b] = scatter[a, b]
    return count * (_log_det(work, stand_in / d) - d * np.log(count))


@jit
def _costs(kind, i, first, alive, means, counts, scatters, traces, own, stand_in, work, out):
    """What merging group i with each group from `first` on adds to the criterion, rounded."""
    n, d = means.shape
    for j in range(first, n):
        if not alive[j] or j == i:
            continue
        count = counts[i] + counts[j]
        share = counts[i] * counts[j] / count
        square = 0.0
        for r in range(d):
            square += (means[i, r] - means[j, r]) ** 2
        square *= share
        if kind == _EII:
            c = square
        elif kind == _VII:
            trace = traces[i] + traces[j] + square
            c = count * d * np.log((trace + stand_in) / (d * count)) - own[i] - own[j]
        else:
            ridge = stand_in / d
            if traces[i] + traces[j] == 0.0:
                # A determinant of rank one above the stand-in.
                c = d * np.log(ridge) + np.log(1.0 + square / ridge)
            else:
                for r in range(d):
                    apart = share * (means[i, r] - means[j, r])
                    for s in range(r + 1):
                        work[r, s] = scatters[i, r, s] + scatters[j, r, s]
                        work[r, s] += apart * (means[i, s] - means[j, s])
                c = _log_det(work, ridge)
            c = count * (c - d * np.log(count)) - own[i] - own[j]
        out[j] = np.rint(c / _QUANTUM) * _QUANTUM


@jit
def _join(i, j, means, counts, scatters, traces):
    """Put group j into group i; scatters are kept where they are (n, D, D)."""
    d = means.shape[1]
    count = counts[i] + counts[j]
    share = counts[i] * counts[j] / count
    square = 0.0
    for r in range(d):
        square += (means[i, r] - means[j, r]) ** 2
    traces[i] += traces[j] + share * square
    if scatters.shape[1] == d:
        for r in range(d):
            apart = share * (means[i, r] - means[j, r])
            for s in range(r + 1):
                scatters[i, r, s] += scatters[j, r, s] + apart * (means[i, s] - means[j, s])
    for r in range(d):
        means[i, r] += (means[j, r] - means[i, r]) * (counts[j] / count)
    counts[i] = count


@jit
def _log_det(work, ridge):
    """Return log |work + ridge I|, by a Cholesky factorisation in place of the lower triangle."""
    d = work.shape[0]
    out = 0.0
    product = 1.0
    for c in range(d):
        pivot = work[c, c] + ridge
        for s in range(c):
            pivot -= work[c, s] * work[c, s]
        product *= pivot
        if c % 8 == 7:
            out += np.log(product)
            product = 1.0
        inverse = 1.0 / np.sqrt(pivot)
        for r in range(c + 1, d):
            t = work[r, c]
            for s in range(c):
                t -= work[r, s] * work[c, s]
            work[r, c] = t * inverse
    return out + np.log(product)


@jit
def _merge_shared(means, counts, ridge, merges, costs):
    """Merge under EEE: each merge adds a rank-one term to the shared scatter, so all costs change.

    A merge of cost q multiplies the determinant of S = sum_k W_k + ridge I by 1 + q, and lets no
    other cost fall below 1 / (1 + q) of itself. So costs of earlier merges are bounds, and only
    those groups are looked at again whose bound is the least.
    """
    n, d = means.shape
    lower = np.zeros((d, d))
    for r in range(d):
        lower[r, r] = np.sqrt(ridge)
    white = np.empty((n, d))
    alive = np.ones(n, dtype=np.bool_)
    fresh = np.zeros(n, dtype=np.bool_)
    near = np.full(n, -1)
    bound = np.zeros(n)
    bound[n - 1] = np.inf
    shift = np.empty(d)
    _whitened(means, lower, alive, white)
    for m in range(n - 1):
        i = 0
        while True:
            i = -1
            for k in range(n):
                if alive[k] and (i < 0 or bound[k] < bound[i]):
                    i = k
            if fresh[i]:
                break
            _look(i, white, counts, alive, near, bound)
            fresh[i] = True
        j = near[i]
        q = bound[i]
        merges[m, 0], merges[m, 1], costs[m] = i, j, q
        count = counts[i] + counts[j]
        root = np.sqrt(counts[i] * counts[j] / count)
        for r in range(d):
            shift[r] = means[j, r] - means[i, r]
            means[i, r] += shift[r] * (counts[j] / count)
            shift[r] *= root
        counts[i] = count
        alive[j] = False
        _update(lower, shift)
        _whitened(means, lower, alive, white)
        shrink = 1.0 / (1.0 + q)
        for k in range(n):
            fresh[k] = False
            bound[k] = max(bound[k] - 2.0 * _QUANTUM, 0.0) * shrink
            if k < i and alive[k]:
                c = _shared_cost(k, i, white, counts)
                # All other costs of k are above this one: it is the least.
                if c < bound[k]:
                    bound[k], near[k], fresh[k] = c, i, True
        _look(i, white, counts, alive, near, bound)
        fresh[i] = True


@jit
def _look(i, white, counts, alive, near, bound):
    """Find the group after i that costs least to merge with it."""
    near[i] = -1
    bound[i] = np.inf
    for j in range(i + 1, alive.size):
        if alive[j]:
            c = _shared_cost(i, j, white, counts)
            if near[i] < 0 or c < bound[i]:
                bound[i], near[i] = c, j


@jit
def _shared_cost(i, j, white, counts):
    square = 0.0
    for r in range(white.shape[1]):
        square += (white[i, r] - white[j, r]) ** 2
    c = counts[i] * counts[j] / (counts[i] + counts[j]) * square
    return np.rint(c / _QUANTUM) * _QUANTUM


@jit
def _whitened(means, lower, alive, white):
    """Means in coordinates in which the shared scatter is the identity."""
    n, d = means.shape
    for k in range(n):
        if alive[k]:
            for r in range(d):
                t = means[k, r]
                for s in range(r):
                    t -= lower[r, s] * white[k, s]
                white[k, r] = t / lower[r, r]


@jit
def _update(lower, v):
    """Make L the factor of L L' + v v' (Givens rotations); v is overwritten."""
    d = v.size
    for c in range(d):
        length = np.hypot(lower[c, c], v[c])
        cosine, sine = lower[c, c] / length, v[c] / length
        lower[c, c] = length
        for r in range(c + 1, d):
            t = lower[r, c]
            lower[r, c] = cosine * t + sine * v[r]
            v[r] = cosine * v[r] - sine * t
