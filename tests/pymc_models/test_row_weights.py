"""PyMC models of rows that count several times, or not at all."""

import numpy as np
import pymc as pm
import pytensor
import pytest
from problems import INTERPRETED

from bayesgmm import Mixture, Priors, marginal_mixture, mixture_model, simulate
from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem
from bayesgmm.pymc_models.pytensor_op import MixtureLogDensity, MixtureLogLikelihood

TRUTH = Mixture([0.6, 0.4], [[0.0, 1.0], [4.0, -3.0]], [np.eye(2), np.eye(2) + 0.4])
X = simulate(TRUTH, 60, rng=0).X
V = np.random.default_rng(1).uniform(0.0, 2.0, 60)


@pytest.mark.parametrize("code", ["VVV", "VVI"])
def test_the_density_is_that_of_the_compiled_posterior(code):
    structure = as_structure(code)
    model = mixture_model(X, 2, covariance_type=code, sample_weight=V)
    frame = coordinates(X, 2, structure, row_weights=V)
    data = Data(X, None, weights=V)
    target = problem(data, Priors().for_data(data, 2, structure, sample_weight=V), frame)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})
    u = 0.2 * np.random.default_rng(1).standard_normal(frame.size)
    value, gradient = function(u)
    expected, slope = target.log_density(u)
    assert value == pytest.approx(expected, rel=1e-11)
    np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-11 * abs(slope).max())


def model_of_rows(observed, **arguments):
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", [2.0, 2.0])
        means = pm.Normal("means", 0.0, 10.0, shape=(2, 2))
        marginal_mixture(
            "x", weights, means, cholesky=np.ones((2, 2)), covariance_type="diag",
            observed=observed, **arguments,
        )  # fmt: skip
    return model


def test_value_and_gradient_take_one_pass():
    model = model_of_rows(X, sample_weight=V)
    density = model.logp(vars=[model["x"]], sum=False)[0].sum()
    inputs = model.value_vars
    compiled = pytensor.function(inputs, [density, *pytensor.grad(density, inputs)])
    ops = [type(each.op) for each in compiled.maker.fgraph.toposort()]
    assert ops.count(MixtureLogLikelihood) == 1
    assert MixtureLogDensity not in ops
    value = compiled(np.zeros(1), TRUTH.means)[0]
    mixture = Mixture([0.5, 0.5], TRUTH.means, [np.eye(2), np.eye(2)])
    assert value == pytest.approx(V @ mixture.log_density(X), rel=1e-12)


def test_weights_need_rows_that_are_known():
    for call in (lambda: model_of_rows(None, sample_weight=V),
                 lambda: model_of_rows(pytensor.tensor.dmatrix(), sample_weight=V)):  # fmt: skip
        with pytest.raises(InvalidParameterError, match="sample_weight needs observed rows"):
            call()
    with pytest.raises(InputError, match="one weight for each row"):
        model_of_rows(X, sample_weight=[1.0])
