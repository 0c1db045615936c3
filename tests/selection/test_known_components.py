"""Selection where the components of some rows are known."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from bayesgmm import GaussianMixture, Mixture, select_mixture
from bayesgmm.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:The selected model")

THREE = Mixture(
    [0.4, 0.35, 0.25], [[0.0, 0.0], [2.2, 0.0], [0.0, 3.0]], np.tile(np.eye(2), (3, 1, 1))
)
X, TRUE = THREE.sample(400, rng=0)
# The first two components are known in a part of the rows, under other numbers.
KNOWN = np.where((np.arange(400) % 4 == 0) & (TRUE < 2), 1 - TRUE, -1)


@pytest.fixture(scope="module")
def grid():
    return select_mixture(X, range(1, 5), ["EII", "EEE", "VVV"], labels=KNOWN, rng=0)


def test_every_model_is_the_fit_with_labels(grid):
    for _, row in grid.table[grid.table["n_components"].isin([2, 3])].iterrows():
        fit = GaussianMixture(
            row["n_components"], covariance_type=row["covariance_type"], random_state=0
        ).fit(X, labels=KNOWN)
        assert row["log_likelihood"] > fit.log_likelihood_ - 1e-4
        if row["log_likelihood"] < fit.log_likelihood_ + 1e-4:
            assert row["bic"] == pytest.approx(fit.bic(), abs=1e-3)
            assert row["icl"] == pytest.approx(fit.icl(), abs=0.1)


def test_the_best_has_the_components_of_the_labels_and_another(grid):
    best = grid.best
    assert best.n_components == 3
    assert np.abs(best.means_ - THREE.means[[1, 0, 2]]).max() < 0.5
    assert best.labels_of(X).tolist() == KNOWN.tolist()
    assert best.log_likelihood_ == pytest.approx(grid.ranked()["log_likelihood"][0], abs=1e-5)
    other = grid.fit(2, "VVV")
    assert np.abs(other.means_[1] - THREE.means[0]).max() < 1.5
    row = grid.table.query("n_components == 2 and covariance_type == 'VVV'").iloc[0]
    assert other.log_likelihood_ == pytest.approx(row["log_likelihood"], abs=1e-5)


def test_fewer_components_than_the_labels_name_are_left_out_with_the_reason(grid):
    few = grid.table[grid.table["n_components"] == 1]
    assert (few["note"] == "labels name 2 components").all()
    assert few["log_likelihood"].isna().all()
    assert (grid.table["note"][3:] == "").all()


def test_a_label_beyond_the_grid():
    with pytest.raises(InputError, match="components from 0 to 0"):
        select_mixture(X, 1, labels=KNOWN)
    with pytest.raises(InputError, match="one component for each row"):
        select_mixture(X, [2, 3], labels=KNOWN[1:])


def test_labels_in_cross_validation_with_weights_noise_and_outliers():
    v = 1.0 + np.arange(400) % 2
    v[:3] = 0.0
    settings = {"labels": KNOWN, "sample_weight": v, "rng": 0}
    for more in ({}, {"noise_component": True}, {"contaminated": True}):
        found = select_mixture(X, [2, 3], "EEE", criterion="cv", **settings, **more)
        assert found.best.n_components == 3
        assert np.isfinite(found.table["cv_log_likelihood"]).all()
        fit = GaussianMixture(3, covariance_type="EEE", random_state=0, **more)
        fit.fit(X, sample_weight=v, labels=KNOWN)
        assert found.best.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-4)
        labels = found.best.predict(X[KNOWN >= 0])
        assert (labels == KNOWN[KNOWN >= 0]).mean() > 0.8


def test_labels_and_a_search_on_a_sample():
    x, true = THREE.sample(3000, rng=1)
    known = np.where(np.arange(3000) % 10 == 0, (true + 1) % 3, -1)
    found = select_mixture(x, [3], ["EII", "VVV"], labels=known, rng=0)
    assert np.abs(found.best.means_ - THREE.means[[2, 0, 1]]).max() < 0.3
    fit = GaussianMixture(3, covariance_type=found.best.covariance_type, random_state=0)
    fit.fit(x, labels=known)
    assert found.best.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-4)


def test_unknown_labels_alone_are_no_labels():
    one, other = (
        select_mixture(X, [1, 2], "VVV", labels=each, rng=0).table
        for each in (None, np.full(400, -1))
    )
    assert one.equals(other)


def test_fit_predict_takes_labels():
    fit = GaussianMixture(3, random_state=0)
    found = fit.fit_predict(X, labels=KNOWN)
    assert fit.labels_of(X).tolist() == KNOWN.tolist()
    assert found.tolist() == fit.predict(X).tolist()


def test_the_plot_of_a_selection_is_that_with_labels():
    fit = GaussianMixture(3, covariance_type="tied", random_state=0).fit(X, labels=KNOWN)
    values = np.concatenate([line.get_ydata() for line in fit.plot("selection").lines])
    plt.close("all")
    assert np.isclose(values, fit.bic(), atol=1e-3).any()
