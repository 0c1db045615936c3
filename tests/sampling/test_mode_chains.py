"""Posteriors of several modes against Gibbs samplers, and the account of the modes."""

import itertools

import arviz_stats as azs
import gibbs
import numpy as np
import pytest
import xarray as xr
from ordered_components import in_order_of_means
from scipy.special import gammaln
from studies import size

from bayesgmm import (
    Mixture,
    Priors,
    label_switching,
    load_dataset,
    relabel,
    responsibilities,
    sample_posterior,
)
from bayesgmm.sampling import mode_chains, sampling
from bayesgmm.sampling.independence_sampler import IndependenceSampler
from bayesgmm.sampling.mode_chains import that_matter
from bayesgmm.sampling.mode_proposal import StudentMixture, Target
from bayesgmm.sampling.posterior_modes import Mode
from bayesgmm.sampling.run_length import Convergence

PRIORS = Priors.richardson_green()


def enzyme_shaped():
    """245 values like the activities of Bechtel et al. (1993): 60 % near .19, 40 % near 1.25.

    Its posterior with three components has one mode that splits the lower group, and others of 1 to
    4 % of the mass that split the upper one.
    """
    rng = np.random.default_rng(5)
    lower = np.exp(np.log(0.19) + 0.35 * rng.standard_normal(147))
    return np.abs(np.concatenate((lower, 1.25 + 0.5 * rng.standard_normal(98))))[:, np.newaxis]


# A long run of gibbs.univariate: 64 chains of 60,000 sweeps. Means of the components in the order
# of their means, and their Monte Carlo errors, from the chains' own means.
ENZYME = {
    "weights": ([0.487542, 0.124750, 0.387708], [3.87e-4, 3.59e-4, 3.72e-4]),
    "means": ([0.169918, 0.301910, 1.320343], [1.42e-4, 1.50e-3, 8.93e-4]),
    "sigmas": ([0.046534, 0.074432, 0.501758], [3.79e-5, 4.58e-4, 2.91e-4]),
}


def assert_same_means(posterior, reference, most=4.0):
    """Posterior means are those of a reference, in Monte Carlo errors of both."""
    for name, draws in in_order_of_means(posterior).items():
        means, errors = reference[name]
        for k in range(draws.shape[-1]):
            own = float(azs.mcse(draws[..., k], chain_axis=0, draw_axis=1))
            z = (draws[..., k].mean() - means[k]) / np.hypot(own, errors[k])
            assert abs(z) <= most, (name, k, z)


@pytest.fixture(scope="module")
def enzyme():
    short = {"tune": 300, "min_ess": 200, "rng": 1, "progressbar": False}
    return sample_posterior(enzyme_shaped(), 3, priors=PRIORS, **short)


def test_modes_between_which_chains_do_not_cross(enzyme):
    assert enzyme.attrs["modes"] == "joined"
    assert enzyme.attrs["stopped"] == "converged"
    assert enzyme.attrs["ess"] >= 400
    assert label_switching(enzyme).evidence.loc["the chains agree", "result"] == "passed"


def test_draws_of_joined_modes_have_the_means_of_a_reference(enzyme):
    assert_same_means(enzyme, ENZYME)


def test_the_account_of_the_modes(enzyme, tmp_path):
    modes = enzyme["modes"].to_dataset()
    joined = modes["state"].values == "joined"
    assert joined.sum() >= 2
    assert set(modes["state"].values) <= {"joined", "left out"}
    mode = enzyme["sample_stats"]["mode"].values
    np.testing.assert_array_equal(modes["draws"][joined], np.bincount(mode.ravel()))
    np.testing.assert_allclose(modes["mass"][joined], modes["draws"][joined] / mode.size)
    assert (modes["mass_error"][joined] > 0).all()
    assert (modes["mass_error"][joined] < 0.01).all()
    assert np.isnan(modes["mass"][~joined]).all()
    assert float(modes["laplace_share"].sum()) == pytest.approx(1.0)
    np.testing.assert_allclose(modes["weights"].sum("component"), 1.0, rtol=1e-12)
    # The upper group is one component in the first mode and two in the next.
    counts = (modes["means"].isel(feature=0).values > 0.6).sum(axis=1)
    assert counts[0] == 1
    assert 2 in counts[joined]
    enzyme.to_netcdf(tmp_path / "posterior.nc")
    with xr.open_datatree(tmp_path / "posterior.nc") as found:
        xr.testing.assert_equal(found["modes"].to_dataset(), modes)


SHORT = {"priors": PRIORS, "draws": 100, "tune": 200, "chains": 8, "rng": 3, "progressbar": False}


@pytest.fixture(scope="module")
def jumping():
    return sample_posterior(enzyme_shaped(), 3, **SHORT)


def test_chains_have_labels_of_their_own(jumping):
    assert jumping.attrs["modes"] == "joined"
    assert jumping["posterior"].sizes["draw"] == 100
    means = np.median(jumping["posterior"]["means"].values[..., 0], axis=1)
    assert len({tuple(each) for each in np.argsort(means, axis=1)}) > 1


def test_chains_that_cross_need_no_jumps(monkeypatch):
    def converged(monitor, tree):
        monitor.worst = Convergence(1.0, "", 1e3, "")
        return True

    monkeypatch.setattr(mode_chains.Monitor, "__call__", converged)
    # Short enough that every mode still has the chain that began there.
    tree = sample_posterior(enzyme_shaped(), 3, **{**SHORT, "tune": 20, "draws": 50})
    assert tree.attrs["modes"] == "crossed"
    assert tree["sample_stats"]["n_steps"].shape == (8, 50)
    assert int(tree["modes"]["draws"].sum()) == 400


def test_where_jumps_are_not_accepted_chains_begin_by_mass(monkeypatch):
    monkeypatch.setattr(mode_chains, "_LEAST_ACCEPTANCE", 2.0)
    tree = sample_posterior(enzyme_shaped(), 3, **SHORT)
    assert tree.attrs["modes"] == "not joined"
    found = label_switching(tree).evidence.loc["the posterior has one mode"]
    assert found["result"] == "failed"
    assert "means of x0 0.1" in found["finding"]
    assert "with 0 draws" in found["finding"]
    modes = tree["modes"].to_dataset()
    assert set(modes["state"].values) <= {"not joined", "left out"}
    # Most of Laplace's mass is at the first mode.
    assert float(modes["laplace_share"][0]) > 0.9
    assert (tree["sample_stats"]["mode"].values[:, 0] == 0).all()


def test_the_same_seed_jumps_to_the_same_draws_and_keeps_earlier_divergences(monkeypatch, jumping):
    plain = sampling.draw_by_nutpie

    def diverging(*arguments):
        drawn = plain(*arguments)
        drawn.tree["sample_stats"]["diverging"].values[1, :9] = True
        return drawn

    monkeypatch.setattr(sampling, "draw_by_nutpie", diverging)
    tree = sample_posterior(enzyme_shaped(), 3, **SHORT)
    assert tree.attrs["modes"] == "joined"
    np.testing.assert_array_equal(tree["posterior"]["means"], jumping["posterior"]["means"])
    stats = tree["sample_stats"]
    assert not stats["diverging"].values.any()
    assert stats.attrs["preceding_divergences"] >= 9
    assert stats.attrs["preceding_transitions"] == 800
    line = label_switching(tree).evidence.loc["the sampler reports no trouble"]
    assert line["result"] == "care"
    assert "NUTS run" in line["finding"]


def test_an_interrupt_while_proposals_are_fitted(monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(mode_chains, "fit_proposal", stop)
    tree = sample_posterior(enzyme_shaped(), 3, **SHORT)
    assert (tree.attrs["modes"], tree.attrs["stopped"]) == ("not joined", "interrupted")
    assert tree["posterior"].sizes["draw"] == 100


def test_one_mode_is_the_only_one():
    tree = sample_posterior(
        load_dataset("faithful").X, 2, draws=100, tune=100, rng=1, progressbar=False
    )
    assert tree.attrs["modes"] == "only"
    modes = tree["modes"].to_dataset()
    assert list(modes["state"].values) == ["only"]
    assert list(modes["draws"].values) == [400]
    assert list(modes["mass"].values) == [1.0]
    assert "mode" not in tree["sample_stats"]


def test_modes_that_matter():
    def mode(log_mass):
        return Mode(np.zeros(1), log_mass, np.eye(1) / (2.0 * np.pi))

    modes = [mode(0.0), mode(-5.0), mode(-20.0)]
    assert that_matter(modes) == modes[:2]
    assert len(that_matter([mode(-0.1 * i) for i in range(20)])) == 8
    assert that_matter([]) == []


def test_jumping_chains_draw_from_their_target():
    """Two Gaussians of masses 1 : 3, with a proposal that has them 1 : 1 and too wide."""

    class Coordinates:
        n_components = 1

        def shuffled(self, rng):
            return rng.permutation(1)

    class Posed:
        coordinates = Coordinates()

    class Two(Target):
        def log_density(self, u):
            parts = [np.log(w) - 0.5 * np.square(u[:, 0] - m) for w, m in ((1, -10), (3, 10))]
            return np.logaddexp(*parts)

    proposal = StudentMixture(
        np.array([0.5, 0.5]), np.array([[-10.0], [10.0]]), np.full((2, 1, 1), 1.5)
    )
    sampler = IndependenceSampler(Two(Posed(), []), proposal, 4, np.random.default_rng(0))
    sampler.extend(700)
    sampler.extend(300)
    assert 0.3 < sampler.acceptance < 0.9
    u = np.concatenate(sampler._kept, axis=1)[..., 0]
    assert u.shape == (4, 1000)
    for value, truth in ((u > 0, 0.75), (abs(u), 10.0), (np.square(abs(u) - 10.0), 1.0)):
        error = float(azs.mcse(value.astype(float), chain_axis=0, draw_axis=1))
        assert abs(value.mean() - truth) < 4 * error


def test_the_density_of_a_mixture_of_t_distributions():
    from scipy.stats import multivariate_t

    rng = np.random.default_rng(0)
    factors = np.linalg.cholesky(np.array([[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]]))
    mixture = StudentMixture(np.array([0.3, 0.7]), rng.standard_normal((2, 2)), factors)
    u = mixture.draw(20_000, rng)
    density = sum(
        w * multivariate_t(m, f @ f.T, df=5).pdf(u)
        for w, m, f in zip(mixture.weights, mixture.means, factors, strict=True)
    )
    np.testing.assert_allclose(mixture.log_density(u), np.log(density), rtol=1e-10)
    # Its draws have that density: a mean of 1 / density over a square is its area.
    inside = (abs(u) < 1.0).all(axis=1)
    values = np.where(inside, 1.0 / density, 0.0)
    assert abs(values.mean() - 4.0) < 4 * values.std() / np.sqrt(len(u))


def test_orders_of_components_with_priors_of_their_own_have_their_masses():
    """For separate clusters of n_k rows, component j has the k-th with odds Gamma(n_k + a_j)."""
    counts, concentration = np.array([20, 60, 120]), np.array([1.0, 2.0, 3.0])
    rng = np.random.default_rng(0)
    X = np.repeat([0.0, 9.0, 18.0], counts)[:, np.newaxis] + rng.standard_normal((200, 1))
    tree = sample_posterior(
        X, 3, priors=Priors(concentration=concentration), draws=1000, rng=0, progressbar=False
    )
    orders = np.array([*itertools.permutations(range(3))])
    logs = gammaln(counts + concentration[orders]).sum(axis=1)
    expected = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    # The cluster that each component has.
    found = np.asarray(tree["posterior"]["means"])[..., 0].argsort(axis=-1).argsort(axis=-1)
    for order, mass in zip(orders, expected, strict=True):
        here = (found == order.argsort()).all(axis=-1).astype(float)
        error = float(azs.mcse(here, chain_axis=0, draw_axis=1))
        assert abs(here.mean() - mass) < 4 * error
    table = tree["modes"].to_dataset()
    assert (table["state"] == "joined").all()
    np.testing.assert_allclose(table["laplace_share"], np.sort(expected)[::-1], atol=0.01)
    assert label_switching(tree).state == "good"


def test_equally_probable_orders_are_several_modes():
    """Two orders of the same density were one mode."""
    rng = np.random.default_rng(0)
    X = (
        np.repeat([0.0, 9.0], 80)[:, np.newaxis]
        + np.tile(rng.standard_normal(80), 2)[:, np.newaxis]
    )
    tree = sample_posterior(
        X, 2, priors=Priors(concentration=[1.0, 3.0]), draws=500, tune=300, rng=0, progressbar=False
    )
    shares = tree["modes"].to_dataset()["laplace_share"].values[:2]
    np.testing.assert_allclose(shares, 0.5, atol=0.01)


def test_a_labelled_row_between_two_clusters_leaves_two_orders():
    """Components that labels number have two modes, though the clusters are the same in both.

    The mass of an order is the probability that the row is of that cluster, were it not labelled.
    """
    rng = np.random.default_rng(0)
    X = np.append(np.repeat([0.0, 5.0], 150) + rng.standard_normal(300), 2.55)[:, np.newaxis]
    labels = np.append(np.full(300, -1), 0)
    tree = sample_posterior(X, 2, labels=labels, draws=1000, rng=0, progressbar=False)
    free = relabel(
        sample_posterior(X, 2, draws=500, rng=0, progressbar=False),
        reference=Mixture([0.5, 0.5], [0.0, 5.0], [1.0, 1.0]),
    )
    means = np.asarray(tree["posterior"]["means"])[..., 0]
    first = (means[..., 0] < means[..., 1]).astype(float)
    expected = float(responsibilities(free)[-1, 0])
    assert 0.2 < expected < 0.8
    assert (
        abs(first.mean() - expected) < 4 * float(azs.mcse(first, chain_axis=0, draw_axis=1)) + 0.01
    )
    found = label_switching(tree)
    assert (found.verdict, found.state) == ("several modes", "care")
    # The modes are described by number: component 0 is at 0 in one, and at 5 in the other.
    finding = found.evidence.loc["the posterior has one mode", "finding"]
    places = [
        [float(each) for each in text.split(";")[0].rstrip(".").split(", ")]
        for text in finding.split("means of x0 ")[1:]
    ]
    assert {tuple(np.argsort(each)) for each in places} == {(0, 1), (1, 0)}


@pytest.mark.slow
@pytest.mark.parametrize("seed", size(ci=[3], full=range(10)))
def test_seeds_against_a_long_gibbs_run(seed):
    """One of ten seeds, all of which were within 2.9 stated Monte Carlo errors."""
    short = {"tune": 300, "min_ess": 200, "rng": seed, "progressbar": False}
    tree = sample_posterior(enzyme_shaped(), 3, priors=PRIORS, **short)
    assert tree.attrs["stopped"] == "converged"
    assert_same_means(tree, ENZYME)


@pytest.mark.slow
def test_the_long_gibbs_run():
    """A hundredth of the run again, with another seed."""
    x = enzyme_shaped()
    drawn = gibbs.univariate(
        x, PRIORS.for_data(x, 3), chains=64, draws=600, tune=300, thin=4, rng=2
    )
    order = np.argsort(drawn[1], axis=-1)
    drawn[2] = np.sqrt(drawn[2])
    for name, each in zip(("weights", "means", "sigmas"), drawn, strict=True):
        by_chain = np.take_along_axis(each, order, axis=-1).mean(axis=1)
        means, errors = ENZYME[name]
        error = np.hypot(by_chain.std(axis=0, ddof=1) / np.sqrt(64), errors)
        assert (np.abs(by_chain.mean(axis=0) - means) < 4 * error).all()
