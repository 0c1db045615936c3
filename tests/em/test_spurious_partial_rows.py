"""Components that collapse onto few of the rows that saw a feature, and those that do not."""

import warnings

import numpy as np
import pytest

from bayesgmm import GaussianMixture
from bayesgmm.errors import DegeneracyWarning


def two_groups():
    rng = np.random.default_rng(0)
    return np.vstack((rng.standard_normal((30, 2)), rng.standard_normal((30, 2)) + 6.0))


def test_a_component_on_one_entry_is_spurious():
    """Rows 0 to 2 alone saw the second column; 31 other rows would hide that one defines it."""
    x = two_groups()
    x[3:, 1] = np.nan
    # Two iterations from row 0's entry; whether other starts lead there is decided by rounding.
    fit = GaussianMixture(
        2,
        covariance_type="VVI",
        means_init=[[0.0, 0.0], [3.0, x[0, 1]]],
        precisions_init=[[1.0, 1.0], [0.1, 1e6]],
        max_iter=2,
    )
    with pytest.warns(DegeneracyWarning, match="spurious: 1.0 rows"):
        fit.fit(x)
    assert fit.degeneracy_ is not None


@pytest.mark.parametrize("code", ["VVI", "VVV"])
def test_a_component_on_one_row_without_error_is_spurious(code):
    x = two_groups()
    errors = np.full(x.shape, 9.0)
    errors[[0, 40]] = 0.0
    fit = GaussianMixture(2, covariance_type=code, random_state=0)
    with pytest.warns(DegeneracyWarning, match="probably spurious"):
        fit.fit(x, error_covariances=errors)


@pytest.mark.parametrize("code", ["VVI", "VVV", "EEI", "EEE"])
def test_a_component_within_the_errors_is_not_spurious(code):
    """Errors above the spread of the rows bound the likelihood: variances of 0 are a maximum."""
    x = two_groups()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = GaussianMixture(2, covariance_type=code, random_state=0)
        fit.fit(x, error_covariances=np.full(x.shape, 4.0))
    assert fit.degeneracy_ is None
    assert np.diagonal(fit.mixture_.covariances, axis1=1, axis2=2).max() < 1e-6


def test_standard_errors_of_a_spread_within_the_errors_say_so():
    x = two_groups()
    fit = GaussianMixture(1).fit(x[:30], error_covariances=np.full((30, 2), 4.0))
    (note,) = fit.standard_errors().notes
    assert "Measurement errors may alone explain the spread" in note
