"""Linear algebra of stacks of matrices, in which those of one feature are numbers."""

import numpy as np

from bayesgmm.arrays import Array


def cholesky(matrices: Array) -> Array:
    """Lower triangular roots (..., D, D)."""
    if matrices.shape[-1] == 1:
        return np.asarray(np.sqrt(matrices))
    return np.asarray(np.linalg.cholesky(matrices))


def inverse(matrices: Array) -> Array:
    """Inverses (..., D, D)."""
    if matrices.shape[-1] == 1:
        return np.asarray(1.0 / matrices)
    return np.asarray(np.linalg.inv(matrices))


def solve(matrices: Array, vectors: Array) -> Array:
    """Inverses of matrices (..., D, D) times vectors (..., D)."""
    if matrices.shape[-1] == 1:
        return np.asarray(vectors / matrices[..., 0])
    return np.asarray(np.linalg.solve(matrices, vectors[..., np.newaxis])[..., 0])


def multiply(matrices: Array, vectors: Array) -> Array:
    """Matrices (..., D, D) times vectors (..., D)."""
    if matrices.shape[-1] == 1:
        return np.asarray(matrices[..., 0] * vectors)
    return np.asarray((matrices @ vectors[..., np.newaxis])[..., 0])


def log_dets(matrices: Array) -> Array:
    """Log determinants (...)."""
    if matrices.shape[-1] == 1:
        return np.asarray(np.log(matrices[..., 0, 0]))
    return np.asarray(np.linalg.slogdet(matrices)[1])
