"""Mixtures drawn from the prior: their parameters have the distributions that the prior names."""

import numpy as np
import pytest
from scipy import stats

from bayesgmm import LKJ, Gamma, InverseGamma, InverseWishart, Priors, Wishart
from bayesgmm.calibration.prior_draws import draw_mixture

ROWS = {d: np.array([[-0.5] * d, [0.5] * d]) for d in (1, 2, 3)}


def drawn(priors, k, d, structure, size=500):
    resolved, rng = priors.for_data(ROWS[d], k, structure), np.random.default_rng(7)
    mixtures = [draw_mixture(resolved, rng) for _ in range(size)]
    names = ("weights", "means", "covariances")
    return (np.array([getattr(each, name) for each in mixtures]) for name in names)


def fits(values, distribution):
    return stats.kstest(np.ravel(values), distribution.cdf).pvalue > 1e-3


def test_weights_and_means():
    priors = Priors(concentration=[1.0, 3.0], mean_location=[[0.0], [5.0]], mean_sd=[2.0])
    weights, means, _ = drawn(priors, 2, 1, "diag")
    assert fits(weights[:, 0], stats.beta(1.0, 3.0))
    assert fits(means[:, 0, 0], stats.norm(0.0, 2.0))
    assert fits(means[:, 1, 0], stats.norm(5.0, 2.0))


@pytest.mark.parametrize("structure", ["full", "tied"])
@pytest.mark.parametrize("learned", [False, True])
def test_matrices(structure, learned):
    scale = np.array([[2.0, 0.5], [0.5, 1.0]])
    family = InverseWishart(6.0, Wishart(4.0, scale) if learned else scale)
    _, _, covariances = drawn(Priors(covariances=family), 2, 2, structure)
    # C_11 / Sigma_11 is chi-squared of nu - D + 1 degrees of freedom, C_11 / V_11 of p.
    ratio = covariances[:, 0, 0, 0] / scale[0, 0]
    expected = stats.f(4, 5, scale=4 / 5) if learned else stats.invgamma(2.5, scale=0.5)
    assert fits(ratio, expected)
    assert (covariances[:, 0] == covariances[:, 1]).all() == (structure == "tied")


@pytest.mark.parametrize("structure", ["diag", "spherical"])
@pytest.mark.parametrize("learned", [False, True])
def test_variances(structure, learned):
    family = InverseGamma(3.0, Gamma(2.0, 5.0) if learned else 5.0)
    _, _, covariances = drawn(Priors(covariances=family), 2, 2, structure)
    first, second = covariances[:, 1, 0, 0], covariances[:, 1, 1, 1]
    # beta ~ Gamma(2, 5), and sigma^2 = beta / Gamma(3, 1).
    expected = stats.f(4, 6, scale=2 / 5 / 3) if learned else stats.invgamma(3.0, scale=5.0)
    assert fits(first, expected)
    assert fits(second, expected)
    assert (first == second).all() == (structure == "spherical")
    assert (covariances[:, :, 0, 1] == 0.0).all()


def test_scales_and_correlations_apart():
    family = LKJ(eta=1.5, log_scale_location=[0.0, 1.0, 2.0], log_scale_spread=0.5)
    _, _, covariances = drawn(Priors(covariances=family), 2, 3, "full")
    sd = np.sqrt(np.diagonal(covariances, axis1=2, axis2=3))
    correlations = covariances / sd[..., np.newaxis] / sd[..., np.newaxis, :]
    for i in range(3):
        assert fits(np.log(sd[:, 0, i]), stats.norm(i, 0.5))
        for j in range(i):
            # Each correlation of D = 3 has a beta density with eta + D / 2 - 1.
            assert fits(0.5 * correlations[:, 0, i, j] + 0.5, stats.beta(2.0, 2.0))


def test_ordered_means_are_those_of_the_exchangeable_prior_sorted():
    weights, means, _ = drawn(Priors(mean_location=[0.0], mean_sd=[1.0], ordered=0), 2, 1, "diag")
    assert (np.diff(means[:, :, 0]) > 0.0).all()
    assert fits(weights[:, 0], stats.beta(2.0, 2.0))
    # The least of two: P(min <= x) = 1 - (1 - Phi(x))^2.
    assert stats.kstest(means[:, 0, 0], lambda x: 1 - stats.norm.sf(x) ** 2).pvalue > 1e-3
