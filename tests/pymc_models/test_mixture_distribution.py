"""Weights of each row in `marginal_mixture`."""

import pickle

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from problems import INTERPRETED, log_density_at_start

from bayesgmm import Mixture, marginal_mixture
from bayesgmm.errors import InvalidParameterError

N, K, D = 30, 3, 2
RNG = np.random.default_rng(1)
X = RNG.standard_normal((N, D))
WEIGHTS = RNG.dirichlet(np.ones(K), N)
MEANS = RNG.standard_normal((K, D))
ROOTS = np.tril(RNG.standard_normal((K, D, D)), -1) + RNG.uniform(0.5, 1.5, (K, D, 1)) * np.eye(D)
COVARIANCES = ROOTS @ ROOTS.mT


def by_rows(weights):
    """Log densities by `Mixture`, one row at a time."""
    each = zip(weights, X, strict=True)
    return np.array([Mixture(w, MEANS, COVARIANCES).log_density(row[None])[0] for w, row in each])


@pytest.mark.parametrize("kind", ["covariances", "cholesky", "precision_cholesky"])
def test_the_density_of_each_row_has_its_weights(kind):
    matrices = {
        "covariances": COVARIANCES,
        "cholesky": ROOTS,
        "precision_cholesky": np.linalg.inv(ROOTS).mT,
    }
    with pm.Model() as model:
        shift = pm.Normal("shift", 0.0, 1.0, shape=(K, D))
        w = pm.Data("w", WEIGHTS)
        marginal_mixture("x", w, MEANS + shift, **{kind: matrices[kind]}, observed=pm.Data("X", X))
    density = model.logp(vars=[model["x"]], sum=False)[0]
    value, slope = model.value_vars[0], pt.grad(density.sum(), model.value_vars[0])
    at = {value: np.zeros((K, D))}
    np.testing.assert_allclose(density.eval(at, mode=INTERPRETED), by_rows(WEIGHTS), rtol=1e-12)
    gradient, h = slope.eval(at, mode=INTERPRETED), 1e-5
    total = model.compile_fn(density.sum(), inputs=[value], mode=INTERPRETED, point_fn=False)
    for j, unit in enumerate(np.eye(K * D).reshape(-1, K, D)):
        difference = (total(h * unit) - total(-h * unit)) / (2 * h)
        assert gradient.ravel()[j] == pytest.approx(difference, rel=1e-6, abs=1e-6)
    # Weights and rows may change in number.
    with model:
        pm.set_data({"w": WEIGHTS[:7], "X": X[:7]})
    found = density.eval(at, mode=INTERPRETED)
    np.testing.assert_allclose(found, by_rows(WEIGHTS)[:7], rtol=1e-12)


def test_draws_of_each_row_have_its_weights():
    certain = np.eye(K)[np.arange(N) % K]
    with pm.Model():
        rows = marginal_mixture("x", certain, 100.0 * MEANS, covariances=COVARIANCES)
        drawn = pm.draw(rows, 50, random_seed=1, mode=INTERPRETED)
    assert drawn.shape == (50, N, D)
    expected = np.broadcast_to(100.0 * MEANS[np.arange(N) % K], drawn.shape)
    assert abs(drawn - expected).max() < 5 * np.sqrt(COVARIANCES.max()) + 3
    assert drawn.std(axis=0).min() > 0.1


def regression(x, z):
    """Membership by a logistic regression on z."""
    with pm.Model() as model:
        slopes = pm.Normal("slopes", 0.0, 3.0, shape=(2, 1))
        scores = pt.concatenate([np.zeros((len(x), 1)), z @ slopes], axis=1)
        weights = pm.math.softmax(scores, axis=1)
        means = pm.Normal("means", 0.0, 10.0, shape=(2, 1))
        sds = pm.HalfNormal("sds", 5.0, shape=2)
        marginal_mixture("x", weights, means, cholesky=sds, covariance_type="spherical", observed=x)
    return model


def test_a_regression_of_membership_is_recovered():
    rng, n = np.random.default_rng(2), 4000
    z = np.column_stack([np.ones(n), rng.uniform(-2.0, 2.0, n)])
    slopes = np.array([0.5, 1.5])
    label = rng.random(n) < 1.0 / (1.0 + np.exp(-z @ slopes))
    x = rng.normal(np.where(label, 3.0, 0.0), np.where(label, 0.7, 1.2))[:, None]
    model = regression(x, z)
    start = {"means": np.array([[-1.0], [4.0]])}
    tree = pm.find_MAP(
        initvals=start, model=model, progressbar=False, return_inferencedata=True, jitter=False,
        compile_kwargs={"mode": INTERPRETED},
    )  # fmt: skip
    found = {name: each.values[0, 0] for name, each in tree["posterior"].items()}
    # Standard errors with known labels, of which overlap adds a half at the most.
    p = 1.0 / (1.0 + np.exp(-z @ slopes))
    errors = np.sqrt(np.diagonal(np.linalg.inv(z.T @ (z * (p * (1.0 - p))[:, None]))))
    assert (abs(found["slopes"].ravel() - slopes) < 4 * 1.5 * errors).all()
    np.testing.assert_allclose(found["means"].ravel(), [0.0, 3.0], atol=0.15)
    np.testing.assert_allclose(found["sds"], [1.2, 0.7], atol=0.15)


def test_models_of_users_are_pickled():
    z = np.column_stack([np.ones(N), X[:, 0]])
    model = regression(X[:, :1], z)
    assert log_density_at_start(pickle.loads(pickle.dumps(model))) == log_density_at_start(model)


def test_weights_that_do_not_fit_the_rows_are_refused():
    with pm.Model():
        with pytest.raises(InvalidParameterError, match="weights has 30 rows, but observed has 29"):
            marginal_mixture("a", WEIGHTS, MEANS, covariances=COVARIANCES, observed=X[:29])
        unknown = pt.dmatrix()
        with pytest.raises(InvalidParameterError, match="known when the model is built"):
            marginal_mixture("b", WEIGHTS, unknown, covariances=COVARIANCES, observed=X)
        with pytest.raises(InvalidParameterError, match="weights must have 1 or 2 dimensions"):
            marginal_mixture("c", WEIGHTS[None], MEANS, covariances=COVARIANCES, observed=X)
        with pytest.raises(InvalidParameterError, match="does not fit weights of length 2"):
            marginal_mixture("d", WEIGHTS[:, :2], MEANS, covariances=COVARIANCES, observed=X)
