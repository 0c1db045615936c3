"""ConditionalMoments, distribution functions and highest-density regions of a mixture."""

import tracemalloc

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from bayesgmm import Mixture, load_dataset, random_mixture, scenario
from bayesgmm.errors import InputError, InvalidParameterError

LINE = Mixture([0.5, 0.3, 0.2], [-3.0, 0.0, 3.0], [1.0, 0.25, 4.0])


# --- regression ---------------------------------------------------------------------------------


def test_regression_is_the_conditional_mixtures_moments_at_each_row():
    mixture = random_mixture(4, 5, average_overlap=0.05, rng=3)
    x, _ = mixture.sample(40, rng=1)
    given = [3, 0]
    found = mixture.regress(x[:, given], given)
    assert found.mean.shape == (40, 3)
    assert found.covariance.shape == (40, 3, 3)
    for row, mean, covariance, weights in zip(
        x[:, given], found.mean, found.covariance, found.weights, strict=True
    ):
        conditional = mixture.conditional(dict(zip(given, row, strict=True)))
        np.testing.assert_allclose(mean, conditional.mean(), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(covariance, conditional.covariance(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(weights, conditional.weights, rtol=1e-11, atol=1e-14)


def test_regression_by_names_of_a_frame_and_its_calibration():
    faithful = load_dataset("faithful")
    names = faithful.feature_names
    mixture = Mixture(
        [0.36, 0.64],
        [[2.04, 54.5], [4.29, 79.97]],
        [[[0.069, 0.435], [0.435, 33.7]], [[0.17, 0.94], [0.94, 36.05]]],
        names,
    )
    x, _ = mixture.sample(20_000, rng=0)
    frame = pd.DataFrame(x, columns=list(names))
    found = mixture.regress(frame[[names[0]]], [names[0]])
    assert found.feature_names == (names[1],)
    z = (x[:, 1] - found.mean[:, 0]) / np.sqrt(found.covariance[:, 0, 0])
    # Mean 0 and variance 1 if the conditional moments are right: 4.5 standard errors, of which
    # that of a variance is sqrt((kurtosis - 1) / n) with a kurtosis near 3.
    assert abs(z.mean()) < 4.5 / np.sqrt(len(z))
    assert abs(z.var() - 1.0) < 4.5 * np.sqrt(2.2 / len(z))


def test_one_component_is_linear_regression():
    covariance = np.array([[2.0, 0.6], [0.6, 1.0]])
    found = Mixture([1.0], [[1.0, 2.0]], [covariance]).regress([[0.0], [5.0]], [0])
    np.testing.assert_allclose(found.mean[:, 0], 2.0 + 0.3 * np.array([-1.0, 4.0]), rtol=1e-14)
    np.testing.assert_allclose(found.covariance.ravel(), 1.0 - 0.18, rtol=1e-14)


def test_regression_refuses_what_it_cannot_use():
    mixture = random_mixture(2, 2, average_overlap=0.05, rng=0)
    for given in ([], [0, 1]):
        with pytest.raises(InputError, match="at least one"):
            mixture.regress(np.zeros((3, len(given) or 1)), given)
    with pytest.raises(InputError, match="features"):
        mixture.regress(np.zeros((3, 2)), [0])


# --- one feature --------------------------------------------------------------------------------


def exact_cdf(mixture, x):
    with mpmath.workdps(50):
        parts = zip(mixture.weights, mixture.means[:, 0], mixture.variances[:, 0], strict=True)
        return mpmath.fsum(
            mpmath.mpf(w)
            * mpmath.ncdf((mpmath.mpf(x) - mpmath.mpf(m)) / mpmath.sqrt(mpmath.mpf(v)))
            for w, m, v in parts
        )


def test_cdf_agrees_with_50_digits_in_the_lower_tail():
    x = np.array([-30.0, -12.0, -3.0, 0.1, 4.0, 11.0])
    expected = [float(exact_cdf(LINE, each)) for each in x]
    # erfc of an argument near 30 loses some hundred units in the last place to its rounding.
    np.testing.assert_allclose(LINE.cdf(x), expected, rtol=1e-12)
    assert LINE.cdf([[0.0, 1.0]]).shape == (1, 2)


def test_quantiles_invert_the_cdf_far_into_the_tails():
    q = np.array([1e-300, 1e-100, 1e-20, 1e-6, 0.3, 0.5, 0.7, 1 - 1e-6, 1 - 1e-12])
    x = LINE.quantile(q)
    assert (np.diff(x) > 0).all()
    for level, each in zip(q, x, strict=True):
        with mpmath.workdps(50):
            target = mpmath.mpf(float(level))
            below, above = (
                exact_cdf(LINE, each - 1e-11 * abs(each)),
                exact_cdf(LINE, each + 1e-11 * abs(each)),
            )
            assert below < target < above, level
    np.testing.assert_array_equal(LINE.quantile([0.0, 1.0]), [-np.inf, np.inf])


@pytest.mark.parametrize(("shift", "factor"), [(0.0, 1e-100), (1e8, 1.0), (0.0, 1e100)])
def test_quantiles_follow_the_units(shift, factor):
    moved = LINE.transformed(factor, shift)
    q = np.array([1e-9, 0.2, 0.9])
    expected = shift + factor * LINE.quantile(q)
    np.testing.assert_allclose(moved.quantile(q), expected, rtol=1e-12)


def test_quantiles_of_one_component_are_the_normals():
    q = np.linspace(0.01, 0.99, 9)
    one = Mixture([1.0, 0.0], [2.0, 50.0], [9.0, 1.0])
    np.testing.assert_allclose(one.quantile(q), norm.ppf(q, 2.0, 3.0), rtol=1e-12)


def test_distribution_functions_want_one_feature_and_probabilities():
    with pytest.raises(InputError, match="marginal"):
        random_mixture(2, 2, average_overlap=0.05, rng=0).cdf(0.0)
    for q in (-0.1, 1.1):
        with pytest.raises(InvalidParameterError, match="from 0 to 1"):
            LINE.quantile(q)


# --- regions ------------------------------------------------------------------------------------


@pytest.mark.parametrize("prob", [0.05, 0.5, 0.8, 0.95, 0.999])
@pytest.mark.parametrize("mixture", [LINE, scenario("rusty_machine")], ids=["line", "rusty"])
def test_intervals_have_the_probability_and_one_density_at_every_end(mixture, prob):
    region = mixture.highest_density_region(prob)
    ends = mixture.cdf(region.intervals)
    assert np.diff(ends, axis=1).sum() == pytest.approx(prob, abs=1e-11)
    np.testing.assert_allclose(
        mixture.log_density(region.intervals.ravel()), region.log_threshold, atol=1e-9
    )
    inside = region.intervals.mean(axis=1)
    assert region.contains(inside).any()
    # No interval of the same probability in one piece is shorter.
    low = np.linspace(1e-6, 1.0 - prob - 1e-6, 200)
    shortest = (mixture.quantile(low + prob) - mixture.quantile(low)).min()
    assert np.diff(region.intervals, axis=1).sum() <= shortest + 1e-9


def test_two_groups_far_apart_have_two_intervals():
    two = Mixture([0.5, 0.5], [-50.0, 50.0], [1.0, 1.0])
    region = two.highest_density_region(0.9)
    reach = norm.ppf(0.95)
    expected = [[-50 - reach, -50 + reach], [50 - reach, 50 + reach]]
    np.testing.assert_allclose(region.intervals, expected, rtol=1e-10)


def test_the_threshold_of_a_gaussian_in_the_plane_is_a_chi_squares():
    """Of probability p: log density at its mean less half the quantile -2 log(1 - p)."""
    one = Mixture([1.0], [[1.0, 2.0]], [[[2.0, 0.5], [0.5, 1.0]]])
    for prob in (0.5, 0.9):
        region = one.highest_density_region(prob, n_draws=50_000, rng=1)
        exact = one.log_density([[1.0, 2.0]])[0] + np.log1p(-prob)
        assert abs(region.log_threshold - exact) < 4.5 * region.standard_error
        # The threshold's error from that of an order statistic: sqrt(p (1 - p) / n) / (1 - p).
        expected = np.sqrt(prob / (1.0 - prob) / 50_000)
        assert region.standard_error == pytest.approx(expected, rel=0.3)
        assert region.intervals is None
    with pytest.raises(InvalidParameterError, match="between 0 and 1"):
        one.highest_density_region(1.0)


def test_regression_of_many_rows_needs_little_more_than_its_result():
    mixture = random_mixture(3, 4, average_overlap=0.05, rng=2)
    x = mixture.sample(100_000, rng=0)[0][:, :2].copy()
    few = mixture.regress(x[:1000], [0, 1])
    tracemalloc.start()
    found = mixture.regress(x, [0, 1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    kept = found.mean.nbytes + found.covariance.nbytes + found.weights.nbytes
    # Blocks of rows: 2**18 numbers, a few at a time.
    assert peak < kept + 16 * 2**21
    for name in ("mean", "covariance", "weights"):
        np.testing.assert_allclose(getattr(found, name)[:1000], getattr(few, name), rtol=1e-13)


def test_a_single_feature_may_be_given_as_it_is():
    mixture = random_mixture(2, 2, average_overlap=0.05, rng=0)
    x = np.zeros((3, 1))
    np.testing.assert_array_equal(mixture.regress(x, 0).mean, mixture.regress(x, [0]).mean)


def test_a_component_without_weight_moves_no_moment_however_far_it_is():
    """Its own moments are beyond float64 at that row; those of the mixture are not."""
    covariances = [[[1e300, 0.0], [0.0, 1.0]], [[1e-300, 1e-151], [1e-151, 1.0]]]
    found = Mixture([0.5, 0.5], [[0.0, 3.0], [0.0, 0.0]], covariances).regress([[1e200]], 0)
    np.testing.assert_array_equal(found.weights, [[1.0, 0.0]])
    assert (found.mean.item(), found.covariance.item()) == (3.0, 1.0)


def test_moments_beyond_float64_are_refused():
    mixture = Mixture([1.0], [[0.0, 0.0]], [[[1e-300, 0.5e-150], [0.5e-150, 1.0]]])
    with pytest.raises(InputError, match="beyond float64 at a row"):
        mixture.regress([[1e300]], 0)
    with pytest.raises(InvalidParameterError, match="means must be finite"):
        mixture.conditional({0: 1e300})
