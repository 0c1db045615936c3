"""Rows simulated from draws in place of the fitted ones."""

import known_posteriors
import numpy as np
import pytest

from bayesgmm.labels.stand_in_rows import equivalent_rows, stand_in_rows
from bayesgmm.posterior.reader import (
    read_draws,
)


@pytest.mark.parametrize(("k", "d", "n"), [(2, 1, 100), (3, 2, 300), (4, 5, 2000)])
def test_as_many_rows_as_the_posterior_rests_on(k, d, n):
    draws = read_draws(known_posteriors.make("within", 1, k=k, d=d, n=n).tree)
    # The median of D ratios of a variance to its estimate from some 2,000 effective draws.
    assert equivalent_rows(draws) == pytest.approx(n, rel=0.3)
    assert len(stand_in_rows(draws).X) == np.clip(round(equivalent_rows(draws)), 200, 1000)


def test_they_depend_on_the_set_of_draws_alone():
    draws = read_draws(known_posteriors.make("none", 1, k=3, d=2, n=300).tree)
    rng = np.random.default_rng(0)
    orders = rng.permuted(np.tile(np.arange(3), (4, 1000, 1)), axis=-1)
    other = draws.permuted(orders)
    turned = type(draws)(
        *(a[[2, 0, 3, 1]] for a in (other.weights, other.means, other.covariances))
    )
    np.testing.assert_array_equal(stand_in_rows(turned).X, stand_in_rows(draws).X)


def test_they_are_rows_of_the_mixture():
    draws = read_draws(known_posteriors.make("none", 2, k=3, d=2, n=300).tree)
    X, mixture = stand_in_rows(draws).X, draws.mean()
    error = np.sqrt(np.diag(mixture.covariance()) / len(X))
    assert (np.abs(X.mean(axis=0) - mixture.mean()) < 5 * error).all()


def test_an_empty_component_has_none():
    tree = known_posteriors.make("empty", 0, k=3, d=2, n=300).tree
    draws = read_draws(tree)
    X = stand_in_rows(draws).X
    nearest = np.abs(X[:, None] - draws.means[:, :, :2].mean(axis=(0, 1))).max(axis=-1).min(axis=1)
    assert nearest.max() < 5.5
