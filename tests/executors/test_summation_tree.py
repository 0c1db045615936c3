"""The tree against its definition by recursion and by strides."""

import numpy as np
import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.executors.summation_tree import sum_in_tree


def by_strides(vectors):
    """Add as core/likelihood/pairwise_summation.hpp does with groups."""
    parts = [each.copy() for each in vectors]
    stride = 1
    while stride < len(parts):
        for i in range(0, len(parts) - stride, 2 * stride):
            parts[i] += parts[i + stride]
        stride *= 2
    return parts[0]


@pytest.fixture(scope="module")
def vectors():
    rng = np.random.default_rng(0)
    return list(rng.standard_normal((70, 4)) * 10.0 ** rng.integers(-8, 8, (70, 1)))


@pytest.mark.parametrize("n", range(1, 71))
def test_the_order_of_the_core(vectors, n):
    assert sum_in_tree(vectors[:n]).tobytes() == by_strides(vectors[:n]).tobytes()


@pytest.mark.parametrize("group", [1, 2, 4, 16, 128])
@pytest.mark.parametrize("n", [1, 5, 64, 70])
def test_groups_are_nodes(vectors, n, group):
    parts = [sum_in_tree(vectors[i : min(i + group, n)]) for i in range(0, n, group)]
    assert sum_in_tree(parts).tobytes() == sum_in_tree(vectors[:n]).tobytes()


def test_the_order_is_not_that_of_a_loop(vectors):
    """Otherwise the tests of equal bits would prove nothing."""
    assert sum_in_tree(vectors).tobytes() != sum(vectors).tobytes()


def test_the_vectors_are_not_changed(vectors):
    before = np.array(vectors)
    sum_in_tree(vectors)
    np.testing.assert_array_equal(vectors, before)


def test_few_vectors_in_memory():
    living, most = 0, 0

    class Counted(np.ndarray):
        def __new__(cls):
            nonlocal living, most
            living += 1
            most = max(most, living)
            return np.zeros(1).view(cls)

        def __array_finalize__(self, of):
            pass

        def __add__(self, other):
            return Counted()

        def __del__(self):
            nonlocal living
            living -= 1

    sum_in_tree(Counted() for _ in range(1024))
    assert most <= 13


@pytest.mark.parametrize("shape", [(1,), (4, 1), (), (5,)])
def test_other_lengths_are_refused(shape):
    with pytest.raises(InvalidParameterError, match=r"shapes \(4,\) and"):
        sum_in_tree([np.ones(4), np.ones(shape)])
