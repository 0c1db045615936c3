"""Draws at the mode of a posterior: those of NUTS, with intervals that cover, or refused."""

import arviz_stats as azs
import numpy as np
import pytest
from scipy import stats
from studies import size

from bayesgmm import (
    GaussianMixture,
    Mixture,
    Priors,
    compare_engines,
    label_switching,
    log_likelihood,
    random_mixture,
    recovery,
    relabel,
    report,
    sample_posterior,
    simulate,
)
from bayesgmm.errors import FitError
from bayesgmm.sampling import laplace_draws, laplace_target

QUIET = {"with_log_likelihood": False, "progressbar": False}
FALSE_ALARM = 1e-4
NAMES = ("weights", "means", "covariances")


@pytest.fixture(scope="module")
def simulation():
    return simulate(random_mixture(3, 2, average_overlap=0.02, rng=1), 2000, rng=2)


@pytest.fixture(scope="module")
def posterior(simulation):
    return sample_posterior(simulation.X, 3, method="laplace", rng=1, **QUIET)


@pytest.fixture
def few_rows_of_densities(monkeypatch):
    """Densities of 1500 rows of more than 1000."""
    monkeypatch.setattr(laplace_target, "_FEW", 1000)
    monkeypatch.setattr(laplace_target, "_PART", 1500)


def moments(tree):
    """Means and standard deviations of all parameters, and their effective sizes."""
    group = relabel(tree)["posterior"].to_dataset()[[*NAMES]]
    values = [group[name].stack(draws=("chain", "draw")).values.reshape(-1, group.sizes["chain"]
              * group.sizes["draw"]) for name in NAMES]  # fmt: skip
    flat = np.concatenate(values)
    ess = np.concatenate([azs.ess(group)[name].values.ravel() for name in NAMES])
    return flat.mean(axis=1), flat.std(axis=1), ess


def assert_same(one, other):
    """Means agree to their Monte Carlo errors, and standard deviations nearly."""
    (mean, sd, ess), (other_mean, other_sd, other_ess) = moments(one), moments(other)
    bound = stats.norm.isf(FALSE_ALARM / 2 / len(mean))
    z = (mean - other_mean) / np.sqrt(sd**2 / ess + other_sd**2 / other_ess)
    assert abs(z).max() < bound
    # The log of a standard deviation has the error 1 / sqrt(2 n), more for skew distributions.
    ratio = np.log(sd / other_sd) / np.sqrt(0.5 / ess + 0.5 / other_ess)
    assert abs(ratio).max() < 1.5 * bound


def test_draws_are_those_of_nuts(simulation, posterior):
    nuts = sample_posterior(simulation.X, 3, draws=1000, tune=500, rng=2, **QUIET)
    assert_same(posterior, nuts)


def test_a_part_of_the_rows_gives_the_same_draws(few_rows_of_densities, monkeypatch):
    X = simulate(random_mixture(3, 2, average_overlap=0.02, rng=1), 6000, rng=2).X
    plan = {"method": "laplace", "draws": 1000, "chains": 2, **QUIET}
    tree = sample_posterior(X, 3, rng=3, **plan)
    assert tree.attrs["rows_of_density"] == 1500
    assert 0.0 < tree.attrs["density_error"] < 0.1
    monkeypatch.setattr(laplace_target, "_FEW", 6000)
    exact = sample_posterior(X, 3, rng=4, **plan)
    assert exact.attrs["rows_of_density"] == 6000
    assert_same(exact, tree)


def test_orders_under_priors_that_differ_are_modes():
    """Weak ones make several orders as probable, of which draws at one mode have one."""
    rng = np.random.default_rng(0)
    X = np.repeat([0.0, 9.0], [300, 600])[:, np.newaxis] + rng.standard_normal((900, 1))
    weak, strong = Priors(concentration=[1.0, 2.0]), Priors(mean_location=[[0], [9]], mean_sd=[1.0])
    with pytest.raises(FitError, match="2 modes that matter"):
        sample_posterior(X, 2, priors=weak, method="laplace", rng=0, **QUIET)
    found = sample_posterior(X, 2, priors=strong, method="laplace", draws=500, rng=0, **QUIET)
    assert label_switching(found).state == "good"


def test_attributes_say_how_the_draws_were_made(posterior):
    attributes = posterior.attrs
    assert attributes["sampler"] == "laplace"
    assert attributes["modes"] == "only"
    assert attributes["stopped"] == "converged"
    assert attributes["khat"] < 0.5
    assert attributes["rows_of_density"] == 2000
    assert attributes["density_error"] == 0.0
    assert 0.5 < attributes["acceptance"] < 1.0
    assert 0.5 < attributes["importance_ess"] / attributes["proposals"] < 1.0
    assert attributes["ess"] > 2000
    assert posterior["posterior"].sizes["draw"] == 2000
    assert posterior["sample_stats"].attrs["khat"] == attributes["khat"]


def test_labels_are_those_of_em(posterior):
    em = posterior["constant_data"]["em_means"].values
    means = posterior["posterior"]["means"]
    assert (abs(means.mean("draw") - em) < 0.5 * means.std(("chain", "draw"))).all()


def test_log_densities_are_those_of_the_draws(simulation, posterior):
    """Up to a constant, by the likelihood: priors are flat beside that of 2000 rows."""
    rows = log_likelihood(posterior, simulation.X).sum("row").values
    difference = posterior["sample_stats"]["logp"].values - rows
    assert np.corrcoef(posterior["sample_stats"]["logp"].values.ravel(), rows.ravel())[0, 1] > 0.9
    assert difference.std() < 0.5 * rows.std()


def test_the_same_seed_gives_the_same_bits(simulation, monkeypatch, few_rows_of_densities):
    plan = {"method": "laplace", "draws": 50, "chains": 2, "rng": 5, **QUIET}
    one = sample_posterior(simulation.X, 3, **plan)
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "1")
    two = sample_posterior(simulation.X, 3, **plan)
    for name in NAMES:
        np.testing.assert_array_equal(one["posterior"][name], two["posterior"][name])
    assert one.attrs["khat"] == two.attrs["khat"]


def test_diagnostics_take_the_draws(simulation, posterior):
    found = label_switching(posterior)
    assert "Pareto k-hat is 0." in str(found.to_dict()["evidence"])
    table = recovery(relabel(posterior), simulation, prob=0.9).table
    assert table["covered"].mean() > 0.5
    assert "agree" in compare_engines(None, posterior).verdict
    assert azs.summary(posterior, var_names=["weights"])["r_hat"].astype(float).max() < 1.01


def test_the_page_names_the_method(simulation, tmp_path):
    em = GaussianMixture(3, random_state=0).fit(simulation.X)
    tree = sample_posterior(
        simulation.X, init=em, method="laplace", draws=200, chains=2, rng=1, **QUIET
    )
    page = tmp_path / "page.html"
    report(simulation.X, em=em, posterior=tree).save(page)
    text = page.read_text("utf-8")
    assert "Laplace" in text
    assert "method=&#39;laplace&#39;" in text or "method='laplace'" in text
    assert "sampled by NUTS" not in text


@pytest.mark.parametrize(
    "given",
    [
        {"covariance_type": "VEV"},
        {"missing": "at random"},
        {"labels": True},
        {"noise_component": True},
        {"fixed": {"means": [[np.nan, np.nan], [np.nan, np.nan], [0.3, 0.4]]}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_every_kind_of_posterior(given, few_rows_of_densities):
    truth = random_mixture(3, 2, average_overlap=0.005, rng=1)
    X, labels = truth.sample(3000, rng=2)
    if "missing" in given:
        X[::7, 0] = np.nan
    if "labels" in given:
        given = {"labels": np.where(np.arange(3000) % 3, -1, labels)}
    if "fixed" in given:
        given = {"fixed": {"means": np.vstack([np.full((2, 2), np.nan), truth.means[2]])}}
    if "noise_component" in given:
        X = np.vstack([X, np.random.default_rng(3).uniform(-1, 2, (200, 2))])
    tree = sample_posterior(X, 3, method="laplace", draws=250, chains=2, rng=1, **QUIET, **given)
    assert tree.attrs["khat"] < 0.7
    assert tree.attrs["rhat"] < 1.05
    for name in NAMES:
        assert np.isfinite(tree["posterior"][name]).all()


def test_the_mode_is_found_from_afar(few_rows_of_densities):
    truth = random_mixture(2, 2, average_overlap=0.005, rng=1)
    X = truth.sample(4000, rng=2)[0]
    plan = {"method": "laplace", "draws": 100, "chains": 2, "rng": 1, **QUIET}
    near = sample_posterior(X, 2, **plan)["modes"]
    moved = truth.means + 0.5 * np.sqrt(truth.variances)
    far = sample_posterior(X, 2, init=Mixture([0.5, 0.5], moved, truth.covariances), **plan)[
        "modes"
    ]
    # Coordinates are scaled by the estimate, and so is the density, but not its mode.
    for name in NAMES:
        one, other = (np.sort(each[name].values.ravel()) for each in (near, far))
        np.testing.assert_allclose(one, other, rtol=1e-3)


def test_components_of_few_rows_are_refused():
    truth = Mixture([0.98, 0.02], [[0.0, 0.0], [9.0, 9.0]], [np.eye(2)] * 2)
    X = simulate(truth, 1000, rng=1).X
    with pytest.raises(
        FitError, match=r"Component \d has [12]\d rows, fewer than the 60 .*method='nuts'"
    ):
        sample_posterior(X, 2, method="laplace", rng=1, **QUIET)


def test_a_component_too_many_is_refused():
    X = np.random.default_rng(1).standard_normal((3000, 2))
    with pytest.raises(FitError, match="method='nuts'"):
        sample_posterior(X, 2, method="laplace", rng=1, **QUIET)


def test_two_modes_are_refused():
    """Three groups at equal distances and two components: any two groups may be one component."""
    angles = 2 * np.pi * np.arange(3) / 3
    centres = 6.0 * np.column_stack([np.cos(angles), np.sin(angles)])
    rng = np.random.default_rng(1)
    X = np.concatenate([centre + rng.standard_normal((100, 2)) for centre in centres])
    with pytest.raises(FitError, match=r"modes that matter.*method='nuts'"):
        sample_posterior(X, 2, method="laplace", rng=1, **QUIET)


def test_k_hat_is_refused_above_its_bound(simulation, monkeypatch):
    monkeypatch.setattr(laplace_draws, "_LARGEST_K_HAT", -5.0)
    with pytest.raises(FitError, match=r"Pareto k-hat .* is .*, above -5.0\. Use method='nuts'"):
        sample_posterior(simulation.X, 3, method="laplace", rng=1, **QUIET)


def test_a_proposal_that_is_too_narrow_has_a_large_k_hat():
    rng = np.random.default_rng(1)
    x = rng.standard_normal((4000, 3))
    log_ratios = -0.5 * (x**2).sum(axis=1) / 4.0 + 0.5 * (x**2).sum(axis=1)
    with pytest.raises(FitError, match="k-hat"):
        laplace_draws._k_hat(log_ratios)
    assert laplace_draws._k_hat(-log_ratios) < 0.5


def test_an_error_of_densities_is_refused(simulation, monkeypatch, few_rows_of_densities):
    monkeypatch.setattr(laplace_target, "_LARGEST_ERROR", 1e-6)
    with pytest.raises(FitError, match=r"1500 of the rows .* standard error of .* nats"):
        sample_posterior(simulation.X, 3, method="laplace", rng=1, **QUIET)


def hits(data_sets, seed):
    """Whether 90 % intervals cover weights (3) and means (6), of truths that are drawn anew."""
    covered = []
    for child in np.random.SeedSequence(seed).spawn(data_sets):
        for_truth, for_rows, for_draws = np.random.default_rng(child).spawn(3)
        truth = random_mixture(3, 2, average_overlap=0.01, rng=for_truth)
        found = simulate(truth, 5000, rng=for_rows)
        plan = {"draws": 500, "chains": 2, "rng": for_draws, **QUIET}
        tree = sample_posterior(found.X, 3, method="laplace", **plan)
        covered.append(recovery(relabel(tree), found, prob=0.9).table["covered"].to_numpy())
    return np.array(covered, dtype=float)


@pytest.mark.slow
def test_intervals_cover_as_often_as_they_say():
    shares = hits(size(20, 200), 77).mean(axis=1)
    error = max(shares.std(ddof=1), 0.1) / np.sqrt(len(shares))
    assert abs(shares.mean() - 0.9) < stats.norm.isf(FALSE_ALARM / 2) * error
