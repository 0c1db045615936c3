"""Uniform noise as a value."""

import numpy as np
from numpy.testing import assert_allclose

from bayesgmm import Noise
from bayesgmm.data.validation import Data

BOX = Noise(0.2, np.array([0.0, -1.0, 10.0]), np.array([2.0, 3.0, 15.0]))


def test_a_marginal_is_uniform_over_its_sides():
    found = BOX.marginal([2, 0])
    assert found.weight == 0.2
    assert found.lower.tolist() == [10.0, 0.0]
    assert_allclose(found.log_density(np.zeros((1, 2))), -np.log(10.0))


def test_a_row_seen_in_part_has_the_density_of_the_marginal():
    row = np.array([[1.0, np.nan, 12.0]])
    assert_allclose(BOX.log_density(row), BOX.marginal([0, 2]).log_density(row[:, [0, 2]]))


def test_samples_fill_the_box():
    x = BOX.sample(4000, np.random.default_rng(0))
    assert ((BOX.lower <= x) & (x <= BOX.upper)).all()
    # Four standard errors of a mean, and of a standard deviation.
    sides = BOX.upper - BOX.lower
    assert (np.abs(x.mean(axis=0) - (BOX.lower + BOX.upper) / 2) < 4 * sides / 12**0.5 / 63).all()
    assert_allclose(x.std(axis=0), sides / np.sqrt(12.0), rtol=0.05)


def test_densities_beside_noise():
    x, own = np.array([[1.0, 1.0, 12.0]] * 2), np.array([-3.0, -2.0])
    data = Data(x, None)._replace(labels=np.array([-1, 0]))
    joined, kept = BOX.beside(data, own)
    without = np.log(0.8) + own
    assert_allclose(joined, [np.logaddexp(without[0], np.log(0.2 / 40.0)), without[1]])
    assert_allclose(kept, [np.exp(without[0] - joined[0]), 1.0])
    assert_allclose(kept[0], 1.0 - BOX.probability(x, own)[0])
