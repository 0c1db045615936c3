import numpy as np
import pytest
import xarray as xr

from bayesgmm import InverseGamma, Priors, filled_components, sample_posterior


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
    weights = np.tile([0.9, 0.1], (4, 500, 1))
    found = filled_components(posterior(weights, [0.0, 0.0], [0.0, 0.5, -1.0]), rng=1)
    assert found.probability.sum() == pytest.approx(1.0, rel=1e-15)
    expected = 0.9**3 + 0.1**3
    error = np.sqrt(expected * (1.0 - expected) / 2_000)
    assert abs(found.probability[1] - expected) < 5 * error
    assert found.mcse[1] == pytest.approx(error, rel=0.2)


def test_a_weight_of_zero_holds_nothing():
    weights = np.tile([0.5, 0.0, 0.5], (2, 50, 1))
    found = filled_components(posterior(weights, [0.0, 0.0, 0.0], np.zeros(40)), rng=1)
    assert found.probability[3] == 0.0


def test_rows_of_noise_fill_no_component():
    """Two rows at the one component, and a row that is noise with probability .5."""
    tree = posterior(np.ones((4, 200, 1)), [0.0], [0.0, 0.0, 6.0])
    density = np.exp(-18.0) / np.sqrt(2.0 * np.pi)
    # The weights of noise at which its density at the row, 1 / 8 times it, is the component's.
    weight = density / (density + 1.0 / 8.0)
    tree["posterior"]["noise_weight"] = xr.Variable(("chain", "draw"), np.full((4, 200), weight))
    box = {"noise_lower": ("feature", [-1.0]), "noise_upper": ("feature", [7.0])}
    tree["constant_data"] = xr.DataTree(xr.Dataset(box))
    assert filled_components(tree, rng=1).probability.tolist() == [0.0, 1.0]
    alone = filled_components(tree, [6.0], rng=1)
    assert alone.index.tolist() == [0, 1]
    assert abs(alone.probability[0] - 0.5) < 5 * np.sqrt(0.25 / 800)


def test_outliers_fill_their_component():
    """A row far from both means belongs to the farther component, which has outliers."""
    tree = posterior(np.full((2, 100, 2), 0.5), [0.0, 10.0], [0.0, 1.0, 4.5])
    shares = {"outlier_proportion": [1e-12, 0.5], "inflation": [1.0 + 1e-12, 100.0]}
    for name, each in shares.items():
        values = np.tile(each, (2, 100, 1))
        tree["posterior"][name] = xr.Variable(("chain", "draw", "component"), values)
    assert filled_components(tree, rng=1).probability[2] > 0.95


def gibbs(y, k, concentration, location, sd, shape, scale, sweeps, rng):
    """Filled components by the sampler of Malsiner-Walli et al. (2016), which allocates rows."""
    labels, variances = rng.integers(k, size=len(y)), np.ones(k)
    filled = np.empty(sweeps)
    for t in range(sweeps):
        counts, sums = np.bincount(labels, minlength=k), np.bincount(labels, y, minlength=k)
        spread = 1.0 / (1.0 / sd**2 + counts / variances)
        means = spread * (location / sd**2 + sums / variances)
        means += np.sqrt(spread) * rng.standard_normal(k)
        squares = np.bincount(labels, (y - means[labels]) ** 2, minlength=k)
        variances = (scale + squares / 2.0) / rng.gamma(shape + counts / 2.0)
        logs = np.log(rng.gamma(concentration + counts) + 1e-300) - 0.5 * np.log(variances)
        logs = logs - 0.5 * (y[:, None] - means) ** 2 / variances
        labels = np.argmax(logs + rng.gumbel(size=logs.shape), axis=1)
        filled[t] = len(np.unique(labels))
    return filled[sweeps // 20 :]


def test_filled_components_under_a_sparse_prior_are_those_of_a_gibbs_sampler():
    rng = np.random.default_rng(0)
    y = np.concatenate([rng.normal(0.0, 1.0, 20), rng.normal(2.5, 1.0, 10)])
    numbers = {"concentration": 0.3, "mean_location": 1.0, "mean_sd": 3.0}
    priors = Priors(**numbers, covariances=InverseGamma(3.0, 2.0))
    tree = sample_posterior(
        y[:, None], 3, priors=priors, rng=1, draws=1500, tune=500, progressbar=False
    )
    found = filled_components(tree, rng=2)
    filled = gibbs(y, 3, 0.3, 1.0, 3.0, 3.0, 2.0, 10_000, np.random.default_rng(6))
    for number in (1, 2, 3):
        batches = (filled == number).reshape(50, -1).mean(axis=1)
        error = np.hypot(batches.std() / np.sqrt(50), found.mcse[number])
        assert abs(found.probability[number] - batches.mean()) < 4 * error
