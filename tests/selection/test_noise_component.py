"""Selection among models with a component of uniform noise."""

import numpy as np
import pytest
from noisy_rows import with_noise

from bayesgmm import GaussianMixture, select_mixture
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import InvalidParameterError
from bayesgmm.selection.candidate import is_nested

pytestmark = pytest.mark.filterwarnings("ignore:The selected model")


@pytest.fixture(scope="module")
def grid():
    x, is_noise = with_noise(0, 760, 40)
    return x, is_noise, select_mixture(x, range(1, 4), noise_component=True, rng=0)


def test_every_model_is_the_fit_with_noise(grid):
    x, _, found = grid
    ranked = found.ranked()
    # Of a third component, which the rows lack, there are many maxima.
    for _, row in ranked[ranked["n_components"] <= 2].iterrows():
        structure = as_structure(row["covariance_type"])
        fit = GaussianMixture(
            row["n_components"], covariance_type=structure, noise_component=True, random_state=0
        ).fit(x)
        assert row["n_parameters"] == fit.n_parameters_
        assert row["log_likelihood"] > fit.log_likelihood_ - 1e-4
        bic = -2.0 * row["log_likelihood"] + fit.n_parameters_ * np.log(len(x))
        assert row["bic"] == pytest.approx(bic, rel=1e-12)
        if row["log_likelihood"] < fit.log_likelihood_ + 1e-4:
            assert row["icl"] == pytest.approx(fit.icl(), abs=0.1)


def test_a_model_is_no_less_likely_than_a_nested_one(grid):
    _, _, found = grid
    for _, group in found.table.groupby("n_components"):
        values = dict(zip(group["covariance_type"], group["log_likelihood"], strict=True))
        for small in values:
            for large in values:
                if is_nested(as_structure(small), as_structure(large)):
                    assert values[small] <= values[large] + 1e-5, (small, large)


def test_the_best_model_has_the_noise_and_not_a_component_for_it(grid):
    x, is_noise, found = grid
    best = found.best
    assert best.noise_component
    assert best.n_components == 2
    assert best.noise_.weight == pytest.approx(0.05, abs=0.03)
    assert best.log_likelihood_ == pytest.approx(found.ranked()["log_likelihood"][0], abs=1e-5)
    assert (best.predict(x)[is_noise] == -1).mean() > 0.7
    assert select_mixture(x, range(1, 4), "VVV", rng=0).best.n_components == 3
    assert "2 components and uniform noise of weight 0.0" in found.summary()


def test_cross_validation_scores_the_noise(grid):
    x, is_noise, _ = grid
    plain, noisy = (
        select_mixture(x, [2], "VVV", criterion="cv", noise_component=each, rng=0).table
        for each in (False, True)
    )
    gain = noisy["cv_log_likelihood"][0] - plain["cv_log_likelihood"][0]
    # Of the fits to all rows, held-out rows differ little.
    fits = noisy["log_likelihood"][0] - plain["log_likelihood"][0]
    assert gain == pytest.approx(fits, rel=0.2)
    assert gain > is_noise.sum()


def test_a_search_on_a_sample():
    x, _ = with_noise(1, 2400, 120)
    found = select_mixture(x, [1, 2], ["EEE", "VVV"], noise_component=True, rng=0)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    assert found.best.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-6)


def test_missing_entries_and_weights():
    x, _ = with_noise(2, 380, 20)
    x[np.random.default_rng(3).random(x.shape) < 0.1] = np.nan
    v = 1.0 + np.arange(len(x)) % 2
    found = select_mixture(x, [1, 2], "VVV", noise_component=True, sample_weight=v, rng=0)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x, sample_weight=v)
    assert found.ranked()["log_likelihood"][0] == pytest.approx(fit.log_likelihood_, abs=1e-5)


def test_a_switch_is_true_or_false():
    with pytest.raises(InvalidParameterError, match="noise_component must be True or False"):
        select_mixture(np.eye(5), noise_component="yes")


def test_another_model_of_the_grid_has_noise(grid):
    _, _, found = grid
    other = found.fit(1, "VVV")
    row = found.table.query("n_components == 1 and covariance_type == 'VVV'").iloc[0]
    assert other.noise_.weight > 0.0
    assert other.log_likelihood_ == pytest.approx(row["log_likelihood"], abs=1e-5)


def test_equal_weights_and_noise():
    with pytest.raises(InvalidParameterError, match="takes a share of each weight"):
        select_mixture(np.eye(5), noise_component=True, equal_weights=True)
