import warnings

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from bayesgmm import Mixture, marginal_mixture
from bayesgmm.errors import DerivativeError, InputError, InvalidParameterError
from bayesgmm.pymc_models.pytensor_op import MixtureLogLikelihood

N, K, D = 60, 3, 2
KINDS = ("covariances", "cholesky", "precision_cholesky")
# PyTensor's own graph of a mixture and the kernel round differently; both lose a few digits to the
# condition of the covariances.
SAME = 1e-10
INTERPRETED = pytensor.compile.mode.Mode(linker="py", optimizer="fast_compile")


def rows(rng):
    return rng.standard_normal((N, D)) + 2.0 * rng.integers(2, size=(N, 1))


def compact(word, kind, rng):
    """Matrices of a kind in scikit-learn's shape for a covariance type."""
    if word in ("full", "tied"):
        roots = rng.standard_normal((K, D, D) if word == "full" else (D, D))
        covariances = roots @ np.swapaxes(roots, -1, -2) + np.eye(D)
        lower = np.linalg.cholesky(covariances)
        upper = np.swapaxes(np.linalg.inv(lower), -1, -2)
        return {"covariances": covariances, "cholesky": lower, "precision_cholesky": upper}[kind]
    variances = rng.uniform(0.5, 2.0, (K, D) if word == "diag" else K)
    power = {"covariances": 1.0, "cholesky": 0.5, "precision_cholesky": -0.5}[kind]
    return variances**power


def lower_factors(word, kind, given):
    """Cholesky factors (K, D, D) in PyTensor, from the same numbers."""
    if word in ("full", "tied"):
        if kind == "covariances":
            given = pt.linalg.cholesky(given)
        if kind == "precision_cholesky":
            given = pt.linalg.inv(given.mT)
        return given if word == "full" else pt.stack([given] * K)
    power = {"covariances": 0.5, "cholesky": 1.0, "precision_cholesky": -1.0}[kind]
    deviations = given**power
    if word == "spherical":
        deviations = pt.stack([deviations] * D, axis=1)
    return deviations[:, :, None] * pt.eye(D)


def plain_log_likelihood(weights, means, factors, x):
    """The same sum by PyTensor's own operations."""
    z = pt.linalg.solve_triangular(factors, (x[None] - means[:, None]).mT, lower=True, b_ndim=2)
    logs = pt.log(pt.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    joint = pt.log(weights) - logs - 0.5 * D * np.log(2 * np.pi)
    joint = joint[:, None] - 0.5 * (z**2).sum(axis=1)
    return pt.logsumexp(joint, axis=0).sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", ["full", "tied", "diag", "spherical"])
def test_value_and_gradient_are_those_of_pytensors_own_graph(word, kind):
    rng = np.random.default_rng([len(word), len(kind)])
    x = rows(rng)
    weights, means = pt.dvector(), pt.dmatrix()
    given = pt.tensor(dtype="float64", shape=(None,) * np.ndim(compact(word, kind, rng)))
    at = [weights, means, given]
    value = marginal_mixture_density(*at, word, kind, x).sum()
    ours = pytensor.function(at, [value, *pt.grad(value, at)])
    ops = [type(each.op) for each in ours.maker.fgraph.toposort()]
    assert ops.count(MixtureLogLikelihood) == 1
    value = plain_log_likelihood(weights, means, lower_factors(word, kind, given), x)
    # Interpreted: compiling PyTensor's own graph takes longer than all the rest.
    theirs = pytensor.function(at, [value, *pt.grad(value, at)], mode=INTERPRETED)
    for _ in range(5):
        parameters = (
            rng.dirichlet(np.ones(K)),
            rng.standard_normal((K, D)),
            compact(word, kind, rng),
        )
        found, expected = ours(*parameters), theirs(*parameters)
        expected[3] = as_ours(expected[3], word, kind)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=SAME, atol=SAME * np.abs(b).max())


def as_ours(slope, word, kind):
    """PyTensor's gradient in a matrix, where only one triangle of it is looked at."""
    if word in ("diag", "spherical"):
        return slope
    if kind == "covariances":
        # Its Cholesky factor looks at the lower triangle alone: both halves of a symmetric change.
        lower = np.tril(slope)
        return 0.5 * (lower + np.swapaxes(lower, -1, -2))
    return np.tril(slope) if kind == "cholesky" else np.triu(slope)


def marginal_mixture_density(weights, means, given, word, kind, x):
    variable = marginal_mixture_variable(weights, means, given, word, kind)
    return pm.logp(variable, pt.constant(x))


def marginal_mixture_variable(weights, means, given, word, kind):
    with pm.Model() as model:
        marginal_mixture("x", weights, means, **{kind: given}, covariance_type=word, shape=(N, D))
    return model["x"]


@pytest.fixture(scope="module")
def model_and_rows():
    x = rows(np.random.default_rng(0))
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.full(2, 5.0))
        means = pm.Normal("means", 1.0, 2.0, shape=(2, D))
        sds = pm.LogNormal("sds", 0.0, 0.5, shape=(2, D))
        data = pm.Data("x_data", x)
        marginal_mixture("x", weights, means, cholesky=sds, covariance_type="diag", observed=data)
    return model, x


def test_it_samples_and_fills_log_likelihood_and_predictions(model_and_rows):
    model, x = model_and_rows
    with model, warnings.catch_warnings():
        # PyMC warns of few draws and of effective sample sizes: neither is what is tested.
        warnings.simplefilter("ignore")
        trace = pm.sample(
            draws=60, tune=100, chains=2, random_seed=1, progressbar=False, nuts_sampler="nutpie"
        )
        pm.compute_log_likelihood(trace, progressbar=False)
        drawn = pm.sample_posterior_predictive(
            trace, progressbar=False, random_seed=2, compile_kwargs={"mode": INTERPRETED}
        )
    assert drawn["posterior_predictive"]["x"].shape == (2, 60, N, D)
    for chain, draw in ((0, 0), (1, 59)):
        at = trace["posterior"].isel(chain=chain, draw=draw)
        covariances = [np.diag(each) for each in at["sds"].values ** 2]
        mixture = Mixture(at["weights"], at["means"], covariances)
        found = trace["log_likelihood"]["x"].isel(chain=chain, draw=draw)
        np.testing.assert_allclose(found, mixture.log_density(x), rtol=1e-11)


def test_draws_have_the_moments_of_the_mixture():
    weights, means = np.array([0.3, 0.7]), np.array([[0.0, 1.0], [3.0, -1.0]])
    covariances = np.array([[[1.0, 0.6], [0.6, 2.0]], [[0.5, 0.0], [0.0, 0.1]]])
    n = 40_000
    with pm.Model():
        variable = marginal_mixture("x", weights, means, covariances=covariances, shape=(n, 2))
    x = pm.draw(variable, random_seed=3)
    truth = Mixture(weights, means, covariances)
    # Bounds of five standard errors of a mean and of a product: false alarms below 1e-5.
    sd = np.sqrt(np.diag(truth.covariance()))
    assert (abs(x.mean(axis=0) - truth.mean()) < 5 * sd / np.sqrt(n)).all()
    centred = x - truth.mean()
    products = centred[:, :, None] * centred[:, None, :]
    error = products.std(axis=0) / np.sqrt(n)
    assert (abs(products.mean(axis=0) - truth.covariance()) < 5 * error).all()


def test_second_derivatives_are_refused():
    weights, means, sds = pt.dvector(), pt.dmatrix(), pt.dmatrix()
    value = MixtureLogLikelihood("cholesky")(weights, means, sds, np.zeros((4, 2)))[0]
    gradient = pt.grad(value, means)
    with pytest.raises(DerivativeError, match="first derivatives alone"):
        pt.grad(gradient.sum(), means)


def test_bad_parameters_have_no_density():
    op = MixtureLogLikelihood("cholesky")
    storage = [[None] for _ in range(4)]
    parameters = np.ones(1), np.zeros((1, 2)), np.array([[1.0, -1.0]])
    op.perform(None, (*parameters, np.zeros((3, 2)), np.empty((0, 0)), np.empty(0)), storage)
    value = storage[0][0]
    assert value == -np.inf


def test_infinite_rows_and_odd_shapes_are_refused():
    x = np.zeros((5, 2))
    x[3, 1] = np.inf
    sds = np.ones((2, 2))
    with pm.Model():
        with pytest.raises(InputError, match=r"1 infinite value in 1 of 5 rows"):
            marginal_mixture(
                "x", np.ones(2) / 2, np.zeros((2, 2)), cholesky=sds, covariance_type="diag",
                observed=x,
            )  # fmt: skip
        with pytest.raises(InvalidParameterError, match="exactly one of"):
            marginal_mixture("x", np.ones(2) / 2, np.zeros((2, 2)))
        with pytest.raises(InvalidParameterError, match="takes matrices of 3 dimensions, not 2"):
            marginal_mixture("x", np.ones(2) / 2, np.zeros((2, 2)), cholesky=sds)
