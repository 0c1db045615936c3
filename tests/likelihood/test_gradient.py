"""The gradient against a reference of 40 digits, against differences, and its refusals."""

import mpmath
import numpy as np
import pytest
from plain_statistics import random_mixture_arrays
from tolerances import DIFFERENCES, SCORE

from bayesgmm.errors import InputError
from bayesgmm.likelihood.em_steps import Rows, e_step
from bayesgmm.likelihood.gradient import score
from bayesgmm.likelihood.statistics import Statistics
from bayesgmm.mixture.mixture import Mixture


def exact_log_likelihood(x, weights, means, covariances):
    """sum_b log sum_k w_k N(x_b; mu_k, Sigma_k) in mpmath numbers; weights need not sum to 1."""
    d = len(x[0])
    parts = []
    for k in range(len(weights)):
        covariance = mpmath.matrix(covariances[k])
        inverse = covariance**-1
        log_constant = -(d * mpmath.log(2 * mpmath.pi) + mpmath.log(mpmath.det(covariance))) / 2
        parts.append((weights[k], means[k], inverse, log_constant))
    total = mpmath.mpf(0)
    for row in x:
        density = mpmath.mpf(0)
        for weight, mean, inverse, log_constant in parts:
            z = [row[j] - mean[j] for j in range(d)]
            q = sum(z[i] * inverse[i, j] * z[j] for i in range(d) for j in range(d))
            density += weight * mpmath.exp(log_constant - q / 2)
        total += mpmath.log(density)
    return total


def as_exact(array):
    return [as_exact(each) for each in array] if np.ndim(array) else mpmath.mpf(float(array))


@pytest.mark.parametrize(("k", "d"), [(1, 1), (3, 1), (2, 2), (3, 2), (2, 3)])
def test_score_equals_a_high_precision_derivative(k, d):
    rng = np.random.default_rng([k, d])
    mixture = Mixture(*random_mixture_arrays(rng, k, d))
    x = 1.5 * rng.standard_normal((5, d))
    found = score(e_step(x, mixture), mixture)
    with mpmath.workdps(40):
        rows = as_exact(x)
        h = mpmath.mpf(10) ** -12

        def derivative(name, *places):
            """Along a unit change of one entry, or of a symmetric pair."""
            values = []
            for sign in 1, -1:
                arrays = {
                    each: as_exact(getattr(mixture, each))
                    for each in ("weights", "means", "covariances")
                }
                for *path, last in places:
                    target = arrays[name]
                    for step in path:
                        target = target[step]
                    target[last] += sign * h
                values.append(exact_log_likelihood(rows, **arrays))
            return float((values[0] - values[1]) / (2 * h))

        scale = max(abs(found.weights).max(), abs(found.means).max(), abs(found.covariances).max())
        for a in range(k):
            assert abs(found.weights[a] - derivative("weights", (a,))) <= SCORE * scale
            for i in range(d):
                assert abs(found.means[a, i] - derivative("means", (a, i))) <= SCORE * scale
                for j in range(i + 1):
                    pair = {(a, i, j), (a, j, i)}
                    expected = derivative("covariances", *pair) / len(pair)
                    assert abs(found.covariances[a, i, j] - expected) <= SCORE * scale


@pytest.mark.parametrize(("k", "d"), [(1, 1), (3, 1), (2, 2), (4, 5), (3, 9)])
def test_score_equals_central_differences(k, d):
    rng = np.random.default_rng([k, d, 1])
    weights, means, covariances = random_mixture_arrays(rng, k, d)
    mixture = Mixture(weights, means, covariances)
    x, _ = mixture.sample(400, rng=rng)
    found = score(e_step(x, mixture), mixture)
    rows = Rows(x)
    for _ in range(5):
        # Along the simplex: the pass itself does not ask weights to sum to 1, nor does the score.
        dw = weights * rng.standard_normal(k)
        dm = rng.standard_normal((k, d))
        dc = rng.standard_normal((k, d, d))
        dc = 0.1 * (dc + dc.mT)

        def at(t, dw=dw, dm=dm, dc=dc):
            return rows.e_step(weights + t * dw, means + t * dm, covariances + t * dc)

        h = 1e-3
        values = [at(t).log_likelihood for t in (-2 * h, -h, h, 2 * h)]
        difference = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)
        pieces = [found.weights * dw, found.means * dm, found.covariances * dc]
        expected = sum(each.sum() for each in pieces)
        scale = sum(abs(each).sum() for each in pieces)
        assert abs(difference - expected) <= DIFFERENCES * scale


def test_score_of_covariances_is_symmetric():
    rng = np.random.default_rng(3)
    mixture = Mixture(*random_mixture_arrays(rng, 3, 6))
    gradient = score(e_step(rng.standard_normal((500, 6)), mixture), mixture).covariances
    assert np.array_equal(gradient, gradient.mT)


def test_one_gaussian_at_its_estimate_has_no_slope():
    x = np.random.default_rng(4).standard_normal((300, 3)) @ np.diag([1.0, 5.0, 0.1])
    mixture = Mixture([1.0], [x.mean(axis=0)], [np.cov(x.T, bias=True)])
    found = score(e_step(x, mixture), mixture)
    deviations = np.sqrt(np.diagonal(mixture.covariances[0]))
    # In units of standard errors of a row, of which there are 300.
    assert (abs(found.means * deviations) <= 300 * SCORE).all()
    assert (abs(found.covariances * np.outer(deviations, deviations)) <= 300 * SCORE).all()
    assert found.weights == pytest.approx([300.0], rel=SCORE)


def test_score_refuses_statistics_of_another_mixture():
    rng = np.random.default_rng(5)
    arrays = random_mixture_arrays(rng, 2, 2)
    mixture = Mixture(*arrays)
    x = rng.standard_normal((50, 2))
    moved = Mixture(arrays[0], arrays[1] + 1e-9, arrays[2])
    with pytest.raises(InputError, match="other means"):
        score(e_step(x, moved), mixture)


def test_score_refuses_diagonal_statistics():
    rng = np.random.default_rng(6)
    mixture = Mixture(*random_mixture_arrays(rng, 2, 2))
    full = e_step(rng.standard_normal((50, 2)), mixture)
    diagonal = Statistics(
        full.centres,
        full.log_likelihood,
        full.weight,
        full.counts,
        full.firsts,
        np.einsum("kii->ki", full.seconds),
    )
    with pytest.raises(InputError, match="diagonals"):
        score(diagonal, mixture)


def test_a_score_beyond_float64_is_refused():
    mixture = Mixture([0.5, 0.5], [0.0, 5e-150], [1e-300, 1e-300])
    x, _ = mixture.sample(30, rng=0)
    found = e_step(x, mixture, sample_weight=np.full(30, 1e300))
    with pytest.raises(InputError, match="beyond float64"):
        score(found, mixture)
