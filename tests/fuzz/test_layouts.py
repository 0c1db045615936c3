"""Rows in any layout and type of numbers: the same results to the last bit, and no row changed."""

import numpy as np
import pytest
from fuzzing import fuzz, generators
from hypothesis import given
from hypothesis import strategies as st

from bayesgmm import GaussianMixture, Mixture
from bayesgmm.likelihood.em_steps import e_step


def by_columns(x):
    return np.asfortranarray(x)


def every_other(x):
    wide = np.full((2 * len(x), 3 * x.shape[1]), 7, dtype=x.dtype)
    wide[::2, 1::3] = x
    return wide[::2, 1::3]


def from_the_end(x):
    return x[::-1, ::-1].copy()[::-1, ::-1]


def unaligned(x):
    raw = np.zeros(x.nbytes + 1, dtype=np.uint8)
    found = raw[1:].view(x.dtype).reshape(x.shape)
    found[:] = x
    return found


def read_only(x):
    found = x.copy()
    found.flags.writeable = False
    return found


LAYOUTS = st.sampled_from([by_columns, every_other, from_the_end, unaligned, read_only])
TYPES = st.sampled_from(["f8", ">f8", "f4", "f2", "g", "i8", "i4", ">i2", "u1"])


@st.composite
def laid_out(draw):
    """Rows in some type and layout, and the same numbers as C-ordered float64."""
    rng, dtype = draw(generators), np.dtype(draw(TYPES))
    n, d = draw(st.integers(8, 60)), draw(st.integers(1, 4))
    x = 3.0 * rng.standard_normal((n, d)) + 9.0 * (np.arange(n) % 2)[:, np.newaxis]
    if dtype.kind == "f" and draw(st.booleans()):
        # An entry of each row stays, and two of each column.
        x[2:][rng.random((n - 2, d)) < 0.3] = np.nan
    typed = (np.abs(x) if dtype.kind in "iu" else x).astype(dtype)
    return draw(LAYOUTS)(typed), np.ascontiguousarray(typed, dtype=np.float64)


def a_mixture(d):
    return Mixture([0.3, 0.7], np.array([[0.0], [9.0]]) * np.ones(d), [2.0 * np.eye(d)] * 2)


@fuzz(120)
@given(laid_out())
def test_layouts_and_types_do_not_change_a_bit(drawn):
    x, plain = drawn
    mixture, before = a_mixture(plain.shape[1]), x.copy()
    for call in (mixture.log_density, mixture.responsibilities, mixture.classify):
        assert np.array_equal(call(x), call(plain))
    here, there = e_step(x, mixture), e_step(plain, mixture)
    for name in ("log_likelihood", "counts", "firsts", "seconds"):
        assert np.array_equal(getattr(here, name), getattr(there, name))
    assert np.array_equal(x, before, equal_nan=True)


@fuzz(30)
@given(laid_out())
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
def test_layouts_and_types_do_not_change_a_fit(drawn):
    x, plain = drawn
    here, there = (
        GaussianMixture(2, covariance_type="EII", max_iter=20, random_state=0).fit(each)
        for each in drawn
    )
    assert here.mixture_ == there.mixture_
    for method in ("predict", "predict_proba", "score_samples"):
        assert np.array_equal(getattr(here, method)(x), getattr(there, method)(plain))


@fuzz(80)
@given(laid_out(), st.integers(-300, 300), st.sampled_from([0.0, 1.0, -1e3, 1e6]))
def test_units_and_offsets_shift_densities_alone(drawn, power, offset):
    _, x = drawn
    d, unit = x.shape[1], 2.0**power
    mixture = a_mixture(d)
    # Powers of two and offsets of few digits round nothing beyond the rows themselves.
    moved = (x + offset) * unit
    other = mixture.transformed(unit * np.ones(d), unit * offset * np.ones(d))
    seen = (~np.isnan(x)).sum(axis=1)
    expected = mixture.log_density((moved / unit) - offset) - seen * np.log(unit)
    np.testing.assert_allclose(other.log_density(moved), expected, rtol=1e-10, atol=1e-7)
    np.testing.assert_allclose(
        other.responsibilities(moved), mixture.responsibilities((moved / unit) - offset), atol=1e-8
    )
