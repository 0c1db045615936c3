"""What is computed from a posterior and rows does not depend on the names of its variables."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm

from bayesgmm import co_clustering, log_likelihood, posterior_predictive, responsibilities
from bayesgmm.errors import InputError, InputTypeError

NAMES = {"weights": "w", "means": "mu", "standard_deviations": "sigma"}


@pytest.fixture(scope="module")
def posteriors(galaxies):
    """One posterior of one feature under the package's names, and under those of another model."""
    # One chain keeps its labels.
    some = galaxies.isel(draw=slice(80), chain=[1])
    group = some["posterior"].to_dataset()
    foreign = xr.Dataset(
        {
            "w": group["weights"].rename(component="cluster"),
            "mu": group["means"].isel(feature=0, drop=True).rename(component="cluster"),
            "sigma": np.sqrt(group["covariances"].isel(feature=0, feature_bis=0, drop=True)),
        }
    )
    observed = some["observed_data"].to_dataset().rename(X="velocity")
    return some, xr.DataTree.from_dict({"posterior": foreign, "observed_data": observed})


@pytest.mark.parametrize("function", [log_likelihood, responsibilities, co_clustering])
def test_names_of_variables_do_not_matter(posteriors, function):
    own, foreign = posteriors
    expected, found = function(own), function(foreign, variables=NAMES)
    assert found.dims == expected.dims
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    rows = own["observed_data"]["X"].values
    alone = function(own["posterior"].to_dataset(), rows)
    xr.testing.assert_identical(alone, expected)
    with pytest.raises(InputError, match="no variable 'weights'"):
        function(foreign)
    with pytest.raises(InputTypeError, match="posterior must be"):
        function(rows)


def test_new_rows(posteriors):
    own, foreign = posteriors
    expected = posterior_predictive(own, rng=1)
    assert expected.shape == (1, 80, 82, 1)
    found = posterior_predictive(foreign, rng=1, variables=NAMES)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert posterior_predictive(own["posterior"].to_dataset(), 3).shape == (1, 80, 3, 1)


def test_rows_that_are_given_have_the_errors_stored_with_them():
    rng = np.random.default_rng(0)
    n, size = 400, (1, 3)
    x = rng.standard_normal((n, 2)) * 3.0
    x[::5, 1] = np.nan
    errors = rng.uniform(5.0, 20.0, (n, 2))
    group = xr.Dataset(
        {
            "weights": (("chain", "draw", "component"), np.full((*size, 2), 0.5)),
            "means": (
                ("chain", "draw", "component", "feature"),
                np.broadcast_to([[0.0, 0.0], [1.0, -1.0]], (*size, 2, 2)),
            ),
            "covariances": (
                ("chain", "draw", "component", "feature", "feature_bis"),
                np.broadcast_to(np.eye(2), (*size, 2, 2, 2)),
            ),
        }
    )
    posterior = xr.DataTree.from_dict(
        {
            "posterior": group,
            "observed_data": xr.Dataset({"X": (("row", "feature"), x)}),
            "constant_data": xr.Dataset({"error_covariances": (("row", "feature"), errors)}),
        }
    )
    for function in log_likelihood, responsibilities, co_clustering:
        xr.testing.assert_identical(function(posterior, x), function(posterior))
        assert not np.allclose(function(posterior, x), function(group, x))
    # Replicates of the rows have the rows' own errors, new rows none.
    apart = posterior_predictive(posterior, rng=1) - posterior_predictive(posterior, n, rng=1)
    ratio = float((apart**2 / errors).mean())
    assert ratio == pytest.approx(1.0, abs=5.0 * np.sqrt(2.0 / apart.size))


def test_rows_may_lack_a_column_altogether():
    size = (1, 2)
    covariances = np.broadcast_to([[2.0, 0.5], [0.5, 1.0]], (*size, 1, 2, 2))
    posterior = xr.Dataset(
        {
            "weights": (("chain", "draw", "component"), np.ones((*size, 1))),
            "means": (("chain", "draw", "component", "feature"), np.zeros((*size, 1, 2))),
            "covariances": (
                ("chain", "draw", "component", "feature", "feature_bis"),
                covariances,
            ),
        }
    )
    x = np.array([[1.0, np.nan], [3.0, np.nan]])
    expected = norm(0.0, np.sqrt(2.0)).logpdf(x[:, 0])
    np.testing.assert_allclose(log_likelihood(posterior, x)[0, 0], expected, rtol=1e-13)
