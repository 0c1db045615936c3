"""Sums of Gaussian kernels: their expansions, peaks and suprema against plain sums."""

import mpmath
import numpy as np
import pytest
from scipy.stats import norm

from bayesgmm.selection.gaussian_sums import expanded, kernels, peaks, supremum

EPS = 2.0**-52


def drawn(d, n=60, spread=3.0, seed=0):
    rng = np.random.default_rng(seed)
    rows = spread * rng.standard_normal((n, d))
    return rows[np.argsort(rows[:, 0])], rng.gamma(1.0, size=n)


def plain(rows, c, points):
    apart = rows - np.atleast_2d(points)[:, np.newaxis]
    return norm.pdf(apart).prod(axis=2) @ c


@pytest.mark.parametrize("d", [1, 2])
def test_the_expansion_of_a_box_is_the_sum_within_its_margin(d):
    rows, c = drawn(d)
    rng = np.random.default_rng(1)
    seen = 0
    for centres, coefficients, margin in expanded(rows, c, 0.0):
        assert margin < 1e-9
        s = rng.uniform(-1.0, 1.0, (len(centres), d))
        s[0] = 1.0  # a corner, where the remainder is largest
        for centre, own, at in zip(centres, coefficients, s, strict=True):
            value = own
            for each in at:
                value = np.tensordot(each ** np.arange(18), value, axes=(0, 0))
            assert abs(plain(rows, c, centre + 0.5 * at)[0] - value) <= margin
            seen += 1
    low, high = rows.min(axis=0), rows.max(axis=0)
    assert seen >= np.prod(np.ceil(high - low))


def test_the_margin_holds_against_fifty_digits():
    rows, c = drawn(1, n=30)
    with mpmath.workdps(50):
        for centres, coefficients, margin in expanded(rows, c, 0.0):
            for centre, own in zip(centres[:, 0], coefficients, strict=True):
                for s in (-1.0, -0.3, 1.0):
                    t = mpmath.mpf(float(centre)) + mpmath.mpf(s) / 2
                    exact = sum(
                        mpmath.mpf(float(w)) * mpmath.npdf(mpmath.mpf(float(z)) - t)
                        for w, z in zip(c, rows[:, 0], strict=True)
                    )
                    found = sum(
                        mpmath.mpf(float(a)) * mpmath.mpf(s) ** j for j, a in enumerate(own)
                    )
                    assert abs(found - exact) <= margin


@pytest.mark.parametrize("d", [1, 2])
@pytest.mark.parametrize("seed", range(5))
def test_the_supremum_is_bounded_closely_from_above(d, seed):
    rows, c = drawn(d, n=25, seed=seed)
    found = supremum(rows, c, 0.0, 1e-6, 0.0)
    points, values = peaks(rows, c, 0.0)
    np.testing.assert_allclose(values, plain(rows, c, points), rtol=1e-12)
    assert values.max() <= found <= values.max() * (1.0 + 2e-6)
    beyond = np.random.default_rng(seed).uniform(-15.0, 15.0, (4000, d))
    assert plain(rows, c, beyond).max() <= found


def test_the_supremum_at_one_row_is_the_kernels_peak():
    for d in (1, 2):
        found = supremum(np.zeros((1, d)), np.ones(1), 0.0, 1e-9, 0.0)
        assert found == pytest.approx((2.0 * np.pi) ** (-d / 2), rel=3e-9)
        assert found >= (2.0 * np.pi) ** (-d / 2)


def test_inexact_rows_raise_the_bound_by_the_slope_of_the_kernel():
    rows, c = drawn(1)
    exact, inexact = (supremum(rows, c, 0.0, 1e-9, error) for error in (0.0, 1e-3))
    assert inexact - exact == pytest.approx(1e-3 * c.sum() * np.exp(-0.5) / np.sqrt(2.0 * np.pi))
    for seed in range(20):
        moved = rows + np.random.default_rng(seed).uniform(-1e-3, 1e-3, rows.shape)
        moved = moved[np.argsort(moved[:, 0])]
        assert supremum(moved, c, 0.0, 1e-9, 0.0) <= inexact


@pytest.mark.parametrize("d", [1, 2])
def test_every_local_maximum_above_a_value_is_found(d):
    rows, c = drawn(d, n=12, spread=6.0, seed=3)
    points, values = peaks(rows, c, 0.05)
    assert (values > 0.05).all()
    # From every row, mean shift ascends to a maximum.
    ends = rows.copy()
    for _ in range(3000):
        k = kernels(rows, ends) * c[:, np.newaxis]
        ends = (k.T @ rows) / k.sum(axis=0)[:, np.newaxis]
    for end in ends[plain(rows, c, ends) > 0.0501]:
        assert np.abs(points - end).max(axis=1).min() < 1e-3


def test_rows_far_apart_leave_no_boxes_out():
    rows = np.array([[0.0], [40.0], [5000.0], [5000.5]])
    c = np.array([1.0, 1.0, 0.7, 0.7])
    top = plain(rows, c, np.array([[5000.25]]))[0]
    assert supremum(rows, c, 0.0, 1e-6, 0.0) == pytest.approx(top, rel=2e-6)
    # Without the pair, the next highest.
    alone = supremum(rows[:2], c[:2], 0.0, 1e-6, 0.0)
    assert alone == pytest.approx(1.0 / np.sqrt(2.0 * np.pi), rel=2e-6)
