"""The test that ranks are uniform: against all outcomes of small cases, and in its false alarms."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import binom

from bayesgmm.calibration.uniformity import p_values


def least_tail(ranks, draws):
    tails = []
    for i in range(1, draws + 1):
        below, share = sum(rank < i for rank in ranks), i / (draws + 1)
        at_most, at_least = (
            binom.cdf(below, len(ranks), share),
            binom.sf(below - 1, len(ranks), share),
        )
        tails.append(2 * min(at_most, at_least))
    return min(tails)


@pytest.mark.parametrize(("draws", "n"), [(1, 6), (2, 5), (3, 4)])
def test_p_values_are_the_shares_of_all_outcomes_as_extreme(draws, n):
    outcomes = list(product(range(draws + 1), repeat=n))
    tails = np.array([least_tail(each, draws) for each in outcomes])
    expected = (tails[:, np.newaxis] <= tails * (1 + 1e-9)).mean(axis=0)
    np.testing.assert_allclose(p_values(np.array(outcomes), draws), expected, atol=1e-12)


def test_false_alarms_are_as_frequent_as_the_level():
    ranks = np.random.default_rng(1).integers(20, size=(2000, 100))
    for level in (0.01, 0.05, 0.2):
        alarms = (p_values(ranks, 19) <= level).sum()
        assert binom.cdf(alarms, 2000, level) > 1e-3
        assert binom.sf(alarms - 1, 2000, level) > 1e-3 or alarms <= level * 2000


@pytest.mark.parametrize("wrong", ["shifted", "narrow", "wide"])
def test_ranks_that_are_not_uniform_are_found(wrong):
    z = np.random.default_rng(2).normal(size=(1, 500))
    moved = {"shifted": z + 0.3, "narrow": 0.75 * z, "wide": 1.3 * z}[wrong]
    ranks = np.searchsorted(np.sort(np.random.default_rng(3).normal(size=99)), moved)
    assert p_values(ranks, 99) < 1e-3


def test_ten_thousand_ranks_take_no_longer_than_needed():
    ranks = np.random.default_rng(4).integers(100, size=(1, 10_000))
    assert 0.001 < p_values(ranks, 99)[0] < 1.0
