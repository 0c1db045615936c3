"""The evidence against sums over allocations, draws from the prior, and published numbers."""

import itertools
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import gammaln, logsumexp

from bayesgmm import (
    LKJ,
    Gamma,
    InverseGamma,
    InverseWishart,
    Priors,
    Wishart,
    evidence,
    load_dataset,
)
from bayesgmm.errors import ConvergenceWarning, InputError, InvalidParameterError
from bayesgmm.marginal_likelihood import model_evidence

REFERENCE = json.loads(
    (Path(__file__).parent / "richardson_green_galaxies.json").read_text("utf-8")
)
GALAXIES, RICHARDSON_GREEN = load_dataset("galaxies").X, Priors.richardson_green()


@pytest.fixture
def quick(monkeypatch):
    """Fewer chains, draws and proposals."""
    for name, value in (
        ("_FIRST", 40), ("_FIRST_LENGTHS", (60, 8, 3)), ("_POINTS", 400), ("_SECOND", 100),
        ("_SECOND_LENGTHS", (40, 10, 4)), ("_SETS", 64), ("_PROPOSALS", 800), ("_RUNS", 2),
    ):  # fmt: skip
        monkeypatch.setattr(model_evidence, name, value)


@cache
def log_marginal(rows, location, sd, shape, scale):
    """Log density of rows (n,) of one component, mean and variance integrated out by quadrature."""
    x = np.array(rows)
    if not len(x):
        return 0.0

    def density(log_variance):
        v = np.exp(log_variance)
        covariance = v * np.eye(len(x)) + sd**2
        value = stats.multivariate_normal.logpdf(x, np.full(len(x), location), covariance)
        return np.exp(value + stats.invgamma.logpdf(v, shape, scale=scale) + log_variance)

    return np.log(integrate.quad(density, -12.0, 12.0, epsabs=0.0, epsrel=1e-9, limit=500)[0])


def exact(x, k, concentration, *numbers):
    """Log evidence as a sum over all allocations of the rows."""
    of_parts = {
        part: log_marginal(tuple(x[list(part)].tolist()), *numbers)
        for size in range(len(x) + 1)
        for part in itertools.combinations(range(len(x)), size)
    }
    a, n, terms = concentration, len(x), []
    for z in itertools.product(range(k), repeat=n):
        parts = [tuple(i for i in range(n) if z[i] == c) for c in range(k)]
        prior = gammaln(k * a) - gammaln(k * a + n) - k * gammaln(a)
        terms.append(prior + sum(gammaln(a + len(p)) + of_parts[p] for p in parts))
    return logsumexp(terms)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_evidence_is_the_sum_over_all_allocations(k):
    x = np.array([-1.5, -1.1, 0.4, 2.0, 2.3])
    priors = Priors(1.5, [0.3], [2.0], InverseGamma(2.5, 0.6))
    value, se, *_ = evidence(x[:, None], k, priors=priors, rng=1, progressbar=False).table.loc[k]
    expected = exact(x, k, 1.5, 0.3, 2.0, 2.5, 0.6)
    assert abs(value - expected) < 4.0 * se + 1e-6
    assert se < 0.02


def prior_draws(priors, t, rng):
    """Weights, means and covariances from resolved priors, by NumPy and SciPy alone."""
    k, d, m = priors.n_components, priors.n_features, priors.n_covariances
    weights = rng.dirichlet(priors.concentration, size=t)
    means = np.asarray(priors.mean_location) + rng.standard_normal((t, k, d)) * priors.mean_sd
    family = priors.covariances
    if priors.n_axes is None:
        c = stats.wishart(family.scale.df, family.scale.scale).rvs(t, rng).reshape(t, 1, d, d)
        unit = stats.invwishart(family.df, np.eye(d)).rvs(t * m, rng).reshape(t, m, d, d)
        root = np.linalg.cholesky(c)
        covariances = root @ unit @ root.mT
    else:
        rate = np.asarray(family.scale.rate)
        beta = rng.gamma(family.scale.shape, size=(t, 1, len(rate))) / rate
        variances = beta / rng.gamma(family.shape, size=(t, m, len(rate)))
        covariances = np.broadcast_to(variances, (t, m, d))[..., None] * np.eye(d)
    return weights, means, np.broadcast_to(covariances, (t, k, d, d))


def by_draws_from_the_prior(x, priors, rng, t=50_000):
    """Log evidence and its standard error by the mean likelihood of draws from the prior."""
    weights, means, covariances = prior_draws(priors, t, rng)
    likelihood = np.zeros(t)
    inverses, log_dets = np.linalg.inv(covariances), np.linalg.slogdet(covariances)[1]
    for row in x:
        apart = row - means
        squares = np.einsum("tkd,tkde,tke->tk", apart, inverses, apart)
        logs = np.log(weights) - 0.5 * (squares + log_dets + len(row) * np.log(2.0 * np.pi))
        likelihood += logsumexp(logs, axis=1)
    shares = np.exp(likelihood - likelihood.max())
    se = shares.std() / shares.mean() / np.sqrt(t)
    return np.log(shares.mean()) + likelihood.max(), se


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("word", ["full", "tied", "diag", "spherical"])
def test_the_evidence_is_the_mean_likelihood_under_the_prior(word):
    x = np.array([[0.2, -1.0], [1.1, 0.3], [2.5, 3.1]])
    family = InverseGamma(3.0, Gamma(4.0, [1.5] if word == "spherical" else [1.5, 2.0]))
    if word in ("full", "tied"):
        family = InverseWishart(7.0, Wishart(6.0, [[1.0, 0.3], [0.3, 1.0]]))
    priors = Priors(1.2, mean_location=[1.0, 0.5], mean_sd=[1.0, 2.0], covariances=family)
    found = evidence(x, 2, covariance_type=word, priors=priors, rng=2, progressbar=False).table
    value, se, *_ = found.loc[2]
    expected, error = by_draws_from_the_prior(
        x, priors.for_data(x, 2, word), np.random.default_rng(3)
    )
    assert error < 0.04
    assert abs(value - expected) < 4.0 * np.hypot(se, error)


def test_the_galaxies_have_the_published_evidence():
    found = evidence(GALAXIES, [2, 3, 4], priors=RICHARDSON_GREEN, rng=1, progressbar=False)
    for k, expected in REFERENCE["log_marginal_likelihood"].items():
        value, se, *_ = found.table.loc[int(k)]
        assert se < 0.03
        assert abs(value - expected) < 0.02 + 3.0 * se
    for k, expected in REFERENCE["second_importance_sampling"].items():
        value, se, *_ = found.table.loc[int(k)]
        assert abs(value - expected["value"]) < 4.0 * np.hypot(se, expected["se"])
    factor = found.log_bayes_factor(3, 2)
    assert factor.value == pytest.approx(8.445, abs=0.02 + 3.0 * factor.se)


@pytest.mark.slow
def test_the_galaxies_have_the_published_probabilities():
    ks = range(1, 8)
    found = evidence(GALAXIES, ks, priors=RICHARDSON_GREEN, rng=1, progressbar=False)
    shares = np.array([REFERENCE["p_k"][str(k)] for k in ks])
    np.testing.assert_allclose(found.table["probability"], shares / shares.sum(), atol=0.01)
    # Of K+ the reference has all K, of which those above 7 have a probability of 0.26.
    joint = found.filled["probability"][:4] * shares.sum()
    np.testing.assert_allclose(
        joint, [REFERENCE["p_kplus"][str(k)] for k in range(1, 5)], atol=0.02
    )


@pytest.mark.usefixtures("quick")
def test_units_and_offsets_change_the_evidence_by_their_jacobian_alone():
    x = load_dataset("faithful").X[:60]
    one, other = (
        evidence(each, [1, 2], rng=4, progressbar=False).table
        for each in (x, 4.0 * x + np.array([1e6, -500.0]))
    )
    shift = one["log_evidence"] - other["log_evidence"]
    np.testing.assert_allclose(shift, 60 * 2 * np.log(4.0), atol=1e-4)


@pytest.mark.usefixtures("quick")
def test_threads_change_no_bit(monkeypatch):
    found = []
    for threads in "1", "3":
        monkeypatch.setenv("BAYESGMM_NUM_THREADS", threads)
        found.append(evidence(GALAXIES, [1, 3], rng=5, progressbar=False).table)
    assert found[0].equals(found[1])


@pytest.mark.usefixtures("quick")
def test_probabilities_and_filled_components_add_up():
    found = evidence(GALAXIES, [2, 4], rng=6, progressbar=False)
    assert found.table["probability"].sum() == pytest.approx(1.0)
    assert found.filled["probability"].sum() == pytest.approx(1.0)
    assert found.filled.index.tolist() == [1, 2, 3, 4]
    assert found.table["probability_se"][2] == pytest.approx(found.table["probability_se"][4])
    text = found.summary()
    assert "Log marginal likelihood" in text
    assert "under the priors" in text
    assert "select_mixture" in text
    assert f"concentration {found.priors.concentration:g}" in text
    with pytest.raises(InvalidParameterError, match="other must be one of 2, 4, not 3"):
        found.log_bayes_factor(2, 3)


def test_priors_that_cannot_be_integrated_are_refused():
    x = load_dataset("faithful").X
    for options, words in (
        ({"priors": Priors(covariances=LKJ())}, "needs conjugate priors"),
        ({"priors": Priors(concentration=[1.0, 2.0])}, "differ between components"),
        ({"covariance_type": "EEV"}, "shares parts of covariances"),
        ({"n_components": 13}, "at most 12, not 13"),
    ):
        with pytest.raises(InvalidParameterError, match=words):
            evidence(x, **({"n_components": 2} | options))
    with pytest.raises(InputError, match=r"NaN.*Complete rows are needed.*dropna"):
        evidence(np.where(x == x[3, 0], np.nan, x), 2)


@pytest.mark.usefixtures("quick")
def test_an_order_of_the_means_does_not_change_the_evidence():
    plain, ordered = (
        evidence(GALAXIES, 2, priors=Priors(ordered=each), rng=7, progressbar=False).table
        for each in (None, 0)
    )
    assert plain.equals(ordered)


@pytest.mark.usefixtures("quick")
def test_large_errors_are_reported(monkeypatch):
    monkeypatch.setattr(model_evidence, "_LARGE", 1e-9)
    with pytest.warns(ConvergenceWarning, match=r"standard error above 1e-09 nats .* 2 \("):
        evidence(GALAXIES, 2, rng=8, progressbar=False)
