"""Partitions and the losses between them, from their definitions."""

import itertools

import numpy as np


def set_partitions(n):
    """All partitions of n rows, as labels (n,) that appear in order."""

    def grow(labels, most):
        if len(labels) == n:
            yield labels
            return
        for k in range(most + 1):
            yield from grow([*labels, k], max(most, k + 1))

    return [np.array(each) for each in grow([0], 1)]


def binder(a, c):
    """Pairs of rows that are together in one of two partitions alone."""
    pairs = itertools.combinations(range(len(a)), 2)
    return float(sum((a[i] == a[j]) != (c[i] == c[j]) for i, j in pairs))


def variation_of_information(a, c):
    """H(a | c) + H(c | a), bits."""

    def entropy(labels):
        p = np.unique(labels, return_counts=True, axis=0)[1] / len(labels)
        return -(p * np.log2(p)).sum()

    both = np.column_stack((a, c))
    return 2.0 * entropy(both) - entropy(a) - entropy(c)


def draws_around(rng, t, n, k, moved):
    """Draws (T, n) of a partition into k clusters, of which a proportion of rows is moved."""
    centre = rng.integers(k, size=n)
    anywhere = rng.integers(k, size=(t, n))
    return np.where(rng.random((t, n)) < moved, anywhere, centre)
