"""Runs on pairs of Gaussians, and what is known of their components."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from bayesgmm import GaussianMixture
from bayesgmm.em.pairs import components, contamination, paired
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.mixture.contamination import Contamination


@pytest.mark.parametrize("diagonal", [False, True])
def test_components_of_pairs_are_those_that_were_paired(diagonal):
    covariances = np.array([[1.0, 2.0], [3.0, 0.5]])
    if not diagonal:
        covariances = covariances[:, :, None] * np.eye(2)
    theta = Parameters(np.array([0.3, 0.7]), np.array([[0.0, 1.0], [2.0, 3.0]]), covariances)
    outliers = Contamination(np.array([0.1, 0.4]), np.array([5.0, 30.0]))
    pairs = paired(theta, outliers)
    assert pairs.weights.sum() == pytest.approx(1.0)
    for found, given in zip(components(pairs), theta, strict=True):
        assert_allclose(found, given, rtol=1e-15)
    again = contamination(pairs)
    assert_allclose(again.proportions, outliers.proportions)
    assert_allclose(again.inflation, outliers.inflation)


def test_a_warm_start_goes_on_from_the_outliers_too():
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.normal(0.0, 1.0, (190, 2)), rng.normal(0.0, 9.0, (10, 2))))
    fit = GaussianMixture(1, contaminated=True, warm_start=True, random_state=0).fit(x)
    reached = fit.log_likelihood_
    fit.set_params(max_iter=0).fit(x)
    assert fit.log_likelihood_ == pytest.approx(reached, abs=1e-9)
    fit.set_params(contaminated=False, max_iter=None).fit(x)
    assert fit.contamination_ is None
    fit.set_params(contaminated=True).fit(x)
    assert fit.log_likelihood_ == pytest.approx(reached, abs=1e-6)


def test_known_components_of_rows_seen_in_part_and_a_flat_component():
    # One that is flat is judged by the rows that were seen: of components, not of pairs.
    rng = np.random.default_rng(1)
    x = np.concatenate((rng.normal(0.0, 1.0, (60, 2)), rng.normal(20.0, [1e-3, 1.0], (60, 2))))
    x[::7, 0] = np.nan
    labels = np.where(np.arange(120) % 5 == 0, np.arange(120) // 60, -1)
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(x, labels=labels)
    assert fit.degeneracy_ is None
    assert_allclose(fit.means_[:, 0], [0.0, 20.0], atol=0.5)
