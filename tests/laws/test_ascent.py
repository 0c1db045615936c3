"""EM never loses likelihood, with and without acceleration, and both end at the same maximum."""

import numpy as np
import pytest
from cases import StopRule, as_mixture, fit, one_pass, one_step, overlapping, random_parameters
from tolerances import ASCENT, KERNEL, SAME_OPTIMUM

from bayesgmm.likelihood.statistics import Parameters


def falls(values):
    """Each fall in units of what rounding may take."""
    values = np.asarray(values)
    return (values[:-1] - values[1:]) / (ASCENT * abs(values[:-1]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("k", "d"), [(2, 1), (3, 2), (2, 4)])
def test_a_plain_step_never_loses_likelihood(structure, k, d, seed):
    rng = np.random.default_rng([k, d, seed])
    x, _ = as_mixture(random_parameters(structure, rng, k, d, spread=2.0)).sample(400, rng=rng)
    theta = random_parameters(structure, rng, k, d)
    values = []
    for _ in range(150):
        values.append(one_pass(x, theta).log_likelihood)
        theta = one_step(x, theta, structure)
    assert falls(values).max() <= 1.0
    assert values[-1] > values[0]


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_a_run_never_loses_likelihood(structure, seed, accelerate):
    rng = np.random.default_rng([seed, 7])
    x, _ = as_mixture(random_parameters(structure, rng, 3, 2, spread=2.0)).sample(400, rng=rng)
    start = random_parameters(structure, rng, 3, 2)
    run = fit(x, start, structure, StopRule(max_e_steps=400), accelerate=accelerate)
    assert falls(run.trace).max() <= 1.0
    # The trace is of the parameters that the run stood at, not a claim.
    assert run.trace[0] == one_pass(x, start).log_likelihood
    assert run.trace[-1] == one_pass(x, run.parameters).log_likelihood
    precise = as_mixture(run.parameters).log_density(x).sum()
    assert run.log_likelihood == pytest.approx(precise, rel=KERNEL)
    assert run.n_e_steps <= 400


@pytest.mark.parametrize("d", [1, 2, 5])
def test_plain_and_accelerated_runs_end_at_the_same_optimum(structure, d):
    # Well apart, so that both stay in the basin of their start.
    rng = np.random.default_rng(d)
    x = overlapping(rng, 800, d, separation=4.0)
    start = random_parameters(structure, rng, 2, d)
    means = np.zeros((2, d))
    means[0, 0] = 4.0
    start = Parameters(start.weights, means, start.covariances)
    plain = fit(x, start, structure, accelerate=False)
    fast = fit(x, start, structure, accelerate=True)
    assert plain.converged
    assert fast.converged
    assert abs(plain.log_likelihood - fast.log_likelihood) <= SAME_OPTIMUM
    np.testing.assert_allclose(plain.parameters.means, fast.parameters.means, atol=1e-5)
    assert fast.n_e_steps <= plain.n_e_steps


def test_an_accelerated_run_ends_in_the_structure(structure):
    rng = np.random.default_rng(5)
    x = overlapping(rng, 500, 3, separation=2.5)
    run = fit(x, random_parameters(structure, rng, 2, 3), structure)
    theta = run.parameters
    counts = 100 * theta.weights
    shaped = counts.reshape(-1, *[1] * (theta.covariances.ndim - 1)) * theta.covariances
    np.testing.assert_allclose(
        structure.covariances(counts, shaped),
        theta.covariances,
        atol=1e-6 * abs(theta.covariances).max(),
    )


def test_one_component_needs_one_step(structure):
    rng = np.random.default_rng(6)
    x = rng.standard_normal((300, 3)) * [1.0, 10.0, 0.1]
    start = random_parameters(structure, rng, 1, 3)
    run = fit(x, start, structure)
    assert run.converged
    np.testing.assert_allclose(run.parameters.means[0], x.mean(axis=0), rtol=1e-10, atol=1e-10)
    best = one_step(x, run.parameters, structure)
    np.testing.assert_allclose(best.covariances, run.parameters.covariances, rtol=1e-9)
    assert run.n_e_steps <= 4
