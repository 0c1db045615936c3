"""The search for the partition of least expected loss."""

import numpy as np
import pytest
from plain_partitions import binder, draws_around, set_partitions, variation_of_information
from studies import size

from bayesgmm.core import native
from bayesgmm.partitions.drawn_partitions import DrawnPartitions
from bayesgmm.partitions.least_loss import in_order, least_expected_loss
from bayesgmm.partitions.losses import loss_of

PLAIN = {"vi": variation_of_information, "binder": binder}


def drawn(labels):
    return DrawnPartitions(labels, int(labels.max()) + 1, (1, len(labels)), None)


def expected(draws, labels, word):
    tables = draws.tables(labels)
    return loss_of(word, len(labels)).between(tables).mean()


def exhaustive(draws, word):
    """The least expected loss of all partitions of the rows."""
    losses = loss_of(word, draws.labels.shape[1])
    return min(
        losses.between(draws.tables(each)).mean() for each in set_partitions(draws.labels.shape[1])
    )


@pytest.mark.parametrize("word", ["vi", "binder"])
@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_no_partition_has_a_smaller_expected_loss(word, n):
    rng = np.random.default_rng(n)
    for moved in (0.2, 0.5, 0.8, 1.0):
        for k in (1, 2, 4):
            draws = drawn(draws_around(rng, 15, n, k, moved))
            found = least_expected_loss(draws, loss_of(word, n), np.random.default_rng(1))
            least = exhaustive(draws, word)
            assert expected(draws, found, word) == pytest.approx(least, abs=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("word", ["vi", "binder"])
def test_the_optimum_of_many_sets_of_draws_is_found(word):
    rng, partitions, loss = np.random.default_rng(0), set_partitions(7), loss_of(word, 7)
    for i in range(size(ci=27, full=120)):
        for moved in (0.3, 0.6, 1.0):
            draws = drawn(draws_around(rng, (5, 15, 40)[i % 3], 7, (2, 3, 5)[i // 3 % 3], moved))
            found = least_expected_loss(draws, loss, np.random.default_rng(i))
            least = min(expected(draws, each, word) for each in partitions)
            assert expected(draws, found, word) == pytest.approx(least, abs=1e-10)


@pytest.mark.parametrize("word", ["vi", "binder"])
def test_no_partition_of_eight_rows_has_a_smaller_expected_loss(word):
    rng = np.random.default_rng(8)
    for moved in (0.4, 0.7):
        draws = drawn(draws_around(rng, 12, 8, 3, moved))
        found = least_expected_loss(draws, loss_of(word, 8), np.random.default_rng(1))
        least = exhaustive(draws, word)
        assert expected(draws, found, word) == pytest.approx(least, abs=1e-10)


@pytest.mark.parametrize("word", ["vi", "binder"])
def test_no_single_row_lowers_the_expected_loss_elsewhere(word):
    rng = np.random.default_rng(3)
    draws = drawn(draws_around(rng, 50, 60, 5, 0.4))
    found = least_expected_loss(draws, loss_of(word, 60), np.random.default_rng(1))
    least = expected(draws, found, word)
    plain = np.mean([PLAIN[word](found, each) for each in draws.labels])
    assert least == pytest.approx(plain, abs=1e-9 * max(plain, 1.0))
    for i in range(0, 60, 5):
        for k in range(found.max() + 2):
            moved = found.copy()
            moved[i] = k
            moved = np.unique(moved, return_inverse=True)[1]
            assert expected(draws, moved, word) >= least - 1e-9


@pytest.mark.parametrize("word", ["vi", "binder"])
def test_clear_clusters_are_found_whatever_their_labels(word):
    rng = np.random.default_rng(4)
    truth = rng.integers(12, size=300)
    draws = drawn(np.array([rng.permutation(12)[truth] for _ in range(40)]))
    found = least_expected_loss(draws, loss_of(word, 300), np.random.default_rng(1))
    np.testing.assert_array_equal(found, in_order(truth))
    assert expected(draws, found, word) == pytest.approx(0.0, abs=1e-9)


def test_more_clusters_than_in_any_draw_may_be_best():
    # Of each pair of rows that are together in a draw, most are apart in most draws.
    rng = np.random.default_rng(5)
    draws = drawn(np.array([rng.permutation(np.repeat([0, 1, 2], 20)) for _ in range(60)]))
    found = least_expected_loss(draws, loss_of("binder", 60), np.random.default_rng(1))
    assert found.max() + 1 > 3


def test_threads_change_nothing_and_seeds_decide():
    rng = np.random.default_rng(6)
    draws = drawn(draws_around(rng, 40, 50, 4, 0.7))
    loss = loss_of("binder", 50)
    one, two, five = (
        least_expected_loss(draws, loss, np.random.default_rng(7), threads=threads)
        for threads in (1, 2, 5)
    )
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, five)


def test_labels_begin_with_the_largest_cluster():
    labels = in_order(np.array([7, 3, 3, 9, 9, 7, 9]))
    np.testing.assert_array_equal(labels, [1, 2, 2, 0, 0, 1, 0])


def test_the_core_refuses_what_does_not_fit():
    draws, h, none = np.zeros((3, 4), dtype=np.int64), np.zeros(5), np.empty(0, dtype=np.int64)
    for wrong in (
        (draws, 0, h, none, 0, 1),
        (draws, 1, h[:-1], none, 0, 1),
        (draws, 1, h, draws[0, :2], 0, 1),
        (draws, 1, h, draws[0] + 4, 0, 1),
        (draws[:0], 1, h, none, 0, 1),
    ):
        with pytest.raises(ValueError, match="must be"):
            native.search_partition(*wrong)
