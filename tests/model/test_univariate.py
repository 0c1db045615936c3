"""Quantiles, regions and turning points of mixtures whose scales and offsets differ hugely."""

import numpy as np
import pytest
from scipy.stats import norm

from bayesgmm import Mixture, scenario
from bayesgmm.errors import InputError

# Absolute: the sum of a few distribution functions, each with some rounding.
HELD = 1e-9


def hostile(seed):
    """A mixture whose standard deviations run from 1e-`span` to 1e`span`, means likewise."""
    rng = np.random.default_rng(seed)
    span = rng.choice([0.5, 3.0, 12.0, 150.0])
    k = int(rng.integers(1, 7))
    weights = rng.dirichlet(np.full(k, rng.choice([0.2, 5.0])))
    deviations = 10.0 ** rng.uniform(-span, span, k)
    means = rng.choice([-1.0, 0.0, 1.0], k) * 10.0 ** rng.uniform(-span, span, k)
    if rng.random() < 0.3:
        means[:] = means[0]
    if rng.random() < 0.3:
        deviations[:] = deviations[0]
    if rng.random() < 0.3:
        means += 1e12 * deviations.max()
    return Mixture(weights / weights.sum(), means, np.square(deviations))


def held(mixture, intervals):
    """The probability within intervals, from whichever tail is the smaller."""
    mirrored = Mixture(mixture.weights, -mixture.means, mixture.covariances)
    low, high = intervals.T
    lower = mixture.cdf(high) - mixture.cdf(low)
    upper = mirrored.cdf(-low) - mirrored.cdf(-high)
    return np.where(mixture.cdf(low) < 0.5, lower, upper).sum()


def rounded(intervals, *, outwards):
    """The intervals with each end moved to the next float64 number."""
    far = np.array([-np.inf, np.inf]) if outwards else np.array([np.inf, -np.inf])
    return np.nextafter(intervals, far)


def check_region(mixture, prob):
    """The region holds its probability, but for the rounding of its ends, and is the densest."""
    region = mixture.highest_density_region(prob)
    assert (np.diff(region.intervals.ravel()) >= 0.0).all()
    assert held(mixture, rounded(region.intervals, outwards=True)) >= prob - HELD
    inner = rounded(region.intervals, outwards=False)
    inner = inner[inner[:, 0] < inner[:, 1]]
    assert held(mixture, inner) <= prob + HELD
    x = np.sort(mixture.sample(2000, rng=1)[0][:, 0])
    inside = (np.searchsorted(region.intervals.ravel(), x) % 2).astype(bool)
    edges = rounded(region.intervals, outwards=True), rounded(region.intervals, outwards=False)
    for low, high in zip(edges[0].ravel(), edges[1].ravel(), strict=True):
        x, inside = (each[(x < min(low, high)) | (x > max(low, high))] for each in (x, inside))
    density = mixture.log_density(x) if len(x) else x
    assert (density[inside] >= region.log_threshold - 1e-9).all()
    assert (density[~inside] <= region.log_threshold + 1e-9).all()
    return region


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


@pytest.mark.parametrize("seed", range(60))
def test_regions_of_any_scales_and_offsets(seed):
    mixture = hostile(seed)
    for prob in (1e-6, 0.01, 0.3, 0.5, 0.9, 0.999999):
        check_region(mixture, prob)


@pytest.mark.parametrize("seed", range(60))
def test_quantiles_of_any_scales_and_offsets(seed):
    mixture = hostile(seed)
    q = np.array([1e-300, 1e-12, 0.01, 0.5, 0.7])
    x = mixture.quantile(q)
    # The distribution function of -37 loses some ten thousand units in the last place.
    assert (mixture.cdf(np.nextafter(x, -np.inf)) <= q * (1.0 + 1e-10)).all()
    assert (mixture.cdf(np.nextafter(x, np.inf)) >= q * (1.0 - 1e-10)).all()
    np.testing.assert_array_equal(mixture.quantile([0.0, 1.0]), [-np.inf, np.inf])


def test_a_flat_density_holds_its_probability():
    """Two hundred ripples of 1e-8 of their height: the level's last digit moves the ends far."""
    mixture = Mixture(np.full(200, 1 / 200), np.arange(200.0), np.ones(200))
    for prob in (0.2, 0.5, 0.8):
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


@pytest.mark.parametrize("seed", range(60))
def test_modes_and_antimodes_alternate_and_bound_the_density(seed):
    mixture = hostile(seed)
    peaks, troughs = mixture.modes(), mixture.antimodes()
    assert 1 <= len(peaks) <= mixture.n_components
    assert len(troughs) == len(peaks) - 1
    every = np.concatenate((peaks, troughs))
    assert (np.diff(np.sort(every)) >= 0.0).all()
    order = np.argsort(np.append(peaks, troughs), kind="stable")
    if len(np.unique(every)) == len(every):
        assert (order[::2] < len(peaks)).all()
    # No row is denser than the densest mode, but for the rounding of the mode.
    x = np.sort(np.append(mixture.sample(500, rng=2)[0], mixture.means[:, 0]))
    near = np.concatenate((np.nextafter(peaks, -np.inf), peaks, np.nextafter(peaks, np.inf)))
    assert mixture.log_density(x).max() <= mixture.log_density(near).max() + 1e-9


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


@pytest.mark.parametrize("seed", range(60))
def test_components_change_at_the_boundaries_and_nowhere_else(seed):
    mixture = hostile(seed)
    found = mixture.boundaries()
    assert (np.diff(found.x) >= 0.0).all()
    assert len(found) <= 2 * mixture.n_components - 2
    np.testing.assert_array_equal(found.below[1:], found.above[:-1])
    x = np.sort(np.append(mixture.sample(500, rng=3)[0], mixture.means[:, 0]))
    # Points beside a boundary, to its rounding, may be of either side.
    slack = 1e-9 * np.sqrt(mixture.variances.min()) + 8.0 * np.spacing(np.abs(x))
    if len(found):
        at = np.searchsorted(found.x, x)
        expected = np.append(found.below, found.above[-1])[at]
        nearest = np.abs(x[:, None] - found.x).min(axis=1)
        x, expected = x[nearest > slack], expected[nearest > slack]
    else:
        heaviest = mixture.means[[mixture.weights.argmax()]]
        expected = np.repeat(mixture.classify(heaviest), len(x))
    joint = mixture.log_joint(x) if len(x) else np.empty((0, mixture.n_components))
    chosen = np.take_along_axis(joint, expected[: len(x), None], axis=1)[:, 0]
    assert (chosen >= joint.max(axis=1, initial=-np.inf) - 1e-9).all()


def test_boundaries_and_modes_need_one_feature():
    mixture = scenario("blobs")
    for call in (mixture.boundaries, mixture.modes, mixture.antimodes):
        with pytest.raises(InputError, match=r"one feature, but the mixture has 2.*marginal"):
            call()
