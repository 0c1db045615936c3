"""Posteriors that others have drawn from, by other programs."""

import json
from pathlib import Path

import arviz_stats as azs
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from ordered_components import in_order_of_means

from bayesgmm import Priors, load_dataset, marginal_mixture, sample_posterior

# Green's own Nmix, 4 x 1e6 sweeps of reversible jump, the 244,206 sweeps that had k = 3; the
# components of a sweep in the order of their means. Data: galx.dat (78th velocity 26.96).
GALAXIES = {
    "weights": ([0.09419688, 0.85413154, 0.05166910], [1.02e-4, 4.27e-4, 3.91e-4]),
    "means": ([9.71660480, 21.39003959, 32.71582376], [3.51e-4, 3.26e-4, 8.11e-3]),
    "sigmas": ([0.88053060, 2.18854706, 1.48235748], [2.25e-3, 1.95e-3, 7.43e-3]),
}


def ordered(posterior):
    """`in_order_of_means` as a Dataset."""
    dims = ("chain", "draw", "component")
    return xr.Dataset({name: (dims, each) for name, each in in_order_of_means(posterior).items()})


def test_richardson_and_green_on_galaxies():
    """Every weight, mean and standard deviation within 3 standard errors of the reference.

    Nine figures within 4.4 standard errors of theirs and ours together: were they standard
    normals, one seed in 10,000 would fail.
    """
    posterior = sample_posterior(
        load_dataset("galaxies").X,
        3,
        priors=Priors.richardson_green(),
        draws=4000,
        rng=1,
        with_log_likelihood=False,
        progressbar=False,
    )
    found = ordered(posterior)
    assert float(azs.rhat(found).to_array().max()) < 1.01
    error = azs.mcse(found)
    for name, (means, errors) in GALAXIES.items():
        both = np.hypot(error[name].values, errors)
        z = (found[name].mean(("chain", "draw")).values - means) / both
        assert abs(z).max() < 4.4, (name, z)


def test_low_dim_gauss_mix_of_posteriordb():
    """Means within 4 Monte Carlo errors, standard deviations within 5 percent.

    posteriordb (BSD-3): rstan 2.19.2, 10 chains of 10,000 draws. The file says how it was made.
    """
    reference = json.loads((Path(__file__).parent / "low_dim_gauss_mix.json").read_text())
    x = np.array(reference["data"]["y"])[:, np.newaxis]
    with pm.Model():
        theta = pm.Beta("theta", 5.0, 5.0)
        means = pm.Normal("mu", 0.0, 2.0, shape=2)
        sigmas = pm.HalfNormal("sigma", 2.0, shape=2)
        marginal_mixture(
            "y",
            pm.math.stack([theta, 1.0 - theta]),
            means[:, np.newaxis],
            cholesky=sigmas,
            covariance_type="spherical",
            observed=x,
        )
        trace = pm.sample(
            draws=2500,
            tune=1000,
            chains=4,
            random_seed=1,
            nuts_sampler="nutpie",
            progressbar=False,
            compute_convergence_checks=False,
        )
    group = trace["posterior"].to_dataset()
    order = np.argsort(group["mu"].values, axis=-1)
    mu, sigma = (np.take_along_axis(group[each].values, order, -1) for each in ("mu", "sigma"))
    theta = group["theta"].values
    found = {
        "mu[1]": mu[..., 0],
        "mu[2]": mu[..., 1],
        "sigma[1]": sigma[..., 0],
        "sigma[2]": sigma[..., 1],
        "theta": np.where(order[..., 0] == 0, theta, 1.0 - theta),
    }
    for name, draws in found.items():
        theirs = reference["reference"]["summary"][name]
        error = np.hypot(azs.mcse(draws, chain_axis=0, draw_axis=1), theirs["mcse_mean"])
        assert abs(draws.mean() - theirs["mean"]) < 4 * error, name
        assert draws.std() == pytest.approx(theirs["sd"], rel=0.05), name
