"""PyMC models of rows seen in part, or through noise."""

import numpy as np
import pymc as pm
import pytest
from problems import INTERPRETED

from bayesgmm import Mixture, Priors, marginal_mixture, mixture_model, simulate
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.error_covariances import check_error_covariances
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import with_means
from bayesgmm.errors import InvalidParameterError
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem

TRUTH = Mixture([0.6, 0.4], [[0.0, 1.0], [4.0, -3.0]], [np.eye(2), np.eye(2) + 0.4])


def observed(n=60):
    rng = np.random.default_rng(0)
    X = simulate(TRUTH, n, rng=rng).X
    factors = 0.7 * rng.standard_normal((n, 2, 2))
    X = X + (factors @ rng.standard_normal((n, 2, 1)))[..., 0]
    X[rng.random(X.shape) < 0.25] = np.nan
    return X, factors @ factors.mT


@pytest.mark.parametrize("code", ["VVV", "VVI"])
@pytest.mark.parametrize("noisy", [False, True])
def test_the_density_is_that_of_the_compiled_posterior(code, noisy):
    X, errors = observed()
    errors = errors if noisy else None
    model = mixture_model(X, 2, covariance_type=code, error_covariances=errors)
    structure = as_structure(code)
    data = Data(X, None, True, check_error_covariances(errors, X))
    frame = coordinates(with_means(X, None), 2, structure)
    target = problem(data, Priors().for_data(data, 2, structure), frame)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})
    u = 0.2 * np.random.default_rng(1).standard_normal(frame.size)
    value, gradient = function(u)
    expected, slope = target.log_density(u)
    assert value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-11 * abs(slope).max())


@pytest.mark.parametrize("held", ["array", "pm.Data"])
def test_missing_entries_are_summed_out_not_drawn(held):
    X, _ = observed()
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", [2.0, 2.0])
        means = pm.Normal("means", 0.0, 10.0, shape=(2, 2))
        rows = X
        if held == "pm.Data":
            rows = pm.Data("X", np.zeros_like(X))
            rows.set_value(X)
        marginal_mixture(
            "x", weights, means, cholesky=np.ones((2, 2)), covariance_type="diag", observed=rows
        )
    assert [each.name for each in model.free_RVs] == ["weights", "means"]
    x = model.named_vars["x"]
    logp = model.compile_logp(vars=[x], sum=True, mode=INTERPRETED)
    point = {"weights_simplex__": np.zeros(1), "means": TRUTH.means}
    mixture = Mixture([0.5, 0.5], TRUTH.means, [np.eye(2), np.eye(2)])
    assert float(logp(point)) == pytest.approx(mixture.log_density(X).sum(), rel=1e-12)


def test_predictive_draws_have_the_errors_of_the_rows():
    """Variances of 5,000 draws of each row: standard error 2 % of them, bound five of these."""
    errors = np.array([[0.0, 4.0], [9.0, 1.0]])
    with pm.Model():
        x = marginal_mixture(
            "x", [1.0], np.zeros((1, 2)), covariances=np.ones((1, 2)), covariance_type="diag",
            observed=np.zeros((2, 2)), error_covariances=errors[:, np.newaxis] * np.eye(2),
        )  # fmt: skip
    drawn = pm.draw(x, 5_000, random_seed=0, mode=INTERPRETED)
    np.testing.assert_allclose(drawn.var(axis=0), 1.0 + errors, rtol=0.1)


def test_errors_need_rows_that_are_known():
    with pm.Model(), pytest.raises(InvalidParameterError, match="error_covariances"):
        marginal_mixture(
            "x", [1.0], np.zeros((1, 2)), covariances=np.ones((1, 2)), covariance_type="diag",
            error_covariances=np.eye(2),
        )  # fmt: skip
