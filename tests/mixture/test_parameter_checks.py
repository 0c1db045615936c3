"""What a mixture takes for numbers and names, and what NumPy would take in its place."""

import fractions

import numpy as np
import pytest

from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.mixture import Mixture

MASKED = np.ma.MaskedArray([5.0, 1.0], [True, False])


class Foreign:
    def __array__(self, *_, **__):
        raise RuntimeError("on another device")


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (MASKED, "masked"),
        ([5.0, np.ma.masked], "masked"),
        ((np.ma.masked, 1.0), "masked"),
        ([True, 0.5], "truth values"),
        ([np.True_, 0.5], "truth values"),
        (np.array([True, False]), "real numbers"),
        ([2**53 + 1, 0.5], r"integer beyond 2\*\*53 at index \(0,\)"),
        ([0.5, -(2**60)], r"integer beyond 2\*\*53 at index \(1,\)"),
        (np.array([1, 2**53 + 1]), r"integer beyond 2\*\*53 at index \(1,\)"),
        ([2**63, -1], "integer beyond"),
        ([fractions.Fraction(1, 2), 1], "real numbers"),
        (["1", "2"], "real numbers"),
        ([1j, 0], "real numbers"),
        (np.array([np.longdouble("1e4000"), 0]), "finite"),
        (Foreign(), "on another device"),
        (None, "real numbers"),
    ],
    ids=range(16),
)
def test_numbers(bad, message):
    if isinstance(bad, np.ndarray) and bad.dtype == np.longdouble and bad[0] < 1e308:
        pytest.skip("long double is double here")
    for arguments in ((bad, [0, 1], [1, 1]), ([0.5, 0.5], bad, [1, 1]), ([0.5, 0.5], [0, 1], bad)):
        with pytest.raises(InvalidParameterError, match=message):
            Mixture(*arguments)


def test_masked_rows_deep_in_lists():
    with pytest.raises(InvalidParameterError, match="means has masked"):
        Mixture([1.0], [MASKED], [np.eye(2)])
    with pytest.raises(InvalidParameterError, match="covariances has masked"):
        Mixture([1.0], [[0.0, 0.0]], [[np.ma.MaskedArray([1.0, 0.0]), MASKED]])
    with pytest.raises(InvalidParameterError, match=r"means must be .* without truth values"):
        Mixture([1.0], [(0.0, True)], [np.eye(2)])


def test_what_stays_welcome():
    plain = Mixture([0.5, 0.5], [0.0, 2.0**53], [1.0, 2.0])
    assert Mixture(np.ma.MaskedArray([0.5, 0.5]), [0, 2**53], [np.float32(1), 2]) == plain
    assert Mixture([1], [[2**53 + 2.0]], [[[1]]]).means.tolist() == [[2.0**53 + 2]]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (5, "sequence of names"),
        ("ab", "sequence of names"),
        (b"ab", "sequence of names"),
        ({"a": 1, "b": 2}, "sequence of names"),
        ({"a", "b"}, "sequence of names"),
        ([1, 2], "strings"),
        (["a", None], "strings"),
        (["a", "a"], "'a' occurs twice"),
        (["a"], "one name for each of the 2"),
        (["a", "b\0"], "name of feature 1"),
        (["\ud800", "b"], "name of feature 0"),
        (["a", "b\udfff"], "Rename it"),
    ],
    ids=range(12),
)
def test_names(names, message):
    with pytest.raises(InvalidParameterError, match=message):
        Mixture([1.0], [[0.0, 0.0]], [np.eye(2)], names)
