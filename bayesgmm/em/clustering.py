"""k-means on a small sample, to begin EM from.

scikit-learn's KMeans serves where a user asks for it by name; its set-up alone takes longer than a
whole fit of a few hundred rows.
"""

import numpy as np

from bayesgmm.model.compile import jit


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
