"""k-means on a small sample, to begin EM from, and a metric for it.

scikit-learn's KMeans serves where a user asks for it by name; its set-up alone takes longer than a
whole fit of a few hundred rows.
"""

import numpy as np

from bayesgmm.model.compile import jit
from bayesgmm.model.loops import fill


@jit
def k_means(z, row_weights, n_clusters, uniforms, max_iter, labels):
    """Lloyd's algorithm from k-means++ seeds (Arthur & Vassilvitskii 2007); fills `labels` (n,).

    z (n, D); row_weights (n,); uniforms (n_clusters,) in [0, 1) choose the seeds.
    """
    n, d = z.shape
    centres = np.empty((n_clusters, d))
    nearest = np.empty(n)
    for b in range(n):
        nearest[b] = np.inf
        labels[b] = -1
    for k in range(n_clusters):
        # The first seed by weight, each later one by weight times squared distance to the others.
        total = 0.0
        for b in range(n):
            total += row_weights[b] * (1.0 if k == 0 else nearest[b])
        target = uniforms[k] * total
        chosen = n - 1
        reached = 0.0
        for b in range(n):
            reached += row_weights[b] * (1.0 if k == 0 else nearest[b])
            if reached > target:
                chosen = b
                break
        for j in range(d):
            centres[k, j] = z[chosen, j]
        for b in range(n):
            s = 0.0
            for j in range(d):
                s += (z[b, j] - centres[k, j]) ** 2
            if s < nearest[b]:
                nearest[b] = s
                labels[b] = k
    counts = np.empty(n_clusters)
    for _ in range(max_iter):
        for k in range(n_clusters):
            counts[k] = 0.0
        sums = np.zeros((n_clusters, d))
        for b in range(n):
            counts[labels[b]] += row_weights[b]
            for j in range(d):
                sums[labels[b], j] += row_weights[b] * z[b, j]
        for k in range(n_clusters):
            if counts[k] > 0.0:
                for j in range(d):
                    centres[k, j] = sums[k, j] / counts[k]
        moved = False
        for b in range(n):
            best = labels[b]
            least = np.inf
            for k in range(n_clusters):
                s = 0.0
                for j in range(d):
                    s += (z[b, j] - centres[k, j]) ** 2
                if s < least:
                    least = s
                    best = k
            if best != labels[b]:
                labels[b] = best
                moved = True
        if not moved:
            return


@jit
def whiten_near_pairs(z, apart, n_rounds):
    """Put rows (n, D) where differences between near ones have the identity for a covariance.

    An estimate of the covariance within groups that needs to know neither the groups nor their
    number (Art, Gnanadesikan & Kettenring 1982, Utilitas Mathematica 21A, 75-99): that of the
    nearest tenth of differences, near in the metric that it makes itself. `apart` (m, D) are
    differences of rows; both are overwritten.
    """
    m, d = apart.shape
    lower = np.empty((d, d))
    lengths, sorted_out = np.empty(m), np.empty(m)
    for _ in range(n_rounds):
        for b in range(m):
            s = 0.0
            for j in range(d):
                s += apart[b, j] * apart[b, j]
            lengths[b] = s
        for b in range(m):
            sorted_out[b] = lengths[b]
        farthest = _smallest(sorted_out, m // 10)
        fill(lower, 0.0)
        for b in range(m):
            # Equal rows say nothing of the metric.
            if 0.0 < lengths[b] <= farthest:
                for i in range(d):
                    for j in range(i + 1):
                        lower[i, j] += apart[b, i] * apart[b, j]
        trace = 0.0
        for i in range(d):
            trace += lower[i, i]
        if trace == 0.0:
            return
        for i in range(d):
            for j in range(i + 1):
                # Fewer near pairs than columns leave directions without any.
                s = lower[i, j] * (d / trace) + (1e-6 if i == j else 0.0)
                for c in range(j):
                    s -= lower[i, c] * lower[j, c]
                lower[i, j] = np.sqrt(s) if i == j else s / lower[j, j]
        _solve(lower, apart)
        _solve(lower, z)


@jit
def _smallest(values, rank):
    """The number that would stand at `rank` if `values` were sorted (Hoare 1961); reorders them."""
    low, high = 0, values.size - 1
    while low < high:
        pivot = values[rank]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if j < rank:
            low = i
        if rank < i:
            high = j
    return values[rank]


@jit
def _solve(lower, rows):
    """Replace each row x by L^-1 x."""
    for b in range(len(rows)):
        for i in range(len(lower)):
            s = rows[b, i]
            for c in range(i):
                s -= lower[i, c] * rows[b, c]
            rows[b, i] = s / lower[i, i]
