"""Quantiles, regions, modes and boundaries of mixtures whose scales and offsets differ hugely."""

import numpy as np
from fuzzing import fuzz, line_mixtures
from hypothesis import given
from hypothesis import strategies as st
from regions import check_region


@fuzz(40)
@given(line_mixtures(), st.sampled_from([1e-6, 0.01, 0.3, 0.5, 0.9, 0.999999]))
def test_regions_of_any_scales_and_offsets(mixture, prob):
    check_region(mixture, prob)


@fuzz(60)
@given(line_mixtures())
def test_quantiles_of_any_scales_and_offsets(mixture):
    q = np.array([1e-300, 1e-12, 0.01, 0.5, 0.7])
    x = mixture.quantile(q)
    # The distribution function of -37 loses some ten thousand units in the last place.
    assert (mixture.cdf(np.nextafter(x, -np.inf)) <= q * (1.0 + 1e-10)).all()
    assert (mixture.cdf(np.nextafter(x, np.inf)) >= q * (1.0 - 1e-10)).all()
    np.testing.assert_array_equal(mixture.quantile([0.0, 1.0]), [-np.inf, np.inf])


@fuzz(60)
@given(line_mixtures())
def test_modes_and_antimodes_alternate_and_bound_the_density(mixture):
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


@fuzz(60)
@given(line_mixtures())
def test_components_change_at_the_boundaries_and_nowhere_else(mixture):
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


@fuzz(60)
@given(line_mixtures(), st.floats(-3.0, 3.0))
def test_the_quantile_of_a_distribution_function_is_its_argument(mixture, z):
    k = int(mixture.weights.argmax())
    x = mixture.means[k, 0] + z * np.sqrt(mixture.variances[k, 0])
    q = float(mixture.cdf(x))
    # A probability near 1 is rounded to few digits of its complement, a flat stretch to one x.
    if q <= 0.5:
        back = float(mixture.quantile(q))
        assert float(mixture.cdf(back)) >= q * (1.0 - 1e-12)
        assert back <= np.nextafter(x, np.inf) or float(mixture.cdf(x)) < q * (1.0 + 1e-12)


@fuzz(60)
@given(line_mixtures(), st.data())
def test_two_components_are_equally_probable_at_their_boundaries(mixture, data):
    if mixture.n_components < 2:
        return
    pair = data.draw(st.permutations(range(mixture.n_components)))[:2]
    found = mixture.boundaries(pair)
    assert len(found) <= 2
    # Of components 1e154 standard deviations away no density is left.
    x = found.x[np.isfinite(mixture.log_joint(found.x)[:, pair]).all(axis=1)] if len(found) else []
    joint = mixture.log_joint(x)[:, pair] if len(x) else []
    # Beside a boundary, by the rounding of x, the difference changes its sign.
    for at, (one, other) in zip(x, joint, strict=True):
        near = [[np.nextafter(at, -np.inf)], [np.nextafter(at, np.inf)]]
        beside = mixture.log_joint(near)[:, pair]
        if not np.isfinite(beside).all():
            continue
        sides = np.append(beside[:, 0] - beside[:, 1], one - other)
        # Log densities have 12 digits.
        slack = 1e-12 * (1.0 + abs(one) + abs(other))
        assert sides.min() <= slack
        assert sides.max() >= -slack
