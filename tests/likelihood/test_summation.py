"""Sums in a tree: neither far rows nor many rows cost digits."""

import numpy as np
import pytest
from plain_statistics import one_pass, same_bits
from tolerances import EPS

from bayesgmm.core import native
from bayesgmm.likelihood.em_steps import Rows

ONE = (np.array([1.0]), np.array([[0.0]]), np.array([[[1.0]]]))


def test_the_error_of_a_sum_grows_with_the_depth_of_the_tree():
    # A running sum of 0.1 over 4e6 rows is off by about 1e-10 of itself.
    n = 4_000_000
    x = np.full((n, 1), 0.1)
    found = one_pass(x, None, ONE, threads=1)
    depth = np.log2(n / native.CHUNK) + native.CHUNK
    assert abs(found.firsts[0, 0] / (n * 0.1) - 1) <= depth * EPS
    assert abs(found.seconds[0, 0, 0] / (n * 0.1**2) - 1) <= depth * EPS


@pytest.mark.parametrize("chunks", [1, 2, 3, 5, 6, 7, 8, 13, 31, 33, 64, 100])
def test_neighbours_are_added_first(chunks):
    # The tree of the module's docstring, from the sums of single chunks.
    rng = np.random.default_rng(chunks)
    n = (chunks - 1) * native.CHUNK + 300
    x = rng.standard_normal((n, 2))
    theta = (np.array([0.5, 0.5]), np.array([[0.0, 0.1], [0.3, 0.0]]), np.ones((2, 2)))
    leaves = [
        one_pass(x[a : a + native.CHUNK].copy(), None, theta) for a in range(0, n, native.CHUNK)
    ]
    while len(leaves) > 1:
        leaves = [sum(leaves[i + 1 : i + 2], leaves[i]) for i in range(0, len(leaves), 2)]
    for threads in 1, 3:
        assert same_bits(Rows(x, threads=threads).e_step(*theta), leaves[0])
