"""`marginal_mixture` inside somebody's own model, under PyMC's own methods."""

import logging
import warnings

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from bayesgmm import Mixture, marginal_mixture

N, K, D = 40, 2, 2
WEIGHTS = np.array([0.4, 0.6])
POWERS = {"covariances": 2.0, "cholesky": 1.0, "precision_cholesky": -1.0}
CORES = {
    "full": np.array([[[1.0, 0.4], [0.4, 0.5]], [[0.8, -0.2], [-0.2, 1.2]]]),
    "tied": np.array([[1.0, 0.4], [0.4, 0.5]]),
    "diag": np.array([[1.0, 0.5], [0.8, 1.2]]),
    "spherical": np.array([1.0, 0.6]),
}
# Numba takes eight seconds for each model; that its code is right is tested beside this.
QUICKLY = {"mode": "FAST_COMPILE"}
# Every type and every kind of matrices; values and gradients of all pairs are tested beside this.
EACH = [
    ("full", "covariances"),
    ("tied", "precision_cholesky"),
    ("diag", "cholesky"),
    ("spherical", "covariances"),
]


@pytest.fixture(autouse=True)
def quiet(caplog):
    """PyMC speaks of short chains, which is not what is tested."""
    caplog.set_level(logging.ERROR, logger="pymc")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning, module="pymc")
        yield


def rows():
    mixture = Mixture(WEIGHTS, [[0.0, 0.0], [4.0, 1.0]], CORES["full"])
    return mixture.sample(N, rng=1)[0]


def as_kind(word, kind):
    """The covariances as the kind has them: all are proportional to the same power of a scale."""
    core = CORES[word]
    if word in ("diag", "spherical"):
        return core ** (POWERS[kind] / 2.0)
    lower = np.linalg.cholesky(core)
    upper = np.swapaxes(np.linalg.inv(lower), -1, -2)
    return {"covariances": core, "cholesky": lower, "precision_cholesky": upper}[kind]


def model(word, kind):
    """Means and the log of a common scale: no transform stands between draws and densities."""
    with pm.Model() as built:
        # PyTensor would take the logarithm of a plain 5.0 in single precision.
        means = pm.Normal("means", 0.0, np.float64(5.0), shape=(K, D))
        log_scale = pm.Normal("log_scale", 0.0, 1.0)
        given = as_kind(word, kind) * pm.math.exp(POWERS[kind] * log_scale)
        marginal_mixture(
            "x", WEIGHTS, means, **{kind: given}, covariance_type=word, observed=rows()
        )
    return built


def log_density(word, means, log_scale):
    """The same model by `Mixture`, nats."""
    core = CORES[word]
    if word == "spherical":
        core = core[:, np.newaxis] * np.ones(D)
    if word in ("diag", "spherical"):
        core = core[:, :, np.newaxis] * np.eye(D)
    if word == "tied":
        core = np.array([core] * K)
    mixture = Mixture(WEIGHTS, means, core * np.exp(2.0 * log_scale))
    prior = stats.norm.logpdf(means, 0.0, 5.0).sum() + stats.norm.logpdf(log_scale)
    return mixture.log_density(rows()).sum() + prior


@pytest.mark.parametrize(("word", "kind"), EACH)
def test_pymcs_own_nuts(word, kind):
    with model(word, kind):
        trace = pm.sample(
            draws=10, tune=10, chains=1, cores=1, random_seed=1, progressbar=False,
            nuts_sampler="pymc", compute_convergence_checks=False, compile_kwargs=QUICKLY,
        )  # fmt: skip
    group = trace["posterior"].isel(chain=0)
    for t in range(10):
        expected = log_density(word, group["means"].values[t], float(group["log_scale"].values[t]))
        assert trace["sample_stats"]["lp"].values[0, t] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("word", "kind"), EACH)
def test_find_map(word, kind):
    with model(word, kind):
        found = pm.find_MAP(
            progressbar=False, return_inferencedata=True, jitter=False, compile_kwargs=QUICKLY
        )
    group = found["posterior"].isel(chain=0, draw=0)
    at = np.append(group["means"], group["log_scale"])

    def value(theta):
        return log_density(word, theta[:-1].reshape(K, D), theta[-1])

    step = 1e-4 * np.eye(len(at))
    slopes = [(value(at + each) - value(at - each)) / 2e-4 for each in step]
    # Against a curvature of about a row's worth for each of N rows: within 1e-3 / N of the mode.
    np.testing.assert_allclose(slopes, 0.0, atol=1e-2)


def test_sequential_monte_carlo():
    """One component of known variance, whose posterior and evidence are closed."""
    y = np.random.default_rng(0).normal(1.0, 1.0, (30, 1))
    with pm.Model():
        means = pm.Normal("means", 0.0, 3.0, shape=(1, 1))
        marginal_mixture(
            "y", [1.0], means, cholesky=np.ones(1), covariance_type="spherical", observed=y
        )
        trace = pm.sample_smc(
            draws=1000, chains=2, cores=1, random_seed=2, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    variance = 1.0 / (len(y) + 1.0 / 9.0)
    drawn = trace["posterior"]["means"].values
    # Particles that were resampled are worth less than as many draws: 5 standard errors of 500.
    assert abs(drawn.mean() - variance * y.sum()) < 5.0 * np.sqrt(variance / 500)
    assert abs(drawn.std() / np.sqrt(variance) - 1.0) < 5.0 / np.sqrt(2 * 500)
