"""Posteriors of structures whose components share some parts of their covariances."""

import numpy as np
import pytest
import xarray as xr
from problems import parameters_of
from scipy import stats

from bayesgmm import (
    GaussianMixture,
    Mixture,
    Priors,
    co_clustering,
    compare_engines,
    filled_components,
    label_switching,
    random_mixture,
    recovery,
    relabel,
    report,
    sample_posterior,
    simulate,
)
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem
from bayesgmm.posterior.reader import (
    read_draws,
)
from bayesgmm.sampling.mode_regions import Regions
from bayesgmm.sampling.mode_search import search_modes
from bayesgmm.sampling.samplers import Plan, draw_by_nutpie

TIED = ["VEI", "EVI", "VEE", "EVV", "EVE", "VVE", "EEV", "VEV"]
over_tied = pytest.mark.parametrize("code", TIED)


def drawn(code, seed, n=400, k=2):
    truth = random_mixture(k, 2, average_overlap=0.01, covariance_type=code, rng=seed)
    return simulate(truth, n, rng=seed)


@over_tied
def test_every_draw_is_of_its_structure(code):
    """And means of 400 draws are EM's to a posterior standard deviation."""
    structure, X = as_structure(code), drawn(code, 3, 200).X
    fit = GaussianMixture(2, covariance_type=code, random_state=0).fit(X)
    posterior = sample_posterior(
        X, init=fit, draws=200, tune=300, chains=2, rng=1, progressbar=False,
        with_log_likelihood=False,
    )  # fmt: skip
    assert posterior.attrs["covariance_type"] == structure.name
    assert not posterior["sample_stats"]["diverging"].any()
    _, _, covariances = read_draws(posterior).stacked()
    for each in covariances[::100]:
        own = np.diagonal(each, axis1=1, axis2=2).copy() if structure.diagonal else each
        projected = structure.covariances(np.ones(2), own, own)
        np.testing.assert_allclose(projected, own, rtol=1e-6, atol=1e-8)
    means = relabel(posterior, reference=fit.mixture_)["posterior"]["means"]
    apart = means.mean(("chain", "draw")) - fit.means_
    assert float(abs(apart / means.std(("chain", "draw"))).max()) < 1.0


def test_a_posterior_and_all_that_is_made_of_it(tmp_path):
    code = "VEV"
    simulation = drawn(code, 3)
    fit = GaussianMixture(2, covariance_type=code, random_state=0).fit(simulation.X)
    posterior = sample_posterior(
        simulation.X, init=fit, draws=400, tune=400, rng=1, progressbar=False
    )
    found = label_switching(posterior)
    assert found.state == "good", found.explanation
    posterior.to_netcdf(tmp_path / "posterior.nc")
    with xr.open_datatree(tmp_path / "posterior.nc") as again:
        relabelled = relabel(again.load(), reference=fit.mixture_)
    engines = compare_engines(fit, relabelled)
    assert engines.verdict.startswith("EM and the posterior agree")
    assert abs(engines.table["difference"]).max() < 1.0
    assert recovery(relabelled, simulation).table["covered"].astype(float).mean() > 0.5
    assert filled_components(posterior, rng=0)["probability"][2] == 1.0
    assert co_clustering(posterior).shape == (400, 400)
    assert "Not computed: " not in str(report(simulation.X, em=fit, posterior=posterior).numbers)


@over_tied
def test_modes_are_those_of_mixtures_whatever_their_axes(code):
    """Two round components, of which axes have no direction, and many coordinates."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 2))
    x[:100, 0] += 6.0
    structure = as_structure(code)
    fit = GaussianMixture(2, covariance_type=code, random_state=0).fit(x)
    frame = coordinates(x, 2, structure, fit.mixture_)
    target = problem(Data(x, None), Priors().for_data(x, 2, structure), frame)
    modes = search_modes(target, parameters_of(fit.mixture_), [])
    heights = np.array([each.log_density for each in modes])
    assert (heights > heights.max() - 5.0).sum() == 1
    # A mode under other labels is found again.
    mixture = Mixture(*target.parameters(modes[0].u))
    u = np.array([frame.of(mixture), frame.of(mixture.permuted([1, 0]))])
    found = Regions(modes, frame).locate(u)
    assert (found.region == 0).all()
    np.testing.assert_allclose(found.u, np.tile(modes[0].u, (2, 1)), atol=1e-5)


# --- priors -------------------------------------------------------------------------------------


def prior_alone(code, d=2, k=2, **how):
    """The density of a prior in coordinates, as of no rows; and its resolved numbers."""
    x, structure = np.random.default_rng(3).standard_normal((50, d)), as_structure(code)
    priors = Priors(**how).for_data(x, k, structure)
    return problem(Data(x[:0], None), priors, coordinates(x, k, structure)), priors


PRIOR_PLAN = Plan((1500,), 500, 1, 0.95, np.inf, False)


def prior_starts(target):
    return 0.1 * np.random.default_rng(0).standard_normal((2, target.coordinates.size)) + 0.2


def parameters(tree):
    group = tree["posterior"].to_dataset()
    return [group[name].values for name in ("weights", "means", "covariances")]


@over_tied
@pytest.mark.parametrize("hierarchical", [False, True])
def test_the_prior_of_covariances_has_a_finite_integral(code, hierarchical):
    """Two importance samples, from t distributions of two and three degrees of freedom.

    Ratios would have no bound along a direction in which the density does not fall. Estimates of
    the integral, of at least 30 effective draws, are compared at five standard errors.
    """
    target, _ = prior_alone(code, hierarchical=hierarchical)
    frame, rng = target.coordinates, np.random.default_rng(4)
    tree = draw_by_nutpie(target, prior_starts(target), PRIOR_PLAN, lambda _: True).tree
    u = frame.of_parameters(*(each[0] for each in parameters(tree)))
    first = frame.n_components - 1 + frame.n_components * frame.n_features
    centre, spread = np.median(u, axis=0), np.cov(u[:, first:].T)
    if frame.tied.reference is not None:
        # Orientations are uniform, and those of draws the nearest of several equal ones.
        spread += np.eye(len(spread))
    estimates = []
    for df, scale in ((2.0, 2.0), (3.0, 3.0)):
        proposal = stats.multivariate_t(centre[first:], scale * spread, df, seed=rng)
        steps = proposal.rvs(20_000)
        points = np.tile(centre, (len(steps), 1))
        points[:, first:] = steps
        values = np.array([target.log_density(each)[0] for each in points])
        values = np.where(np.isfinite(values), values, -np.inf)
        ratios = values - proposal.logpdf(steps)
        weights = np.exp(ratios - ratios.max())
        assert weights.sum() ** 2 / (weights**2).sum() > 30.0
        share = weights.std() / weights.mean() / np.sqrt(len(weights))
        estimates.append((np.log(weights.mean()) + ratios.max(), share))
    (one, error), (other, more) = estimates
    assert abs(one - other) < 5.0 * np.hypot(error, more)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["VEE", "VVE", "EEV"])
def test_ranks_of_the_truth_among_draws_are_uniform(code):
    """Truths from the prior, which NUTS draws without rows, and the posterior of 40 rows of each.

    Ranks of invariant quantities among 40 thinned draws, 24 truths; a false alarm in 1e-4 of runs.
    """
    target, priors = prior_alone(code, hierarchical=False, mean_sd=[3.0, 3.0])
    drawn = draw_by_nutpie(target, prior_starts(target), PRIOR_PLAN, lambda _: True)
    truths = read_draws(drawn.tree)
    ranks = []
    for seed, mixture in enumerate(truths.mixtures(24)):
        X, _ = mixture.sample(40, rng=seed)
        structure = as_structure(code)
        posterior = problem(Data(X, None), priors, coordinates(X, 2, structure, mixture))
        near = np.array([posterior.coordinates.of(mixture.permuted(o)) for o in ([0, 1], [1, 0])])
        tree = draw_by_nutpie(
            posterior, near, Plan((200,), 200, seed, 0.9, np.inf, False), lambda _: True
        ).tree
        some = list(read_draws(tree).mixtures(40))
        ranks.append(
            [sum(f(each) < f(mixture) for each in some) for f in (log_det, largest, of_mean)]
        )
    for column in np.array(ranks).T:
        uniform = (column + 0.5) / 41.0
        assert stats.kstest(uniform, "uniform").pvalue > 1e-4 / 3


def log_det(mixture):
    return np.linalg.slogdet(mixture.covariances)[1].sum()


def largest(mixture):
    values = np.linalg.eigvalsh(mixture.covariances)
    return (values[:, -1] / values[:, 0]).max()


def of_mean(mixture):
    return mixture.covariance()[0, 1]
