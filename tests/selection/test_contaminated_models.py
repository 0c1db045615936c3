"""Selection among models whose components have outliers of their own."""

import numpy as np
import pytest
from noisy_rows import TWO

from bayesgmm import GaussianMixture, select_mixture
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.selection.candidate import is_nested

pytestmark = pytest.mark.filterwarnings("ignore:The selected model")


def with_outliers(seed, n):
    truth = Contamination(np.full(2, 0.06), np.full(2, 25.0)).pairs(TWO)
    return truth.sample(n, rng=seed)[0]


@pytest.fixture(scope="module")
def grid():
    x = with_outliers(0, 500)
    return x, select_mixture(x, range(1, 4), contaminated=True, rng=0)


def test_every_model_is_the_fit_with_outliers(grid):
    x, found = grid
    ranked = found.ranked()
    for _, row in ranked[ranked["n_components"] <= 2].iterrows():
        structure = as_structure(row["covariance_type"])
        fit = GaussianMixture(
            row["n_components"], covariance_type=structure, contaminated=True, random_state=0
        ).fit(x)
        assert row["n_parameters"] == fit.n_parameters_
        assert row["log_likelihood"] > fit.log_likelihood_ - 1e-4
        bic = -2.0 * row["log_likelihood"] + fit.n_parameters_ * np.log(len(x))
        assert row["bic"] == pytest.approx(bic, rel=1e-12)
        if row["log_likelihood"] < fit.log_likelihood_ + 1e-4:
            assert row["icl"] == pytest.approx(fit.icl(), abs=0.1)


def test_a_model_is_no_less_likely_than_a_nested_one(grid):
    _, found = grid
    for _, group in found.table.groupby("n_components"):
        values = dict(zip(group["covariance_type"], group["log_likelihood"], strict=True))
        for small in values:
            for large in values:
                if is_nested(as_structure(small), as_structure(large)):
                    assert values[small] <= values[large] + 1e-5, (small, large)


def test_the_best_model_has_outliers_and_not_components_for_them(grid):
    x, found = grid
    best = found.best
    assert best.contaminated
    assert best.n_components == 2
    assert best.contamination_.proportions == pytest.approx(0.06, abs=0.05)
    assert best.log_likelihood_ == pytest.approx(found.ranked()["log_likelihood"][0], abs=1e-5)
    assert best.means_[0, 0] < best.means_[1, 0]
    plain = select_mixture(x, range(1, 5), "VVV", rng=0)
    assert plain.best.n_components > 2
    assert best.bic() < plain.best.bic()
    assert "2 components, each with outliers" in found.summary()


def test_another_model_of_the_grid_has_outliers(grid):
    _, found = grid
    other = found.fit(1, "VVV")
    row = found.table.query("n_components == 1 and covariance_type == 'VVV'").iloc[0]
    assert other.contamination_.inflation[0] > 1.0
    assert other.log_likelihood_ == pytest.approx(row["log_likelihood"], abs=1e-5)


def test_cross_validation_scores_the_outliers():
    x = with_outliers(1, 400)
    plain, broad = (
        select_mixture(x, [2], "VVV", criterion="cv", contaminated=each, rng=0).table
        for each in (False, True)
    )
    gain = broad["cv_log_likelihood"][0] - plain["cv_log_likelihood"][0]
    fits = broad["log_likelihood"][0] - plain["log_likelihood"][0]
    assert gain == pytest.approx(fits, rel=0.3)
    assert gain > 20.0


def test_a_search_on_a_sample_of_rows_seen_in_part_with_weights():
    x = with_outliers(2, 2400)
    x[np.random.default_rng(3).random(x.shape) < 0.05] = np.nan
    v = 1.0 + np.arange(len(x)) % 2
    found = select_mixture(x, [1, 2], ["EEE", "VVV"], contaminated=True, sample_weight=v, rng=0)
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(x, sample_weight=v)
    values = found.table.set_index(["n_components", "covariance_type"])["log_likelihood"]
    assert values[2, "VVV"] == pytest.approx(fit.log_likelihood_, abs=1e-4)


def test_units_of_the_columns_do_not_matter():
    x = with_outliers(4, 300)
    one, other = (
        select_mixture(x * unit, [1, 2], ["EEE", "VVI"], contaminated=True, rng=0).table
        for unit in (1.0, np.array([2.0**-20, 2.0**30]))
    )
    shift = len(x) * 10 * np.log(2.0)
    values = other["log_likelihood"].to_numpy() + shift
    assert one["log_likelihood"].to_numpy() == pytest.approx(values, abs=1e-4)


@pytest.mark.parametrize("other", ["noise_component", "equal_weights"])
def test_what_does_not_go_together(other):
    with pytest.raises(InvalidParameterError, match=other):
        select_mixture(np.eye(5), contaminated=True, **{other: True})
