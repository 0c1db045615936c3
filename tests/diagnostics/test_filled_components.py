import numpy as np
import pytest
import xarray as xr

from bayesgmm import filled_components


def posterior(weights, means, x):
    """Four chains of draws of one feature with unit variances."""
    chains, draws, k = weights.shape
    names = ("chain", "draw", "component", "feature", "feature_bis")
    parameters = {
        "weights": (names[:3], weights),
        "means": (names[:4], np.broadcast_to(means, (chains, draws, k))[..., None]),
        "covariances": (names, np.ones((chains, draws, k, 1, 1))),
    }
    return xr.DataTree.from_dict(
        {
            "posterior": xr.Dataset(parameters),
            "observed_data": xr.Dataset({"X": (("row", "feature"), np.reshape(x, (-1, 1)))}),
        }
    )


def test_components_apart_are_filled_by_their_rows():
    weights = np.full((4, 100, 3), 1.0 / 3.0)
    found = filled_components(posterior(weights, [0.0, 50.0, 100.0], [0.0, 1.0, 50.0]), rng=1)
    assert found.index.tolist() == [1, 2, 3]
    assert found.probability.tolist() == [0.0, 1.0, 0.0]
    assert found.mcse.isna().all()


def test_equal_components_are_filled_at_random():
    # Three rows, each in the first component with probability .9: all together in one of two.
    weights = np.tile([0.9, 0.1], (4, 2500, 1))
    found = filled_components(posterior(weights, [0.0, 0.0], [0.0, 0.5, -1.0]), rng=1)
    assert found.probability.sum() == pytest.approx(1.0, rel=1e-15)
    expected = 0.9**3 + 0.1**3
    error = np.sqrt(expected * (1.0 - expected) / 10_000)
    assert abs(found.probability[1] - expected) < 5 * error
    assert found.mcse[1] == pytest.approx(error, rel=0.2)


def test_a_weight_of_zero_holds_nothing():
    weights = np.tile([0.5, 0.0, 0.5], (2, 50, 1))
    found = filled_components(posterior(weights, [0.0, 0.0, 0.0], np.zeros(40)), rng=1)
    assert found.probability[3] == 0.0
