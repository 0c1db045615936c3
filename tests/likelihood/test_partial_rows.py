"""Rows seen in part, or through noise: the kernel against scipy's densities, row by row."""

import numpy as np
import pytest
from differences import by_differences
from random_rows import ERRORS, parameters, rows_of
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from bayesgmm.data.validation import Data
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.information import information, symmetric_basis
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.likelihood.responsibilities_of_draws import DrawnRows


def matrices_of(errors, n, d):
    """The covariances of the rows' errors, (n, D, D)."""
    if errors is None:
        return np.zeros((n, d, d))
    if errors.shape[1] == d and d > 1:
        errors = np.einsum("ni,ij->nij", errors, np.eye(d))
    return np.broadcast_to(errors.reshape(-1, d, d), (n, d, d))


def expected(x, errors, theta, row_weights=None):
    """Log-likelihood, counts, first and second moments about the means, by brute force."""
    n, d = x.shape
    noise = matrices_of(errors, n, d)
    weights, means, covariances = theta
    if covariances.ndim == 2:
        covariances = np.einsum("ki,ij->kij", covariances, np.eye(d))
    k = len(weights)
    total, responsibilities = 0.0, np.zeros((n, k))
    a, b = np.zeros((k, d)), np.zeros((k, d, d))
    for i in range(n):
        v = 1.0 if row_weights is None else row_weights[i]
        seen = np.flatnonzero(~np.isnan(x[i]))
        logs, moments = np.log(weights), []
        for c in range(k):
            sigma = covariances[c]
            t = sigma[np.ix_(seen, seen)] + noise[i][np.ix_(seen, seen)]
            apart = x[i, seen] - means[c, seen]
            if seen.size:
                logs[c] += multivariate_normal(np.zeros(seen.size), t).logpdf(apart)
            gain = np.linalg.solve(t, sigma[seen]).T if seen.size else np.zeros((d, 0))
            m = gain @ apart
            moments.append((m, np.outer(m, m) + sigma - gain @ sigma[seen]))
        total += v * logsumexp(logs)
        responsibilities[i] = np.exp(logs - logsumexp(logs))
        for c, (m, mm) in enumerate(moments):
            a[c] += v * responsibilities[i, c] * m
            b[c] += v * responsibilities[i, c] * mm
    return total, responsibilities, a, b


@pytest.mark.parametrize("d", [1, 2, 3, 5, 7, 10])
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_sums_are_those_of_every_row_by_itself(d, kind, diagonal, weighted):
    rng = np.random.default_rng([d, ERRORS.index(kind)])
    theta = parameters(3, d, rng, diagonal or d == 1)
    x, errors = rows_of(230, d, kind, 0.3, rng)
    v = rng.integers(0, 3, len(x)).astype(float) if weighted else None
    found = Rows(x, v, errors=errors).e_step(*theta)
    total, responsibilities, a, b = expected(x, errors, theta, v)
    counts = responsibilities.sum(axis=0) if v is None else v @ responsibilities
    if theta.covariances.ndim == 2:
        b = np.einsum("kii->ki", b)
    assert found.log_likelihood == pytest.approx(total, rel=1e-10)
    assert found.weight == pytest.approx(len(x) if v is None else v.sum(), rel=1e-14)
    np.testing.assert_allclose(found.counts, counts, rtol=1e-10)
    np.testing.assert_allclose(found.firsts, a, rtol=1e-10, atol=1e-10 * np.abs(a).max())
    np.testing.assert_allclose(found.seconds, b, rtol=1e-10, atol=1e-10 * np.abs(b).max())


@pytest.mark.parametrize("d", [1, 2, 4])
@pytest.mark.parametrize("kind", ERRORS)
def test_densities_and_moments_of_the_mixture_and_of_the_core(d, kind):
    rng = np.random.default_rng([7, d, ERRORS.index(kind)])
    theta = parameters(3, d, rng)
    mixture = theta.mixture()
    x, errors = rows_of(120, d, kind, 0.3, rng)
    total, responsibilities, _, _ = expected(x, errors, theta)
    given = None if errors is None else matrices_of(errors, len(x), d)
    density = mixture.log_density(x, given)
    assert density.sum() == pytest.approx(total, rel=1e-12)
    np.testing.assert_allclose(mixture.responsibilities(x, given), responsibilities, atol=1e-12)
    found = membership(Data(x, None, errors=errors), mixture)
    np.testing.assert_allclose(found[0], density, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(found[1], responsibilities, atol=1e-10)
    rows = Data(x, None, errors=errors)
    drawn = DrawnRows(rows, *(np.stack([each, each]) for each in theta))
    np.testing.assert_allclose(drawn.densities(), np.stack([density, density]), 1e-10, 1e-14)
    np.testing.assert_allclose(drawn.contract(np.ones((len(x), 1)))[1], [total, total], rtol=1e-10)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("weighted", [False, True])
def test_information_is_the_derivative_of_the_score(kind, weighted):
    """Second derivatives against differences of log-likelihoods."""
    rng = np.random.default_rng([8, ERRORS.index(kind)])
    k, d = 2, 3
    theta = parameters(k, d, rng)
    x, errors = rows_of(90, d, kind, 0.3, rng)
    v = rng.integers(1, 4, len(x)).astype(float) if weighted else None
    found = information(x, theta.mixture(), v, errors)
    q = 1 + d + d * (d + 1) // 2
    basis = symmetric_basis(d)

    def value(u):
        parts = u.reshape(k, q)
        weights = theta.weights + parts[:, 0]
        means = theta.means + np.einsum("kij,kj->ki", found.roots, parts[:, 1 : 1 + d])
        e = np.einsum("ke,eij->kij", parts[:, 1 + d :], basis)
        covariances = found.roots @ (np.eye(d) + e) @ found.roots.mT
        rows = Rows(x, v, errors=errors)
        return rows.e_step(weights, means, covariances).log_likelihood

    gradient, hessian = by_differences(value, k * q)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-4, atol=2e-4 * np.abs(hessian).max())


def test_no_noise_is_the_complete_row_and_boundless_noise_an_unseen_entry():
    rng = np.random.default_rng(9)
    theta = parameters(3, 4, rng)
    x, _ = rows_of(300, 4, "none", 0.0, rng)
    complete = Rows(x).e_step(*theta)
    for errors in np.zeros((300, 4)), np.zeros((300, 16)), np.zeros((1, 4)):
        found = Rows(x, errors=errors).e_step(*theta)
        assert found.log_likelihood == pytest.approx(complete.log_likelihood, rel=1e-13)
        np.testing.assert_allclose(found.seconds, complete.seconds, rtol=1e-9, atol=1e-9)
    missing = rng.random(x.shape) < 0.3
    errors = np.where(missing, 1e18, 0.0)
    unseen = Rows(np.where(missing, np.nan, x)).e_step(*theta)
    noisy = Rows(x, errors=errors).e_step(*theta)
    for name in "counts", "firsts", "seconds":
        a, b = getattr(noisy, name), getattr(unseen, name)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * np.abs(b).max())
