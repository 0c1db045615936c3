"""M-steps maximise the expected complete-data likelihood over their structure, of the right size.

With counts N_k and scatters W_k that likelihood is, but for constants,

    Q(Sigma) = -1/2 sum_k (N_k log det Sigma_k + tr Sigma_k^-1 W_k).
"""

import numpy as np
import pytest
from cases import (
    CLOSED_FORM,
    STRUCTURES,
    dense,
    member,
    per_row,
    random_direction,
    random_scatters,
)
from tolerances import M_STEP, M_STEP_GRADIENT

# Table 1 of Celeux and Govaert (1995): alpha = K D + K - 1 and beta = D (D + 1) / 2, of which the
# covariances' part is what is left of alpha.
TABLE = {
    "EII": lambda k, d: 1,
    "VII": lambda k, d: k,
    "EEI": lambda k, d: d,
    "VEI": lambda k, d: d + k - 1,
    "EVI": lambda k, d: k * d - k + 1,
    "VVI": lambda k, d: k * d,
    "EEE": lambda k, d: d * (d + 1) // 2,
    "VEE": lambda k, d: d * (d + 1) // 2 + k - 1,
    "EVE": lambda k, d: d * (d + 1) // 2 + (k - 1) * (d - 1),
    "VVE": lambda k, d: d * (d + 1) // 2 + (k - 1) * d,
    "EEV": lambda k, d: k * d * (d + 1) // 2 - (k - 1) * d,
    "VEV": lambda k, d: k * d * (d + 1) // 2 - (k - 1) * (d - 1),
    "EVV": lambda k, d: k * d * (d + 1) // 2 - (k - 1),
    "VVV": lambda k, d: k * d * (d + 1) // 2,
}
SHAPES = [(1, 1), (1, 3), (2, 2), (3, 2), (2, 3), (4, 3)]


def expected_likelihood(counts, scatters, covariances):
    sigma, w = dense(covariances), dense(scatters)
    traces = np.einsum("kii->k", np.linalg.solve(sigma, w))
    return -0.5 * float((counts * np.linalg.slogdet(sigma).logabsdet + traces).sum())


def problem(structure, seed, k, d):
    rng = np.random.default_rng([seed, k, d])
    counts = rng.uniform(50.0, 200.0, k)
    scatters = random_scatters(structure, rng, k, d)
    return rng, counts, scatters * per_row(counts, scatters)


def tangents(structure, counts, at, rng, number):
    """Derivatives of random curves of the structure through one of its members."""
    k, d = at.shape[:2]
    h = 1e-4 * np.linalg.eigvalsh(dense(at)).min()
    found = []
    for _ in range(number):
        change = random_direction(structure, rng, k, d)
        curve = [member(structure, counts, at + t * change) for t in (-2 * h, -h, h, 2 * h)]
        found.append((curve[0] - 8 * curve[1] + 8 * curve[2] - curve[3]) / (12 * h))
    return found


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_a_member_is_its_own_m_step(structure, k, d):
    _, counts, scatters = problem(structure, 1, k, d)
    covariances = structure.covariances(counts, scatters)
    assert covariances.shape == scatters.shape
    again = member(structure, counts, covariances)
    tolerance = M_STEP if structure.code in CLOSED_FORM else M_STEP_GRADIENT
    np.testing.assert_allclose(again, covariances, atol=tolerance * abs(covariances).max())


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_covariances_are_positive_definite_and_symmetric(structure, k, d):
    _, counts, scatters = problem(structure, 2, k, d)
    covariances = dense(structure.covariances(counts, scatters))
    assert np.array_equal(covariances, covariances.mT)
    assert np.linalg.eigvalsh(covariances).min() > 0.0


@pytest.mark.parametrize("size", [1e-3, 1e-2, 0.1, 0.3])
@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_no_feasible_change_improves_it(structure, k, d, size):
    rng, counts, scatters = problem(structure, 3, k, d)
    best = structure.covariances(counts, scatters)
    value = expected_likelihood(counts, scatters, best)
    least = np.linalg.eigvalsh(dense(best)).min()
    values = []
    for _ in range(20):
        change = random_direction(structure, rng, k, d)
        change *= size * least / np.linalg.norm(dense(change), axis=(1, 2)).max()
        other = member(structure, counts, best + change)
        values.append(expected_likelihood(counts, scatters, other))
    slack = M_STEP if structure.code in CLOSED_FORM else M_STEP_GRADIENT**2
    assert max(values) <= value + slack * abs(value)
    # They are changes indeed.
    assert min(values) < value - slack * abs(value)


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_its_gradient_along_the_structure_is_zero(structure, k, d):
    rng, counts, scatters = problem(structure, 4, k, d)
    best = structure.covariances(counts, scatters)
    inverse = np.linalg.inv(dense(best))
    gradient = 0.5 * (inverse @ dense(scatters) @ inverse - counts[:, None, None] * inverse)
    scale = 0.5 * counts[:, None, None] * abs(inverse)
    for tangent in map(dense, tangents(structure, counts, best, rng, 10)):
        assert abs((gradient * tangent).sum()) <= M_STEP_GRADIENT * (scale * abs(tangent)).sum()


def test_equivariant_under_permutation_of_components(structure):
    _, counts, scatters = problem(structure, 5, 4, 3)
    order = np.array([3, 1, 0, 2])
    here = structure.covariances(counts, scatters)
    there = structure.covariances(counts[order], scatters[order])
    tolerance = M_STEP if structure.code in CLOSED_FORM else M_STEP_GRADIENT
    np.testing.assert_allclose(there, here[order], atol=tolerance * abs(here).max())


def test_equivariant_under_permutation_of_features(structure):
    _, counts, scatters = problem(structure, 6, 3, 3)
    order = np.array([2, 0, 1])
    here = dense(structure.covariances(counts, scatters))[:, order][:, :, order]
    moved = scatters[:, order] if structure.diagonal else scatters[:, order][:, :, order]
    there = dense(structure.covariances(counts, moved))
    tolerance = M_STEP if structure.code in CLOSED_FORM else M_STEP_GRADIENT
    np.testing.assert_allclose(there, here, atol=tolerance * abs(here).max())


@pytest.mark.parametrize("unit", [2.0**-200, 0.1, 2.0**200])
def test_equivariant_under_a_change_of_units(structure, unit):
    _, counts, scatters = problem(structure, 7, 3, 3)
    here = structure.covariances(counts, scatters)
    there = structure.covariances(counts, scatters * unit) / unit
    tolerance = M_STEP if structure.code in CLOSED_FORM else M_STEP_GRADIENT
    np.testing.assert_allclose(there, here, atol=tolerance * abs(here).max())


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_parameters_are_as_many_as_the_structure_has_directions(structure, k, d):
    rng, counts, scatters = problem(structure, 8, k, d)
    at = structure.covariances(counts, scatters)
    many = tangents(structure, counts, at, rng, at.size + 3)
    singular = np.linalg.svd(np.array([each.ravel() for each in many]), compute_uv=False)
    rank = int((singular > 1e-5 * singular[0]).sum())
    assert structure.n_covariance_parameters(k, d) == rank


@pytest.mark.parametrize(("k", "d"), SHAPES)
def test_parameters_are_as_many_as_in_the_table(structure, k, d):
    assert structure.n_covariance_parameters(k, d) == TABLE[structure.code](k, d)
    total = TABLE[structure.code](k, d) + k * d + k - 1
    assert structure.n_parameters(k, d) == total


def test_structures_differ():
    assert len(set(STRUCTURES)) == len(STRUCTURES)
    assert len({each.code for each in STRUCTURES}) == len(STRUCTURES)
