"""The assignment of least cost, and how much more the next best one costs."""

import numpy as np

from bayesgmm.model.compile import jit


@jit
def assign_one(cost, permutation, work):
    """Fill permutation[row] = column of least total cost; return that cost and the second's excess.

    Shortest augmenting paths, row by row, with prices u (rows) and v (columns) such that the
    reduced costs c_ij - u_i - v_j are never negative and 0 on the assignment (Kuhn 1955; Jonker &
    Volgenant 1987). Any other permutation differs from it by cycles through the rows, each of
    which costs what the reduced costs on it add up to: the second best differs by the one cheapest
    cycle, found by Floyd & Warshall's recursion. Both take K^3 steps.

    `work` is (K + 6, K + 1). Among equals the first found is taken; the excess is then 0. One row
    alone has no second: infinity.
    """
    n = cost.shape[0]
    u, v, least, way, used = work[0], work[1], work[2], work[3], work[4]
    reach = work[5 : 5 + n]
    owner = work[5 + n]
    # Column n is an artificial one that holds the row to be placed; owner[j] = row of column j.
    u[:] = 0.0
    v[:] = 0.0
    owner[:] = -1.0
    for row in range(n):
        owner[n] = row
        column = n
        least[:] = np.inf
        used[:] = 0.0
        while owner[column] >= 0.0:
            used[column] = 1.0
            i = int(owner[column])
            step = np.inf
            nearest = 0
            for j in range(n):
                if used[j] == 0.0:
                    reduced = cost[i, j] - u[i] - v[j]
                    if reduced < least[j]:
                        least[j] = reduced
                        way[j] = column
                    if least[j] < step:
                        step = least[j]
                        nearest = j
            for j in range(n + 1):
                if used[j] != 0.0:
                    u[int(owner[j])] += step
                    v[j] -= step
                else:
                    least[j] -= step
            column = nearest
        while column != n:
            previous = int(way[column])
            owner[column] = owner[previous]
            column = previous
    total = 0.0
    for j in range(n):
        i = int(owner[j])
        permutation[i] = j
        total += cost[i, j]
    for i in range(n):
        for s in range(n):
            j = permutation[s]
            reach[i, s] = max(cost[i, j] - u[i] - v[j], 0.0) if s != i else np.inf
    for m in range(n):
        for i in range(n):
            first = reach[i, m]
            for s in range(n):
                reach[i, s] = min(reach[i, s], first + reach[m, s])
    excess = np.inf
    for i in range(n):
        excess = min(excess, reach[i, i])
    return total, excess


@jit
def assign_all(costs, permutations, best, excess):
    """`assign_one` for each of costs (T, K, K): permutations (T, K), best (T,), excess (T,)."""
    n = costs.shape[1]
    work = np.empty((n + 6, n + 1))
    for t in range(costs.shape[0]):
        best[t], excess[t] = assign_one(costs[t], permutations[t], work)
