"""Overlap against closed forms, Monte Carlo, and its own invariances."""

import numpy as np
import pytest
from scipy import stats

from bayesgmm.errors import BayesGMMError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.simulation import misclassification, random_mixtures
from bayesgmm.simulation.misclassification import Pairs, overlap
from bayesgmm.simulation.random_mixtures import random_mixture

# |z| > 4.8 happens once in 630000 times; with at most 20 comparisons a test, a false alarm has
# a probability below 4e-5.
Z = 4.8


def spread_out(seed, k=3, d=3):
    return random_mixture(k, d, max_overlap=0.3, rng=seed)


def test_equal_covariances_give_the_normal_law():
    A = np.array([[2.0, 0.6], [0.6, 0.5]])
    weights, means = np.array([0.7, 0.3]), np.array([[0.0, 1.0], [1.5, 0.0]])
    difference = means[1] - means[0]
    delta = np.sqrt(difference @ np.linalg.solve(A, difference))
    ratio = np.log(weights[1] / weights[0])
    expected = stats.norm.cdf([ratio / delta - delta / 2, -ratio / delta - delta / 2])
    omega = overlap(Mixture(weights, means, [A, A]))
    np.testing.assert_allclose([omega[0, 1], omega[1, 0]], expected, rtol=1e-12)
    np.testing.assert_array_equal(np.diagonal(omega), 1.0)


def test_one_feature_with_unequal_variances_gives_an_interval():
    w, m, v = np.array([0.4, 0.6]), np.array([-1.0, 0.5]), np.array([2.0, 0.3])
    # log w_1 φ_1 - log w_0 φ_0 = p x² + q x + r, concave for v_1 < v_0.
    p = 0.5 / v[0] - 0.5 / v[1]
    q = m[1] / v[1] - m[0] / v[0]
    r = 0.5 * (m[0] ** 2 / v[0] - m[1] ** 2 / v[1]) + np.log(w[1] / w[0] * np.sqrt(v[0] / v[1]))
    ends = np.sort(np.roots([p, q, r]))
    inside = [np.diff(stats.norm.cdf(ends, m[i], np.sqrt(v[i])))[0] for i in range(2)]
    omega = overlap(Mixture(w, m, v))
    np.testing.assert_allclose([omega[0, 1], omega[1, 0]], [inside[0], 1 - inside[1]], rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 7])
def test_spheres_around_one_centre_give_the_chi_square_law(d):
    narrow, wide = 1.0, 3.0
    omega = overlap(Mixture([0.5, 0.5], np.ones((2, d)), [narrow * np.eye(d), wide * np.eye(d)]))
    # Equal densities at squared radius r²: r² (1/narrow - 1/wide) = d log(wide / narrow).
    r2 = d * np.log(wide / narrow) / (1 / narrow - 1 / wide)
    expected = [stats.chi2.sf(r2 / narrow, d), stats.chi2.cdf(r2 / wide, d)]
    np.testing.assert_allclose([omega[0, 1], omega[1, 0]], expected, rtol=1e-12)


@pytest.mark.parametrize(("k", "d"), [(3, 1), (3, 2), (4, 5)])
def test_monte_carlo_agrees(k, d):
    mixture = spread_out(30, k, d)
    rng = np.random.default_rng(31)
    n = 200_000
    omega = overlap(mixture)
    for i in range(k):
        root = np.linalg.cholesky(mixture.covariances[i])
        X = mixture.means[i] + rng.standard_normal((n, d)) @ root.T
        log_joint = mixture.log_joint(X)
        share = (log_joint >= log_joint[:, [i]]).mean(axis=0)
        standard_error = np.sqrt(omega[i] * (1 - omega[i]) / n)
        assert np.all(np.abs(share - omega[i]) <= Z * standard_error)


def test_affine_maps_permutations_and_scales_change_nothing():
    mixture = spread_out(32, 4, 3)
    omega = overlap(mixture)
    A = np.random.default_rng(33).normal(size=(3, 3))
    np.testing.assert_allclose(overlap(mixture.transformed(A, [1.0, -2.0, 5.0])), omega, atol=1e-12)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(
        overlap(mixture.permuted(order)), omega[np.ix_(order, order)], atol=1e-13
    )
    for scale in (1e-150, 1e150, [1e-120, 1.0, 1e120]):
        np.testing.assert_allclose(overlap(mixture.transformed(scale)), omega, atol=1e-12)


def test_shared_directions_leave_the_rest():
    # A feature with the same law in both components says nothing.
    pair = spread_out(34, 2, 2)
    covariances = np.zeros((2, 3, 3))
    covariances[:, :2, :2] = pair.covariances
    covariances[:, 2, 2] = 7.0
    padded = Mixture(pair.weights, np.c_[pair.means, np.ones(2)], covariances)
    np.testing.assert_allclose(overlap(padded), overlap(pair), atol=1e-13)


def test_zero_weights_ties_and_single_components():
    eye = np.eye(2)
    omega = overlap(Mixture([0.5, 0.5, 0.0], [[0, 0], [0, 0], [1, 1]], [eye, eye, eye]))
    np.testing.assert_array_equal(omega, [[1, 1, 0], [1, 1, 0], [1, 1, 1]])
    np.testing.assert_array_equal(overlap(Mixture([1.0], [[0.0]], [1.0])), [[1.0]])


def test_equality_up_to_rounding_is_a_tie():
    A = np.array([[2.0, 0.6], [0.6, 0.5]])
    jitter = A * (1 + 2e-16 * np.array([[1, 0], [0, 3]]))
    omega = overlap(Mixture([0.5, 0.5], np.zeros((2, 2)), [A, jitter]))
    np.testing.assert_array_equal(omega, 1.0)


def test_far_components_keep_relative_accuracy_until_they_underflow():
    distances = np.array([10.0, 30.0, 70.0, 100.0, 1e10, 1e200])
    for distance in distances:
        omega = overlap(Mixture([0.5, 0.5], [0.0, distance], [1.0, 1.0]))
        np.testing.assert_allclose(omega[0, 1], stats.norm.sf(distance / 2), rtol=1e-9)


def test_extreme_ratios_of_scale():
    # Component 0 is preferred to the wide one unless exp(-r²/2) <= 1e-200.
    omega = overlap(Mixture([0.5, 0.5], np.zeros((2, 2)), [np.eye(2), 1e200 * np.eye(2)]))
    assert omega[0, 1] == pytest.approx(1e-200, rel=1e-9)
    assert omega[1, 0] < 1e-90
    omega = overlap(Mixture([0.5, 0.5], [[0, 0], [1e300, 0]], [1e-200 * np.eye(2), np.eye(2)]))
    np.testing.assert_array_equal(omega, np.eye(2))


def test_an_error_beyond_the_stated_one_is_raised(monkeypatch):
    def inaccurate(a, b, x):
        return np.zeros(len(x)), np.full(len(x), np.nan)

    monkeypatch.setattr(misclassification, "quadratic_form_cdf", inaccurate)
    with pytest.raises(BayesGMMError, match="error of up to"):
        overlap(Mixture([0.5, 0.5], [0.0, 2.0], [1.0, 1.0]))


@pytest.mark.parametrize("multiplier", [0.01, 1.0, 30.0, np.inf])
@pytest.mark.parametrize("structure", ["VVV", "EEE", "VII"])
def test_measures_of_overlap_are_those_of_all_pairs(structure, multiplier):
    """Pairs are left out by a bound of their overlap, which none may exceed."""
    draw = random_mixtures._draw(20, 5, structure, np.random.default_rng(7))
    pairs = Pairs.of(*draw)
    omega = pairs.misclassification(multiplier)
    both = (omega + omega.T)[np.triu_indices(20, 1)]
    assert (both <= pairs._bounds(multiplier) * (1.0 + 1e-12) + 1e-15).all()
    assert Pairs.of(*draw).max_overlap(multiplier) == pytest.approx(both.max(), rel=1e-12)
    assert Pairs.of(*draw).average_overlap(multiplier) == pytest.approx(both.mean(), rel=1e-11)
    enough = 0.5 * both.max()
    assert enough < Pairs.of(*draw).max_overlap(multiplier, enough=enough) <= both.max() + 1e-15


def test_the_largest_overlap_needs_few_pairs():
    draw = random_mixtures._draw(60, 10, "VVV", np.random.default_rng(1))
    pairs = Pairs.of(*draw)
    assert 0.0 < pairs.max_overlap(0.02) < 0.2
    assert len(pairs.forms) < 0.25 * len(pairs.first)


def test_one_decomposition_serves_both_directions_of_a_pair():
    """The second direction from the first's factors, and from its own by exchanging the pair."""
    weights, means, covariances = random_mixtures._draw(2, 6, "VVV", np.random.default_rng(3))
    there = Pairs.of(weights, means, covariances).misclassification(0.3)
    back = Pairs.of(weights[::-1], means[::-1], covariances[::-1]).misclassification(0.3)
    np.testing.assert_allclose(there, back[::-1, ::-1], rtol=1e-11)
