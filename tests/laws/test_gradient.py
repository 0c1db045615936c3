"""The score is the slope of the likelihood, and zero where EM stands still and nowhere else."""

import numpy as np
import pytest
from cases import (
    StopRule,
    as_mixture,
    dense,
    fit,
    member,
    one_pass,
    one_step,
    overlapping,
    random_direction,
    random_parameters,
)
from tolerances import DIFFERENCES, KERNEL, SCORE

from bayesgmm.covariance.structures import as_structure
from bayesgmm.likelihood.em_steps import e_step
from bayesgmm.likelihood.gradient import score
from bayesgmm.likelihood.statistics import Parameters


def curve(structure, theta, rng):
    """A random curve t -> parameters of the structure that goes through theta at t = 0."""
    k, d = theta.means.shape
    dw = rng.standard_normal(k)
    dm = rng.standard_normal((k, d))
    dc = 0.2 * random_direction(structure, rng, k, d)
    counts = 100 * theta.weights

    def at(t):
        weights = theta.weights * np.exp(t * dw)
        covariances = member(structure, counts, theta.covariances + t * dc)
        return Parameters(weights / weights.sum(), theta.means + t * dm, covariances)

    return at


def slope(values, h):
    """The fourth-order difference quotient of values at -2h, -h, h, 2h."""
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)


def slopes(structure, theta, x, rng):
    """The difference quotient along a random curve, the score's product with it, and its scale."""
    at, h = curve(structure, theta, rng), 1e-3
    points = [at(t) for t in (-2 * h, -h, h, 2 * h)]
    difference = slope([one_pass(x, each).log_likelihood for each in points], h)
    mixture = as_mixture(theta)
    found = score(e_step(x, mixture), mixture)
    products = [
        found.weights * slope([each.weights for each in points], h),
        found.means * slope([each.means for each in points], h),
        found.covariances * slope([dense(each.covariances) for each in points], h),
    ]
    return difference, sum(p.sum() for p in products), sum(abs(p).sum() for p in products)


@pytest.mark.parametrize(("k", "d"), [(1, 2), (2, 1), (3, 2), (2, 4)])
def test_score_is_the_slope_along_the_structure(structure, k, d):
    rng = np.random.default_rng([k, d])
    theta = random_parameters(structure, rng, k, d)
    x, _ = as_mixture(theta).sample(500, rng=rng)
    for _ in range(4):
        difference, product, scale = slopes(structure, theta, x, rng)
        # The differences are of order 4 with derivatives of order n, and round at eps n / h.
        assert abs(difference - product) <= DIFFERENCES * (scale + len(x))


def gain_of_a_step(structure, theta, x):
    """Slope of the likelihood along the EM step from theta, and that step's squared length.

    In the metric of the complete data, in which the two are equal at any theta of the structure
    up to the third order of the step.
    """
    image = one_step(x, theta, structure)
    mixture = as_mixture(theta)
    statistics = e_step(x, mixture)
    found = score(statistics, mixture)
    dw = image.weights - theta.weights
    dm = image.means - theta.means
    dc = dense(image.covariances) - mixture.covariances
    gain = (found.weights * dw).sum() + (found.means * dm).sum() + (found.covariances * dc).sum()
    factors = np.linalg.inv(np.linalg.cholesky(mixture.covariances))
    counts = statistics.counts
    length = (statistics.weight * dw**2 / theta.weights).sum()
    length += (counts * (np.einsum("kij,kj->ki", factors, dm) ** 2).sum(axis=1)).sum()
    length += (0.5 * counts * ((factors @ dc @ factors.mT) ** 2).sum(axis=(1, 2))).sum()
    return gain, length


def maximum(structure, seed, separation=3.0):
    rng = np.random.default_rng(seed)
    x = overlapping(rng, 600, 2, separation)
    start = Parameters(
        np.array([0.4, 0.6]),
        np.array([[separation, 0.0], [0.0, 0.0]]),
        member(structure, np.array([40.0, 60.0]), np.ones((2, 2)))
        if structure.diagonal
        else member(structure, np.array([40.0, 60.0]), np.array([np.eye(2)] * 2)),
    )
    run = fit(x, start, structure, StopRule(remaining=1e-18, max_e_steps=20_000))
    assert run.converged
    return rng, x, run.parameters


def test_where_em_stands_still_the_score_is_zero(structure):
    rng, x, theta = maximum(structure, 1)
    _, length = gain_of_a_step(structure, theta, x)
    assert length <= 1e-15
    mixture = as_mixture(theta)
    found = score(e_step(x, mixture), mixture)
    # Along the simplex a gradient of n in every weight is none.
    assert abs(found.weights - len(x)).max() <= 1e-6 * len(x)
    deviations = np.sqrt(np.einsum("kii->ki", mixture.covariances))
    assert abs(found.means * deviations).max() <= 1e-6 * len(x)
    for _ in range(10):
        _, product, scale = slopes(structure, theta, x, rng)
        assert abs(product) <= 1e-6 * (scale + len(x))


@pytest.mark.parametrize("size", [1e-4, 1e-2])
def test_where_em_moves_the_score_points_along(structure, size):
    rng, x, theta = maximum(structure, 2)
    for _ in range(5):
        moved = curve(structure, theta, rng)(size)
        gain, length = gain_of_a_step(structure, moved, x)
        # Neither is zero, and they agree: zero score and zero step are one thing.
        assert length > 1e-4 * size**2
        assert gain == pytest.approx(length, rel=max(50 * size, 1e-3))


def test_m_step_and_score_are_one_quantity():
    # Xu and Jordan (1996), theorem 1: w+ - w = diag(w)(s - n)/n, mu+ - mu = Sigma s / N and,
    # about the old mean, Sigma+ - Sigma = 2 Sigma S Sigma / N.
    full = as_structure("full")
    rng = np.random.default_rng(3)
    theta = random_parameters(full, rng, 3, 4)
    x = rng.standard_normal((800, 4))
    mixture = as_mixture(theta)
    statistics = e_step(x, mixture)
    found = score(statistics, mixture)
    image = one_step(x, theta, full)
    counts = statistics.counts
    np.testing.assert_allclose(
        theta.weights * (found.weights - 800) / 800, image.weights - theta.weights, atol=KERNEL
    )
    np.testing.assert_allclose(
        np.einsum("kij,kj->ki", theta.covariances, found.means) / counts[:, None],
        image.means - theta.means,
        atol=SCORE,
    )
    step = image.means - theta.means
    np.testing.assert_allclose(
        2 * theta.covariances @ found.covariances @ theta.covariances / counts[:, None, None],
        image.covariances - theta.covariances + step[:, :, None] * step[:, None, :],
        atol=SCORE,
    )
