"""Quantiles, regions and turning points of mixtures whose scales and offsets differ hugely."""

import numpy as np
import pytest
from regions import check_region, held
from scipy.stats import norm

from bayesgmm import Mixture, scenario
from bayesgmm.errors import InputError


@pytest.mark.parametrize("prob", [1e-9, 0.01, 0.5, 0.95, 1.0 - 1e-12])
def test_a_narrow_component_within_a_wide_one(prob):
    mixture = Mixture([0.5, 0.5], [0.0, 0.0], [1e-12, 1e12])
    region = check_region(mixture, prob)
    assert held(mixture, region.intervals) == pytest.approx(prob, rel=1e-9)


def test_ends_far_from_zero_are_rounded_once():
    region = check_region(Mixture([0.5, 0.5], [-1e12, 1e12], [1.0, 1.0]), 0.5)
    reach = norm.ppf(0.75)
    np.testing.assert_array_equal(
        region.intervals, [[-1e12 - reach, -1e12 + reach], [1e12 - reach, 1e12 + reach]]
    )
    assert region.log_threshold == pytest.approx(np.log(0.5) + norm.logpdf(reach), abs=1e-12)


def test_a_flat_density_holds_its_probability():
    """Two hundred ripples of 1e-8 of their height: the level's last digit moves the ends far."""
    mixture = Mixture(np.full(200, 1 / 200), np.arange(200.0), np.ones(200))
    for prob in (0.2, 0.8):
        region = mixture.highest_density_region(prob)
        assert held(mixture, region.intervals) == pytest.approx(prob, abs=1e-12)
        np.testing.assert_allclose(
            mixture.log_density(region.intervals.ravel()), region.log_threshold, atol=1e-12
        )


# --- modes and antimodes --------------------------------------------------------------------------


def test_modes_of_two_components_are_where_the_textbook_has_them():
    """x = 1.5 tanh(1.5 x); at a distance of two standard deviations both modes meet."""
    two = Mixture([0.5, 0.5], [-1.5, 1.5], [1.0, 1.0])
    left, right = two.modes()
    assert -left == pytest.approx(right, abs=1e-12)
    assert right == pytest.approx(1.5 * np.tanh(1.5 * right), abs=1e-12)
    np.testing.assert_allclose(two.antimodes(), 0.0, atol=1e-12)
    for distance, count in ((1.98, 1), (2.02, 2)):
        near = Mixture([0.5, 0.5], [0.0, distance], [1.0, 1.0])
        assert len(near.modes()) == count
        assert len(near.antimodes()) == count - 1


def test_a_bump_on_a_slope_is_found_however_slight():
    """Of a narrow component on the flank of a wide one, from no turn to two that are near."""
    x, counts = np.linspace(1.0, 2.0, 20_001), []
    for weight in np.geomspace(0.0005, 0.02, 60):
        mixture = Mixture([1.0 - weight, weight], [0.0, 1.5], [1.0, 0.0025])
        turns = np.diff(np.sign(np.diff(mixture.log_density(x)))) != 0
        counts.append(len(mixture.modes()))
        assert counts[-1] + len(mixture.antimodes()) == 1 + turns.sum()
    assert set(counts) == {1, 2}


# --- boundaries -----------------------------------------------------------------------------------


def test_boundaries_of_two_components_of_one_variance():
    two = Mixture([0.7, 0.3], [0.0, 4.0], [1.0, 1.0])
    found = two.boundaries()
    np.testing.assert_allclose(found.x, [2.0 + np.log(0.7 / 0.3) / 4.0], rtol=1e-14)
    assert (found.below.tolist(), found.above.tolist()) == ([0], [1])
    assert len(found) == 1


def test_a_narrow_component_interrupts_a_wide_one():
    mixture = Mixture([0.8, 0.2], [0.0, 0.5], [4.0, 0.01])
    found = mixture.boundaries()
    assert (found.below.tolist(), found.above.tolist()) == ([0, 1], [1, 0])
    np.testing.assert_allclose(mixture.responsibilities(found.x), 0.5, atol=1e-12)
    assert len(Mixture([0.999, 0.001], [0.0, 0.5], [4.0, 3.9]).boundaries()) == 0


def test_two_given_components_are_equally_probable_at_their_boundaries():
    mixture = scenario("rusty_machine")
    found = mixture.boundaries([2, 0])
    joint = mixture.log_joint(found.x)
    np.testing.assert_allclose(joint[:, 0], joint[:, 2], atol=1e-12)
    assert found.below.tolist() == [0, 2]
    # The middle component is the most probable at the first of them.
    assert mixture.classify(found.x[:1]).tolist() == [1]


def test_three_components_that_meet_in_one_point_have_one_boundary():
    """Of equal variances, with the middle one just as probable where the outer two are."""
    weights = np.array([1.0, np.exp(-0.5), 1.0])
    mixture = Mixture(weights / weights.sum(), [-1.0, 0.0, 1.0], [1.0, 1.0, 1.0])
    found = mixture.boundaries()
    np.testing.assert_allclose(found.x, 0.0, atol=1e-12)
    assert (found.below.tolist(), found.above.tolist()) == ([0], [2])


def test_components_without_weight_or_alike_have_no_boundaries():
    assert len(Mixture([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]).boundaries()) == 0
    assert len(Mixture([0.5, 0.5], [0.0, 0.0], [1.0, 1.0]).boundaries()) == 0
    assert len(Mixture([1.0], [0.0], [1.0]).boundaries()) == 0


def test_boundaries_and_modes_need_one_feature():
    mixture = scenario("blobs")
    for call in (mixture.boundaries, mixture.modes, mixture.antimodes):
        with pytest.raises(InputError, match=r"one feature, but the mixture has 2.*marginal"):
            call()


@pytest.mark.parametrize("q", [0.0, 1e-300, 0.3, 0.5, 1.0])
def test_one_quantile_is_that_of_many(q):
    mixture = Mixture([0.4, 0.6], [-3.0, 3e11], [1.0, 2.0])
    assert mixture.quantile(q) == mixture.quantile([0.0, q, 0.9])[1]


def test_crossings_of_three_scales_that_round_to_one_number():
    """A component of 1e-133 ends within one of 1; two of 1e-81 and 1e-46 are beaten by far."""
    means, deviations = [1e-9, 0.0, 0.0, 0.0], np.array([1e-133, 1e-81, 1e-46, 1.0])
    for order in ([0, 1, 2, 3], [0, 2, 1, 3], [3, 2, 1, 0]):
        weights = np.full(4, 0.25)
        mixture = Mixture(weights, means, deviations**2).permuted(order)
        found = mixture.boundaries()
        narrow, wide = order.index(0), order.index(3)
        at = found.below.tolist().index(narrow)
        assert (found.above[at], found.below[at - 1]) == (wide, wide)
        np.testing.assert_array_equal(found.x[at - 1 : at + 1], [1e-9, 1e-9])
        assert mixture.classify([[2e-9]]).tolist() == [wide]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_components_that_cross_beyond_float64_have_no_boundary(sign):
    """At sigma^2 log(weights' ratio) / (means' difference), about 1e212 / 1e-124."""
    mixture = Mixture([0.99, 0.01], [0.0, sign * 1.6e-124], [7e211, 7e211])
    assert len(mixture.boundaries()) == 0
    near = Mixture([0.99, 0.01], [0.0, sign], [1.0, 1.0]).boundaries()
    np.testing.assert_allclose(near.x, sign * (0.5 + np.log(99.0)), rtol=1e-14)
