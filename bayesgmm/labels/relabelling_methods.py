"""Methods of relabelling, each defined by the cost of giving label j to component k of draw t.

The arguments are arrays or `Memberships`; the result has a permutation for each of T draws.
Iterative methods alternate between a description of the labels, computed from all draws with their
current labels, and the assignment of least cost of each draw to it. Their result is unique up to a
permutation common to all draws. Where `groups` (K,) are given, component k of a draw gets a label
of its own group.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bayesgmm.arrays import Array, Indices
from bayesgmm.errors import InvalidParameterError
from bayesgmm.labels.assignment import Assignment, assign
from bayesgmm.labels.memberships import Memberships

# Maximum number of rounds; iterations usually settle after three to ten.
_MAX_ROUNDS = 100
# Lower bound of Stephens' classification probabilities, as in label.switching.
_LEAST_PROBABILITY = 1e-6


def ecr(
    memberships: Memberships, pivot: NDArray[np.integer], groups: Indices | None = None
) -> Assignment:
    """Equivalence classes representatives: the labels under which most rows agree with a pivot.

    The cost is the number of rows that disagree with the pivot, n - sum_j S_t,perm(j),j with
    S_tkj = sum_i p_tik 1(pivot_i = j). If memberships are probabilities, it is the expectation
    over the allocations.

    Parameters
    ----------
    memberships : Memberships of T draws, n rows, K components
    pivot : ndarray of shape (n,)
        A label for each row.

    References
    ----------
    Papastamoulis & Iliopoulos (2010), Journal of Computational and Graphical Statistics 19,
    313-331.
    """
    _, n, k = memberships.shape
    tables = memberships.tables(_indicators(pivot, k))
    best = assign(-np.swapaxes(tables, 1, 2), groups)
    return best._replace(costs=n + best.costs)


def ecr_iterative(
    memberships: Memberships,
    averaged: Memberships,
    start: Indices | None = None,
    groups: Indices | None = None,
) -> Assignment:
    """ECR with a pivot of each row's most probable label over the draws with current labels.

    If `averaged` are allocations, this is the first iterative version; if classification
    probabilities, the second.

    References
    ----------
    Papastamoulis & Iliopoulos (2010), as above; Rodriguez & Walker (2014), Journal of
    Computational and Graphical Statistics 23, 25-45; Papastamoulis (2016), Journal of Statistical
    Software 69, code snippet 1, section 2.3.
    """

    def round_(permutations: Indices) -> Assignment:
        pivot = averaged.average(permutations).argmax(axis=1)
        return ecr(memberships, pivot, groups)

    return _iterate(round_, memberships.shape, start)


def stephens(
    memberships: Memberships, start: Indices | None = None, groups: Indices | None = None
) -> Assignment:
    """Labels that bring classification probabilities nearest to their mean, by KL divergence.

    With q the mean of the permuted probabilities, sum_i sum_j p_i,perm(j) log(p_i,perm(j) / q_ij)
    and -sum_i p_i,perm(j) log q_ij have the same minimum, since the entropy of p does not depend
    on labels. Costs are the latter, in nats.

    References
    ----------
    Stephens (2000), Journal of the Royal Statistical Society B 62, 795-809, algorithm 2.
    """

    def round_(permutations: Indices) -> Assignment:
        q = np.maximum(memberships.average(permutations), _LEAST_PROBABILITY)
        tables = memberships.tables(np.log(q))
        return assign(-np.swapaxes(tables, 1, 2), groups)

    return _iterate(round_, memberships.shape, start)


def data_based(
    memberships: Memberships,
    rows: Array,
    start: Indices | None = None,
    groups: Indices | None = None,
) -> Assignment:
    """Labels that bring rows nearest to the mean of their label, in its standard deviations.

    The cost is sum_i p_i,perm(j) sum_g ((x_ig - m_jg) / s_jg)^2 with the mean m_j and the
    standard deviation s_j of the rows with label j over all draws. Both are updated after each
    round of all draws, not after each draw, so the result does not depend on the order of draws.

    Parameters
    ----------
    memberships : Memberships of T draws, n rows, K components
    rows : ndarray of shape (n, D)

    References
    ----------
    Rodriguez & Walker (2014), as above, section 3.
    """
    d = rows.shape[1]
    # Standardised columns, so that squares do not lose the digits of the costs.
    x = rows - rows.mean(axis=0)
    x /= np.maximum(np.sqrt(np.square(x).mean(axis=0)), np.finfo(np.float64).tiny)
    tables = memberships.tables(np.hstack([np.ones((len(x), 1)), x, np.square(x)]))
    counts, firsts, seconds = tables[..., 0], tables[..., 1 : 1 + d], tables[..., 1 + d :]

    def round_(permutations: Indices) -> Assignment:
        moved = np.take_along_axis(tables, permutations[..., np.newaxis], axis=1).sum(axis=0)
        count = np.maximum(moved[:, 0], np.finfo(np.float64).tiny)[:, np.newaxis]
        m = moved[:, 1 : 1 + d] / count
        # The bound avoids a division by zero for a label without rows, or with equal rows.
        v = np.maximum(moved[:, 1 + d :] / count - np.square(m), 1e-8)
        costs = (
            np.einsum("tkg,jg->tjk", seconds, 1.0 / v)
            - 2.0 * np.einsum("tkg,jg->tjk", firsts, m / v)
            + np.einsum("tk,j->tjk", counts, (np.square(m) / v).sum(axis=1))
        )
        return assign(costs, groups)

    return _iterate(round_, memberships.shape, start)


def pra(parameters: Array, pivot: Array, groups: Indices | None = None) -> Assignment:
    """Pivotal reordering: labels that bring the parameters nearest to a pivot's.

    The cost is sum_j |pivot_j - parameters_perm(j)|^2, least where the scalar product of the two is
    largest.

    Parameters
    ----------
    parameters : ndarray of shape (T, K, J)
        In units that make them comparable.
    pivot : ndarray of shape (K, J)

    References
    ----------
    Marin, Mengersen & Robert (2005), Handbook of Statistics 25, 459-507, section 3.4.
    """
    apart = parameters[:, np.newaxis] - pivot[:, np.newaxis]
    return assign(np.square(apart).sum(axis=-1), groups)


def ordered(values: Array, groups: Indices | None = None) -> Assignment:
    """Labels in ascending order of one parameter.

    Parameters
    ----------
    values : ndarray of shape (T, K)

    Returns
    -------
    Assignment
        As an assignment of cost -sum_j j values_perm(j): the ambiguity is the smallest distance of
        two neighbours, in the parameter's units.
    """
    k = values.shape[1]
    return assign(-np.arange(k)[:, np.newaxis] * values[:, np.newaxis, :], groups)


def _indicators(pivot: NDArray[np.integer], n_components: int) -> Array:
    if pivot.min() < 0 or pivot.max() >= n_components:
        raise InvalidParameterError(
            f"A pivot's labels must lie between 0 and {n_components - 1}, but reach from "
            f"{pivot.min()} to {pivot.max()}."
        )
    indicators = np.zeros((len(pivot), n_components))
    indicators[np.arange(len(pivot)), pivot] = 1.0
    return indicators


def _iterate(
    round_: Callable[[Indices], Assignment],
    shape: tuple[int, int, int],
    start: Indices | None,
) -> Assignment:
    draws, _, k = shape
    permutations = np.tile(np.arange(k), (draws, 1)) if start is None else start
    rounds, settled = 0, False
    while not settled and rounds < _MAX_ROUNDS:
        best = round_(permutations)
        rounds += 1
        settled = np.array_equal(best.permutations, permutations)
        permutations = best.permutations
    return best._replace(rounds=rounds, settled=settled)
