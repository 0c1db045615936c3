"""The search for modes, their masses, and the regions about them."""

import numpy as np
import pytest
from problems import parameters_of, rows

from bayesgmm import GaussianMixture, Priors, load_dataset
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem
from bayesgmm.sampling.mode_regions import Regions
from bayesgmm.sampling.mode_search import search_modes
from bayesgmm.sampling.posterior_modes import climb


def posed(x, k, word="full", priors=None):
    structure = as_structure(word)
    fit = GaussianMixture(k, covariance_type=word, random_state=0).fit(x)
    frame = coordinates(x, k, structure, fit.mixture_)
    resolved = (priors or Priors()).for_data(x, k, structure)
    return problem(Data(x, None), resolved, frame), fit.mixture_


def permuted(frame, u, order):
    components, shared = frame.blocks(u)
    return frame.of_blocks(components[..., order, :], shared)


@pytest.mark.parametrize("word", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("d", [1, 2])
def test_a_mode_is_a_maximum(word, d):
    posterior, estimate = posed(rows(200, d), 3, word)
    mode = climb(posterior, posterior.coordinates.of(estimate))
    density, slope = posterior.log_density(mode.u)
    assert density == mode.log_density
    assert abs(slope @ mode.covariance @ slope) < 1e-12
    rng = np.random.default_rng(0)
    for _ in range(20):
        away = np.linalg.cholesky(mode.covariance) @ rng.standard_normal(len(mode.u))
        assert posterior.log_density(mode.u + 0.1 * away)[0] < density
        # The second derivatives, too, are those of the density.
        quadratic = density - 0.5 * 1e-6 * away @ np.linalg.solve(mode.covariance, away)
        assert posterior.log_density(mode.u + 1e-3 * away)[0] == pytest.approx(quadratic, abs=1e-7)


def test_laplace_s_mass_is_near_that_of_importance_sampling():
    posterior, estimate = posed(rows(400, 1), 1)
    mode = climb(posterior, posterior.coordinates.of(estimate))
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky(mode.covariance)
    z = rng.standard_normal((4000, len(mode.u)))
    ratios = [posterior.log_density(mode.u + root @ each)[0] + 0.5 * each @ each for each in z]
    ratios = (
        np.array(ratios) + np.log(np.diagonal(root)).sum() + 0.5 * z.shape[1] * np.log(2 * np.pi)
    )
    mass = np.log(np.exp(ratios - ratios.max()).mean()) + ratios.max()
    assert mode.log_mass == pytest.approx(mass, abs=0.05)


def test_every_mode_that_is_found_is_another():
    posterior, estimate = posed(load_dataset("galaxies").X, 3, priors=Priors.richardson_green())
    modes = search_modes(posterior, parameters_of(estimate), [])
    assert len(modes) > 1
    densities = np.array([each.log_density for each in modes])
    assert (
        abs(np.subtract.outer(densities, densities))[~np.eye(len(modes), dtype=bool)].min() > 1e-2
    )
    assert [each.log_mass for each in modes] == sorted((m.log_mass for m in modes), reverse=True)
    for mode in modes:
        _, slope = posterior.log_density(mode.u)
        assert abs(slope @ mode.covariance @ slope) < 1e-8


def test_one_component_has_one_mode():
    posterior, estimate = posed(rows(100, 2), 1)
    assert len(search_modes(posterior, parameters_of(estimate), [])) == 1


@pytest.mark.parametrize(("word", "d"), [("full", 1), ("full", 2), ("tied", 2), ("diag", 2)])
def test_regions_do_not_depend_on_labels(word, d):
    posterior, estimate = posed(rows(150, d), 3, word)
    frame = posterior.coordinates
    modes = search_modes(posterior, parameters_of(estimate), [])[:2]
    rng = np.random.default_rng(0)
    u = modes[0].u + 0.5 * rng.standard_normal((200, frame.size))
    found = Regions(modes, frame).locate(u)
    order = np.array([2, 0, 1])
    moved = Regions(modes, frame).locate(permuted(frame, u, order))
    np.testing.assert_array_equal(found.region, moved.region)
    np.testing.assert_allclose(found.u, moved.u, rtol=1e-10, atol=1e-10)
    again = Regions(modes, frame).locate(found.u)
    assert again.own.all()
    np.testing.assert_array_equal(found.own, (found.u == u).all(axis=1))
    for m, mode in enumerate(modes):
        assert Regions(modes, frame).locate(mode.u[np.newaxis]).region == [m]


@pytest.mark.parametrize(("word", "d"), [("full", 2), ("tied", 2), ("diag", 2), ("full", 1)])
def test_coordinates_by_component(word, d):
    posterior, _ = posed(rows(60, d), 3, word)
    frame = posterior.coordinates
    u = np.random.default_rng(0).standard_normal((5, 4, frame.size))
    np.testing.assert_allclose(frame.of_blocks(*frame.blocks(u)), u, rtol=1e-14)
    # Labels of coordinates are labels of parameters, and parameters have their coordinates.
    order = [1, 2, 0]
    weights, means, covariances = posterior.parameters(u[0, 0])
    found = posterior.parameters(permuted(frame, u[0, 0], order))
    for each, own in zip(found, (weights, means, covariances), strict=True):
        np.testing.assert_allclose(each, own[order], rtol=1e-10)
    drawn = [posterior.parameters(each) for each in u.reshape(-1, frame.size)]
    stacked = (np.array(each).reshape(5, 4, *each[0].shape) for each in zip(*drawn, strict=True))
    np.testing.assert_allclose(frame.of_parameters(*stacked), u, rtol=1e-7, atol=1e-9)
