"""Held parameters: no bit of them moves, and EM climbs to the maximum over the others."""

import numpy as np
import pytest
from cases import (
    IN_NO_TIME,
    StopRule,
    as_mixture,
    dense,
    fit,
    one_pass,
    overlapping,
    random_parameters,
)
from scipy.optimize import minimize
from tolerances import ASCENT, SAME_OPTIMUM

from bayesgmm.covariance.structures import as_structure
from bayesgmm.em.loop import maximise
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.held_parameters import HeldParameters
from bayesgmm.priors.objective import Objective

KINDS = ["weight", "weights", "mean", "entry", "entries", "covariances", "several"]


def held_at(theta, kind, structure):
    """Some of the parameters of a mixture; of structures that share a part, all covariances."""
    k, d = theta.means.shape
    weights, means = np.full(k, np.nan), np.full((k, d), np.nan)
    covariances = np.full_like(theta.covariances, np.nan)
    if kind in ("weight", "several"):
        weights[0] = theta.weights[0]
    if kind == "weights":
        weights = theta.weights.copy()
    if kind == "mean":
        means[0] = theta.means[0]
    if kind == "entry":
        means[0, 0] = theta.means[0, 0]
    if kind in ("entries", "several"):
        means[:, 0] = theta.means[:, 0]
    if kind == "covariances":
        of = slice(None) if "E" in structure.code else slice(1)
        covariances[of] = theta.covariances[of]
    return HeldParameters(weights, means, covariances)


def run_held(x, theta, structure, held, rule=IN_NO_TIME, accelerate=True):
    return maximise(Rows(x), Objective(structure, held=held), theta, rule, accelerate=accelerate)


def assert_held(held, parameters):
    for value, found in zip((held.weights, held.means, held.covariances), parameters, strict=True):
        at = ~np.isnan(value)
        assert np.array_equal(found[at], value[at])


@pytest.mark.parametrize("accelerate", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_never_loses_likelihood_and_moves_nothing_held(structure, kind, accelerate):
    rng = np.random.default_rng([KINDS.index(kind), 7])
    truth = random_parameters(structure, rng, 3, 2, spread=2.0)
    x, _ = as_mixture(truth).sample(300, rng=rng)
    start = random_parameters(structure, rng, 3, 2)
    held = held_at(start, kind, structure)
    run = run_held(x, start, structure, held, StopRule(max_e_steps=200), accelerate)
    values = run.trace
    assert ((values[:-1] - values[1:]) / (ASCENT * abs(values[:-1]))).max() <= 1.0
    assert values[-1] > values[0]
    assert run.trace[-1] == one_pass(x, run.parameters).log_likelihood
    assert_held(held, run.parameters)
    assert abs(run.parameters.weights.sum() - 1.0) <= 1e-15 * 3


# --- against brute force --------------------------------------------------------------------------


def chart(structure, held):
    """Mixtures of two features by a vector of free parameters, and its length."""
    k, _ = held.means.shape
    masks = held.masks
    counts = {"I": 0, "E": 1, "V": k}
    sizes = [counts[letter] for letter in structure.code]
    if masks[2].all():
        sizes = [0, 0, 0]
    free = int((~masks[0]).sum()), int((~masks[1]).sum())

    def mixture(u):
        logits, entries, volumes, shapes, angles = np.split(u, np.cumsum([*free, *sizes])[:-1])
        weights, means = held.weights.copy(), held.means.copy()
        if free[0]:
            shares = np.exp(logits - logits.max())
            weights[~masks[0]] = (1.0 - np.nansum(weights)) * shares / shares.sum()
        means[~masks[1]] = entries
        volumes, shapes, angles = (
            np.broadcast_to(each if each.size else 0.0, k) for each in (volumes, shapes, angles)
        )
        axes = np.array([[np.cos(angles), np.sin(angles)], [-np.sin(angles), np.cos(angles)]])
        values = np.exp(volumes + np.array([shapes, -shapes]))
        found = np.einsum("jik,jk,jlk->kil", axes, values, axes)
        known = dense(np.where(np.isnan(held.covariances), 1.0, held.covariances))
        return weights, means, np.where(masks[2][:, None, None], known, found)

    return mixture, sum(free) + sum(sizes)


def log_likelihood(x, weights, means, covariances):
    step = x[:, None] - means
    squares = np.einsum("nki,kij,nkj->nk", step, np.linalg.inv(covariances), step)
    logs = np.log(weights) - 0.5 * squares - 0.5 * np.log(np.linalg.det(covariances))
    most = logs.max(axis=1)
    total = most + np.log(np.exp(logs - most[:, None]).sum(axis=1))
    return total.sum() - len(x) * np.log(2.0 * np.pi)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_ends_at_the_maximum_that_brute_force_finds(structure, kind):
    rng = np.random.default_rng([KINDS.index(kind), 11])
    x = overlapping(rng, 250, 2, separation=4.0)
    x[:80] = x[:80] @ [[1.0, 0.6], [0.0, 0.7]]
    theta = random_parameters(structure, rng, 2, 2)
    theta = theta._replace(means=np.array([[3.8, 2.3], [0.2, -0.1]]))
    held = held_at(theta, kind, structure)
    run = run_held(x, theta, structure, held)
    assert run.converged
    mixture, size = chart(structure, held)

    def loss(u):
        return -log_likelihood(x, *mixture(u)) / len(x)

    # Near the start, so that both climb the same hill.
    free = np.concatenate(
        (np.log(theta.weights[np.isnan(held.weights)]), theta.means[np.isnan(held.means)])
    )
    u = np.concatenate((free, 0.1 * rng.standard_normal(size - free.size)))
    for _ in range(2):
        u = minimize(loss, u, method="BFGS", options={"gtol": 1e-7, "maxiter": 2000}).x
    best = -loss(u) * len(x)
    assert abs(best - run.log_likelihood) <= 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_plain_and_accelerated_runs_end_at_the_same_maximum(structure, kind):
    rng = np.random.default_rng(KINDS.index(kind))
    x = overlapping(rng, 600, 3, separation=3.0)
    start = random_parameters(structure, rng, 2, 3)
    start = start._replace(means=np.array([[2.8, 0.1, -0.1], [0.1, 0.1, 0.0]]))
    held = held_at(start, kind, structure)
    plain = run_held(x, start, structure, held, accelerate=False)
    fast = run_held(x, start, structure, held)
    assert plain.converged
    assert fast.converged
    assert abs(plain.log_likelihood - fast.log_likelihood) <= SAME_OPTIMUM


def test_all_held_is_one_pass(structure):
    rng = np.random.default_rng(1)
    theta = random_parameters(structure, rng, 3, 2)
    x, _ = as_mixture(theta).sample(200, rng=rng)
    run = run_held(x, theta, structure, HeldParameters(*theta))
    assert run.converged
    assert run.log_likelihood == one_pass(x, theta).log_likelihood
    assert_held(HeldParameters(*theta), run.parameters)
    # Also where a component has no rows at all.
    far = theta._replace(means=theta.means + np.array([[1e6], [0.0], [0.0]]))
    run = run_held(x, far, structure, HeldParameters(*far))
    assert run.converged
    assert run.statistics.counts[0] == 0.0


def test_nothing_held_is_a_plain_fit(structure):
    rng = np.random.default_rng(2)
    start = random_parameters(structure, rng, 3, 2)
    x, _ = as_mixture(start).sample(200, rng=rng)
    free = HeldParameters(*(np.full_like(each, np.nan) for each in start))
    plain, same = fit(x, start, structure), run_held(x, start, structure, free)
    for one, other in zip(plain.parameters, same.parameters, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-9)


def test_free_entries_of_a_mean_follow_the_covariance():
    # mu_f = xbar_f + P_ff^-1 P_fh (xbar_h - mu_h)
    rng = np.random.default_rng(3)
    x = rng.standard_normal((100, 3)) @ rng.standard_normal((3, 3))
    sigma = np.cov(x.T, bias=True) * 1.3
    means = np.array([[np.nan, 0.7, np.nan]])
    held = HeldParameters(np.full(1, np.nan), means, sigma[None])
    start = Parameters(np.ones(1), np.array([[0.0, 0.7, 0.0]]), sigma[None])
    run = run_held(x, start, as_structure("VVV"), held)
    p, free, xbar = np.linalg.inv(sigma), [0, 2], x.mean(axis=0)
    expected = xbar[free] + np.linalg.solve(p[np.ix_(free, free)], p[free, 1] * (xbar[1] - 0.7))
    np.testing.assert_allclose(run.parameters.means[0, free], expected, atol=1e-12)
