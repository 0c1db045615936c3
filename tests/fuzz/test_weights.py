"""Weights: their unit, repetition and absence."""

import numpy as np
import pytest
from fuzzing import codes, fuzz, generators, groups, outcome, rows
from hypothesis import assume, given
from hypothesis import strategies as st

from bayesgmm import GaussianMixture
from bayesgmm.errors import BayesGMMError

KINDS = ("predict_proba", "score_samples", "score")


def fitted(k, code, x, weights, **more):
    fit = GaussianMixture(k, covariance_type=code, random_state=0, **more)
    return outcome(fit.fit, x, sample_weight=weights)


def assert_same(here, there, unit=1.0):
    """The same fit to the last bit, or the same refusal."""
    assert isinstance(here, BayesGMMError) == isinstance(there, BayesGMMError)
    if isinstance(here, BayesGMMError):
        assert str(here) == str(there)
        return
    for name in ("weights_", "means_", "covariances_"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert there.log_likelihood_ == pytest.approx(unit * here.log_likelihood_, rel=1e-15)
    assert list(there.starts_["outcome"]) == list(here.starts_["outcome"])
    assert (there.n_iter_, there.converged_) == (here.n_iter_, here.converged_)


@fuzz(40)
@given(st.data(), rows(), generators, st.integers(-900, 900), st.integers(1, 3))
def test_the_unit_of_weights_changes_no_bit(data, x, rng, power, k):
    code = data.draw(codes)
    v, unit = rng.uniform(0.1, 3.0, len(x)), 2.0**power
    here, there = fitted(k, code, x, v), fitted(k, code, x, unit * v)
    assert_same(here, there, unit)
    if isinstance(here, BayesGMMError):
        return
    for name in KINDS:
        np.testing.assert_array_equal(getattr(there, name)(x), getattr(here, name)(x))
    errors = [outcome(each.standard_errors, x) for each in (here, there)]
    if not any(isinstance(each, BayesGMMError) for each in errors):
        own, other = errors
        seen = ~np.isnan(own.means) & ~np.isnan(other.means)
        np.testing.assert_allclose(
            other.means[seen] * np.sqrt(unit), own.means[seen], rtol=1e-12
        )  # the root of a unit that is an odd power of two is rounded


@fuzz(30)
@given(st.data(), groups(), generators)
def test_integer_weights_are_repeated_rows(data, drawn, rng):
    x, labels = drawn
    code = data.draw(codes)
    times = rng.integers(0, 4, len(x))
    assume(len(set(labels[times > 0])) == 2)
    here = fitted(2, code, x, times.astype(float), init_params=labels)
    again = fitted(2, code, np.repeat(x, times, axis=0), None, init_params=np.repeat(labels, times))
    assert isinstance(here, BayesGMMError) == isinstance(again, BayesGMMError)
    if isinstance(here, BayesGMMError):
        return
    # One path of EM, whose sums are rounded in another order.
    assert here.log_likelihood_ == pytest.approx(again.log_likelihood_, rel=1e-9)
    assert here.bic(x) == pytest.approx(again.bic(np.repeat(x, times, axis=0)), rel=1e-9)
    np.testing.assert_allclose(here.means_, again.means_, atol=1e-5)


@fuzz(30)
@given(st.data(), rows(), generators, st.integers(1, 3), st.sampled_from([0.0, 1e12, -1e300]))
def test_a_row_of_weight_zero_is_not_there(data, x, rng, k, value):
    code = data.draw(codes)
    v = rng.uniform(0.5, 2.0, len(x))
    at = rng.integers(0, len(x) + 1)
    there = np.insert(x, at, value, axis=0)
    assert_same(fitted(k, code, x, v), fitted(k, code, there, np.insert(v, at, 0.0)))
    faint = np.insert(v, at, 5e-324)
    assert_same(fitted(k, code, x, v), fitted(k, code, there, faint))
