"""The log posterior density of rows seen in part, or through noise."""

import numpy as np
import pytest

from bayesgmm import Priors, simulate
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem

TRUTH = Mixture([0.6, 0.4], [[0.0, 0.0, 1.0], [4.0, 1.0, -3.0]], [np.eye(3), np.eye(3) + 0.4])


def observed(kind):
    rng = np.random.default_rng(0)
    X = simulate(TRUTH, 80, rng=rng).X
    errors = None
    if kind != "missing":
        factors = 0.7 * rng.standard_normal((80, 3, 3))
        X = X + (factors @ rng.standard_normal((80, 3, 1)))[..., 0]
        errors = (factors @ factors.mT).reshape(80, 9)
    if kind != "errors":
        X[rng.random(X.shape) < 0.25] = np.nan
    return Data(X * 100.0 + 7.0, None, kind != "errors", None if errors is None else errors * 1e4)


@pytest.mark.parametrize("kind", ["missing", "errors", "both"])
@pytest.mark.parametrize("code", ["VVV", "EEE", "VVI", "EEI", "VII", "EII"])
def test_value_and_gradient(kind, code):
    data, structure = observed(kind), as_structure(code)
    filled = np.where(np.isnan(data.X), 7.0, data.X)
    frame = coordinates(filled, 2, structure)
    priors = Priors().for_data(data, 2, structure)
    target = problem(data, priors, frame)
    u = 0.3 * np.random.default_rng(1).standard_normal(frame.size)
    value, gradient = target.log_density(u)
    weights, means, covariances = target.parameters(u)
    mixture = Mixture(weights, means, covariances)
    errors = None if data.errors is None else data.errors.reshape(-1, 3, 3)
    expected = mixture.log_density(data.X, errors).sum() + priors.log_density(mixture)
    expected += frame.log_jacobian(u)
    assert value == pytest.approx(expected, rel=1e-10)
    h = 1e-5
    steps = h * np.eye(len(u))
    differences = [
        (target.log_density(u + s)[0] - target.log_density(u - s)[0]) / (2.0 * h) for s in steps
    ]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())
