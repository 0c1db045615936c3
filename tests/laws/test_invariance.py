"""What a pass and an M-step do under permutation, translation, change of units and affine maps."""

import numpy as np
import pytest
from cases import (
    as_mixture,
    dense,
    fit,
    one_pass,
    one_step,
    overlapping,
    random_parameters,
    relative_difference,
)
from tolerances import KERNEL, SAME_OPTIMUM, SUMS

from bayesgmm.likelihood.em_steps import e_step
from bayesgmm.likelihood.statistics import Parameters, Statistics


@pytest.mark.parametrize("d", [1, 3])
def test_permuted_components_permute_statistics(structure, d):
    rng = np.random.default_rng(d)
    theta = random_parameters(structure, rng, 4, d)
    x = rng.standard_normal((2000, d))
    order = np.array([2, 0, 3, 1])
    here = one_pass(x, theta)
    permuted = one_pass(x, Parameters(*(each[order].copy() for each in theta)))
    expected = Statistics(
        here.centres[order],
        here.log_likelihood,
        here.weight,
        here.counts[order],
        here.firsts[order],
        here.seconds[order],
    )
    assert relative_difference(expected, permuted) <= SUMS


def test_permuted_features_permute_statistics(structure):
    rng = np.random.default_rng(1)
    theta = random_parameters(structure, rng, 3, 3)
    x = rng.standard_normal((2000, 3))
    order = np.array([2, 0, 1])
    covariances = theta.covariances[:, order]
    if not structure.diagonal:
        covariances = covariances[:, :, order]
    here = one_pass(x, theta)
    there = one_pass(
        x[:, order].copy(),
        Parameters(theta.weights, theta.means[:, order].copy(), covariances.copy()),
    )
    assert there.log_likelihood == pytest.approx(here.log_likelihood, rel=KERNEL)
    np.testing.assert_allclose(there.counts, here.counts, rtol=KERNEL)
    np.testing.assert_allclose(
        one_step(
            x[:, order].copy(),
            theta._replace(means=theta.means[:, order].copy(), covariances=covariances.copy()),
            structure,
        ).means,
        one_step(x, theta, structure).means[:, order],
        atol=KERNEL,
    )


def on_grid(values):
    """Multiples of 2**-10: an addition of 1e8 rounds nothing away."""
    return np.round(values * 1024) / 1024


@pytest.mark.parametrize("d", [1, 3])
def test_translation_by_1e8_changes_no_bit(structure, d):
    rng = np.random.default_rng(d)
    theta = random_parameters(structure, rng, 3, d)
    theta = theta._replace(means=on_grid(theta.means))
    x = on_grid(rng.standard_normal((3000, d)))
    far = 1e8 * np.arange(1.0, d + 1)
    here = one_pass(x, theta)
    there = one_pass(x + far, theta, shift=far)
    assert there.log_likelihood == here.log_likelihood
    assert np.array_equal(there.counts, here.counts)
    assert np.array_equal(there.firsts, here.firsts)
    assert np.array_equal(there.seconds, here.seconds)


@pytest.mark.parametrize("d", [1, 3])
def test_translation_of_data_and_mixture_leaves_the_statistics(structure, d):
    rng = np.random.default_rng([d, 1])
    theta = random_parameters(structure, rng, 3, d)
    theta = theta._replace(means=on_grid(theta.means))
    x = on_grid(rng.standard_normal((3000, d)))
    here = e_step(x, as_mixture(theta))
    there = e_step(x + 1e8, as_mixture(theta._replace(means=theta.means + 1e8)))
    assert relative_difference(here, there) <= KERNEL


@pytest.mark.parametrize("power", [-332, -20, 20, 332])
@pytest.mark.parametrize("d", [1, 3])
def test_powers_of_two_as_units_change_no_bit(structure, d, power):
    rng = np.random.default_rng([d, power + 400])
    theta = random_parameters(structure, rng, 3, d)
    x = rng.standard_normal((3000, d))
    unit = 2.0**power
    here = one_pass(x, theta)
    there = one_pass(x * unit, theta, scale=np.full(d, 1 / unit))
    assert there.log_likelihood == here.log_likelihood
    assert np.array_equal(there.counts, here.counts)
    assert np.array_equal(there.firsts, here.firsts)
    assert np.array_equal(there.seconds, here.seconds)


@pytest.mark.parametrize("unit", [1e-100, 1e-7, 1e100])
def test_other_units_change_nothing_but_rounding(structure, unit):
    rng = np.random.default_rng(2)
    theta = random_parameters(structure, rng, 3, 2)
    x = rng.standard_normal((3000, 2))
    units = np.array([unit, 1.0])
    shift = np.array([5.0, -3.0]) * units
    there = one_pass((x * units) + shift, theta, shift=shift, scale=1 / units)
    assert relative_difference(one_pass(x, theta), there) <= KERNEL


@pytest.mark.parametrize("d", [1, 2, 5])
def test_an_affine_map_shifts_the_likelihood_by_its_determinant(structure, d):
    rng = np.random.default_rng(d)
    theta = random_parameters(structure, rng, 3, d)
    x = rng.standard_normal((3000, d))
    A = np.diag(rng.uniform(0.5, 2.0, d)) if structure.diagonal else rng.standard_normal((d, d))
    b = rng.standard_normal(d)
    covariances = A @ dense(theta.covariances) @ A.T
    covariances = 0.5 * (covariances + covariances.mT)
    if structure.diagonal:
        covariances = np.einsum("kii->ki", covariances).copy()
    here = one_pass(x, theta)
    there = one_pass(x @ A.T + b, Parameters(theta.weights, theta.means @ A.T + b, covariances))
    shift = len(x) * np.linalg.slogdet(A).logabsdet
    scale = abs(here.log_likelihood) + abs(shift)
    condition = np.linalg.cond(A) ** 2
    tolerance = KERNEL * condition
    assert abs(there.log_likelihood - (here.log_likelihood - shift)) <= tolerance * scale
    np.testing.assert_allclose(there.counts, here.counts, rtol=tolerance)
    # Rounding of moments is of the order of the largest direction.
    size = np.sqrt(here.counts.max() * np.einsum("kii->k", dense(there.seconds)).max())
    np.testing.assert_allclose(there.firsts, here.firsts @ A.T, atol=tolerance * size)
    squares = np.diagonal(A) ** 2
    expected = here.seconds * squares if structure.diagonal else A @ here.seconds @ A.T
    np.testing.assert_allclose(there.seconds, expected, atol=tolerance * abs(expected).max())


@pytest.mark.parametrize("unit", [2.0**-30, 0.1, 2.0**40])
def test_a_fit_follows_its_units(structure, unit):
    rng = np.random.default_rng(3)
    x = overlapping(rng, 500, 2, separation=4.0)
    start = random_parameters(structure, rng, 2, 2)
    start = start._replace(means=np.array([[4.0, 0.0], [0.0, 0.0]]))
    here = fit(x, start, structure)
    scaled = Parameters(start.weights, start.means * unit, start.covariances * unit**2)
    there = fit(x * unit, scaled, structure)
    assert here.converged
    assert there.converged
    shift = x.size * np.log(unit)
    scale = abs(here.log_likelihood) + abs(shift)
    assert abs(there.log_likelihood + shift - here.log_likelihood) <= KERNEL * scale + SAME_OPTIMUM
    distance = abs(there.parameters.means / unit - here.parameters.means).max()
    # 1e-12 nats are at most 2e-6 standard errors of about 0.1, over the root of the least
    # eigenvalue of the share of information that is left.
    assert distance <= 1e-5
