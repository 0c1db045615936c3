"""Tangent directions: as many as free parameters, and inside the structure to second order."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayesgmm.covariance.structures import structures
from bayesgmm.covariance.tangent_space import covariance_tangent

STRUCTURES = [each for each in structures() if len(each.code) == 3]


def member(structure, covariances):
    k = len(covariances)
    weights = np.full(k, 1.0 / k)
    if structure.diagonal:
        variances = structure.covariances(
            weights, weights[:, None] * np.einsum("kii->ki", covariances)
        )
        return variances[:, :, None] * np.eye(covariances.shape[1])
    return structure.covariances(weights, weights[:, None, None] * covariances)


def random_member(structure, k, d, seed=0):
    rng = np.random.default_rng([seed, k, d])
    roots = rng.standard_normal((k, d, d))
    return member(structure, roots @ roots.mT + 0.3 * np.eye(d))


@pytest.mark.parametrize(("k", "d"), [(1, 3), (3, 1), (2, 2), (3, 4)])
@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda each: each.code)
def test_as_many_as_free_parameters(structure, k, d):
    covariances = random_member(structure, k, d)
    tangent = covariance_tangent(structure, covariances, np.linalg.cholesky(covariances))
    found = tangent.directions.reshape(len(tangent.directions), -1)
    assert np.linalg.matrix_rank(found, tol=1e-8) == len(found)
    assert len(found) == structure.n_covariance_parameters(k, d)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda each: each.code)
def test_directions_stay_in_the_structure(structure):
    covariances = random_member(structure, 3, 3)
    roots = np.linalg.cholesky(covariances)
    tangent = covariance_tangent(structure, covariances, roots)
    rng = np.random.default_rng(1)
    c = rng.standard_normal(len(tangent.directions)) / np.sqrt(len(tangent.directions))
    e = np.tensordot(c, tangent.directions, 1)
    assert_allclose(e, e.mT, atol=1e-12)
    off = []
    for h in (1e-2, 1e-3):
        moved = covariances + h * roots @ e @ roots.mT
        off.append(abs(member(structure, moved) - moved).max())
    # What a tangent leaves the structure by is of the second order.
    assert off[1] <= max(0.02 * off[0], 1e-8)
