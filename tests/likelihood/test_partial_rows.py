"""Rows seen in part, or through noise: the kernel against the algebra of every row by itself."""

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

LOG_2PI = np.log(2.0 * np.pi)


def matrices_of(errors, n, d):
    """The covariances of the rows' errors, (n, D, D)."""
    if errors is None:
        return np.zeros((n, d, d))
    if errors.shape[1] == d and d > 1:
        errors = np.einsum("ni,ij->nij", errors, np.eye(d))
    return np.broadcast_to(errors.reshape(-1, d, d), (n, d, d))


def expected(x, errors, theta, row_weights=None):
    """Log-likelihood, responsibilities, first and second moments about the means, by LAPACK.

    An entry that was not seen has a variance of 1, no covariances and no distance from the mean, so
    that it changes neither the density nor the moments of the others.
    """
    n, d = x.shape
    noise, seen = matrices_of(errors, n, d), ~np.isnan(x)
    weights, means, covariances = theta
    if covariances.ndim == 2:
        covariances = np.einsum("ki,ij->kij", covariances, np.eye(d))
    logs, moments = np.empty((n, len(weights))), []
    for c, (mean, sigma) in enumerate(zip(means, covariances, strict=True)):
        t = np.where(seen[:, :, None] & seen[:, None, :], sigma + noise, np.eye(d))
        apart = np.where(seen, x - mean, 0.0)
        rest = seen[..., None] * sigma
        gain = np.linalg.solve(t, rest).mT
        squares = (apart * np.linalg.solve(t, apart[..., None])[..., 0]).sum(axis=1)
        logs[:, c] = -0.5 * (squares + np.linalg.slogdet(t)[1] + seen.sum(axis=1) * LOG_2PI)
        m = (gain @ apart[..., None])[..., 0]
        moments.append((m, m[:, :, None] * m[:, None, :] + sigma - gain @ rest))
        for i in range(0, n, 29):
            o = np.flatnonzero(seen[i])
            if o.size:
                one = multivariate_normal(mean[o], t[i][np.ix_(o, o)]).logpdf(x[i, o])
                assert logs[i, c] == pytest.approx(one, rel=1e-11, abs=1e-11)
    joint = logs + np.log(weights)
    density = logsumexp(joint, axis=1)
    responsibilities = np.exp(joint - density[:, None])
    v = np.ones(n) if row_weights is None else row_weights
    a, b = (
        [v * r @ each.reshape(n, -1) for r, each in zip(responsibilities.T, kind, strict=True)]
        for kind in zip(*moments, strict=True)
    )
    return v @ density, responsibilities, np.array(a), np.reshape(b, (-1, d, d))


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
