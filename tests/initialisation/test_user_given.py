"""Starts from labels, from responsibilities, and from a callable that returns either."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset
from bayesgmm.errors import InvalidParameterError

IRIS = load_dataset("iris")
SPECIES = np.asarray(IRIS.labels)
OPTIMUM = -180.185477  # tests/selection/best_known_loglik.csv, VVV


def test_labels_of_any_kind_begin_a_run_at_their_groups():
    codes = np.unique(SPECIES, return_inverse=True)[1]
    fits = [
        GaussianMixture(3, init_params=each).fit(IRIS.X)
        for each in (SPECIES, codes, codes.tolist(), np.eye(3)[codes])
    ]
    for fit in fits:
        assert fit.log_likelihood_ == pytest.approx(OPTIMUM, abs=1e-5)
        np.testing.assert_array_equal(fit.means_, fits[0].means_)
        assert list(fit.starts_["start"]) == ["given groups"]


def test_soft_groups_and_weights():
    shares = np.random.default_rng(0).dirichlet(np.ones(2), len(IRIS.X))
    weights = np.ones(len(IRIS.X))
    weights[::3] = 0.0
    here = GaussianMixture(2, init_params=shares).fit(IRIS.X, sample_weight=weights)
    kept = weights > 0
    there = GaussianMixture(2, init_params=shares[kept]).fit(IRIS.X[kept])
    assert here.log_likelihood_ == pytest.approx(there.log_likelihood_, rel=1e-10)


def test_a_callable_gets_rows_and_a_seed():
    seen = []

    def halves(X, n_components, random_state):
        seen.append((X.shape, n_components, random_state.randint(1000)))
        return (X[:, 2] > 2.5).astype(int)

    fit = GaussianMixture(2, init_params=halves, n_init=3, random_state=0).fit(IRIS.X)
    assert fit.log_likelihood_ == pytest.approx(-214.354704, abs=1e-5)
    assert [each[:2] for each in seen] == [((150, 4), 2)] * 3
    assert len({each[2] for each in seen}) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (np.zeros(150, int), "1 group, but n_components=3"),
        (np.arange(149) % 3, r"shape \(150,\)"),
        (np.full((150, 3), 0.5), "150 of 150 rows do not"),
        (np.full((150, 3), np.nan), "150 of 150 rows do not"),
        (np.full((150, 2), 0.5), r"shape \(150, 3\)"),
        (np.full((150, 3), 1 / 3) * 1j, "complex128"),
        (lambda X, n_components, random_state: X, r"not float64 of shape \(150, 4\)"),
    ],
)
def test_what_cannot_be_a_start_is_refused(given, said):
    with pytest.raises(InvalidParameterError, match=said):
        GaussianMixture(3, init_params=given).fit(IRIS.X)


def test_a_start_that_leaves_a_component_without_rows_is_one_start():
    responsibilities = np.zeros((150, 3))
    responsibilities[:, 0] = 1.0
    turns = iter([responsibilities, SPECIES])
    fit = GaussianMixture(3, init_params=lambda X, k, random_state: next(turns), n_init=2)
    fit.fit(IRIS.X)
    assert fit.log_likelihood_ == pytest.approx(OPTIMUM, abs=1e-5)
    assert list(fit.starts_["outcome"]) == [
        "component 0 had no rows, or a singular covariance, at the start", "converged",
    ]  # fmt: skip
