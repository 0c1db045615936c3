"""Sums over all labellings against their enumeration."""

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp

from bayesgmm.core import native


def plain(logs):
    """The log of the sum over sets and permutations, of logs (K, K, S)."""
    k = len(logs)
    each = [sum(logs[j, p[j]] for j in range(k)) for p in itertools.permutations(range(k))]
    return logsumexp(each)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_sums_are_those_over_all_permutations(k):
    rng = np.random.default_rng(k)
    logs = 3.0 * rng.standard_normal((4, k, k, 16))
    found = native.log_sums_of_permanents(logs)
    np.testing.assert_allclose(found, [plain(each) for each in logs], rtol=1e-13)


def test_terms_beyond_float64_are_added():
    # All components are likeliest at place 0, by more than float64 can express.
    rng = np.random.default_rng(1)
    logs = -2000.0 * rng.random((3, 4, 4, 8))
    logs[:, :, 0] += 5000.0
    found = native.log_sums_of_permanents(logs)
    np.testing.assert_allclose(found, [plain(each) for each in logs], rtol=1e-13)


@pytest.mark.parametrize("ahead", [-60.0, -1.0, 1.0, 60.0])
def test_terms_beyond_float64_are_added_to_others(ahead):
    # Of every second matrix, all components are likeliest at place 0; its permanent is as large.
    rng = np.random.default_rng(2)
    logs = rng.standard_normal((2, 4, 4, 8))
    logs[..., ::2] += ahead / 4
    logs[:, :, 0, ::2] += 900.0
    logs[..., ::2] -= 900.0 / 4
    found = native.log_sums_of_permanents(logs)
    np.testing.assert_allclose(found, [plain(each) for each in logs], rtol=1e-13)


def test_arrays_of_other_shapes_are_refused():
    for shape in ((1, 2, 3, 8), (1, 0, 0, 8), (1, 2, 2, 3), (1, 2, 2, 0), (1, 21, 21, 8)):
        with pytest.raises(ValueError, match="must be"):
            native.log_sums_of_permanents(np.zeros(shape))
