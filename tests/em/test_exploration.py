"""Starts and climbs: what is tried, and where it leads."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset, random_mixture, simulate
from bayesgmm.covariance.structures import as_structure
from bayesgmm.initialisation.starts import sample_size

MOVED = ("exchange", "reshaped")


def overlapping(seed):
    truth = random_mixture(5, 3, average_overlap=0.05, rng=seed)
    return simulate(truth, 300, rng=seed).X


@pytest.mark.parametrize("seed", range(3))
def test_moves_lead_higher_than_the_start_that_they_begin_at(seed):
    starts = GaussianMixture(5, random_state=0).fit(overlapping(seed)).starts_
    moved = starts["start"].isin(MOVED)
    values = starts["log_likelihood"]
    assert moved.any()
    assert values[moved].max() > values[~moved].max()
    assert values[moved].min() > values[~moved].min()


def test_n_init_is_the_least_number_of_starts_and_more_are_no_worse():
    x = overlapping(0)
    fits = [GaussianMixture(5, n_init=n, random_state=0).fit(x) for n in (1, 60)]
    made = [(~f.starts_["start"].isin(MOVED)).sum() for f in fits]
    assert made == [20, 60]
    assert fits[1].log_likelihood_ >= fits[0].log_likelihood_ - 1e-6


def test_starts_at_one_maximum_without_a_promising_move_suffice():
    x = load_dataset("faithful").X
    starts = GaussianMixture(2, random_state=0).fit(x).starts_
    assert len(starts) == 4
    assert np.ptp(starts["log_likelihood"]) < 0.01


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_init", [1, 50])
def test_a_higher_maximum_next_to_that_of_all_starts_is_found(n_init, seed):
    x = load_dataset("faithful").X[:100]
    fit = GaussianMixture(2, n_init=n_init, random_state=seed).fit(x)
    assert fit.starts_["log_likelihood"].iloc[:4].max() == pytest.approx(-418.58605, abs=1e-4)
    assert fit.log_likelihood_ == pytest.approx(-416.40005, abs=1e-4)


def test_a_small_component_is_found_that_no_partition_has():
    """Nine rows within a wide component: k-means and trees put none of their parts there."""
    rng = np.random.default_rng(3)
    x = np.concatenate((rng.normal(size=(400, 3)), 0.5 + 0.01 * rng.normal(size=(9, 3))))
    fit = GaussianMixture(2, covariance_type="VII", random_state=0).fit(x)
    assert 8.0 < fit.weights_.min() * 409 < 12.0


def test_the_sample_of_many_rows_grows_with_the_free_parameters():
    assert sample_size(as_structure("VVV", 2), 3, 2) == 2048
    assert sample_size(as_structure("VVV", 5), 12, 5) == 20 * 251
    assert sample_size(as_structure("VII", 5), 12, 5) == 2048
    assert sample_size(as_structure("VVV", 50), 40, 50) == 20_000


def test_many_separate_components_are_all_found():
    """On a sample of 3,200 rows two of 40 were taken for one: 244 nats were missing."""
    truth = random_mixture(40, 10, max_overlap=0.001, rng=1)
    X = simulate(truth, 9000, rng=1).X
    near = GaussianMixture(
        40,
        weights_init=truth.weights,
        means_init=truth.means,
        precisions_init=np.linalg.inv(truth.covariances),
    ).fit(X)
    found = GaussianMixture(40, random_state=0).fit(X)
    assert found.log_likelihood_ >= near.log_likelihood_ - 1e-3
