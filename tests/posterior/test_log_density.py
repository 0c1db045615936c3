import numpy as np
import pytest
from problems import CASES, as_mixture, built, case_name, rows, somewhere
from tolerances import DIFFERENCES

from bayesgmm.covariance.structures import as_structure
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import coordinates

over_all = pytest.mark.parametrize("case", CASES, ids=case_name)


def differences(function, u, h=1e-3):
    """Central differences of fourth order, one row for each coordinate."""
    out = []
    for step in h * np.eye(len(u)):
        near = function(u + step) - function(u - step)
        far = function(u + 2 * step) - function(u - 2 * step)
        out.append((8 * near - far) / (12 * h))
    return np.array(out)


@over_all
def test_the_density_is_likelihood_times_priors_times_jacobian(case):
    target, priors = built(case)
    rng = np.random.default_rng(1)
    for _ in range(5):
        u = somewhere(target, rng)
        value, _ = target.log_density(u)
        mixture = as_mixture(target, u)
        expected = mixture.log_density(target.rows.X).sum() + priors.log_density(mixture)
        expected += target.coordinates.log_jacobian(u)
        assert value == pytest.approx(expected, rel=1e-11)


@over_all
def test_the_gradient_is_that_of_the_density(case):
    target, _ = built(case)
    u = somewhere(target, np.random.default_rng(2))
    _, gradient = target.log_density(u)
    expected = differences(lambda at: target.log_density(at)[0], u)
    np.testing.assert_allclose(gradient, expected, atol=DIFFERENCES * abs(expected).max())


@over_all
def test_planted_errors_of_gradient_and_jacobian_are_found(case):
    """Errors that leave the target of a Metropolis step as it is, or that many rows hide."""
    target, priors = built(case)
    u = somewhere(target, np.random.default_rng(2))
    value, gradient = target.log_density(u)
    of_weights = abs(differences(lambda at: target.parameters(at)[0], u)).max(axis=1) > 1e-9
    if of_weights.any():
        planted = np.where(of_weights, 1.02, 1.0) * gradient
        allowed = DIFFERENCES * abs(gradient).max()
        assert abs(planted - gradient).max() > 10.0 * allowed
    mixture = as_mixture(target, u)
    without = mixture.log_density(target.rows.X).sum() + priors.log_density(mixture)
    assert value != pytest.approx(without, rel=1e-6)


@over_all
def test_the_jacobian_is_that_of_the_parameters(case):
    target, _ = built(case)
    u = somewhere(target, np.random.default_rng(3))
    frame = target.coordinates

    def free_parameters(at):
        weights, means, covariances = target.parameters(at)
        groups = covariances[: frame.groups]
        if frame.axes:
            free = np.diagonal(groups, axis1=1, axis2=2)[:, : frame.axes]
        else:
            i, j = np.tril_indices(frame.n_features)
            free = groups[:, i, j]
        return np.concatenate((weights[:-1], means.ravel(), free.ravel()))

    _, expected = np.linalg.slogdet(differences(free_parameters, u))
    found = frame.log_jacobian(u)
    assert found == pytest.approx(expected, abs=DIFFERENCES)


@over_all
def test_coordinates_of_a_mixture_lead_back_to_it(case):
    target, _ = built(case)
    u = somewhere(target, np.random.default_rng(4))
    np.testing.assert_allclose(target.coordinates.of(as_mixture(target, u)), u, atol=1e-9)


def test_the_density_does_not_depend_on_the_coordinates():
    """Another frame moves the density by the Jacobian alone."""
    plain, _ = built(CASES[0])
    rng = np.random.default_rng(6)
    mixture = as_mixture(plain, somewhere(plain, rng))
    turned, _ = built(CASES[0], near=mixture)

    def without_jacobian(target):
        u = target.coordinates.of(mixture)
        return target.log_density(u)[0] - target.coordinates.log_jacobian(u)

    assert without_jacobian(turned) == pytest.approx(without_jacobian(plain), rel=1e-12)


def test_equal_components_may_change_places():
    target, _ = built(CASES[0])
    mixture = as_mixture(target, somewhere(target, np.random.default_rng(7)))
    values = [
        target.log_density(target.coordinates.of(mixture.permuted(order)))[0]
        for order in ([0, 1, 2], [2, 0, 1], [1, 0, 2])
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-13)


def test_far_out_the_density_is_no_number_and_nothing_crashes():
    target, _ = built(CASES[0])
    for sign in (1.0, -1.0):
        u = np.full(target.coordinates.size, sign * 1e4)
        assert not np.isfinite(target.log_density(u)[0])


def test_one_component_or_one_feature_has_nothing_to_tie():
    assert coordinates(rows(20, 2), 1, as_structure("EVE")).size == 5
    assert coordinates(rows(20, 1), 2, as_structure("VEI")).size == 5


def test_a_weight_of_zero_still_has_coordinates():
    target, _ = built(CASES[3], k=2)
    mixture = Mixture([1.0, 0.0], [100.0, 101.0], [1.0, 2.0])
    assert np.isfinite(target.coordinates.of(mixture)).all()
