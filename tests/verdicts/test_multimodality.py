"""Valleys between modes: found where there are two modes, not where a density has one."""

import numpy as np
import pytest

from bayesgmm.verdicts.multimodality import deepest_valley


def depth(values):
    return deepest_valley({"q": values}, {"q": float(values.size)}).depth


@pytest.mark.parametrize("shape", ["normal", "lognormal", "gamma", "beta", "cauchy", "uniform"])
@pytest.mark.parametrize("size", [400, 4000])
def test_one_mode(shape, size):
    rng = np.random.default_rng(size)
    draw = {
        "normal": rng.standard_normal,
        "lognormal": lambda n: np.exp(rng.standard_normal(n)),
        "gamma": lambda n: rng.gamma(0.7, size=n),
        "beta": lambda n: rng.beta(2, 200, size=n),
        "cauchy": rng.standard_cauchy,
        "uniform": rng.random,
    }[shape]
    for _ in range(20):
        assert depth(draw(size).reshape(4, -1)) < 0.7


@pytest.mark.parametrize("share", [0.05, 0.3, 0.5])
@pytest.mark.parametrize("unit", [1e-150, 1.0, 1e150])
def test_two_modes(share, unit):
    rng = np.random.default_rng(3)
    values = rng.standard_normal((4, 1000)) + 8.0 * (rng.random((4, 1000)) < share)
    found = deepest_valley({"q": values * unit}, {"q": 4000.0})
    assert found.depth > 0.75
    assert found.mass == pytest.approx(share, abs=0.03)


def test_a_constant_has_none():
    assert depth(np.ones((4, 100))) == 0.0


@pytest.mark.parametrize("size", [400, 4000])
def test_the_least_mass_of_a_mode_that_shows(size):
    """A mode of that mass, eight standard deviations away, shows; smaller ones may not."""
    rng = np.random.default_rng(size)
    found = []
    for _ in range(20):
        least = deepest_valley({"q": rng.standard_normal((4, size // 4))}, {"q": size}).least
        far = rng.random((4, size // 4)) < least
        found.append(depth(rng.standard_normal(far.shape) + 8.0 * far))
    assert np.mean(np.array(found) > 0.7) >= 0.95
    assert least == pytest.approx(2.25 * (40 / size + 0.01))
    assert deepest_valley({}, {}).least == 1.0
