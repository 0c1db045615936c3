"""Bridge sampling of constants that are known."""

import numpy as np
import pytest
from scipy.special import logsumexp

from bayesgmm.marginal_likelihood.bridge import _log_ratio, bridge


def estimate(rng, stays):
    """Log Z and its error of exp(-x^2 / 2) by N(0.5, 1.2^2); chains stay where they are."""

    def ratio(x):
        z = (x - 0.5) / 1.2
        return -0.5 * x**2 + 0.5 * z**2 + np.log(1.2) + 0.5 * np.log(2.0 * np.pi)

    draws = np.repeat(rng.standard_normal((50, 20 // stays)), stays, axis=1)
    return bridge(ratio(draws), ratio(0.5 + 1.2 * rng.standard_normal(1000)))


@pytest.mark.parametrize("stays", [1, 20])
def test_the_constant_is_found_with_its_error(stays):
    rng = np.random.default_rng(stays)
    found = [estimate(rng, stays) for _ in range(30)]
    errors = np.array([each.value - 0.5 * np.log(2.0 * np.pi) for each in found])
    ses = np.array([each.se for each in found])
    assert np.abs(errors.mean()) < 4.0 * errors.std() / np.sqrt(30)
    assert 0.7 < errors.std() / np.sqrt(np.mean(ses**2)) < 1.4


def test_equal_densities_have_no_error():
    value, se = bridge(np.full((10, 5), 3.5), np.full(100, 3.5))
    assert value == pytest.approx(3.5, abs=1e-9)
    assert se < 1e-9


def test_the_constant_is_that_of_meng_and_wongs_iteration():
    rng = np.random.default_rng(5)
    # Two densities that hardly meet: few draws of either count.
    of_chains, of_proposals = (
        30.0 + 9.0 * rng.standard_normal((40, 25)),
        rng.normal(-20.0, 20.0, 500),
    )
    value = 0.0
    for _ in range(3000):
        above = of_proposals - np.logaddexp(np.log(2 / 3) + of_proposals - value, np.log(1 / 3))
        below = -np.logaddexp(np.log(2 / 3) + of_chains - value, np.log(1 / 3))
        value = logsumexp(above) - np.log(500) - logsumexp(below) + np.log(1000)
    assert _log_ratio(of_chains.ravel(), of_proposals, 1000.0) == pytest.approx(value, abs=1e-8)
