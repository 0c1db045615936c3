"""What a run says of itself when it ends: converged, and how much is still to be gained.

The data are two components at two standard deviations, where EM is slow: scikit-learn's rule stops
a good part of a nat short here and calls it converged.
"""

import numpy as np
import pytest
from cases import StopRule, fit, one_step, overlapping, random_parameters
from tolerances import PROMISE

from bayesgmm.covariance.structures import as_structure
from bayesgmm.likelihood.statistics import Parameters

N = 2000
# Plain E-steps after the run's end; what they gain is what the run left.
E_STEPS = 4000
# How well the likelihood that is left is known, and the rounding of two sums of 6000 nats.
FACTOR, ROUNDING = 10.0, 1e-11


def start_and_rows(structure, seed, d):
    rng = np.random.default_rng([seed, d, 11])
    x = overlapping(rng, N, d, separation=2.0)
    start = random_parameters(structure, rng, 2, d)
    means = np.zeros((2, d))
    means[:, 0] = 2.0, 0.0
    return x, Parameters(np.array([0.4, 0.6]), means, start.covariances)


def left_over(x, structure, run):
    """Nats that many plain E-steps still gain, without any rule that could end them early."""
    more = fit(
        x,
        run.parameters,
        structure,
        StopRule(remaining=-1.0, max_e_steps=E_STEPS),
        accelerate=False,
    )
    assert more.n_e_steps == E_STEPS
    return more.log_likelihood - run.log_likelihood


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("remaining", [1e-14, 1e-9])
@pytest.mark.parametrize(("seed", "d"), [(0, 1), (1, 2)])
def test_converged_keeps_its_promise(structure, seed, d, remaining, accelerate):
    x, start = start_and_rows(structure, seed, d)
    rule = StopRule(remaining=remaining, max_e_steps=30_000)
    run = fit(x, start, structure, rule, accelerate=accelerate)
    assert run.converged
    assert run.remaining <= remaining
    assert left_over(x, structure, run) <= PROMISE


@pytest.mark.parametrize("remaining", [1e-4, 1e-6])
@pytest.mark.parametrize("seed", range(3))
def test_remaining_of_a_plain_run_is_what_remains(structure, seed, remaining):
    x, start = start_and_rows(structure, seed, 2)
    best = fit(x, start, structure).log_likelihood
    rule = StopRule(remaining=remaining, max_e_steps=30_000)
    run = fit(x, start, structure, rule, accelerate=False)
    truth = best - run.log_likelihood
    assert truth / FACTOR - ROUNDING <= run.remaining <= FACTOR * truth + ROUNDING


@pytest.mark.parametrize("remaining", [1e-8, 1e-10])
@pytest.mark.parametrize("seed", range(6))
def test_remaining_of_an_accelerated_run_is_at_least_what_remains(structure, seed, remaining):
    # A step that combines others leaves less in every direction but knows not how much less: its
    # estimate may be far too large, and must not be too small. Looser rules end runs outside the
    # quadratic region, where nothing is promised.
    x, start = start_and_rows(structure, seed, 2)
    best = fit(x, start, structure).log_likelihood
    run = fit(x, start, structure, StopRule(remaining=remaining, max_e_steps=30_000))
    assert run.converged
    assert best - run.log_likelihood <= FACTOR * remaining + ROUNDING


@pytest.mark.parametrize("accelerate", [False, True])
def test_a_run_that_is_cut_short_does_not_call_itself_converged(structure, accelerate):
    x, start = start_and_rows(structure, 3, 2)
    for e_steps in 1, 2, 5:
        run = fit(x, start, structure, StopRule(max_e_steps=e_steps), accelerate=accelerate)
        assert not run.converged
        assert run.n_e_steps == e_steps


def test_the_rule_of_scikit_learn_looks_at_the_change(structure):
    x, start = start_and_rows(structure, 4, 2)
    rule = StopRule(change=1e-5)
    run = fit(x, start, structure, rule, accelerate=False)
    assert run.converged
    changes = np.diff(run.trace) / N
    assert changes[-1] < 1e-5
    assert (changes[:-1] >= 1e-5).all()


def test_many_e_steps_are_plain_em(structure):
    # The yardstick of this file is EM itself.
    x, start = start_and_rows(structure, 5, 2)
    theta = start
    for _ in range(6):
        theta = one_step(x, theta, structure)
    rule = StopRule(remaining=-1.0, max_e_steps=7)
    run = fit(x, start, structure, rule, accelerate=False)
    np.testing.assert_array_equal(run.parameters.means, theta.means)
    np.testing.assert_array_equal(run.parameters.covariances, theta.covariances)


@pytest.mark.parametrize("code", ["VVV", "EVE"])
def test_a_run_ends_where_rounding_is_all_that_is_left_to_gain(code):
    # At D = 150 rounding moves the parameters by more than the default rule leaves to be gained.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 150))
    x[500:] += 0.5
    labels = np.arange(1000) // 500
    means = np.array([x[labels == k].mean(axis=0) for k in (0, 1)])
    covariances = np.array([np.eye(150), np.eye(150)])
    run = fit(x, Parameters(np.full(2, 0.5), means, covariances), as_structure(code), StopRule())
    assert run.converged
    assert run.n_e_steps < 1000
