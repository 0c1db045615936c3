"""Draws under known labels, noise, outliers and held parameters, and what is made of them."""

import json

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from bayesgmm import (
    GaussianMixture,
    Mixture,
    Priors,
    co_clustering,
    label_switching,
    load_dataset,
    log_likelihood,
    posterior_predictive,
    relabel,
    responsibilities,
    sample_posterior,
    simulate,
)
from bayesgmm.errors import InvalidParameterError

QUIET = {"progressbar": False, "rng": 1}
TWO = Mixture([0.6, 0.4], [[0.0, 0.0], [3.0, 1.0]], [np.eye(2), [[1.0, 0.5], [0.5, 1.0]]])


def faithful():
    return load_dataset("faithful").X


def with_noise(seed, share=0.05):
    """Rows of two overlapping components, and uniform ones."""
    rng = np.random.default_rng(seed)
    x = simulate(TWO, 300, rng=seed).X
    far = rng.uniform(-12.0, 15.0, (int(share * 300), 2))
    return np.vstack((x, far))


def some_labels(x, border=3.0):
    labels = np.full(len(x), -1)
    labels[:20] = x[:20, 0] < border
    return labels


def test_labels_number_the_components():
    """Component 0 is that of the labels 0, in every chain: nothing switches."""
    x = faithful()
    labels = some_labels(x)
    posterior = sample_posterior(x, 2, labels=labels, **QUIET)
    means = posterior["posterior"]["means"].mean(("chain", "draw")).values
    assert means[0, 0] > 4.0 > 2.5 > means[1, 0]
    found = label_switching(posterior)
    assert (found.verdict, found.state) == ("no switching", "good")
    shares = responsibilities(posterior).values
    np.testing.assert_array_equal(shares[:20], np.eye(2)[labels[:20]])
    assert posterior["constant_data"]["component_group"].values.tolist() == [0, 1]


def test_labels_hold_against_the_most_likely_component():
    """Labels that disagree with the rows' places change memberships, draws and densities."""
    x = faithful()
    wrong = np.full(len(x), -1)
    wrong[:40] = (x[:40, 0] < 3.0) ^ (np.arange(40) < 6)
    posterior = sample_posterior(x, 2, labels=wrong, draws=200, **QUIET)
    shares = responsibilities(posterior).values
    np.testing.assert_array_equal(shares[:40], np.eye(2)[wrong[:40]])
    draw = posterior["posterior"].isel(chain=0, draw=5)
    weight, mean, sigma = (draw[name].values for name in ("weights", "means", "covariances"))
    k = wrong[2]
    expected = np.log(weight[k]) + stats.multivariate_normal(mean[k], sigma[k]).logpdf(x[2])
    density = log_likelihood(posterior).isel(chain=0, draw=5, row=2).item()
    assert density == pytest.approx(expected, abs=1e-10)


def test_components_without_labels_exchange_theirs():
    """Of three components one is known: relabelling leaves it, and joins the others."""
    truth = Mixture([0.4, 0.3, 0.3], [[0.0], [6.0], [12.0]], np.ones((3, 1, 1)))
    simulation = simulate(truth, 300, rng=2)
    labels = np.where(np.arange(300) < 30, np.where(simulation.labels == 1, 0, -1), -1)
    posterior = sample_posterior(simulation.X, 3, labels=labels, **QUIET)
    assert posterior["constant_data"]["component_group"].values.tolist() == [1, 0, 0]
    means = posterior["posterior"]["means"].values[..., 0]
    assert np.abs(means[..., 0] - 6.0).max() < 1.0
    assert len(np.unique(means.mean(axis=1).argmin(axis=1))) > 1
    moved = relabel(posterior)
    order = moved["relabelling"]["label_permutations"].values
    assert (order[..., 0] == 0).all()
    assert np.ptp(moved["posterior"]["means"].values[..., 0], axis=(0, 1)).max() < 2.0


def test_labels_of_weight_zero_number_nothing():
    """The posterior is then that without labels, whose components exchange theirs."""
    x = faithful()
    labels = some_labels(x)
    weights = np.where(labels >= 0, 0.0, 1.0)
    short = {"draws": 20, "tune": 200, "chains": 1, "sample_weight": weights, "labels": labels}
    posterior = sample_posterior(x, 2, **short, **QUIET)
    assert "component_group" not in posterior["constant_data"]


def test_noise_is_that_of_em():
    x = with_noise(4)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    posterior = sample_posterior(x, init=fit, **QUIET)
    found = label_switching(posterior)
    assert found.state == "good", found.explanation
    assert "weight of noise" in set(found.statistics["quantity"])
    weight = posterior["posterior"]["noise_weight"]
    assert abs(weight.mean().item() - fit.noise_.weight) < 2.0 * weight.std().item()
    np.testing.assert_allclose(posterior["posterior"]["weights"].sum("component"), 1.0, atol=1e-12)
    moved = relabel(posterior)
    shares = responsibilities(moved).values
    probability = 1.0 - shares.sum(axis=1)
    np.testing.assert_allclose(probability, fit.outlier_proba(x), atol=0.15)
    errors = fit.standard_errors(x).means
    means = moved["posterior"]["means"].mean(("chain", "draw")).values
    assert (np.abs(means - fit.means_) < errors).all()


def test_rows_under_noise():
    """Densities, co-clustering and new rows know the noise."""
    x = with_noise(4)
    posterior = sample_posterior(x, 2, noise_component=True, draws=100, **QUIET)
    draw = posterior["posterior"].isel(chain=1, draw=7)
    noise = draw["noise_weight"].item()
    parts = [
        w * (1.0 - noise) * stats.multivariate_normal(m, s).pdf(x[310])
        for w, m, s in zip(
            draw["weights"].values, draw["means"].values, draw["covariances"].values, strict=True
        )
    ]
    expected = np.log(sum(parts) + noise / np.ptp(x, axis=0).prod())
    density = log_likelihood(posterior).isel(chain=1, draw=7, row=310).item()
    assert density == pytest.approx(expected, abs=1e-10)
    far = np.argmax(np.abs(x - x.mean(axis=0)).max(axis=1))
    assert co_clustering(posterior).values[far, :300].max() < 0.1
    new = posterior_predictive(posterior, 400, rng=0).values
    beyond = (np.abs(new - [1.2, 0.4]) > 7.0).any(axis=-1).mean()
    # Half of the box of 27 x 27 lies beyond, and no component.
    assert 0.005 < beyond < 0.06


def test_outliers_are_those_of_em():
    rng = np.random.default_rng(0)
    apart = Mixture([0.6, 0.4], [[0.0, 0.0], [12.0, 4.0]], TWO.covariances)
    x = simulate(apart, 400, rng=5).X
    broad = rng.random(400) < 0.1
    x[broad] += 6.0 * rng.standard_normal((broad.sum(), 2))
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(x)
    posterior = sample_posterior(x, init=fit, **QUIET)
    found = label_switching(posterior)
    assert found.state == "good", found.explanation
    moved = relabel(posterior)["posterior"]
    share = moved["outlier_proportion"]
    low, high = np.quantile(share.values, (0.01, 0.99), axis=(0, 1))
    assert ((low < fit.contamination_.proportions) & (fit.contamination_.proportions < high)).all()
    assert (share.values < 0.5).all()
    assert (moved["inflation"].values > 1.0).all()
    draw = posterior["posterior"].isel(chain=0, draw=3)
    parts = []
    for k in range(2):
        o, eta = draw["outlier_proportion"].values[k], draw["inflation"].values[k]
        mean, sigma = draw["means"].values[k], draw["covariances"].values[k]
        core = stats.multivariate_normal(mean, sigma).pdf(x[11])
        own = (1 - o) * core + o * stats.multivariate_normal(mean, eta * sigma).pdf(x[11])
        parts.append(draw["weights"].values[k] * own)
    density = log_likelihood(posterior).isel(chain=0, draw=3, row=11).item()
    assert density == pytest.approx(np.log(sum(parts)), abs=1e-10)


@pytest.mark.parametrize(
    ("fixed", "equal"),
    [
        ({"means": [[2.0, np.nan], [np.nan, 80.0]]}, True),
        ({"weights": [0.4, np.nan]}, False),
        ({"covariances": [[[0.07, 0.4], [0.4, 34.0]], [[0.2, 0.9], [0.9, 36.0]]]}, False),
    ],
)
def test_held_parameters_stay(fixed, equal):
    x = faithful()
    fit = GaussianMixture(2, fixed=fixed, equal_weights=equal, random_state=0).fit(x)
    posterior = sample_posterior(x, init=fit, **QUIET)
    found = label_switching(posterior)
    assert found.state in {"good", "unknown"}, found.explanation
    assert found.verdict == "no switching"
    values = {**fixed, **({"weights": [0.5, 0.5]} if equal else {})}
    for name, value in values.items():
        draws = posterior["posterior"][name].values
        held = ~np.isnan(np.array(value))
        np.testing.assert_allclose(
            draws[..., held],
            np.broadcast_to(np.array(value)[held], draws[..., held].shape),
            rtol=1e-12,
        )
        np.testing.assert_array_equal(posterior["constant_data"][f"held_{name}"].values, value)
    # The others are where EM finds them: asymptotically normal, 272 rows.
    errors = fit.standard_errors(x)
    means = posterior["posterior"]["means"].mean(("chain", "draw")).values
    assert (np.abs(means - fit.means_) <= np.nan_to_num(errors.means) + 1e-12).all()


def test_equal_weights_leave_labels_free():
    posterior = sample_posterior(faithful(), 2, equal_weights=True, **QUIET)
    assert (posterior["posterior"]["weights"] == 0.5).all()
    assert "component_group" not in posterior["constant_data"]
    assert label_switching(posterior).verdict in {"between chains", "no switching"}


def test_the_weight_of_noise_by_quadrature():
    """One component in one feature: draws against the posterior on a grid."""
    rng = np.random.default_rng(3)
    x = np.concatenate((rng.normal(0.0, 1.0, 30), rng.uniform(-8.0, 8.0, 6)))[:, np.newaxis]
    priors = Priors(hierarchical=False)
    posterior = sample_posterior(x, 1, noise_component=True, priors=priors, draws=4000, **QUIET)
    resolved = priors.for_data(x, 1)
    mu, log_sd = np.linspace(-1.5, 1.5, 61), np.linspace(-1.0, 1.2, 67)
    logit = np.linspace(-7.0, 2.0, 91)
    m, s, u = np.meshgrid(mu, log_sd, logit, indexing="ij", sparse=True)
    sd, weight = np.exp(s), 1.0 / (1.0 + np.exp(-u))
    density = 0.0
    for value in x[:, 0]:
        density = density + np.log(
            (1.0 - weight) * stats.norm.pdf(value, m, sd) + weight / np.ptp(x)
        )
    location, spread = np.ravel(resolved.mean_location)[0], np.ravel(resolved.mean_sd)[0]
    prior = stats.norm.logpdf(m, location, spread)
    variances = [resolved.covariances.log_density(np.array([[[v]]])) for v in np.exp(2 * log_sd)]
    prior = prior + (np.array(variances) + 2.0 * log_sd)[np.newaxis, :, np.newaxis]
    prior = prior + stats.beta.logpdf(weight, 1.0, sum(resolved.concentration))
    prior = prior + np.log(weight * (1.0 - weight))
    mass = np.exp(density + prior - (density + prior).max())
    expected = (mass * weight).sum() / mass.sum()
    drawn = posterior["posterior"]["noise_weight"]
    # The Monte Carlo error of some 8,000 effective draws; a false alarm once in 1e5 runs.
    assert drawn.mean().item() == pytest.approx(expected, abs=4.4 * drawn.std().item() / 8000**0.5)


def test_what_contradicts_itself():
    x = faithful()
    with pytest.raises(InvalidParameterError, match="two models of outliers"):
        sample_posterior(x, 2, noise_component=True, contaminated=True)
    ordered = Priors(ordered=0)
    with pytest.raises(InvalidParameterError, match="labels number the components"):
        sample_posterior(x, 2, labels=some_labels(x), priors=ordered)
    with pytest.raises(InvalidParameterError, match="fixed numbers the components"):
        sample_posterior(x, 2, fixed={"weights": [0.3, np.nan]}, priors=ordered)


@pytest.mark.parametrize("covariance_type", ["full", "tied"])
def test_nothing_is_left_to_draw(covariance_type):
    """A single free weight is what the others leave of 1."""
    covariances = [[[0.2, 0.7], [0.7, 35.0]]] * 2
    means = [[2.0, 54.0], [4.3, 80.0]]
    fixed = {"means": means, "covariances": covariances, "weights": [0.3, np.nan]}
    with pytest.raises(InvalidParameterError, match="hold all parameters"):
        sample_posterior(faithful(), 2, covariance_type=covariance_type, fixed=fixed)
    beside = {"noise_component": True, "draws": 10, "tune": 10, "chains": 1}
    del fixed["weights"]
    posterior = sample_posterior(faithful(), 2, fixed=fixed, **beside, **QUIET)
    assert posterior["posterior"]["noise_weight"].std() > 0.0


@pytest.mark.parametrize("kind", ["labels", "noise_component", "contaminated", "fixed"])
def test_a_posterior_is_written_and_read(kind, tmp_path):
    x = faithful()
    given = {
        "labels": some_labels(x),
        "noise_component": True,
        "contaminated": True,
        "fixed": {"means": [[2.0, np.nan], [np.nan, np.nan]]},
    }[kind]
    short = {"draws": 50, "tune": 150, "chains": 2}
    posterior = sample_posterior(x, 2, **{kind: given}, **short, **QUIET)
    path = tmp_path / "posterior.nc"
    posterior.to_netcdf(path)
    with xr.open_datatree(path) as again:
        one, two = (label_switching(each).summary() for each in (posterior, again))
        assert one == two
        xr.testing.assert_equal(log_likelihood(again), log_likelihood(posterior))
    assert json.loads(posterior.attrs["priors"])
