"""Second derivatives against difference quotients of the score, and against 40 digits."""

import mpmath
import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayesgmm.likelihood.em_steps import e_step
from bayesgmm.likelihood.gradient import score
from bayesgmm.likelihood.information import information, symmetric_basis
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.simulation.random_mixtures import random_mixture


def coordinates(mixture, roots):
    """Mixture from the information's coordinates about a mixture, and the map of the score."""
    k, d = mixture.means.shape
    q = 1 + d + d * (d + 1) // 2
    basis = symmetric_basis(d)

    def at(p):
        p = p.reshape(k, q)
        means = mixture.means + np.einsum("kij,kj->ki", roots, p[:, 1 : 1 + d])
        e = np.eye(d) + np.einsum("ke,eij->kij", p[:, 1 + d :], basis)
        # Weights are free here: a factor of the sum is put back by hand where it matters.
        return mixture.weights + p[:, 0], means, roots @ e @ roots.mT

    def gradient(x, p, row_weights=None):
        weights, means, covariances = at(p)
        total = weights.sum()
        moved = Mixture(weights / total, means, (covariances + covariances.mT) / 2)
        found = score(e_step(x, moved, row_weights), moved)
        e = np.einsum("kji,kjl,klm->kim", roots, found.covariances, roots)
        parts = (
            # The derivative in free weights: responsibilities do not change with their sum.
            found.weights[:, None] / total,
            np.einsum("kji,kj->ki", roots, found.means),
            np.einsum("kij,eij->ke", e, basis),
        )
        return np.concatenate(parts, axis=1).ravel()

    return gradient, k * q


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("k", "d"), [(1, 1), (2, 1), (3, 2), (2, 5)])
def test_derivatives_are_those_of_the_score(k, d, weighted):
    mixture = random_mixture(k, d, average_overlap=0.1 if k > 1 else None, rng=1)
    x, _ = mixture.sample(1500, rng=2)
    v = np.random.default_rng(3).integers(0, 3, 1500).astype(float) if weighted else None
    found = information(x, mixture, v)
    gradient, size = coordinates(mixture, found.roots)
    assert_allclose(found.gradient, gradient(x, np.zeros(size), v), rtol=1e-10, atol=1e-9)
    h = 2e-3
    for i in range(size):
        e = np.eye(size)[i] * h * (mixture.weights[i // (size // k)] if i % (size // k) == 0 else 1)
        steps = [gradient(x, t * e, v) for t in (-2, -1, 1, 2)]
        column = (steps[0] - 8 * steps[1] + 8 * steps[2] - steps[3]) / (12 * e[i])
        assert_allclose(found.hessian[i], column, rtol=1e-7, atol=1e-7 * abs(found.hessian).max())


def test_products_are_those_of_the_rows():
    mixture = random_mixture(3, 2, average_overlap=0.1, rng=4)
    x, _ = mixture.sample(300, rng=5)
    v = np.random.default_rng(6).uniform(0, 2, 300)
    v[:20] = 0.0
    each = np.array([information(x[b : b + 1], mixture).gradient for b in range(300)])
    found = information(x, mixture, v)
    assert_allclose(found.products, (each.T * v) @ each, rtol=1e-10, atol=1e-10)
    assert_allclose(found.gradient, v @ each, rtol=1e-10, atol=1e-10)
    counts = v @ mixture.responsibilities(x)
    assert_allclose(found.counts, counts, rtol=1e-12)


def test_against_forty_digits():
    x = np.array([-1.3, -0.2, 0.1, 0.9, 1.1, 2.2, 3.0])
    w, m, s = [0.3, 0.7], [0.0, 1.5], [0.8, 1.1]

    def log_likelihood(*p):
        total = mpmath.mpf(0)
        for row in x:
            density = mpmath.mpf(0)
            for k in range(2):
                dw, a, e = p[3 * k : 3 * k + 3]
                z = (mpmath.mpf(row) - mpmath.mpf(m[k])) / mpmath.mpf(s[k]) - a
                root = mpmath.sqrt(1 + e)
                phi = mpmath.exp(-(z**2) / (2 * (1 + e))) / (root * mpmath.mpf(s[k]))
                density += (mpmath.mpf(w[k]) + dw) * phi
            total += mpmath.log(density)
        return total

    found = information(x[:, None], Mixture(w, m, np.square(s)))
    with mpmath.workdps(40):
        for i in range(6):
            for j in range(i + 1):
                order = [0] * 6
                order[i] += 1
                order[j] += 1
                expected = float(mpmath.diff(log_likelihood, (0,) * 6, tuple(order)))
                assert found.hessian[i, j] == pytest.approx(expected, rel=1e-11, abs=1e-12)


def test_an_offset_costs_no_digits():
    mixture = random_mixture(2, 2, average_overlap=0.05, rng=7)
    x, _ = mixture.sample(400, rng=8)
    far = np.round(x * 2**20) / 2**20 + 2.0**26
    there = Mixture(mixture.weights, mixture.means + 2.0**26, mixture.covariances)
    near = information(
        far - 2.0**26, Mixture(mixture.weights, there.means - 2.0**26, mixture.covariances)
    )
    found = information(far, there)
    assert_allclose(found.hessian, near.hessian, rtol=1e-9, atol=1e-9 * abs(near.hessian).max())
