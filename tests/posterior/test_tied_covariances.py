"""Posteriors of structures whose components share some parts of their covariances."""

import numpy as np
import pytest
from problems import rows
from tolerances import DIFFERENCES

from bayesgmm.covariance.structures import as_structure, structures
from bayesgmm.data.validation import Data
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem
from bayesgmm.priors.families import InverseGamma, InverseWishart
from bayesgmm.priors.priors import Priors

TIED = ["VEI", "EVI", "VEE", "EVV", "EVE", "VVE", "EEV", "VEV"]
SPREADS = np.geomspace(0.05, 1.2, 20)
over_tied = pytest.mark.parametrize("code", TIED)
over_features = pytest.mark.parametrize("d", [2, 3, 4])


def built(code, d, k=3, near=None, **how):
    x, structure = rows(150, d), as_structure(code)
    if not structure.scales_by_column:
        x = 100.0 + (x - 100.0) / np.geomspace(0.1, 30.0, d)
    priors = Priors(**how).for_data(x, k, structure)
    return problem(Data(x, None), priors, coordinates(x, k, structure, near)), priors


def somewhere(target, seed, spread=0.4):
    return spread * np.random.default_rng(seed).standard_normal(target.coordinates.size)


def differences(function, u, h=1e-3):
    """Central differences of fourth order, one row for each coordinate."""
    out = []
    for step in h * np.eye(len(u)):
        near = function(u + step) - function(u - step)
        far = function(u + 2 * step) - function(u - 2 * step)
        out.append((8 * near - far) / (12 * h))
    return np.array(out)


@pytest.mark.parametrize("code", [each.code for each in structures()])
@over_features
def test_as_many_coordinates_as_em_has_parameters(code, d):
    structure = as_structure(code)
    assert coordinates(rows(50, d), 3, structure).size == structure.n_parameters(3, d)


WITH_PRIORS = [
    (code, how)
    for code in TIED
    for how in ({}, {"hierarchical": False}, {"covariances": "lkj"})
    if how != {"covariances": "lkj"} or not as_structure(code).diagonal
]


@pytest.mark.parametrize(("code", "how"), WITH_PRIORS, ids=str)
@over_features
def test_value_and_gradient(code, d, how):
    target, priors = built(code, d, **how)
    for seed in range(3):
        u = somewhere(target, seed)
        value, gradient = target.log_density(u)
        mixture = Mixture(*target.parameters(u))
        expected = mixture.log_density(target.rows.X).sum() + priors.log_density(mixture)
        expected += target.coordinates.log_jacobian(u)
        assert value == pytest.approx(expected, rel=1e-11)
        slopes = differences(lambda at: target.log_density(at)[0], u)
        np.testing.assert_allclose(gradient, slopes, atol=DIFFERENCES * abs(slopes).max())


@over_tied
def test_priors_that_differ_between_components(code):
    family = InverseWishart(7.0, [[[1.0, 0.2], [0.2, 2.0]], [[3.0, 0.0], [0.0, 1.0]]])
    if as_structure(code).diagonal:
        family = InverseGamma(3.0, [[1.0, 2.0], [3.0, 1.0]])
    target, priors = built(code, 2, 2, concentration=[3.0, 5.0], covariances=family)
    u = somewhere(target, 0)
    mixture = Mixture(*target.parameters(u))
    expected = mixture.log_density(target.rows.X).sum() + priors.log_density(mixture)
    assert target.log_density(u)[0] == pytest.approx(
        expected + target.coordinates.log_jacobian(u), rel=1e-11
    )


@over_tied
@over_features
def test_covariances_are_of_the_structure(code, d):
    """An M-step of the structure leaves them as they are."""
    target, _ = built(code, d)
    structure = as_structure(code)
    weights, _, covariances = target.parameters(somewhere(target, 4))
    if structure.diagonal:
        covariances = np.diagonal(covariances, axis1=1, axis2=2).copy()
    scatters = weights.reshape(-1, *[1] * (covariances.ndim - 1)) * covariances
    found = structure.covariances(weights, scatters, covariances)
    np.testing.assert_allclose(found, covariances, rtol=1e-6, atol=1e-7 * abs(covariances).max())


@over_tied
@over_features
def test_the_measure_is_the_volume_of_the_fisher_metric(code, d):
    """The volume by differences of the covariances, up to one constant for all points.

    The metric is the sum of tr (Sigma^-1 dSigma)^2; the measure has |Sigma|^((D + 1) / 2) besides,
    for variances the product of them.
    """
    target, _ = built(code, d)
    frame, structure = target.coordinates, as_structure(code)
    first = frame.n_components - 1 + frame.n_components * d
    apart = []
    for seed in range(4):
        u = somewhere(target, seed)
        _, _, covariances = target.parameters(u)
        lower = np.linalg.cholesky(covariances)
        tangents = differences(lambda at: target.parameters(at)[2], u)[first:]
        moved = np.linalg.solve(lower, np.linalg.solve(lower, tangents).mT)
        flat = moved.reshape(len(moved), -1)
        volume = 0.5 * np.linalg.slogdet(flat @ flat.T)[1]
        power = 1.0 if structure.diagonal else 0.5 * (d + 1.0)
        of_means = np.log(np.diagonal(frame.user_frame)).sum() * frame.n_components
        of_weights = np.log(target.parameters(u)[0]).sum()
        volume += power * np.linalg.slogdet(covariances)[1].sum() + of_means + of_weights
        apart.append(frame.log_jacobian(u) - volume)
    np.testing.assert_allclose(apart, apart[0], atol=1e-7)


@over_tied
@over_features
def test_coordinates_of_a_mixture_lead_back_to_it(code, d):
    target, _ = built(code, d)
    frame = target.coordinates
    points = np.array([somewhere(target, i, each) for i, each in enumerate(SPREADS)])
    mixtures = [target.parameters(u) for u in points]
    found = frame.of_parameters(*(np.array(each) for each in zip(*mixtures, strict=True)))
    for u, mixture in zip(found, mixtures, strict=True):
        for one, other in zip(target.parameters(u), mixture, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-7, atol=1e-8 * abs(other).max())
    # Other coordinates have other axes for the same covariances.
    own = np.isclose(found, points, atol=1e-6).all(axis=1)
    assert own.any()
    assert own.all() == (frame.tied.reference is None)
    components, shared = frame.blocks(points)
    np.testing.assert_array_equal(frame.of_blocks(components, shared), points)


@over_tied
@over_features
def test_axes_near_those_of_another(code, d):
    """Coordinates of the same mixtures, which lead back to the ones nearby."""
    target, _ = built(code, d)
    frame = target.coordinates
    centre, shared_centre = frame.blocks(somewhere(target, 8, 1.0))
    points = np.array([somewhere(target, i, each) for i, each in enumerate(SPREADS)])
    components, shared = frame.blocks(points)
    for j in range(3):
        moved = frame.of_blocks(*frame.near(components, shared, centre[j], shared_centre))
        for u, other in zip(points, moved, strict=True):
            for one, same in zip(target.parameters(u), target.parameters(other), strict=True):
                np.testing.assert_allclose(one, same, rtol=1e-7, atol=1e-8 * abs(same).max())
        again = frame.near(*frame.blocks(moved), centre[j], shared_centre)
        np.testing.assert_allclose(frame.of_blocks(*again), moved, atol=1e-6)
    same, own_shared = frame.near(
        centre[np.newaxis], shared_centre[np.newaxis], centre[0], shared_centre
    )
    np.testing.assert_allclose(same[0, 0], centre[0], atol=1e-8)
    np.testing.assert_allclose(own_shared[0], shared_centre, atol=1e-8)


@over_tied
def test_any_mixture_is_projected(code):
    target, _ = built(code, 3)
    rng = np.random.default_rng(0)
    roots = rng.standard_normal((3, 3, 3)) * np.geomspace(0.1, 30.0, 3)[:, np.newaxis]
    mixture = Mixture([0.2, 0.3, 0.5], rng.standard_normal((3, 3)) + 100.0, roots @ roots.mT)
    u = target.coordinates.of(mixture)
    again = Mixture(*target.parameters(u))
    np.testing.assert_allclose(target.coordinates.of(again), u, atol=1e-6)
    total = np.log(np.linalg.det(mixture.covariances))
    if code[0] == "V":
        found = np.log(np.linalg.det(again.covariances))
        np.testing.assert_allclose(found, total, atol=1e-8)


@over_tied
def test_components_may_change_places(code):
    target, _ = built(code, 3)
    mixture = Mixture(*target.parameters(somewhere(target, 7)))
    values = [
        target.log_density(target.coordinates.of(mixture.permuted(order)))[0]
        for order in ([0, 1, 2], [2, 0, 1], [1, 0, 2])
    ]
    np.testing.assert_allclose(values, values[0], rtol=1e-11)


@over_tied
def test_the_density_does_not_depend_on_the_coordinates(code):
    """Another frame and other axes of reference move the density by the measure alone."""
    plain, _ = built(code, 3)
    mixture = Mixture(*plain.parameters(somewhere(plain, 6)))
    turned, _ = built(code, 3, near=mixture)

    def without_jacobian(target):
        u = target.coordinates.of(mixture)
        return target.log_density(u)[0] - target.coordinates.log_jacobian(u)

    assert without_jacobian(turned) == pytest.approx(without_jacobian(plain), rel=1e-11)


def test_far_out_the_density_is_no_number_and_nothing_crashes():
    for code in TIED:
        target, _ = built(code, 3)
        for sign in (1.0, -1.0):
            assert not np.isfinite(
                target.log_density(np.full(target.coordinates.size, sign * 1e4))[0]
            )
