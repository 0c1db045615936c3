import numpy as np
import pytest

from bayesgmm.diagnostics.predictive_check import check
from bayesgmm.reporting import parts
from bayesgmm.simulation.worked_examples import scenario


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (parts.significant(1234.5678), "1,235"),
        (parts.significant(-0.00012345), "\N{MINUS SIGN}0.0001234"),
        (parts.significant(1.5e-30), "1.500e\N{MINUS SIGN}30"),
        (parts.significant(-2e100), "\N{MINUS SIGN}2.000e+100"),
        (parts.significant(0.0), "0.000"),
        (parts.significant(float("nan")), "\N{EN DASH}"),
        (parts.significant(float("-inf")), "\N{EN DASH}"),
        (parts.fixed(-0.0004, 2), "0.00"),
        (parts.count(-1234567), "\N{MINUS SIGN}1,234,567"),
        (parts.count(1234.9), "1,234"),
        (parts.count(float("nan")), "\N{EN DASH}"),
        (parts.percent(0.12345), "12.3 %"),
        (parts.percent(float("nan")), "\N{EN DASH}"),
        (parts.estimate(4.28966, 0.0344), "4.290 (0.034)"),
        (parts.estimate(79.968, 12.3), "80 (12)"),
        (parts.estimate(79.968, None), "79.97"),
        (parts.estimate(79.968, float("nan")), "79.97"),
        (parts.between(0.04746, 0.02913, 0.09242), "0.047 [0.029, 0.092]"),
    ],
)
def test_numbers_as_a_reader_sees_them(shown, text):
    assert shown.text == text


def test_numbers_as_a_machine_takes_them():
    assert parts.significant(float("nan")).value is None
    assert parts.estimate(1.5, 0.25).value == {"value": 1.5, "standard_error": 0.25}
    found = parts.plain({"a": np.array([1.0, np.inf]), 2: (np.int64(3), np.bool_(True)), "c": None})
    assert found == {"a": [1.0, None], "2": [3, True], "c": None}


def test_the_predictive_check_keeps_its_level():
    """Over 60 samples from the mixture itself p < 0.05 comes about 3 times.

    Of 9 or more, the binomial probability is 2e-3 at exactly that rate; the seeds are fixed.
    """
    mixture = scenario("overlapping_ellipses")
    values = [check(mixture.sample(100, rng=i)[0], mixture, seed=i).p_value for i in range(60)]
    assert sum(value < 0.05 for value in values) < 9
    assert np.mean(values) == pytest.approx(0.5, abs=4 * np.sqrt(1 / 12 / 60))
