"""Memberships given as probabilities: the reference for those computed from parameters."""

import numpy as np


class Probabilities:
    """Probabilities (T, n, K) that sum to 1 over components."""

    def __init__(self, p):
        self._p = np.asarray(p, dtype=np.float64)
        self.shape = self._p.shape

    def tables(self, q):
        return np.matmul(np.swapaxes(self._p, 1, 2), q)

    def average(self, permutations):
        permuted = [p[:, each] for p, each in zip(self._p, permutations, strict=True)]
        return np.mean(permuted, axis=0)
