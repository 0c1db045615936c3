"""Bounds of R-hat that follow from the number of quantities and the length of the chains."""

import numpy as np
import pytest

from bayesgmm.convergence.agreement import AGREE, agreement, longest_stay, statistics


def chains(rng, draws, correlation, quantities=1):
    """Quantities of four stationary chains, by name."""
    noise = rng.standard_normal((quantities, 4, draws))
    out = noise.copy()
    for t in range(1, draws):
        out[..., t] = correlation * out[..., t - 1] + np.sqrt(1 - correlation**2) * noise[..., t]
    return {f"q{i}": each for i, each in enumerate(out)}


@pytest.mark.parametrize(("correlation", "draws"), [(0.0, 200), (0.7, 1000)])
def test_healthy_chains_stay_within_their_bound(correlation, draws):
    """Of 300 quantities some exceed 1.01, none its bound (probability 1e-3)."""
    rng = np.random.default_rng(7)
    quantities = chains(rng, draws, correlation, 300)
    frame = statistics("", quantities)
    assert (frame["r_hat"] > AGREE).any()
    found = agreement(frame, quantities)
    assert found.holds
    assert found.known


def test_a_difference_between_chains_exceeds_the_bound():
    """A shift of one standard deviation in one chain of four, among 300 healthy quantities."""
    rng = np.random.default_rng(8)
    quantities = chains(rng, 400, 0.3, 300)
    quantities["q100"][3] += 1.0
    found = agreement(statistics("", quantities), quantities)
    assert not found.holds
    assert found.quantity == "q100"
    # The bound does not loosen because the chains disagree.
    assert found.bound < 1.04


def test_chains_that_crawl_have_no_bound_of_their_own():
    rng = np.random.default_rng(9)
    quantities = chains(rng, 400, 0.995)
    found = agreement(statistics("", quantities), quantities)
    assert found.bound == AGREE
    assert not found.holds


def test_nothing_is_known_of_single_chains():
    quantities = {"q": np.random.default_rng(1).standard_normal((1, 100))}
    found = agreement(statistics("", quantities), quantities)
    assert not found.known
    assert not found.holds


def test_the_longest_run_of_equal_draws():
    values = np.random.default_rng(2).standard_normal((3, 100, 2))
    values[1, 10:30] = values[1, 10]
    values[2] = values[2, 0]
    np.testing.assert_array_equal(longest_stay(values), [0.0, 0.2, 1.0])
