import os
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cloudpickle
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from problems import (
    CASES,
    INTERPRETED,
    built,
    case_name,
    log_density_at_start,
    priors_of,
    rows,
    somewhere,
)
from studies import size

from bayesgmm import GaussianMixture, Mixture, Priors, load_dataset, mixture_model, sample_posterior
from bayesgmm.covariance.structures import as_structure
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError
from bayesgmm.posterior.coordinates import coordinates


def model_of(case, k=3):
    word, d, _ = case
    return mixture_model(rows(150, d), k, covariance_type=word, priors=priors_of(case, k))


@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_density_and_gradient_are_those_of_the_compiled_posterior(case):
    model, (target, _) = model_of(case), built(case)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})
    rng = np.random.default_rng(0)
    for _ in range(2):
        u = somewhere(target, rng)
        value, gradient = function(u)
        expected, slope = target.log_density(u)
        assert value == pytest.approx(expected, rel=1e-11)
        np.testing.assert_allclose(gradient, slope, rtol=1e-9, atol=1e-11 * abs(slope).max())


def test_it_can_be_looked_at_and_drawn_from_before_data():
    model = mixture_model(load_dataset("faithful").X, 2)
    assert [each.name for each in model.free_RVs] == ["weights", "means", "covariances"]
    assert model.named_vars_to_dims["covariances"] == ("component", "feature", "feature_bis")
    prior = pm.sample_prior_predictive(
        100, model=model, random_seed=1, compile_kwargs={"mode": INTERPRETED}
    )
    covariances = prior["prior"]["covariances"].values[0]
    assert np.linalg.eigvalsh(covariances).min() > 0.0
    # log |Sigma| under the prior against its own formula, five standard errors.
    resolved = Priors().for_data(load_dataset("faithful").X, 2)
    family = resolved.covariances
    rng = np.random.default_rng(2)
    logs = np.array(
        [
            np.log(np.linalg.det(c)) - np.log(np.linalg.det(s))
            for c, s in (drawn_scale_and_inverse(family, rng) for _ in range(1000))
        ]
    )
    found = np.linalg.slogdet(covariances)[1].ravel()
    error = np.sqrt(found.var() / 100 + logs.var() / 1000)
    assert abs(found.mean() - logs.mean()) < 5 * error


def drawn_scale_and_inverse(family, rng):
    """A scale C and a Wishart variable W by SciPy; Sigma = C W^-1 in distribution of |Sigma|."""
    from scipy.stats import wishart

    scale = wishart.rvs(family.scale.df, np.asarray(family.scale.scale), random_state=rng)
    return scale, wishart.rvs(family.df, np.eye(2), random_state=rng)


def test_shared_and_one_dimensional_covariances_are_expanded():
    model = mixture_model(rows(40, 2), 3, covariance_type="tied")
    assert "shared_covariances" in model.named_vars
    assert tuple(pm.draw(model["covariances"], random_seed=0, mode=INTERPRETED).shape) == (3, 2, 2)
    model = mixture_model(rows(40, 1), 1)
    assert tuple(pm.draw(model["covariances"], random_seed=0, mode=INTERPRETED).shape) == (1, 1, 1)


def test_a_fit_makes_the_coordinates():
    x = load_dataset("faithful").X
    fit = GaussianMixture(2, random_state=0).fit(x)
    models = [mixture_model(x, 2, init=init) for init in (fit, fit.mixture_)]
    frames = [each.rvs_to_transforms[each["means"]]._frame for each in models]
    np.testing.assert_array_equal(frames[0], frames[1])
    within = np.tensordot(fit.weights_, fit.covariances_, 1)
    np.testing.assert_allclose(frames[0] @ frames[0].T, within, rtol=1e-12)
    with pytest.raises(InvalidParameterError, match="init has 2 components"):
        mixture_model(x, 3, init=fit)
    with pytest.raises(NotFittedError):
        mixture_model(x, 2, init=GaussianMixture(2))


# PyMC's LKJ draws compile a graph of their own.
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS")
@pytest.mark.parametrize("case", CASES, ids=case_name)
def test_draws_from_the_prior_have_its_density(case):
    """The mean of d/dt log p(e^t Sigma) at t = 0 is minus the free entries of Sigma."""
    word, d, _ = case
    model = model_of(case, k=1)
    family = priors_of(case, 1).for_data(rows(150, d), 1, word).covariances
    name = next(each.name for each in model.free_RVs if "mean" not in each.name)
    draws = pm.draw(model[name], 400, random_seed=3, mode=INTERPRETED)
    h = 1e-4
    up, down = (np.array([family.log_density(np.exp(t) * each) for each in draws]) for t in (h, -h))
    slopes = (up - down) / (2 * h)
    free = draws[0].shape[-1] if draws[0].ndim == 2 else d * (d + 1) / 2
    error = slopes.std() / np.sqrt(len(slopes))
    assert abs(slopes.mean() + free) < 5 * error
    assert slopes.std() > 0.0


def test_pymcs_own_sampler_draws_from_the_same_posterior():
    x = load_dataset("faithful").X
    short = {"draws": 150, "tune": 200, "chains": 1, "progressbar": False}
    short["covariance_type"] = "diag"
    by_pymc = sample_posterior(x, 2, rng=1, nuts_sampler="pymc", **short)
    assert by_pymc.attrs["sampler"] == "pymc"
    em = by_pymc["constant_data"]["em_means"].values
    means = by_pymc["posterior"]["means"].values[0]
    nearest = np.array([each[np.argsort(each[:, 0])] for each in means])
    # 150 draws are worth at least 30 independent ones here: a standard error of sd / 5.
    assert (abs(nearest.mean(axis=0) - em) < nearest.std(axis=0)).all()
    assert np.isfinite(by_pymc["log_likelihood"]["X"]).all()


@pytest.mark.parametrize("components", [None, [2, 0]])
def test_ordered_means_have_the_density_of_their_priors(components):
    x = rows(150, 3)
    priors = Priors(ordered=1, ordered_components=components)
    resolved, model = priors.for_data(x, 3), mixture_model(x, 3, priors=priors)
    values, variables = model.value_vars, [model[v] for v in ("weights", "means", "covariances")]
    densities = [model.logp(jacobian=jacobian) for jacobian in (False, True)]
    parameters = model.replace_rvs_by_values(variables)
    evaluate = pytensor.function(values, [*parameters, *densities], mode=INTERPRETED)
    rng = np.random.default_rng(4)
    u = [0.5 * rng.standard_normal(shape) for shape in ((2,), (3, 3), (3, 6))]
    weights, means, covariances, plain, with_jacobian = evaluate(*u)
    these = components or [0, 1, 2]
    assert (np.diff(means[these, 1]) > 0.0).all()
    mixture = Mixture(weights / weights.sum(), means, covariances)
    expected = mixture.log_density(x).sum() + resolved.log_density(mixture)
    assert plain == pytest.approx(expected, rel=1e-11)
    transform = model.rvs_to_transforms[model["means"]]
    m = pt.dmatrix(shape=(3, 3))
    back = pytensor.function([m], transform.backward(m), mode=INTERPRETED)
    h, unit = 1e-5, np.eye(9).reshape(9, 3, 3)
    slopes = [(back(u[1] + h * each) - back(u[1] - h * each)).ravel() / (2 * h) for each in unit]
    determinant = transform.log_jac_det(m).eval({m: u[1]}, mode=INTERPRETED)
    assert determinant == pytest.approx(np.linalg.slogdet(slopes)[1], rel=1e-7)
    np.testing.assert_allclose(
        transform.forward(means).eval(mode=INTERPRETED), u[1], rtol=1e-9, atol=1e-11
    )
    # The Jacobians of the others are those of the compiled posterior, which has that of A m, too.
    frame = coordinates(x, 3, as_structure("full"))
    others = frame.log_jacobian(np.concatenate([each.ravel() for each in u]))
    others -= 3 * np.log(np.diagonal(frame.user_frame)).sum()
    assert with_jacobian - plain == pytest.approx(determinant + others, rel=1e-9)
    prior = pm.draw(model["means"], 200, random_seed=1, mode=INTERPRETED)
    assert (np.diff(prior[:, these, 1]) > 0.0).all()


@pytest.mark.parametrize("by", [pickle, cloudpickle])
def test_a_model_is_pickled(by):
    model = mixture_model(load_dataset("faithful").X, 2)
    expected = log_density_at_start(model)
    again = by.loads(by.dumps(model))
    assert log_density_at_start(again) == expected
    assert again.str_repr() == model.str_repr()
    if by is pickle:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            assert pool.submit(log_density_at_start, model).result() == expected


OURS = "model = mixture_model(load_dataset('faithful').X, 2)"
PLAIN = """
with pm.Model() as model:
    weights = pm.Dirichlet("weights", np.ones(2))
    means = pm.Normal("means", 0.0, 10.0, shape=2)
    sds = pm.HalfNormal("sds", 1.0, shape=2)
    pm.Mixture("x", weights, pm.Normal.dist(means, sds), observed=load_dataset("faithful").X[:, 0])
"""
COLD = """
import os
import sys
import numpy as np
import pymc as pm
from bayesgmm import load_dataset, mixture_model
{model}
began = os.times()
pm.sample(draws=1, tune=1, chains=1, cores=1, progressbar=False, model=model, random_seed=1,
          nuts_sampler=sys.argv[1], compute_convergence_checks=False)
print(*(after - before for after, before in zip(os.times()[:4], began[:4])))
"""


def first_draw(folder, nuts_sampler, model):
    """Processor time of a first draw without any cache, and that of the C compiler within."""
    environment = os.environ | {
        "PYTENSOR_FLAGS": f"base_compiledir={folder}",
        "NUMBA_CACHE_DIR": str(folder),
    }
    command = [sys.executable, "-c", COLD.format(model=model), nuts_sampler]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    own, system, *others = map(float, run.stdout.splitlines()[-1].split())
    return own + system + sum(others), sum(others)


@pytest.mark.slow
@pytest.mark.parametrize("nuts_sampler", size(ci=["pymc"], full=["pymc", "nutpie"]))
def test_the_first_draw_on_a_cold_cache(tmp_path, nuts_sampler):
    """It took four times that of a plain mixture when a graph was compiled for each prior."""
    plain, by_compiler = first_draw(tmp_path / "plain", nuts_sampler, PLAIN)
    ours, our_compiler = first_draw(tmp_path / "ours", nuts_sampler, OURS)
    assert ours < 1.2 * plain
    assert our_compiler < 2.0 * by_compiler


def test_bad_input_is_refused_before_there_is_a_model():
    x = rows(30, 2)
    with pytest.raises(InputError, match="n_components=40"):
        mixture_model(x, 40)
    with pytest.raises(InputError, match="infinite"):
        mixture_model(np.where(x == x[3, 1], np.inf, x), 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_components": 0}, "n_components must be an integer of at least 1, not 0"),
        ({"n_components": 2.0}, "n_components must be an integer of at least 1, not 2.0"),
        ({"priors": "flat"}, "priors must be a Priors or None, not 'flat'"),
    ],
)
def test_bad_arguments_in_the_words_of_the_sampler(change, message):
    x = np.random.default_rng(0).standard_normal((20, 2))
    for function in (mixture_model, sample_posterior):
        with pytest.raises(InvalidParameterError, match=message):
            function(x, **{"n_components": 2, **change})
