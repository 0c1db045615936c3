import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr

from bayesgmm import load_dataset, sample_posterior
from bayesgmm.sampling import run_length, sampling
from bayesgmm.sampling.run_length import RHAT_BOUND, convergence, monitored


@pytest.fixture(scope="module")
def overlapping():
    """Two clusters two standard deviations apart, of which a run of 200 draws says little."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal(400) + 2.0 * (np.arange(400) % 2))[:, np.newaxis]


@pytest.fixture
def short(monkeypatch):
    """Runs that begin with 50 draws, so that they have to be continued."""
    monkeypatch.setattr(sampling, "_LEAST_DRAWS", 50)


def test_the_worst_of_several_quantities():
    rng = np.random.default_rng(0)
    good, apart = rng.standard_normal((2, 4, 500))
    slow = np.repeat(rng.standard_normal((4, 50)), 10, axis=1)
    apart += np.arange(4)[:, np.newaxis]
    found = convergence({"good": good, "slow": slow, "apart": apart, "fixed": np.ones((4, 500))})
    assert (found.rhat_of, found.ess_of) == ("apart", "apart")
    assert found.rhat == pytest.approx(float(azs.rhat(apart, chain_axis=0, draw_axis=1)))
    found = convergence({"good": good, "slow": slow})
    assert found.ess_of == "slow"
    assert found.ess == pytest.approx(float(azs.ess(slow, chain_axis=0, draw_axis=1)))


def test_one_chain_has_no_r_hat_and_a_few_draws_nothing():
    found = convergence({"one": np.random.default_rng(0).standard_normal((1, 100))})
    assert np.isnan(found.rhat)
    assert found.ess > 50
    assert convergence({"few": np.random.default_rng(0).standard_normal((4, 3))}).ess == 0.0


def test_what_is_monitored_does_not_depend_on_labels():
    rng = np.random.default_rng(0)
    shape = (2, 30, 3)
    arrays = {
        "weights": rng.dirichlet(np.ones(3), size=shape[:2]),
        "means": rng.standard_normal((*shape, 2)),
        "covariances": np.eye(2) * rng.random((*shape, 1, 1)),
    }
    order = rng.permuted(np.broadcast_to(np.arange(3), shape), axis=-1)
    moved = {}
    for name, each in arrays.items():
        index = order.reshape(*shape, *([1] * (each.ndim - 3)))
        moved[name] = np.take_along_axis(each, index, axis=2)

    def found(parameters):
        dims = ("chain", "draw", "component", "feature", "feature_bis")
        group = xr.Dataset({n: (dims[: v.ndim], v) for n, v in parameters.items()})
        stats = xr.Dataset({"logp": (("chain", "draw"), np.zeros(shape[:2]))})
        return monitored(xr.DataTree.from_dict({"posterior": group, "sample_stats": stats}))

    one, other = found(arrays), found(moved)
    assert len(one) == 1 + 3 * 4
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-12)


def test_a_run_goes_on_until_it_has_converged(overlapping, short):
    settings = {"tune": 300, "rng": 1, "progressbar": False}
    tree = sample_posterior(overlapping, 2, min_ess=200, **settings)
    assert tree.attrs["stopped"] == "converged"
    assert tree.attrs["ess"] >= 200 == tree.attrs["min_ess"]
    assert tree.attrs["rhat"] <= RHAT_BOUND
    draws = tree["posterior"].sizes["draw"]
    assert draws in [50 * 2**i for i in range(1, 6)]
    # The length follows from the draws alone, and these are those of a run of that length.
    again = sample_posterior(overlapping, 2, draws=draws, **settings)
    assert again.attrs["stopped"] == "draws"
    for name in ("weights", "means", "covariances"):
        np.testing.assert_array_equal(tree["posterior"][name], again["posterior"][name])


def test_a_run_of_pymc_goes_on(overlapping, short):
    settings = {"tune": 100, "rng": 1, "nuts_sampler": "pymc", "progressbar": False}
    tree = sample_posterior(overlapping, 1, min_ess=150, **settings)
    assert tree.attrs["stopped"] == "converged"
    assert tree["posterior"].sizes["draw"] > 50


def test_a_run_ends_at_its_longest(overlapping, short, monkeypatch):
    monkeypatch.setattr(run_length.Monitor, "too_slow", lambda self, tree: False)
    tree = sample_posterior(overlapping, 2, min_ess=1e9, tune=50, rng=1, progressbar=False)
    assert tree.attrs["stopped"] == "max_draws"
    assert tree["posterior"].sizes["draw"] == 50 * 2**5


def test_a_run_ends_where_the_longest_would_not_do(overlapping, short):
    tree = sample_posterior(overlapping, 2, min_ess=1e9, tune=50, rng=1, progressbar=False)
    assert tree.attrs["stopped"] == "too slow"
    assert tree["posterior"].sizes["draw"] == 50


@pytest.mark.parametrize("nuts_sampler", ["nutpie", "pymc"])
def test_the_time_that_a_run_may_take(overlapping, short, nuts_sampler):
    tree = sample_posterior(
        overlapping,
        2,
        tune=50,
        rng=1,
        max_time=1e-9,
        nuts_sampler=nuts_sampler,
        progressbar=False,
    )
    assert tree.attrs["stopped"] == "max_time"
    assert tree["posterior"].sizes["draw"] == 50


def test_a_run_within_memory(monkeypatch):
    monkeypatch.setattr(sampling, "_MOST_MEMORY", 8 * 4 * 2 * 7 * 4000)
    monkeypatch.setattr(run_length.Monitor, "too_slow", lambda self, tree: False)
    tree = sample_posterior(
        load_dataset("faithful").X, 2, min_ess=1e9, tune=200, rng=1, progressbar=False
    )
    assert tree["posterior"].sizes["draw"] == 4000
