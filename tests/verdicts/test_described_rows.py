"""Rows that the draws do not describe are noticed, in any unit; rows that they do are not."""

import known_posteriors
import numpy as np
import pytest

from bayesgmm.data.validation import Data
from bayesgmm.posterior.reader import (
    read_draws,
)
from bayesgmm.verdicts.described_rows import discrepancy


@pytest.fixture(scope="module")
def healthy():
    tree = known_posteriors.make("none", 0, k=3, d=2, n=300).tree
    return read_draws(tree), Data(tree["observed_data"]["X"].values, None)


def test_rows_that_were_fitted(healthy):
    assert discrepancy(*healthy).errors == 0.0


@pytest.mark.parametrize("unit", [1e-60, 1.0, 1e60])
def test_other_rows(healthy, unit):
    draws, (X, *_) = healthy
    scaled = type(draws)(draws.weights, draws.means * unit, draws.covariances * unit**2)
    moved = discrepancy(scaled, Data((X + np.array([0.0, 20.0])) * unit, None))
    assert (moved.feature, moved.what) == (1, "mean")
    assert moved.errors > 20.0
    assert moved.rows / unit == pytest.approx((X[:, 1] + 20.0).mean())
    assert moved.draws / unit == pytest.approx(X[:, 1].mean(), abs=0.2)
    wide = (X.mean(axis=0) + (X - X.mean(axis=0)) * [3.0, 1.0]) * unit
    wider = discrepancy(scaled, Data(wide, None))
    assert (wider.feature, wider.what) == (0, "standard deviation")


def test_an_outlier_is_no_discrepancy(healthy):
    """One row at 1e6 has a component of its own, or widens one, in the draws as in the rows."""
    draws, (X, *_) = healthy
    far = Data(np.vstack([X, [[1e6, 0.0]]]), None)
    w = np.concatenate([draws.weights * (1 - 1 / 301), np.full((4, 1000, 1), 1 / 301)], axis=2)
    m = np.concatenate([draws.means, np.full((4, 1000, 1, 2), [1e6, 0.0])], axis=2)
    c = np.concatenate([draws.covariances, np.tile(np.eye(2), (4, 1000, 1, 1, 1))], axis=2)
    assert discrepancy(type(draws)(w, m, c), far).errors == 0.0
