"""Intervals of relabelled posteriors cover the truth as often as they say."""

import numpy as np
import pytest
from scipy import stats
from studies import size

from bayesgmm import random_mixture, recovery, relabel, sample_posterior, simulate

FALSE_ALARM = 1e-4


def hits(data_sets, seed):
    """Whether 90 % intervals cover weights (3) and means (6), of truths that are drawn anew."""
    covered = []
    for child in np.random.SeedSequence(seed).spawn(data_sets):
        for_truth, for_rows, for_draws = np.random.default_rng(child).spawn(3)
        truth = random_mixture(3, 2, average_overlap=0.01, rng=for_truth)
        simulation = simulate(truth, 1000, rng=for_rows)
        posterior = sample_posterior(
            simulation.X,
            3,
            draws=200,
            tune=200,
            chains=2,
            with_log_likelihood=False,
            rng=for_draws,
            progressbar=False,
        )
        found = recovery(relabel(posterior), simulation, prob=0.9)
        assert found.notes == ()
        covered.append(found.table["covered"].to_numpy()[:9])
    return np.array(covered, dtype=bool)


def hits_where_parts_are_shared(data_sets, seed):
    """The same for weights and means of two components, in turn of each structure."""
    covered = []
    codes = ["VEI", "EVI", "VEE", "EVV", "EVE", "VVE", "EEV", "VEV"]
    for turn, child in enumerate(np.random.SeedSequence(seed).spawn(data_sets)):
        for_truth, for_rows, for_draws = np.random.default_rng(child).spawn(3)
        code = codes[turn % len(codes)]
        truth = random_mixture(2, 2, average_overlap=0.01, covariance_type=code, rng=for_truth)
        simulation = simulate(truth, 800, rng=for_rows)
        posterior = sample_posterior(
            simulation.X, 2, covariance_type=code, draws=200, tune=200, chains=2, rng=for_draws,
            with_log_likelihood=False, progressbar=False,
        )  # fmt: skip
        found = recovery(relabel(posterior), simulation, prob=0.9)
        covered.append(found.table["covered"].to_numpy()[:6])
    return np.array(covered, dtype=bool)


def assert_covered(found):
    """Hits (data sets, 9) are those of 90 % intervals; a false alarm in 10,000 runs.

    Intervals of one data set depend on one another. So the share of all is held to the error of
    the data sets' shares; and each of the nine, of which data sets are independent, to the
    binomial. Half the false alarms are for either.
    """
    n, parameters = found.shape
    shares = found.mean(axis=1)
    reach = stats.t.ppf(1.0 - FALSE_ALARM / 4, n - 1)
    assert abs(shares.mean() - 0.9) <= reach * shares.std(ddof=1) / np.sqrt(n)
    one = FALSE_ALARM / 4 / parameters
    counts = found.sum(axis=0)
    assert counts.min() >= stats.binom.ppf(one, n, 0.9)
    assert counts.max() <= stats.binom.isf(one, n, 0.9)


@pytest.mark.slow
def test_intervals_cover():
    assert_covered(hits(size(ci=20, full=50), seed=32))


@pytest.mark.slow
def test_intervals_cover_where_components_share_parts_of_covariances():
    assert_covered(hits_where_parts_are_shared(size(ci=16, full=32), seed=33))


def test_the_bound_refuses_intervals_that_are_too_short_or_too_long():
    rng = np.random.default_rng(0)
    for share, reach in ((0.7, 100), (0.99, 400)):
        with pytest.raises(AssertionError):
            assert_covered(rng.random((reach, 9)) < share)
