"""Derivatives of a log prior density in the coordinates of `bayesgmm.likelihood.information`."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.likelihood.information import symmetric_basis
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.families import ConjugateFamily
from bayesgmm.priors.objective import pseudo_data
from bayesgmm.priors.resolved_priors import ResolvedPriors


def prior_derivatives(
    priors: ResolvedPriors, mixture: Mixture, roots: Array
) -> tuple[Array, Array]:
    """First (K q,) and second (K q, K q) derivatives, with a random scale integrated out.

    Given its scale, a conjugate prior has the derivatives of its pseudo-data. To integrate the
    scale out, it is replaced by its mean given the covariances, and the variance of the first
    derivatives under its distribution given the covariances is added (Louis 1982, equation 3.2).

    Parameters
    ----------
    priors : ResolvedPriors
        Conjugate, in the units of the mixture.
    mixture : Mixture
    roots : ndarray of shape (K, D, D)
        Cholesky factors L_k of the covariances.
    """
    k, d = mixture.means.shape
    basis = symmetric_basis(d)
    q = 1 + d + len(basis)
    count, scatter = pseudo_data(priors, priors.expected_scale(mixture))
    excess = np.asarray(priors.concentration) - 1.0
    precision = 1.0 / np.broadcast_to(priors.mean_sd, (k, d)) ** 2
    pull = precision * (np.asarray(priors.mean_location) - mixture.means)
    half = np.linalg.solve(roots, np.broadcast_to(scatter, roots.shape))
    whitened = np.linalg.solve(roots, half.mT)
    slopes = 0.5 * (whitened - count * np.eye(d))
    gradient = np.concatenate(
        (
            (excess / mixture.weights)[:, np.newaxis],
            np.einsum("kji,kj->ki", roots, pull),
            np.einsum("eij,kij->ke", basis, slopes),
        ),
        axis=1,
    )
    blocks = np.zeros((k, q, q))
    blocks[:, 0, 0] = -excess / mixture.weights**2
    blocks[:, 1 : 1 + d, 1 : 1 + d] = -np.einsum("kji,kj,kjl->kil", roots, precision, roots)
    gram = np.einsum("eij,fij->ef", basis, basis)
    products = np.einsum("eij,kjl,fil->kef", basis, whitened, basis, optimize=True)
    blocks[:, 1 + d :, 1 + d :] = 0.5 * count * gram
    blocks[:, 1 + d :, 1 + d :] -= 0.5 * (products + products.mT)
    hessian = np.zeros((k, q, k, q))
    each = np.arange(k)
    hessian[each, :, each, :] = blocks
    lines = _scale_lines(priors, mixture, roots)
    if lines is not None:
        hessian[:, 1 + d :, :, 1 + d :] += np.einsum("kem,lfm->kelf", lines, lines, optimize=True)
    return gradient.ravel(), hessian.reshape(k * q, k * q)


def _scale_lines(priors: ResolvedPriors, mixture: Mixture, roots: Array) -> Array | None:
    """Rows (K, entries of E, m) whose products are the variance that a random scale adds."""
    family, copies = priors.covariances, priors.n_covariances
    assert isinstance(family, ConjugateFamily)
    nu, p, _ = family.terms
    if p is None:
        return None
    k, d = mixture.means.shape
    basis = symmetric_basis(d)
    c = family.factor * priors.expected_scale(mixture)
    if c.ndim == 1:
        moved = np.einsum("ejj->ej", basis) * c / mixture.variances[:, np.newaxis, :]
        if priors.n_axes == 1:
            moved = moved.mean(axis=2, keepdims=True)
    else:
        inner = np.linalg.solve(roots, np.linalg.cholesky(c))[:, np.newaxis]
        moved = (inner.mT @ basis @ inner).reshape(k, len(basis), d * d)
    # A covariance that all components share is counted once.
    return np.asarray(copies / k * moved / np.sqrt(2.0 * (p + copies * nu)))
