"""Model-based hierarchical agglomeration: one tree of merges, to be cut at any number of groups.

Beginning from single rows, the two groups are merged, again and again, that lower the
classification likelihood least (Banfield & Raftery 1993). With W_k the scatter of group k about its
mean and n_k its rows, a criterion minimises

    EII   tr(sum_k W_k)                              (Ward's)
    VII   sum_k n_k D log((tr W_k + a) / (D n_k))
    EEE   log |sum_k W_k + a I / D|
    VVV   sum_k n_k log |(W_k + a I / D) / n_k|

where a, a fraction of the mean variance of a row, stands in for the scatter that a group of few
rows, or of equal ones, does not have (Fraley 1998 adds terms of the trace for the same purpose).
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

from bayesgmm.arrays import Array, Integers
from bayesgmm.core import native
from bayesgmm.errors import InvalidParameterError

CRITERIA = ("VVV", "EEE", "VII", "EII")

# The stand-in for missing scatter, in units of the mean sum of squares of a row: of those tried
# on six data sets those whose cuts led EM to the highest known maximum most often.
_STAND_IN, _SHARED_STAND_IN = 0.1, 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Dendrogram:
    """The merges of an agglomeration, in their order.

    Attributes
    ----------
    merges : ndarray of int, shape (n - 1, 2)
        Each merge puts the group of the second row into that of the first. A group is known by its
        first row, so the first of a pair is always less than the second.
    costs : ndarray of shape (n - 1,)
        The increase of the criterion by each merge, in the criterion's own units: squared lengths
        relative to the mean variance (EII), nats times two (VII, VVV), fraction of the
        determinant (EEE).
    """

    merges: Integers
    costs: Array

    def labels(self, n_groups: int) -> Integers:
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


def agglomerate(
    rows: Array, criterion: str = "VVV", row_weights: Array | None = None
) -> Dendrogram:
    """Merge rows into ever fewer groups.

    Deterministic; equal costs go by row. Multiplying the rows by a power of two changes no bit.
    Rows should be whitened, or their columns brought to one scale, before they come here: VII and
    EII use the metric of the rows alone, and the substitute for missing scatter is round.
    Time and memory are of order n^2: for a few thousand rows at most.

    Parameters
    ----------
    rows : ndarray of shape (n, D)
        Finite.
    criterion : {"VVV", "EEE", "VII", "EII"}
        As at the head of this module.
    row_weights : ndarray of shape (n,), optional
        The number of times that each row counts; positive.

    Raises
    ------
    InvalidParameterError
        For another criterion.
    """
    if criterion not in CRITERIA:
        raise InvalidParameterError(
            f"Rows can be merged by {', '.join(CRITERIA)}, not by criterion={criterion!r}."
        )
    n = len(rows)
    counts = np.ones(n) if row_weights is None else np.array(row_weights, dtype=np.float64)
    means = rows - rows[0]
    largest = np.abs(means).max()
    means = np.ldexp(means, -np.frexp(largest)[1])
    means -= counts @ means / counts.sum()
    variance = float(counts @ np.square(means).sum(axis=1)) / counts.sum()
    if variance > 0.0:
        means /= np.sqrt(variance)
    stand_in = _SHARED_STAND_IN if criterion == "EEE" else _STAND_IN
    return Dendrogram(*native.merge_groups(means, counts, CRITERIA.index(criterion), stand_in))
