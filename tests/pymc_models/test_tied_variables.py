"""PyMC models of structures whose components share some parts of their covariances."""

import pickle

import numpy as np
import pymc as pm
import pytest
from problems import INTERPRETED, log_density_at_start, rows

from bayesgmm import GaussianMixture, Priors, load_dataset, mixture_model, sample_posterior
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.errors import InvalidParameterError
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem

TIED = ["VEI", "EVI", "VEE", "EVV", "EVE", "VVE", "EEV", "VEV"]


def rows_for(code, d):
    x = rows(150, d)
    if as_structure(code).scales_by_column:
        return x
    return 100.0 + (x - 100.0) / np.geomspace(0.1, 30.0, d)


@pytest.mark.parametrize(
    ("code", "d"), [*((code, 2) for code in TIED), ("EVI", 3), ("EVE", 3), ("VEV", 3)]
)
def test_density_and_gradient_are_those_of_the_compiled_posterior(code, d):
    x, structure = rows_for(code, d), as_structure(code)
    fit = GaussianMixture(3, covariance_type=code, random_state=0).fit(x)
    model = mixture_model(x, 3, covariance_type=code, init=fit)
    frame = coordinates(x, 3, structure, fit.mixture_)
    target = problem(Data(x, None), Priors().for_data(x, 3, structure), frame)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})
    for seed in range(2):
        u = 0.4 * np.random.default_rng(seed).standard_normal(frame.size)
        value, gradient = function(u)
        expected, slope = target.log_density(u)
        assert value == pytest.approx(expected, rel=1e-11)
        np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-10 * abs(slope).max())
    # There and back.
    name = "variances" if structure.diagonal else "covariances"
    transform = model.rvs_to_transforms[model[name]]
    u = frame.of(fit.mixture_)
    covariances = transform.backward(np.asarray(u[-model.value_vars[-1].type.shape[0] :]))
    again = transform.forward(covariances).eval(mode=INTERPRETED)
    np.testing.assert_allclose(covariances.eval(mode=INTERPRETED), fit.covariances_, rtol=1e-6)
    back = transform.backward(again).eval(mode=INTERPRETED)
    np.testing.assert_allclose(back, fit.covariances_, rtol=1e-6)


@pytest.mark.parametrize("code", ["VEI", "VVE", "EEV"])
def test_a_model_without_a_fit_begins_somewhere(code):
    model = mixture_model(rows_for(code, 2), 3, covariance_type=code)
    at_start = log_density_at_start(model)
    assert np.isfinite(at_start)
    assert log_density_at_start(pickle.loads(pickle.dumps(model))) == pytest.approx(at_start)


def test_the_prior_is_not_drawn_from():
    model = mixture_model(rows_for("EEV", 2), 2, covariance_type="EEV")
    with pytest.raises(InvalidParameterError, match="no direct draws"):
        pm.draw(model["covariances"], mode=INTERPRETED)


@pytest.mark.slow
@pytest.mark.parametrize("code", ["EEV"])
def test_pymcs_own_sampler_draws_from_the_same_posterior(code):
    """Means of 150 draws of one chain against EM's, within one posterior standard deviation."""
    x = load_dataset("faithful").X
    found = sample_posterior(
        x, 2, covariance_type=code, nuts_sampler="pymc", draws=150, tune=200, chains=1, rng=1,
        progressbar=False,
    )  # fmt: skip
    em = found["constant_data"]["em_means"].values
    means = found["posterior"]["means"].values[0]
    near = np.argsort(means[..., 0], axis=1)
    means = np.take_along_axis(means, near[..., np.newaxis], axis=1)
    apart = means.mean(axis=0) - em[np.argsort(em[:, 0])]
    assert abs(apart / means.std(axis=0)).max() < 1.0
