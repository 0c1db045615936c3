"""Clusters of two partitions that share most rows, and their components."""

import numpy as np

from bayesgmm.arrays import Integers


def matched(reference: Integers, labels: Integers) -> Integers:
    """For each cluster, that of a reference with which it shares most rows; -1 if another has it.

    Larger overlaps come first.

    Parameters
    ----------
    reference, labels : ndarray of shape (n,)
        Clusters from 0.
    """
    counts = np.zeros((labels.max() + 1, reference.max() + 1))
    np.add.at(counts, (labels, reference), 1.0)
    out = np.full(len(counts), -1)
    for _ in range(min(counts.shape)):
        j, k = np.unravel_index(counts.argmax(), counts.shape)
        if counts[j, k] == 0.0:
            break
        out[j], counts[j], counts[:, k] = k, 0.0, 0.0
    return out


def components_of(labels: Integers, components: Integers, n_components: int) -> tuple[int, ...]:
    """For each cluster, the component with which it shares most rows: its colour and name.

    Clusters that are left have numbers from K on; -1 is noise.

    Parameters
    ----------
    labels : ndarray of shape (n,)
        The cluster of each row.
    components : ndarray of shape (n,)
        The component of each row, -1 for noise.
    n_components : int
        K.
    """
    found = matched(np.where(components < 0, n_components, components), labels)
    noise, left = found == n_components, found < 0
    found[left] = n_components + np.arange(left.sum())
    found[noise] = -1
    return tuple(found.tolist())
