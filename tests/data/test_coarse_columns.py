"""Columns, values and rows that spoil a Gaussian likelihood are named; sound data are not."""

import numpy as np
import pytest
from unsuitable_columns import thirteen_columns, unsuitable

from bayesgmm import GaussianMixture, load_dataset, report, select_mixture
from bayesgmm.data.coarse_columns import coarse_values, copied_rows, unsuitable_columns
from bayesgmm.errors import BayesGMMWarning

RNG = np.random.default_rng(3)
POISSON = RNG.poisson(3, 500)[:, np.newaxis].astype(float)
HALF_A_DEVIATION = np.round(2.0 * np.random.default_rng(1).normal(size=(500, 1))) / 2.0


@pytest.mark.parametrize("name", ["faithful", "iris", "galaxies"])
@pytest.mark.parametrize("factor", [1e-30, 1.0, 3.7])
def test_shipped_data_raise_no_alarm(name, factor):
    X = load_dataset(name).X * factor
    assert unsuitable_columns(X) + copied_rows(X) == []
    assert set(coarse_values(X)) == {None}


@pytest.mark.parametrize("seed", range(5))
def test_continuous_columns_raise_no_alarm_at_any_size(seed):
    rng = np.random.default_rng(seed)
    for n in (5, 40, 400, 5000):
        X = np.column_stack((rng.normal(size=n), rng.exponential(size=n), rng.standard_t(1, n)))
        X[rng.random(X.shape) < 0.3] = np.nan
        assert unsuitable_columns(X) + copied_rows(X) == []
        # As from other measurements: rounded, to a tenth of a standard deviation.
        assert unsuitable_columns(np.round(10.0 * X[:, :1])) == []
        bootstrap = X[rng.integers(n, size=n)]
        assert unsuitable_columns(bootstrap) + copied_rows(bootstrap) == []


@pytest.mark.parametrize("factor", [1e-30, 1.0, 3.7])
def test_what_is_wrong_is_named(factor):
    found = {name: unsuitable_columns(X * factor) for name, X in unsuitable().items()}
    assert "only 3 distinct values in column 13" in found["label"][0]
    assert "only 5 to 7 distinct values in column 0, column 1" in found["rounded"][0]
    assert "and 9 others" in found["rounded"][0]
    assert "the value 0 in 107 of 178 rows in column 13" in found["zeros"][0]
    assert found["duplicates"] == []
    assert "Only 89 of 178 rows" in copied_rows(unsuitable()["duplicates"])[0]


def test_values_are_counted_in_blocks_and_beside_missing_entries():
    column = np.tile(np.arange(7.0), 3000)
    column[::5] = np.nan
    values = coarse_values(column[:, np.newaxis])[0]
    np.testing.assert_array_equal(values, np.arange(7.0))
    assert coarse_values(np.arange(20_000.0)[:, np.newaxis]) == (None,)


def test_fit_selection_and_report_name_the_column():
    x, groups = thirteen_columns()
    X = np.column_stack((x[:, :2], groups))
    with pytest.warns(BayesGMMWarning, match="only 3 distinct values in column 2"):
        fit = GaussianMixture(2, covariance_type="tied", random_state=0).fit(X)
    with pytest.warns(BayesGMMWarning, match="only 3 distinct values in column 2"):
        select_mixture(X, [1, 2], "EEE", rng=0)
    assert "only 3 distinct values in" in report(X, em=fit).html
    duplicates = unsuitable()["duplicates"]
    with pytest.warns(BayesGMMWarning, match="Only 89 of 178 rows of X are distinct"):
        select_mixture(duplicates, range(1, 7), "EEE", rng=0)


def test_what_bounds_the_likelihood_needs_no_warning():
    GaussianMixture(2, priors="default", random_state=0).fit(HALF_A_DEVIATION)
    GaussianMixture(2, reg_covar=0.1, random_state=0).fit(HALF_A_DEVIATION)
    GaussianMixture(1).fit(HALF_A_DEVIATION)


def test_the_advice_helps():
    for rounded, most in ((HALF_A_DEVIATION, 1), (POISSON, 2)):
        step = np.diff(np.unique(rounded)).min()
        noise = np.random.default_rng(0).uniform(-0.5, 0.5, rounded.shape)
        assert select_mixture(rounded + step * noise, rng=0).best.n_components <= most


@pytest.mark.filterwarnings("ignore:X has only")
@pytest.mark.parametrize(
    ("X", "most"), [(POISSON, 2), (HALF_A_DEVIATION, 1)], ids=["counts", "rounded"]
)
def test_a_component_of_each_value_is_never_selected(X, most):
    chosen = select_mixture(X, rng=0)
    assert chosen.best.n_components <= most
    steps = np.diff(np.unique(X)).min()
    assert np.sqrt(chosen.best.mixture_.variances.min()) > 0.4 * steps
    noted = chosen.table["note"].str.contains("simpler structure|narrower in column 0|collapsed")
    assert noted[chosen.table["covariance_type"] == "V"].any()
