import arviz_stats as azs
import numpy as np
import pytest
import xarray as xr

from bayesgmm import Priors, label_switching, load_dataset, sample_posterior
from bayesgmm.convergence.agreement import AGREE, statistics
from bayesgmm.data.validation import check_data
from bayesgmm.posterior.reader import (
    read_estimate,
)
from bayesgmm.sampling import run_length, sampling
from bayesgmm.sampling.run_length import Monitor, worst


def two_clusters(n, seed=0, apart=2.0):
    """Two clusters, two standard deviations apart."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(n) + apart * (np.arange(n) % 2))[:, np.newaxis]


@pytest.fixture(scope="module")
def overlapping():
    """So few rows that a run of 200 draws says little."""
    return two_clusters(400)


@pytest.fixture
def short(monkeypatch):
    """Runs that begin with 50 draws, so that they have to be continued."""
    monkeypatch.setattr(sampling, "_LEAST_DRAWS", 50)


def test_the_worst_of_several_quantities():
    rng = np.random.default_rng(0)
    good, apart = rng.standard_normal((2, 4, 500))
    slow = np.repeat(rng.standard_normal((4, 50)), 10, axis=1)
    apart += np.arange(4)[:, np.newaxis]
    quantities = {"good": good, "slow": slow, "apart": apart, "fixed": np.ones((4, 500))}
    found = worst(statistics("", quantities))
    assert (found.rhat_of, found.ess_of) == ("apart", "apart")
    assert found.rhat == pytest.approx(float(azs.rhat(apart, chain_axis=0, draw_axis=1)))
    found = worst(statistics("", {"good": good, "slow": slow}))
    assert found.ess_of == "slow"
    axes = {"chain_axis": 0, "draw_axis": 1}
    tail = azs.ess(slow, method="tail", prob=(0.05, 0.95), **axes)
    assert found.ess == pytest.approx(float(min(azs.ess(slow, **axes), tail)))


def test_one_chain_has_no_r_hat_and_a_few_draws_nothing():
    found = worst(statistics("", {"one": np.random.default_rng(0).standard_normal((1, 100))}))
    assert np.isnan(found.rhat)
    assert found.ess > 50
    few = worst(statistics("", {"few": np.random.default_rng(0).standard_normal((4, 3))}))
    assert few.ess == 0.0


@pytest.mark.parametrize(
    ("rows", "k", "priors", "seed"),
    [
        (load_dataset("galaxies").X, 3, Priors.richardson_green(), 2),
        (two_clusters(1000, 1), 2, None, 1),
    ],
)
def test_converged_chains_get_no_advice_to_draw_more(rows, k, priors, seed):
    """Also where the verdict is another, all quantities that are shown have converged."""
    tree = sample_posterior(rows, k, priors=priors, rng=seed, progressbar=False)
    assert tree.attrs["stopped"] == "converged"
    found = label_switching(tree)
    assert found.evidence.loc["the chains agree", "result"] == "passed"
    shown = found.statistics[found.statistics["form"] != "as sampled"]
    assert len(shown) > 30
    assert tree.attrs["rhat"] == shown["r_hat"].max() <= 1.01
    assert tree.attrs["ess"] == shown[["ess_bulk", "ess_tail"]].min().min() >= 400
    assert {tree.attrs["rhat_of"], tree.attrs["ess_of"]} <= set(shown["quantity"])


def test_a_chain_that_repeats_a_draw_has_not_converged():
    rows = two_clusters(400, apart=5.0)
    tree = sample_posterior(rows, 2, draws=500, rng=1, progressbar=False)
    groups = {name: tree[name].to_dataset().copy() for name in ("posterior", "sample_stats")}
    drawn = xr.DataTree.from_dict(groups)
    data, reference = check_data(rows), read_estimate(tree)
    assert Monitor(100.0, 500, data, reference, xr.Dataset())(drawn)
    for name in ("weights", "means", "covariances"):
        values = groups["posterior"][name].values.copy()
        values[2, 100:140] = values[2, 100]
        groups["posterior"][name] = groups["posterior"][name].copy(data=values)
    stuck = xr.DataTree.from_dict(groups)
    monitor = Monitor(100.0, 500, data, reference, xr.Dataset())
    assert not monitor(stuck)
    assert monitor.worst.ess >= 100
    assert label_switching(stuck, X=rows, reference=reference).verdict == "no convergence"


def test_a_run_goes_on_until_it_has_converged(overlapping, short):
    settings = {"tune": 1000, "rng": 2, "progressbar": False}
    tree = sample_posterior(overlapping, 2, min_ess=200, **settings)
    assert tree.attrs["stopped"] == "converged"
    assert tree.attrs["ess"] >= 200 == tree.attrs["min_ess"]
    assert tree.attrs["rhat"] <= AGREE
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
        1,  # as above: what is compiled for PyMC's sampler is the same
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
