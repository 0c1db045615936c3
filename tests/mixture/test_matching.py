"""Distances of Gaussians against quadrature, and which component is which."""

import itertools

import numpy as np
import pytest
from scipy import integrate, stats

from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya, bhattacharyya_distances
from bayesgmm.mixture.matching import match_components, matching_costs
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.simulation.random_mixtures import random_mixture


def gaussian(mean, sd):
    return np.array([[mean]]), np.array([[[sd**2]]])


def test_the_distance_is_the_integral():
    area, _ = integrate.quad(
        lambda x: np.sqrt(stats.norm.pdf(x, 0.3, 1.7) * stats.norm.pdf(x, 2.0, 0.6)), -20, 20
    )
    found = bhattacharyya_distances(*gaussian(0.3, 1.7), *gaussian(2.0, 0.6))
    assert found[0, 0] == pytest.approx(-np.log(area), rel=1e-9)


def test_distances_do_not_depend_on_the_units_and_broadcast():
    a = random_mixture(3, 2, average_overlap=0.05, rng=0)
    b = random_mixture(4, 2, average_overlap=0.05, rng=1)
    plain = bhattacharyya_distances(a.means, a.covariances, b.means, b.covariances)
    root = np.array([[1e-90, 0.0], [2e-90, 3e-90]])
    moved = [each.transformed(root) for each in (a, b)]
    arrays = [array for each in moved for array in (each.means, each.covariances)]
    np.testing.assert_allclose(bhattacharyya_distances(*arrays), plain, rtol=1e-11)
    stack = bhattacharyya_distances(
        np.stack([a.means] * 5), np.stack([a.covariances] * 5), b.means, b.covariances
    )
    assert stack.shape == (5, 3, 4)
    np.testing.assert_allclose(stack, np.stack([plain] * 5), rtol=1e-14)


def test_coefficients_of_a_mixture():
    found = bhattacharyya(random_mixture(4, 3, average_overlap=0.1, rng=2))
    assert (found == found.T).all()
    assert (np.diagonal(found) == 1.0).all()
    assert ((found > 0) & (found <= 1)).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_permutation_is_undone(seed):
    rng = np.random.default_rng(seed)
    reference = random_mixture(6, 2, average_overlap=0.02, rng=seed)
    order = rng.permutation(6)
    matching = match_components(reference.permuted(order), reference)
    assert (order[matching.order] == np.arange(6)).all()
    assert matching.unmatched == ()
    paired = matching.distances[matching.order, np.arange(6)]
    assert paired.max() < 1e-6


def test_the_assignment_is_the_best_of_all():
    a = random_mixture(5, 2, average_overlap=0.2, rng=7)
    b = random_mixture(5, 2, average_overlap=0.2, rng=8)
    costs = matching_costs(a.means, a.covariances, b.means, b.covariances)
    best = min(sum(costs[p[j], j] for j in range(5)) for p in itertools.permutations(range(5)))
    found = match_components(a, b).order
    assert costs[found, np.arange(5)].sum() == pytest.approx(best, rel=1e-12)


def test_far_apart_the_nearer_one_is_taken():
    # Every Hellinger distance here is 1 to the last bit.
    reference = Mixture([0.5, 0.5], [0.0, 1e4], [1.0, 1.0])
    found = match_components(Mixture([0.5, 0.5], [9e3, 1e3], [1.0, 1.0]), reference)
    assert found.order.tolist() == [1, 0]


def test_different_numbers_of_components():
    reference = random_mixture(3, 2, average_overlap=0.01, rng=3)
    more = Mixture(
        [0.25] * 4,
        np.vstack([reference.means[[2, 0]], [[50.0, 50.0]], reference.means[[1]]]),
        np.concatenate([reference.covariances[[2, 0]], [np.eye(2)], reference.covariances[[1]]]),
    )
    found = match_components(more, reference)
    assert found.order.tolist() == [1, 3, 0]
    assert found.unmatched == (2,)
    back = match_components(reference, more)
    assert back.order.tolist() == [2, 0, -1, 1]
    assert back.matched.tolist() == [0, 1, 3]
    with pytest.raises(InvalidParameterError, match="2 features"):
        match_components(reference, Mixture([1.0], [0.0], [1.0]))
