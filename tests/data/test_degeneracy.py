import re

import numpy as np
import pytest

from bayesgmm import GaussianMixture
from bayesgmm.data import degeneracy as rank_module
from bayesgmm.data.degeneracy import (
    check_enough_rows,
    check_full_rank,
    check_spread,
    nearly_dependent,
)
from bayesgmm.errors import FitError, InputError

NAMES = ("a", "b", "c", "d")


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("repeats", [1, 2, 5000])
def test_distinct_rows(repeats):
    X = np.tile([[0.0, 1.0], [-0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], (repeats, 1))
    check_enough_rows(X, 3)
    message = r"X has 3 distinct rows but n_components=4\. Use at most 3 components\."
    with pytest.raises(InputError, match=message):
        check_enough_rows(X, 4)


def test_a_late_distinct_row_counts():
    X = np.zeros((100_000, 2))
    X[-1, 1] = 1.0
    check_enough_rows(X, 2)
    with pytest.raises(InputError, match="2 distinct rows"):
        check_enough_rows(X, 3)


def test_more_components_than_rows():
    with pytest.raises(InputError, match=r"X has 4 rows .*n_components=5\. Use at most 4"):
        check_enough_rows(normal(0, 4, 2), 5)
    check_enough_rows(normal(0, 4, 2), 4)
    with pytest.raises(InputError, match=r"n_samples=1.*Use at most 1 component\."):
        check_enough_rows(np.ones((1, 2)), 2)


@pytest.mark.parametrize("block", [2**16, 64])
@pytest.mark.parametrize("scale", [1e-160, 1e-150, 1.0, 1e150])
@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_dependent_columns_are_found_at_every_scale(monkeypatch, block, scale, offset):
    monkeypatch.setattr(rank_module, "_BLOCK", block)
    Z = normal(1, 300, 3)
    full = np.column_stack([Z, normal(2, 300)])
    dependent = np.column_stack([Z, Z[:, 0] - 2 * Z[:, 2]])
    check_full_rank(full * scale + offset * scale, NAMES)
    with pytest.raises(InputError, match="rank 3 after centring, with 4 columns") as caught:
        check_full_rank(dependent * scale + offset * scale, NAMES)
    assert all(f"'{name}'" in str(caught.value) for name in "acd")
    assert "'b'" not in str(caught.value)


def test_dependence_through_the_mean():
    X = normal(3, 100, 3)
    X[:, 2] = 1 - X[:, 0] - X[:, 1]
    with pytest.raises(InputError, match="rank 2 after centring, with 3 columns"):
        check_full_rank(X)


def test_several_dependencies():
    Z = normal(4, 100, 2)
    with pytest.raises(InputError, match=r"rank 2 .*; .*") as caught:
        check_full_rank(np.column_stack([Z[:, 0], 3 * Z[:, 0], Z[:, 1], -Z[:, 1]]), NAMES)
    assert all(f"'{name}'" in str(caught.value) for name in "abcd")


@pytest.mark.parametrize(("offset", "noise"), [(0.0, 1e-11), (1e8, 1e-4)])
def test_near_dependence_is_full_rank(offset, noise):
    Z = normal(5, 300, 2)
    check_full_rank(np.column_stack([Z, Z[:, 0] + noise * normal(6, 300)]) + offset)


def test_columns_of_very_different_scales_are_full_rank():
    check_full_rank(normal(7, 100, 4) * [1e-150, 1.0, 1e8, 1e150])


def test_one_outlier_is_no_dependence():
    X = normal(8, 500, 2)
    X[3] = 1e9
    check_full_rank(X)


@pytest.mark.parametrize("value", [0.0, 0.1, -1e8, 1e200])
@pytest.mark.parametrize("check", [check_spread, check_full_rank])
def test_constant_columns(check, value):
    X = normal(9, 50, 3)
    X[:, 1] = value
    X[7, 1] = np.nextafter(value, 1) if value else 0.0
    with pytest.raises(InputError, match=r"rank 2 .*n_samples=50: column 'b' is constant"):
        check(X, NAMES[:3])


@pytest.mark.parametrize("check", [check_spread, check_full_rank])
def test_variances_outside_float64(check):
    X = normal(10, 50, 3)
    X[17, 1] = -1e300
    with pytest.raises(InputError, match=r"runs from -1e\+300 .*column 'b' \(extreme: row 17\)"):
        check(X, NAMES[:3])
    X[17, 1] = 0.0
    X[:, 2] *= 1e-170
    with pytest.raises(InputError, match=r"column 2 .*Rescale"):
        check(X)


def test_fewer_rows_than_columns():
    with pytest.raises(InputError, match=r"rank at most 2 .*n_samples=3\. Use at least 4 rows"):
        check_full_rank(normal(11, 3, 3))
    check_full_rank(normal(11, 4, 3))
    check_spread(normal(11, 3, 3))
    with pytest.raises(InputError, match="n_samples=1"):
        check_full_rank(np.ones((1, 10)))


def test_missing_values_leave_constant_columns_to_be_found():
    X = normal(12, 50, 3)
    X[4, 0] = np.nan
    check_full_rank(X)
    X[:, 1] = 5.0
    X[6, 1] = np.nan
    with pytest.raises(InputError, match="column 1 is constant"):
        check_full_rank(X)


@pytest.mark.parametrize("residual", [1e-8, 1e-9, 1e-12])
def test_columns_that_no_covariance_matrix_tells_apart_are_named(residual):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(178, 4))
    near = np.column_stack((X, 1e3 * X[:, 0] + 1e3 * residual * rng.normal(size=178)))
    check_full_rank(near)
    found = nearly_dependent(near)
    assert len(found) == 1
    assert re.match("In X column [04] depends linearly on column [04] up to", found[0])
    assert nearly_dependent(X) == []
    assert nearly_dependent(np.column_stack((X, X[:, 0] + 1e-6 * rng.normal(size=178)))) == []
    for k in (1, 2):
        with pytest.raises(FitError, match="depends linearly on"):
            GaussianMixture(k).fit(near)
