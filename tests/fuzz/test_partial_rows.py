"""Rows seen in part, or through noise: laws that hold for any pattern, unit, error and weight."""

import os
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from fuzzing import codes, fuzz, generators, groups, outcome
from hypothesis import given
from hypothesis import strategies as st
from tolerances import ASCENT

from bayesgmm import GaussianMixture, Mixture
from bayesgmm.data.validation import check_data
from bayesgmm.errors import BayesGMMError, InputError
from bayesgmm.likelihood.em_steps import e_step
from bayesgmm.likelihood.gradient import score

PATTERNS = st.sampled_from(["none", "some", "apart", "incomplete", "empty rows", "seen once"])
ERRORS = st.sampled_from(
    ["none", "zero", "tiny", "huge", "mixed", "variances", "covariances", "rank 1", "one"]
)


def hidden(kind, shape, rng):
    """Which entries are missing."""
    n, d = shape
    found = np.zeros(shape, dtype=bool)
    if kind == "some":
        found = rng.random(shape) < 0.3
    elif kind == "apart":
        found[: n // 2, 0] = found[n // 2 :, -1] = True
    elif kind == "incomplete":
        found[np.arange(n), rng.integers(0, d, n)] = True
    elif kind == "empty rows":
        found[rng.random(n) < 0.4] = True
    elif kind == "seen once":
        found[1:, rng.integers(d)] = True
    return found


def measured(kind, shape, rng):
    """Error covariances as a user gives them."""
    n, d = shape
    factors = 0.7 * rng.standard_normal((n, d, d))
    return {
        "none": None,
        "zero": np.zeros(shape),
        "tiny": np.full(shape, 1e-30),
        "huge": np.full(shape, 1e30),
        "mixed": 10.0 ** rng.uniform(-40.0, 40.0, shape),
        "variances": factors[:, 0] ** 2,
        "covariances": factors @ factors.mT,
        "rank 1": factors[:, :, :1] @ factors[:, :, :1].mT,
        "one": (factors @ factors.mT)[:1],
    }[kind]


@st.composite
def observed(draw, errors=ERRORS):
    """Rows of two groups in part, their errors, weights (0 among them) or None, labels, rng."""
    x, labels = draw(groups(features=4))
    rng = draw(generators)
    x[hidden(draw(PATTERNS), x.shape, rng)] = np.nan
    weights = draw(st.sampled_from([None, rng.integers(0, 3, len(x)).astype(float)]))
    return x, measured(draw(errors), x.shape, rng), weights, labels, rng


def some_mixture(d, rng):
    factors = rng.standard_normal((2, d, d)) / np.sqrt(d) + np.eye(d)
    return Mixture(
        [0.4, 0.6], rng.standard_normal((2, d)) + np.array([[0.0], [4.0]]), factors @ factors.mT
    )


def in_units(errors, unit):
    if errors is None:
        return None
    return errors * unit * unit[:, np.newaxis] if errors.ndim == 3 else errors * unit * unit


@fuzz(60)
@given(st.data(), observed())
def test_a_fit_is_finite_and_rises_or_is_refused_in_words(data, drawn):
    x, errors, weights, _, rng = drawn
    code = data.draw(codes)
    unit = 10.0 ** rng.choice([0.0, 0.0, -100.0, 100.0]) * np.ones(x.shape[1])
    fit = GaussianMixture(2, covariance_type=code, random_state=0)
    given_errors = in_units(errors, unit)
    fit = outcome(fit.fit, x * unit, sample_weight=weights, error_covariances=given_errors)
    if isinstance(fit, BayesGMMError):
        return
    if fit.degeneracy_ is None:  # else variances may be below the rounding of the means
        trace = np.array(fit.lower_bounds_)
        assert (np.diff(trace) >= -ASCENT * (1.0 + np.abs(trace).max())).all()
    for name in ("weights_", "means_", "covariances_", "log_likelihood_"):
        assert np.isfinite(getattr(fit, name)).all(), name
    assert np.isfinite(outcome(fit.score_samples, x * unit, given_errors)).all()
    shares = outcome(fit.predict_proba, x * unit, given_errors)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-14)
    nothing = np.isnan(x).all(axis=1)
    np.testing.assert_allclose(shares[nothing], np.tile(fit.weights_, (nothing.sum(), 1)))
    for draws in None, 2:
        filled = outcome(fit.impute, x * unit, draws, error_covariances=given_errors, rng=0)
        assert np.isfinite(filled).all()
        kept = np.broadcast_to(~np.isnan(x), filled.shape)
        np.testing.assert_array_equal(filled[kept], np.broadcast_to(x * unit, filled.shape)[kept])
    clean = outcome(fit.mixture_.denoised, x * unit, given_errors)
    assert np.isfinite(clean.mean).all()
    assert np.isfinite(clean.covariance).all()


@fuzz(60)
@given(observed())
def test_units_and_the_order_of_rows_do_not_matter(drawn):
    x, errors, weights, _, rng = drawn
    n, d = x.shape
    mixture = some_mixture(d, rng)
    unit, order = 2.0 ** rng.integers(-300, 300, d), rng.permutation(n)
    moved = Mixture(mixture.weights, mixture.means * unit, in_units(mixture.covariances, unit))
    here = e_step(x, mixture, weights, error_covariances=errors)
    there = in_units(errors, unit)
    if there is not None and len(there) == n:
        there = there[order]
    v = None if weights is None else weights[order]
    found = e_step((x * unit)[order], moved, v, error_covariances=there)
    seen = (np.ones(n) if weights is None else weights) @ ~np.isnan(x)
    shift = seen @ np.log(unit)
    size = 1.0 + abs(here.log_likelihood) + np.abs(seen * np.log(unit)).sum()
    assert found.log_likelihood + shift == pytest.approx(here.log_likelihood, abs=1e-12 * size)
    np.testing.assert_allclose(found.counts, here.counts, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.firsts / unit, here.firsts, rtol=1e-8, atol=1e-8 * n)


@fuzz(60)
@given(observed())
def test_the_kernel_and_the_mixture_agree_and_each_form_of_errors_is_the_same(drawn):
    x, errors, _, _, rng = drawn
    n, d = x.shape
    mixture = some_mixture(d, rng)
    density = mixture.log_density(x, errors)
    total = e_step(x, mixture, error_covariances=errors).log_likelihood
    assert total == pytest.approx(density.sum(), rel=1e-9, abs=1e-9)
    if errors is None:
        return
    if errors.ndim == 2:
        full = errors[:, :, np.newaxis] * np.eye(d)
    else:
        full = np.broadcast_to(errors, (n, d, d)).copy()
    np.testing.assert_allclose(mixture.log_density(x, full), density, rtol=1e-12, atol=1e-12)
    again = e_step(x, mixture, error_covariances=full).log_likelihood
    assert again == pytest.approx(total, rel=1e-12, abs=1e-12)


@fuzz(40)
@given(observed(errors=st.sampled_from(["none", "variances", "covariances", "rank 1", "one"])))
def test_the_score_is_the_difference_quotient(drawn):
    x, errors, weights, _, rng = drawn
    mixture = some_mixture(x.shape[1], rng)
    v = np.ones(len(x)) if weights is None else weights

    def value(means):
        moved = Mixture(mixture.weights, means, mixture.covariances)
        return v @ moved.log_density(x, errors)

    direction = rng.standard_normal(mixture.means.shape)
    h = 1e-5
    quotient = value(mixture.means + h * direction) - value(mixture.means - h * direction)
    statistics = e_step(x, mixture, weights, error_covariances=errors)
    found = score(statistics, mixture)
    expected = quotient / (2.0 * h)
    assert (found.means * direction).sum() == pytest.approx(expected, rel=1e-5, abs=1e-4)


@fuzz(30)
@given(observed(), st.booleans())
def test_threads_and_layouts_do_not_change_a_bit(drawn, wide):
    x, errors, weights, _, rng = drawn
    n, d = x.shape
    mixture = some_mixture(d, rng)
    repeats = 200 if wide else 1
    x = np.tile(x, (repeats, 1))
    weights = None if weights is None else np.tile(weights, repeats)
    if errors is not None and len(errors) == n:
        errors = np.tile(errors, (repeats,) + (1,) * (errors.ndim - 1))
    found = []
    for threads in "1", "2", "3":
        with mock.patch.dict(os.environ, BAYESGMM_NUM_THREADS=threads):
            found.append(e_step(x, mixture, weights, error_covariances=errors))
    strided = np.full((len(x), 2 * d), 7.0)
    strided[:, ::2] = x
    for each in np.asfortranarray(x), strided[:, ::2], x.astype(">f8"):
        found.append(e_step(each, mixture, weights, error_covariances=errors))
    for each in found[1:]:
        assert each.log_likelihood == found[0].log_likelihood
        assert each.seconds.tobytes() == found[0].seconds.tobytes()


@fuzz(40)
@given(observed(errors=st.just("none")))
def test_boundless_errors_are_entries_not_seen_and_no_errors_none(drawn):
    x, _, weights, _, rng = drawn
    mixture = some_mixture(x.shape[1], rng)
    missing = np.isnan(x)
    filled = np.where(missing, 0.0, x)
    unseen = e_step(x, mixture, weights)
    noisy = e_step(filled, mixture, weights, error_covariances=np.where(missing, 1e18, 0.0))
    for name in "counts", "firsts", "seconds":
        a, b = getattr(noisy, name), getattr(unseen, name)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8 * len(x))
    complete = e_step(filled, mixture, weights)
    exact = e_step(filled, mixture, weights, error_covariances=np.zeros(x.shape))
    np.testing.assert_allclose(exact.seconds, complete.seconds, rtol=1e-9, atol=1e-9 * len(x))


@fuzz(40)
@given(observed(errors=st.just("none")))
def test_missing_entries_are_the_same_in_any_container(drawn):
    x, *_ = drawn
    names = [f"c{j}" for j in range(x.shape[1])]
    cells = [[None if np.isnan(each) else each for each in row] for row in x.tolist()]
    columns = {
        name: list(column) for name, column in zip(names, zip(*cells, strict=True), strict=True)
    }
    frame = pd.DataFrame(x, columns=names)
    expected = outcome(check_data, x, allow_nan=True)
    for each in (
        cells,
        np.array(cells, dtype=object),
        np.ma.masked_invalid(x),
        frame,
        frame.astype("Float64"),
        frame.astype(object).where(frame.notna(), pd.NA),
        pa.table({name: pa.array(column, pa.float64()) for name, column in columns.items()}),
    ):
        found = outcome(check_data, each, allow_nan=True)
        if isinstance(expected, InputError):
            assert isinstance(found, InputError)
        else:
            np.testing.assert_array_equal(found.X, expected.X)
            assert found.has_missing == expected.has_missing
