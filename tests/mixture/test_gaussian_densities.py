"""Log densities against a 50-digit reference that takes every float64 as exact."""

import mpmath
import numpy as np
import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.gaussian_densities import log_sum_exp, split, two_sum
from bayesgmm.mixture.mixture import Mixture

mpmath.mp.dps = 50


def cholesky(matrix):
    # mpmath's own refuses matrices whose entries are all below its epsilon.
    size = len(matrix)
    L = mpmath.zeros(size)
    for i in range(size):
        for j in range(i + 1):
            rest = mpmath.mpf(float(matrix[i, j])) - sum(L[i, m] * L[j, m] for m in range(j))
            L[i, j] = mpmath.sqrt(rest) if i == j else rest / L[j, j]
    return L


def reference_log_density(mixture, X):
    size = mixture.n_features
    factors = [cholesky(covariance) for covariance in mixture.covariances]
    result = []
    for x in X:
        density = mpmath.mpf(0)
        for weight, mean, L in zip(mixture.weights, mixture.means, factors, strict=True):
            y = []
            for i in range(size):
                z = mpmath.mpf(float(x[i])) - mpmath.mpf(float(mean[i]))
                y.append((z - sum(L[i, j] * y[j] for j in range(i))) / L[i, i])
            log_root = sum(mpmath.log(L[i, i]) for i in range(size))
            exponent = -(size * mpmath.log(2 * mpmath.pi) + sum(v * v for v in y)) / 2 - log_root
            density += mpmath.mpf(float(weight)) * mpmath.exp(exponent)
        result.append(mpmath.log(density))
    return result


def rotated(rng, size, condition, scales):
    Q = np.linalg.qr(rng.standard_normal((size, size)))[0]
    spectrum = np.geomspace(1, 1 / condition, size) if size > 1 else np.ones(1)
    covariance = (Q * spectrum) @ Q.T * scales * scales[:, None]
    return (covariance + covariance.T) / 2


@pytest.mark.parametrize("grading", [0, 3, 140])
# The promise ends at 1e8; at 1e11 the test sees each of the corrections that keep it.
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8, 1e11])
@pytest.mark.parametrize("size", range(1, 9))
def test_log_density_keeps_twelve_digits(size, condition, grading):
    rng = np.random.default_rng([size, int(condition), grading])
    scales = 10.0 ** rng.uniform(-grading, grading, size)
    covariances = np.array([rotated(rng, size, condition, scales) for _ in range(3)])
    mixture = Mixture([0.2, 0.3, 0.5], scales * rng.standard_normal((3, size)), covariances)
    near, _ = mixture.sample(3, rng=rng)
    X = np.vstack([near, scales * rng.standard_normal((2, size))])
    for value, exact in zip(mixture.log_density(X), reference_log_density(mixture, X), strict=True):
        assert abs((mpmath.mpf(float(value)) - exact) / exact) < 1e-12


@pytest.mark.parametrize("offset", [1e8, -3e12])
def test_log_density_keeps_twelve_digits_at_an_offset(offset):
    rng = np.random.default_rng(5)
    covariance = rotated(rng, 4, 1e8, np.ones(4))
    mixture = Mixture([1.0], [offset + rng.standard_normal(4)], [covariance])
    X = offset + rng.standard_normal((5, 4))
    for value, exact in zip(mixture.log_density(X), reference_log_density(mixture, X), strict=True):
        assert abs((mpmath.mpf(float(value)) - exact) / exact) < 1e-12


def test_split_is_exact_and_heads_multiply_without_rounding():
    rng = np.random.default_rng(3)
    a = rng.standard_normal((7, 50)) * 10.0 ** rng.uniform(-5, 5, (7, 50))
    b = rng.standard_normal((50, 6)) * 10.0 ** rng.uniform(-5, 5, (50, 6))
    a_head, a_tail = split(a, axis=1)
    b_head, b_tail = split(b, axis=0)
    assert np.array_equal(a_head + a_tail, a)
    assert np.array_equal(b_head + b_tail, b)
    assert np.any(a_tail != 0)
    product = a_head @ b_head
    for i in range(7):
        for j in range(6):
            terms = zip(a_head[i], b_head[:, j], strict=True)
            exact = sum(mpmath.mpf(float(p)) * mpmath.mpf(float(q)) for p, q in terms)
            assert mpmath.mpf(float(product[i, j])) == exact


def test_two_sum_loses_nothing():
    total, rest = two_sum(np.array([1.0, 1e-30]), np.array([1e-20, 1.0]))
    assert total.tolist() == [1.0, 1.0]
    assert rest.tolist() == [1e-20, 1e-30]


def test_matrices_singular_to_rounding_give_no_nan():
    rng = np.random.default_rng(6)
    accepted = 0
    for _ in range(400):
        covariance = rotated(rng, 12, 10.0 ** rng.uniform(14, 18), np.ones(12))
        try:
            mixture = Mixture([1.0], [np.zeros(12)], [covariance])
        except InvalidParameterError:
            continue
        accepted += 1
        log_density = mixture.log_density(rng.standard_normal((4, 12)))
        assert np.isfinite(log_density).all()
        assert np.isfinite(mixture.sample(5, rng=0)[0]).all()
    assert 0 < accepted < 400


def test_blocks_do_not_change_the_result(mixture):
    X = np.random.default_rng(1).standard_normal((30_000, 3))
    whole = mixture.log_density(X)
    assert np.array_equal(whole[:10], mixture.log_density(X[:10]))
    assert np.allclose(whole[-5:], mixture.log_density(X[-5:]), rtol=1e-14, atol=0)


def test_log_sum_exp_at_the_ends():
    table = np.array([[-np.inf, -np.inf], [1000.0, 1000.0], [-np.inf, -2.0]])
    assert log_sum_exp(table).tolist() == [-np.inf, 1000.0 + np.log(2.0), -2.0]
