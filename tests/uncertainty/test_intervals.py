"""Intervals of bounded parameters keep to their range, and are normal in the limit."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import norm

from bayesgmm import GaussianMixture, load_dataset
from bayesgmm.uncertainty.intervals import normal_intervals

# A kind, its range, and estimates within it.
KINDS = [
    ("weight[0]", (0.0, 1.0), [0.002, 0.3, 0.98]),
    ("outliers[1]", (0.0, 0.5), [0.002, 0.3, 0.49]),
    ("inflation[0]", (1.0, np.inf), [1.01, 3.0, 90.0]),
    ("sd[0, x]", (0.0, np.inf), [1e-3, 2.0, 1e6]),
    ("correlation[0, y, x]", (-1.0, 1.0), [-0.99, 0.0, 0.7]),
    ("mean[0, x]", (-np.inf, np.inf), [-3.0, 0.0, 1e9]),
]


@pytest.mark.parametrize(("name", "limits", "values"), KINDS)
def test_ends_are_within_the_range(name, limits, values):
    values = np.array(values)
    for errors in (0.01 * np.abs(values) + 1e-4, np.abs(values) + 0.1):
        lower, upper = normal_intervals([name] * 3, values, errors, 0.95)
        assert (limits[0] <= lower).all()
        assert (lower < values).all()
        assert (values < upper).all() if limits[1] == np.inf else (values <= upper).all()
        assert (upper <= limits[1]).all()


@pytest.mark.parametrize(("name", "limits", "values"), KINDS)
def test_small_errors_give_the_normal_interval(name, limits, values):
    values = np.array(values)
    room = np.minimum(np.minimum(values - limits[0], limits[1] - values), np.abs(values) + 1.0)
    errors = 1e-6 * room
    lower, upper = normal_intervals([name] * 3, values, errors, 0.8)
    z = norm.ppf(0.9)
    assert_allclose((values - lower) / errors, z, rtol=1e-4)
    assert_allclose((upper - values) / errors, z, rtol=1e-4)


def test_held_and_unknown_parameters():
    names = [name for name, *_ in KINDS]
    values = np.array([1.0, 0.5, 1.0, 2.0, 0.0, 0.0])
    for ends in normal_intervals(names, values, np.zeros(6), 0.9):
        assert_allclose(ends, values)
    for ends in normal_intervals(names, values, np.full(6, np.nan), 0.9):
        assert np.isnan(ends).all()


def test_few_outliers():
    """Three of 98 rows: the interval of their proportion on its own scale reached below 0."""
    rng = np.random.default_rng(0)
    X = np.concatenate((rng.normal(0.0, 1.0, 95), rng.normal(0.0, 6.0, 3)))[:, np.newaxis]
    fit = GaussianMixture(1, contaminated=True, random_state=0).fit(X)
    table = fit.standard_errors().table
    share, inflation = table.loc["outliers[0]"], table.loc["inflation[0]"]
    z = norm.ppf(0.95)
    assert share["estimate"] - z * share["standard_error"] < 0.0
    assert 0.0 < share["lower"] < share["estimate"] < share["upper"] < 0.5
    assert inflation["estimate"] - z * inflation["standard_error"] < 1.0
    assert 1.0 < inflation["lower"] < inflation["estimate"]
    shown = fit.summary().splitlines()
    for name, row in (("outliers[0]", share), ("inflation[0]", inflation)):
        (line,) = [each.split() for each in shown if each.startswith(name)]
        assert line[3:] == [f"{row['lower']:.7g}", f"{row['upper']:.7g}"]


def test_the_weight_of_little_noise():
    X = np.concatenate((load_dataset("faithful").X, [[0.0, 120.0]]))
    row = GaussianMixture(2, noise_component=True, random_state=0).fit(X).standard_errors()
    row = row.table.loc["weight[noise]"]
    assert row["estimate"] < norm.ppf(0.95) * row["standard_error"]
    assert 0.0 < row["lower"] < row["estimate"] < row["upper"] < 1.0
