import json

import arviz_stats as azs
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesgmm
from bayesgmm import (
    GaussianMixture,
    Mixture,
    Priors,
    compare_engines,
    label_switching,
    load_dataset,
    relabel,
    sample_posterior,
)
from bayesgmm.errors import BayesGMMError, InvalidParameterError, NotFittedError
from bayesgmm.mixture.matching import match_components
from bayesgmm.priors.resolved_priors import ResolvedPriors

HOSTILE = ["km/h", "<script>alert(1)</script>=cmd"]


@pytest.fixture(scope="module")
def faithful():
    return load_dataset("faithful").X


@pytest.fixture(scope="module")
def posterior(faithful):
    frame = pd.DataFrame(faithful, columns=HOSTILE)
    return sample_posterior(frame, 2, rng=1, with_posterior_predictive=True, progressbar=False)


def aligned(posterior):
    """Draws with the components in the order of EM's."""
    em = posterior["constant_data"]
    reference = Mixture(em["em_weights"], em["em_means"], em["em_covariances"])
    group = posterior["posterior"].to_dataset()
    out = group.copy(deep=True)
    for chain in range(group.sizes["chain"]):
        # Labels do not switch within a chain here; the first draw speaks for all.
        first = group.isel(chain=chain, draw=0)
        mixture = Mixture(first["weights"], first["means"], first["covariances"])
        order = match_components(mixture, reference).order
        for name in ("weights", "means", "covariances"):
            out[name][chain] = group[name][chain].isel(component=order).values
    return out


def test_faithful_agrees_with_em(posterior):
    draws = aligned(posterior)
    for name in ("weights", "means", "covariances"):
        assert float(azs.rhat(draws[[name]])[name].max()) <= 1.01
    assert int(posterior["sample_stats"]["diverging"].sum()) == 0
    em = posterior["constant_data"]["em_means"]
    sd = draws["means"].std(("chain", "draw"))
    assert (abs(draws["means"].mean(("chain", "draw")) - em) < 0.25 * sd).all()


def test_chains_begin_under_their_own_labels(posterior):
    means = posterior["posterior"]["means"].isel(feature=0).mean("draw")
    orders = {tuple(np.argsort(each)) for each in means.values}
    assert orders == {(0, 1), (1, 0)}


def test_groups_and_dimensions(posterior, faithful):
    group = posterior["posterior"]
    assert group["weights"].dims == ("chain", "draw", "component")
    assert group["means"].dims == ("chain", "draw", "component", "feature")
    assert group["covariances"].dims[2:] == ("component", "feature", "feature_bis")
    assert group["means"].shape == (4, 1000, 2, 2)
    assert list(group["feature"].values) == HOSTILE
    assert posterior["log_likelihood"]["X"].shape == (4, 1000, len(faithful))
    assert posterior["posterior_predictive"]["X"].shape == (4, 1000, len(faithful), 2)
    np.testing.assert_array_equal(posterior["observed_data"]["X"], faithful)
    np.testing.assert_allclose(group["weights"].sum("component"), 1.0, rtol=1e-12)


def test_attributes_say_how_it_was_made(posterior):
    attributes = posterior.attrs
    assert attributes["sampler"] == "nutpie"
    assert (attributes["n_components"], attributes["covariance_type"]) == (2, "full")
    assert (attributes["seed"], attributes["interrupted"]) == ("1", 0)
    assert 0.0 < attributes["sampling_time"] < attributes["wall_time"]
    assert json.loads(attributes["versions"])["bayesgmm"] == bayesgmm.__version__
    priors = ResolvedPriors.from_dict(json.loads(attributes["priors"]))
    assert priors == Priors().for_data(posterior["observed_data"]["X"].values, 2)


def test_log_likelihood_is_the_density_of_each_draw(posterior, faithful):
    group = posterior["posterior"].isel(chain=2, draw=slice(0, 1000, 250))
    found = posterior["log_likelihood"]["X"].isel(chain=2, draw=slice(0, 1000, 250))
    for t in range(4):
        draw = group.isel(draw=t)
        mixture = Mixture(draw["weights"], draw["means"], draw["covariances"])
        np.testing.assert_allclose(found[t], mixture.log_density(faithful), rtol=1e-11)


def test_loo_is_finite_and_near_the_information_criterion(posterior):
    found = azs.loo(posterior)
    fit = GaussianMixture(2, random_state=0).fit(posterior["observed_data"]["X"].values)
    aic = -0.5 * fit.aic(posterior["observed_data"]["X"].values)
    assert found.elpd == pytest.approx(aic, abs=found.se / 4)
    assert not found.warning


def test_a_file_holds_all_of_it(posterior, tmp_path):
    path = tmp_path / "posterior.nc"
    posterior.to_netcdf(path)
    with xr.open_datatree(path) as found:
        assert dict(found.attrs) == posterior.attrs
        for group in posterior.children:
            xr.testing.assert_equal(found[group].to_dataset(), posterior[group].to_dataset())


def test_the_same_seed_gives_the_same_draws(faithful):
    short = {"draws": 20, "tune": 30, "chains": 3, "progressbar": False}
    first, again, other = (
        sample_posterior(faithful, 2, rng=seed, **short)["posterior"] for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first["means"], again["means"])
    assert not (first["means"] == other["means"]).any()


def test_starts_at_distinct_optima(faithful):
    tree = sample_posterior(
        faithful[:100], 2, init="starts", draws=50, tune=50, chains=3, rng=0, progressbar=False
    )
    assert tree.attrs["init"] == "starts"
    assert np.isfinite(tree["posterior"]["means"]).all()


@pytest.mark.parametrize("word", ["tied", "diag", "spherical"])
def test_other_structures(faithful, word):
    tree = sample_posterior(
        faithful, 2, covariance_type=word, draws=100, tune=300, chains=1, rng=0, progressbar=False
    )
    covariances = tree["posterior"]["covariances"].values
    if word == "tied":
        np.testing.assert_array_equal(covariances[:, :, 0], covariances[:, :, 1])
    else:
        assert (covariances[..., 0, 1] == 0.0).all()
    if word == "spherical":
        np.testing.assert_allclose(covariances[..., 0, 0], covariances[..., 1, 1], rtol=1e-12)


def test_one_feature_one_component_one_chain_one_draw():
    x = load_dataset("galaxies").X
    tree = sample_posterior(x, 1, draws=1, tune=1, chains=1, rng=0, progressbar=False)
    assert tree["posterior"]["covariances"].shape == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(("chains", "draws"), [(1, 1), (1, 2), (3, 1), (1, 4), (4, 2)])
def test_few_draws_have_no_spread_and_no_warnings(faithful, chains, draws):
    """Warnings are errors here."""
    tree = sample_posterior(
        faithful, 2, draws=draws, tune=1, chains=chains, rng=0, progressbar=False
    )
    relabelled = relabel(tree)
    table = compare_engines(GaussianMixture(2, random_state=0).fit(faithful), relabelled).table
    assert table["posterior_sd"].isna().all() == (chains * draws == 1)
    label_switching(tree)
    assert compare_engines(None, relabelled).table["standard_error"].notna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"draws": 0}, "draws must be an integer of at least 1, not 0"),
        ({"chains": 0}, "chains must be an integer of at least 1"),
        ({"chains": 2.0}, "chains must be an integer"),
        ({"tune": -1}, "tune must be an integer of at least 1"),
        ({"init": "prior"}, "init must be one of 'em', 'starts'"),
        ({"nuts_sampler": "stan"}, "nuts_sampler must be one of"),
        ({"priors": "flat"}, "priors must be a Priors or None"),
        ({"target_accept": 1.5}, "target_accept must be a number between 0 and 1"),
        ({"min_ess": "many"}, "min_ess must be a number"),
        ({"max_time": None}, "max_time must be a number"),
        ({"draws": 10**13}, "take .* GiB, but this machine has"),
        ({"covariance_type": "round"}, "is not a covariance structure"),
        ({"priors": Priors(mean_sd=[1.0, 2.0, 3.0])}, "shape"),
        ({"priors": Priors(covariances="inverse-gamma")}, "covariance"),
    ],
)
def test_bad_arguments(faithful, change, message):
    with pytest.raises(InvalidParameterError, match=message):
        sample_posterior(faithful, 2, **change)


def bad_rows(rng):
    x = rng.standard_normal((30, 2))
    constant, infinite = x.copy(), x.copy()
    constant[:, 1] = 3.0
    infinite[4, 0] = np.inf
    return {
        "constant": (constant, 2),
        "infinite": (infinite, 2),
        "more components than rows": (x[:3], 5),
        "one row": (x[:1], 1),
        "text": (np.array([["a", "b"]] * 30), 2),
        "no table": (x[:, 0], 2),
    }


@pytest.mark.parametrize("kind", list(bad_rows(np.random.default_rng(0))))
def test_bad_data_in_the_words_of_the_estimator(kind):
    x, k = bad_rows(np.random.default_rng(0))[kind]
    with pytest.raises(BayesGMMError) as estimator:
        GaussianMixture(k, random_state=0).fit(x)
    with pytest.raises(BayesGMMError) as sampler:
        sample_posterior(x, k, rng=0)
    assert str(sampler.value) == str(estimator.value)
    assert type(sampler.value) is type(estimator.value)


def test_the_comparison_says_why_there_is_no_standard_error(posterior):
    found = compare_engines(None, relabel(posterior))
    assert found.table["standard_error"].notna().all()
    assert found.notes == ()
    elsewhere = posterior.copy()
    constant = posterior["constant_data"].to_dataset()
    constant["em_means"] = constant["em_means"] + 0.1
    elsewhere["constant_data"] = xr.DataTree(constant)
    found = compare_engines(None, relabel(elsewhere))
    assert found.table["standard_error"].isna().all()
    assert found.notes[0].startswith("No standard errors: This mixture is not a maximum")


def test_units_whose_squares_float64_does_not_hold(posterior):
    """The same draws in another unit, a power of two, have the same numbers in that unit."""
    unit = 2.0**400
    groups = {}
    for name in ("posterior", "constant_data", "observed_data"):
        group = posterior[name].to_dataset().copy()
        for each in group.data_vars:
            power = {"means": 1, "covariances": 2, "X": 1}.get(each.removeprefix("em_"), 0)
            group[each] = group[each] * unit**power
        groups[name] = group
    far = xr.DataTree.from_dict({"/": posterior.to_dataset(), **groups})
    plain, found = (compare_engines(None, relabel(each)).table for each in (posterior, far))
    powers = plain.index.str.startswith(("mean", "sd")).astype(int)
    for column in ("em", "standard_error", "posterior_mean", "posterior_sd"):
        np.testing.assert_allclose(found[column] / unit**powers, plain[column], rtol=1e-9)


def test_any_source_of_random_numbers(faithful):
    for rng in (np.random.RandomState(1), np.random.default_rng(1), np.random.SeedSequence(1)):
        tree = sample_posterior(faithful, 2, draws=5, tune=5, chains=1, rng=rng, progressbar=False)
        assert tree["posterior"].sizes["draw"] == 5


def test_chains_begin_at_a_fit_or_a_mixture_that_is_given(monkeypatch):
    X = load_dataset("faithful").X
    fit = GaussianMixture(2, covariance_type="diag", random_state=3).fit(X)

    def refuse(*_):
        raise AssertionError("EM ran again")

    monkeypatch.setattr(GaussianMixture, "fit", refuse)
    short = {"draws": 20, "tune": 50, "chains": 2, "rng": 1, "progressbar": False}
    tree = sample_posterior(X, init=fit, **short)
    assert tree.attrs["covariance_type"] == "diag"
    assert tree.attrs["init"] == "given"
    np.testing.assert_array_equal(tree["constant_data"]["em_means"], fit.means_)
    assert float(tree["constant_data"]["em_log_likelihood"]) == pytest.approx(fit.log_likelihood_)
    mixture = fit.mixture_
    tree = sample_posterior(X, init=mixture, covariance_type="diag", **short)
    assert tree.attrs["covariance_type"] == "diag"
    np.testing.assert_array_equal(tree["constant_data"]["em_means"], mixture.means)


def test_a_fit_that_does_not_suit_is_refused():
    X = load_dataset("faithful").X
    fit = GaussianMixture(2, random_state=0).fit(X)
    with pytest.raises(InvalidParameterError, match="init has 2 components, but n_components=3"):
        sample_posterior(X, 3, init=fit)
    with pytest.raises(InvalidParameterError, match="fitted with covariance_type='full'"):
        sample_posterior(X, init=fit, covariance_type="diag")
    with pytest.raises(InvalidParameterError, match="n_components must be"):
        sample_posterior(X)
    with pytest.raises(NotFittedError):
        sample_posterior(X, init=GaussianMixture(2))
    diagonal = Mixture([0.5, 0.5], X[:2], [np.diag([1.0, 2.0]), np.diag([2.0, 3.0])])
    with pytest.raises(InvalidParameterError, match="diagonal covariances, which does not say"):
        sample_posterior(X, init=diagonal)
    with pytest.raises(InvalidParameterError, match="equal covariances, which does not say"):
        sample_posterior(X, init=Mixture([0.5, 0.5], X[:2], [[[2.0, 1.0], [1.0, 2.0]]] * 2))


SHORT = {"draws": 100, "tune": 100, "chains": 2, "progressbar": False, "rng": 3}


@pytest.mark.parametrize("components", [None, [1, 0]])
def test_draws_under_ordered_means_are_the_free_ones_sorted(faithful, components):
    priors = Priors(ordered=1, ordered_components=components)
    found = sample_posterior(faithful, 2, priors=priors, **SHORT)
    free = sample_posterior(faithful, 2, **SHORT)["posterior"].to_dataset()
    means = found["posterior"]["means"].values
    first, last = components or (0, 1)
    assert (means[..., first, 1] < means[..., last, 1]).all()
    order = free["means"].values[..., 1].argsort(axis=-1)
    order = order if components is None else order[..., ::-1]
    for name in ("weights", "means", "covariances"):
        values = free[name].values
        index = order.reshape(*order.shape, *(1,) * (values.ndim - 3))
        expected = np.take_along_axis(values, index, axis=2)
        np.testing.assert_array_equal(found["posterior"][name].values, expected)
    em = found["constant_data"]["em_means"].values
    assert em[first, 1] < em[last, 1]
    # The priors come back from the posterior, with their order.
    again = Priors.from_resolved(found.attrs["priors"]).for_data(faithful, 2)
    assert (again.ordered, again.ordered_components) == (1, tuple(components or (0, 1)))


def test_components_keep_their_own_priors(faithful):
    priors = Priors(mean_location=[[4.3, 80.0], [2.0, 54.0]], mean_sd=[0.3, 4.0])
    found = sample_posterior(faithful, 2, priors=priors, **SHORT)
    means = found["posterior"]["means"].values[..., 0]
    assert (means[..., 0] > means[..., 1]).all()
    em = found["constant_data"]["em_means"].values
    assert em[0, 0] > em[1, 0]
    resolved = ResolvedPriors.from_dict(json.loads(found.attrs["priors"]))
    assert resolved.mean_location == ((4.3, 80.0), (2.0, 54.0))
