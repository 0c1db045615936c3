import subprocess
import sys
import warnings

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from arviz import mcse
from problems import CASES, built, case_name, priors_of, somewhere

from bayesgmm import marginal_mixture, mixture_model
from bayesgmm.errors import DerivativeError, InvalidParameterError
from bayesgmm.pymc_models.pytensor_op import MixtureLogDensity

N, K, D = 40, 3, 2
KINDS = ("covariances", "cholesky", "precision_cholesky")
# The same C functions: only PyTensor's operations around them may round differently.
SAME = 1e-10

WITHOUT_JAX = """
import sys
import numpy as np
import pytensor
import pytensor.tensor as pt
from bayesgmm.pymc_models.pytensor_op import MixtureLogDensity

w, m, s = pt.dvector(), pt.dmatrix(), pt.dmatrix()
value = MixtureLogDensity("cholesky")(w, m, s, np.zeros((4, 2))).sum()
slope = pytensor.function([w, m, s], pt.grad(value, w))
assert np.isfinite(slope(np.ones(1), np.zeros((1, 2)), np.ones((1, 2)))).all()
sys.exit("jax" in sys.modules)
"""


def test_other_backends_do_not_import_jax():
    assert subprocess.run([sys.executable, "-c", WITHOUT_JAX], check=False).returncode == 0


@pytest.fixture
def jax():
    return pytest.importorskip("jax", reason="JAX is not a dependency of the package")


@pytest.fixture
def jaxified(jax):
    """PyMC's own way from a graph to a function in JAX."""
    from pymc.sampling.jax import get_jaxified_graph

    return get_jaxified_graph


def symbols(ndim):
    return (
        pt.dvector(),
        pt.dmatrix(),
        pt.tensor(dtype="float64", shape=(None,) * ndim),
        pt.dmatrix(),
    )


def numbers(kind, ndim, rng):
    weights, means, x = (
        rng.dirichlet(np.ones(K)),
        rng.standard_normal((K, D)),
        rng.standard_normal((N, D)),
    )
    if ndim == 2:
        return weights, means, rng.uniform(0.5, 2.0, (K, D)), x
    roots = rng.standard_normal((K, D, D))
    covariances = roots @ np.swapaxes(roots, -1, -2) + np.eye(D)
    lower = np.linalg.cholesky(covariances)
    upper = np.swapaxes(np.linalg.inv(lower), -1, -2)
    matrices = dict(zip(KINDS, (covariances, lower, upper), strict=True))[kind]
    return weights, means, matrices, x


def assert_same(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=SAME, atol=SAME * np.abs(b).max())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_value_and_gradient_are_those_of_the_default_backend(jax, jaxified, kind, ndim, weighted):
    rng = np.random.default_rng([ndim, len(kind), weighted])
    given, at = symbols(ndim), numbers(kind, ndim, rng)
    densities = MixtureLogDensity(kind)(*given)
    value = (rng.uniform(size=N) * densities).sum() if weighted else densities.sum()
    outputs = [densities, value, *pt.grad(value, given[:3])]
    expected = pytensor.function(given, outputs)(*at)
    assert_same(pytensor.function(given, outputs, mode="JAX")(*at), expected)
    in_jax = jaxified(given, [value])
    found, slopes = jax.jit(jax.value_and_grad(lambda *z: in_jax(*z)[0], (0, 1, 2)))(*at)
    assert_same([found, *slopes], expected[1:])


def test_vectorised_calls_are_single_calls(jax, jaxified):
    rng = np.random.default_rng(5)
    given, at = symbols(2), numbers("cholesky", 2, rng)
    in_jax = jaxified(given, [MixtureLogDensity("cholesky")(*given).sum()])

    def density(weights, means):
        return in_jax(weights, means, *at[2:])[0]

    several = rng.dirichlet(np.ones(K), size=4), rng.standard_normal((4, K, D))
    slopes = jax.grad(density, (0, 1))
    one_by_one = [np.stack(each) for each in zip(*map(slopes, *several), strict=True)]
    assert_same(jax.jit(jax.vmap(slopes))(*several), one_by_one)
    total = jax.grad(lambda *z: jax.vmap(density)(*z).sum(), (0, 1))
    assert_same(total(*several), one_by_one)


def test_what_has_no_derivative_is_refused(jax, jaxified):
    given, at = symbols(2), numbers("cholesky", 2, np.random.default_rng(6))
    value = MixtureLogDensity("cholesky")(*given).sum()
    in_jax, slope = jaxified(given, [value]), jaxified(given, [pt.grad(value, given[0])])
    with pytest.raises(DerivativeError, match="first derivatives alone"):
        jax.hessian(lambda *z: in_jax(*z)[0])(*at)
    with pytest.raises(DerivativeError, match="first derivatives alone"):
        jax.grad(lambda *z: slope(*z)[0].sum())(*at)
    with pytest.raises(DerivativeError, match="which are data"):
        jax.grad(lambda *z: in_jax(*z)[0], 3)(*at)


def test_numbers_of_32_bits_are_refused(jax, jaxified):
    given, at = symbols(2), numbers("cholesky", 2, np.random.default_rng(7))
    in_jax = jaxified(given, [MixtureLogDensity("cholesky")(*given)])
    jax.config.update("jax_enable_x64", False)
    try:
        with pytest.raises(InvalidParameterError, match="64-bit numbers"):
            in_jax(*at)
    finally:
        jax.config.update("jax_enable_x64", True)


@pytest.mark.parametrize("case", [CASES[0], CASES[2], CASES[8], CASES[-1]], ids=case_name)
def test_the_model_has_the_density_of_the_compiled_posterior(jax, jaxified, case):
    target, _ = built(case)
    x, word = target.rows, case[0]
    model = mixture_model(x, 3, covariance_type=word, priors=priors_of(case))
    density = jaxified(model.value_vars, [model.logp()])
    u = somewhere(target, np.random.default_rng(9))
    sizes = np.cumsum([2, 3 * x.shape[1]])
    parts = np.split(u, sizes)
    values = [parts[0], parts[1].reshape(3, -1), parts[2].reshape(target.coordinates.groups, -1)]
    value, slopes = jax.value_and_grad(lambda *z: density(*z)[0], (0, 1, 2))(*values)
    expected, gradient = target.log_density(u)
    assert value == pytest.approx(expected, rel=SAME)
    found = np.concatenate([np.ravel(each) for each in slopes])
    np.testing.assert_allclose(found, gradient, rtol=1e-9, atol=SAME * abs(gradient).max())


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(8)
    x = rng.standard_normal((100, D)) + 4.0 * rng.integers(2, size=(100, 1))
    with pm.Model() as made:
        weights = pm.Dirichlet("weights", np.full(2, 5.0))
        means = pm.Normal("means", [[0.0, 0.0], [4.0, 4.0]], 1.0, shape=(2, D))
        sds = pm.LogNormal("sds", 0.0, 0.5, shape=(2, D))
        data = pm.Data("x_data", x)
        marginal_mixture("x", weights, means, cholesky=sds, covariance_type="diag", observed=data)
    return made


def drawn(model, **kwargs):
    with model, warnings.catch_warnings():
        # Of few draws, and of what the sampler's libraries will change: neither is tested.
        warnings.simplefilter("ignore")
        trace = pm.sample(
            draws=200, tune=300, chains=2, random_seed=9, progressbar=False, **kwargs
        )["posterior"]
        return trace.mean(("chain", "draw")), mcse(trace)


@pytest.fixture(scope="module")
def by_nutpie(model):
    return drawn(model, nuts_sampler="nutpie")


@pytest.mark.parametrize("chain_method", ["parallel", "vectorized"])
def test_numpyro_agrees_with_nutpie(jax, model, request, chain_method):
    pytest.importorskip("numpyro", reason="NumPyro is not a dependency of the package")
    found, error = drawn(model, nuts_sampler="numpyro", nuts={"chain_method": chain_method})
    expected, its_error = request.getfixturevalue("by_nutpie")  # not where this test is skipped
    for name in ("weights", "means", "sds"):
        # Five standard errors, for ten numbers: false alarms below 1e-5.
        bound = 5.0 * np.hypot(error[name], its_error[name])
        assert (abs(found[name] - expected[name]) < bound).all()
