"""The log posterior density of rows that count several times, or not at all."""

import numpy as np
import pytest

from bayesgmm import Priors, simulate
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.em.completed_rows import with_means
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem

TRUTH = Mixture([0.6, 0.4], [[0.0, 0.0, 1.0], [4.0, 1.0, -3.0]], [np.eye(3), np.eye(3) + 0.4])
COUNTS = np.random.default_rng(2).integers(0, 4, 80)


def observed(kind):
    rng = np.random.default_rng(0)
    X = simulate(TRUTH, 80, rng=rng, missing=0.2 * (kind == "missing")).X
    errors = rng.uniform(0.1, 0.5, (80, 3)) if kind == "errors" else None
    return Data(100.0 * X + 7.0, None, kind == "missing", None if errors is None else errors * 1e4)


def compiled(data, structure):
    filled = with_means(data.X, data.weights)
    frame = coordinates(filled, 2, structure, row_weights=data.weights)
    priors = Priors().for_data(data, 2, structure, sample_weight=data.weights)
    return problem(data, priors, frame)


@pytest.mark.parametrize("kind", ["complete", "missing", "errors"])
@pytest.mark.parametrize("code", ["VVV", "EEE", "VVI", "VII"])
def test_integer_weights_are_repetitions(kind, code):
    data, structure = observed(kind), as_structure(code)
    weighted = compiled(data._replace(weights=COUNTS.astype(float)), structure)
    repeated = compiled(data.take(np.repeat(np.arange(80), COUNTS)), structure)
    for seed in range(3):
        u = 0.3 * np.random.default_rng(seed).standard_normal(weighted.coordinates.size)
        (one, first), (other, second) = weighted.log_density(u), repeated.log_density(u)
        assert one == pytest.approx(other, rel=1e-12)
        np.testing.assert_allclose(first, second, rtol=1e-9, atol=1e-10 * abs(first).max())


def test_weights_are_powers_of_the_likelihood():
    data = observed("complete")
    v = np.random.default_rng(3).uniform(0.0, 2.0, 80)
    target = compiled(data._replace(weights=v), as_structure("VVV"))
    u = 0.3 * np.random.default_rng(1).standard_normal(target.coordinates.size)
    value, gradient = target.log_density(u)
    weights, means, covariances = target.parameters(u)
    mixture = Mixture(weights, means, covariances)
    priors = Priors().for_data(data, 2, sample_weight=v)
    expected = v @ mixture.log_density(data.X) + priors.log_density(mixture)
    expected += target.coordinates.log_jacobian(u)
    assert value == pytest.approx(expected, rel=1e-11)
    steps = 1e-5 * np.eye(len(u))
    slopes = [(target.log_density(u + s)[0] - target.log_density(u - s)[0]) / 2e-5 for s in steps]
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-6 * abs(gradient).max())
