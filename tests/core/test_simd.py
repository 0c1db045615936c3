"""exp and log without calls, against mpmath."""

import mpmath
import numpy as np
import pytest
from tolerances import EXP_ULPS, LOG_ULPS

from bayesgmm.core import native

TINY = float(np.finfo(np.float64).tiny)
LARGEST = float(np.finfo(np.float64).max)


exp, log = native.exp_nonpositive, native.log_positive


def worst_ulps(found, x, exact):
    """Largest error in units in the last place of the exact value."""
    worst = 0.0
    with mpmath.workprec(120):
        for value, at in zip(found.tolist(), x.tolist(), strict=True):
            truth = exact(mpmath.mpf(at))
            unit = np.spacing(abs(float(truth)))
            worst = max(worst, abs(float((mpmath.mpf(value) - truth) / mpmath.mpf(float(unit)))))
    return worst


@pytest.mark.parametrize("least", [-708.0, -40.0, -1.0, -1e-3, -1e-9])
def test_exp_to_the_last_places(least):
    x = np.random.default_rng(1).uniform(least, 0.0, 5000)
    assert worst_ulps(exp(x), x, mpmath.exp) <= EXP_ULPS


def test_exp_where_the_reduction_changes_its_integer():
    middles = -(np.arange(1000) + 0.5) * np.log(2.0)
    x = np.concatenate([np.nextafter(middles, 0.0), middles, np.nextafter(middles, -800.0)])
    assert worst_ulps(exp(x := x[x >= -708.0]), x, mpmath.exp) <= EXP_ULPS


def test_exp_at_its_ends():
    assert exp(np.array([0.0, -0.0])).tolist() == [1.0, 1.0]
    edge = np.array([-708.0, np.nextafter(-708.0, 0.0)])
    assert worst_ulps(exp(edge), edge, mpmath.exp) <= EXP_ULPS
    below = np.array(
        [np.nextafter(-708.0, -709.0), -708.3, -720.0, -745.2, -1e9, -LARGEST, -np.inf]
    )
    # exp(-708.3) is a normal number, exp(-720) a subnormal one: both are 0 here.
    assert exp(below).tolist() == [0.0] * len(below)
    assert mpmath.exp(-708) < 2 * TINY


def test_exp_of_arguments_near_zero():
    x = -np.concatenate([10.0 ** -np.arange(1.0, 300.0, 7.0), [TINY, 5e-324]])
    assert worst_ulps(exp(x), x, mpmath.exp) <= EXP_ULPS


@pytest.mark.parametrize(
    ("least", "largest"), [(0.5, 1.0), (0.7, 1.42), (0.99, 1.01), (1.0, 2.0), (1.0, 200.0)]
)
def test_log_to_the_last_places(least, largest):
    x = np.random.default_rng(2).uniform(least, largest, 5000)
    assert worst_ulps(log(x), x, mpmath.log) <= LOG_ULPS


def test_log_over_all_normal_numbers():
    x = 2.0 ** np.random.default_rng(3).uniform(-1022.0, 1023.9, 5000)
    x = np.concatenate([x, [TINY, 1e-300, LARGEST]])
    assert worst_ulps(log(x), x, mpmath.log) <= LOG_ULPS


def test_log_beside_one_and_where_the_exponent_changes():
    steps = np.arange(-100, 101) * 2.0**-52
    x = np.concatenate([1.0 + steps[steps != 0.0], np.sqrt(0.5) + steps, np.sqrt(2.0) + steps])
    assert worst_ulps(log(x), x, mpmath.log) <= LOG_ULPS
    assert log(np.array([1.0])).tolist() == [0.0]
