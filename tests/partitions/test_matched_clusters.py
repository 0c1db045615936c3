"""Clusters that share most rows, and the components to which they correspond."""

import numpy as np

from bayesgmm.partitions.matched_clusters import components_of, matched


def test_each_cluster_is_matched_once_the_largest_overlap_first():
    reference, labels = np.array([0, 0, 0, 1, 1, 2]), np.array([2, 2, 1, 0, 0, 0])
    assert matched(reference, labels).tolist() == [1, -1, 0]
    assert matched(labels, labels).tolist() == [0, 1, 2]


def test_clusters_have_the_numbers_of_components_of_noise_or_further_ones():
    components = np.array([1, 1, 1, 0, 0, -1, -1, 0])
    labels = np.array([0, 0, 0, 1, 1, 2, 2, 3])
    assert components_of(labels, components, 3) == (1, 0, -1, 3)
