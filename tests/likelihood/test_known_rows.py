"""Rows of known components, and noise: the kernel against sums of densities, row by row."""

from dataclasses import replace

import numpy as np
import pytest
from differences import by_differences
from random_rows import ERRORS, parameters, rows_of
from scipy.special import logsumexp

from bayesgmm.data.validation import Data
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.information import information, symmetric_basis
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.mixture.noise import Noise

SHARE = 0.2
CLASSES = np.array([0, 1, 0])


def case(d, kind, missing, diagonal=False):
    rng = np.random.default_rng([17, d, ERRORS.index(kind)])
    theta = parameters(3, d, rng, diagonal or d == 1)
    x, errors = rows_of(230, d, kind, missing, rng)
    labels = rng.integers(-1, 2, len(x))
    noise = Noise(SHARE, np.nanmin(x, axis=0), np.nanmax(x, axis=0))
    return theta, Data(x, None, bool(np.isnan(x).any()), errors, labels=labels), noise


def log_joint(theta, data, labels, classes, noise):
    """Log joint densities (n, K + 1) given what is known; the last is noise."""
    found = theta.mixture().log_joint(data._replace(labels=None)) + np.log1p(-noise.weight)
    sides = np.log(noise.upper - noise.lower)
    own = np.log(noise.weight) - (~np.isnan(data.X) * sides).sum(axis=1)
    found = np.column_stack((found, own))
    never = (labels >= 0)[:, None] & (labels[:, None] != np.append(classes, -9))
    return np.where(never, -np.inf, found)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("d", [1, 3, 7])
def test_sums_of_labelled_rows_beside_noise(d, kind, missing, diagonal, weighted):
    theta, data, noise = case(d, kind, missing, diagonal)
    v = np.arange(len(data.X)) % 3.0 if weighted else None
    joint = log_joint(theta, data, data.labels, CLASSES, noise)
    density = logsumexp(joint, axis=1)
    own = np.ones(len(density)) if v is None else v
    rows = Rows.of(data, v, np.full(d, 0.3), np.full(d, 2.0), noise=noise)
    scaled = theta.means * 2.0 - 0.6, theta.covariances * 4.0
    found = replace(rows, classes=CLASSES).e_step((1.0 - SHARE) * theta.weights, *scaled)
    jacobian = own @ (~np.isnan(data.X)).sum(axis=1) * np.log(2.0)
    assert found.log_likelihood + jacobian == pytest.approx(own @ density, rel=1e-10)
    counts = own @ np.exp(joint - density[:, None])
    np.testing.assert_allclose(found.counts, counts[:-1], rtol=1e-9)
    assert found.weight == pytest.approx(own.sum())


def test_labels_of_all_rows_give_the_moments_of_their_groups():
    theta, data, _ = case(3, "none", 0.0)
    labels = np.arange(len(data.X)) % 3
    found = Rows(data.X, labels=labels).e_step(*theta)
    for k in range(3):
        apart = data.X[labels == k] - theta.means[k]
        np.testing.assert_allclose(found.firsts[k], apart.sum(axis=0), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.seconds[k], apart.T @ apart, rtol=1e-10, atol=1e-12)


def test_no_label_and_no_noise_change_no_bit():
    theta, data, noise = case(5, "variances", 0.2)
    plain = Rows.of(data._replace(labels=None)).e_step(*theta)
    unknown = Rows.of(data._replace(labels=np.full(len(data.X), -1)), noise=noise).e_step(*theta)
    # Weights of sum 1 leave nothing for the noise, or a rounding of it.
    np.testing.assert_allclose(unknown.counts, plain.counts, rtol=1e-12)
    labels = Rows.of(data._replace(labels=np.full(len(data.X), -1))).e_step(*theta)
    for name in ("log_likelihood", "counts", "firsts", "seconds"):
        assert np.array_equal(getattr(labels, name), getattr(plain, name))


@pytest.mark.parametrize("kind", ["none", "covariances"])
def test_memberships_of_labelled_rows_beside_noise(kind):
    theta, data, noise = case(3, kind, 0.2)
    labels = np.where(data.labels < 0, -1, data.labels)
    joint = log_joint(theta, data, labels, np.arange(3), noise)
    density = logsumexp(joint, axis=1)
    found = membership(data, theta.mixture(), noise)
    np.testing.assert_allclose(found[0], density, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[1], np.exp(joint - density[:, None])[:, :3], atol=1e-10)


@pytest.mark.parametrize(("kind", "weighted"), [("none", False), ("variances", True)])
def test_information_with_labels_and_noise(kind, weighted):
    """Second derivatives against differences of log-likelihoods; weights and that of noise free."""
    k, d = 3, 2
    theta, data, noise = case(d, kind, 0.2 * (kind != "none"))
    v = 1.0 + np.arange(len(data.X)) % 3.0 if weighted else None
    mixture = theta.mixture()
    found = information(data.X, mixture, v, data.errors, data.labels, noise)
    q, basis = 1 + d + d * (d + 1) // 2, symmetric_basis(d)

    def value(u):
        parts, share = u[:-1].reshape(k, q), SHARE + u[-1]
        weights = theta.weights + parts[:, 0]
        means = theta.means + np.einsum("kij,kj->ki", found.roots, parts[:, 1 : 1 + d])
        e = np.einsum("ke,eij->kij", parts[:, 1 + d :], basis)
        covariances = found.roots @ (np.eye(d) + e) @ found.roots.mT
        pretend = type(theta)(weights / weights.sum(), means, covariances)
        at = Noise(share, noise.lower, noise.upper)
        joint = log_joint(pretend, data, data.labels, np.arange(k), at)
        joint[:, :k] += np.log(weights.sum())
        densities = logsumexp(joint, axis=1)
        return densities.sum() if v is None else v @ densities

    gradient, hessian = by_differences(value, k * q + 1)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(found.hessian, hessian, rtol=1e-4, atol=2e-4 * np.abs(hessian).max())
