"""The predictive check of a mixture with noise."""

import numpy as np
from noisy_rows import TWO, with_noise

from bayesgmm import GaussianMixture, Noise, load_dataset
from bayesgmm.diagnostics.predictive_check import check


def test_replicates_with_noise_keep_the_level():
    """The truth is rejected about as often as it should be, and a mixture without noise always."""
    values = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = Noise(0.1, np.array([-3.0, -10.0]), np.array([10.0, 160.0]))
        m = rng.binomial(400, noise.weight)
        x = np.concatenate((TWO.sample(400 - m, rng=rng)[0], noise.sample(m, rng)))
        values.append(check(x, TWO, noise=noise, seed=seed).p_value)
        assert check(x, TWO, seed=seed).p_value < 0.05
    # A binomial number of 20 with probability .05 exceeds 5 in 3 of 10,000 cases.
    assert sum(each < 0.05 for each in values) <= 5
    assert np.median(values) > 0.2


def test_the_box_of_the_rows_does_not_make_their_extremes_extreme():
    x, _ = with_noise(0, 400, 40)
    noise = Noise(0.09, *(each(axis=0) for each in (x.min, x.max)))
    assert np.abs(check(x, TWO, noise=noise).z[:, 3:]).max() < 3.0


def test_limits_are_the_same_in_both_units():
    fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
    found = check(load_dataset("faithful").X, fit.mixture_)
    inside = (found.low <= found.observed) & (found.observed <= found.high)
    in_deviations = (found.low_z <= found.z) & (found.z <= found.high_z)
    np.testing.assert_array_equal(inside, in_deviations)
    assert (found.low_z < 0.0).all()
    assert (found.high_z > 0.0).all()
