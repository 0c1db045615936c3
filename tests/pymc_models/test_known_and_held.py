"""PyMC models of rows with known labels, noise, outliers and held parameters."""

import numpy as np
import pymc as pm
import pytest
from problems import INTERPRETED

from bayesgmm import (
    GaussianMixture,
    Mixture,
    load_dataset,
    log_likelihood,
    marginal_mixture,
    mixture_model,
    responsibilities,
    sample_posterior,
    simulate,
)
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.posterior.log_density import problem
from bayesgmm.posterior.model import posterior_model

TRUTH = Mixture([0.6, 0.4], [[0.0, 1.0], [4.0, -3.0]], [np.eye(2), np.eye(2) + 0.4])
X = simulate(TRUTH, 60, rng=0).X
X[5, 0] = np.nan
LABELS = np.where(np.arange(60) < 8, (X[:, 1] < -1.0).astype(int), -1)
V = np.random.default_rng(1).uniform(0.5, 2.0, 60)
NAN = np.nan
KINDS = {
    "labels": {"labels": LABELS},
    "noise": {"noise_component": True},
    "noise and labels": {"noise_component": True, "labels": LABELS, "sample_weight": V},
    "outliers": {"contaminated": True},
    "outliers and labels": {"contaminated": True, "labels": LABELS},
    "a weight": {"fixed": {"weights": [0.3, NAN]}},
    "equal weights and entries of means": {
        "fixed": {"means": [[NAN, 1.0], [NAN, NAN]]},
        "equal_weights": True,
    },
    "all means": {"fixed": {"means": TRUTH.means}, "noise_component": True},
    "a covariance": {"fixed": {"covariances": [np.eye(2), np.full((2, 2), NAN)]}},
    "all covariances": {"fixed": {"covariances": TRUTH.covariances}},
}


# The block of the core's coordinates that a variable of a PyMC model has.
BLOCKS = {
    "weights": 0, "free_weights": 0, "means": 1, "free_means": 1, "covariances": 2,
    "shared_covariances": 2, "variances": 2, "noise_weight": 3, "twice_outlier_proportion": 4,
    "log_inflation": 5,
}  # fmt: skip


def coordinates_of(model, flat):
    """The core's coordinates of those of a PyMC model, one after another."""
    point, at = {}, 0
    for variable, value in model.rvs_to_values.items():
        if variable in model.free_RVs:
            size = int(np.prod(model.initial_point()[value.name].shape))
            point[BLOCKS[variable.name]] = flat[at : at + size]
            at += size
    assert at == len(flat)
    parts = [point[block] for block in range(4) if block in point]
    if 4 in point:
        parts.append(np.stack((point[4], point[5]), axis=-1).ravel())
    return np.concatenate(parts)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        # Noise without labels is beside held means.
        *((kind, "VVV") for kind in KINDS if kind != "noise"),
        *(("noise and labels", code) for code in ("VVI", "VEV")),
    ],
)
def test_the_density_is_that_of_the_compiled_posterior(kind, code):
    options = KINDS[kind]
    model = mixture_model(X, 2, covariance_type=code, **options)
    built = posterior_model(X, 2, code, None, None, **options)
    target = problem(built.data, built.resolved, built.coordinates(None), built.noise)
    function = model.logp_dlogp_function(ravel_inputs=True, mode=INTERPRETED)
    function.set_extra_values({})
    rng, size = np.random.default_rng(1), target.coordinates.size
    points = [np.linspace(0.0, 0.4, size) + 0.2 * rng.standard_normal(size) for _ in range(2)]
    own = [function(each) for each in points]
    expected = [target.log_density(coordinates_of(model, each)) for each in points]
    # Where parameters are held, densities are known up to a constant.
    if "fixed" not in options:
        assert own[0][0] == pytest.approx(expected[0][0], rel=1e-10)
    difference = expected[1][0] - expected[0][0]
    assert own[1][0] - own[0][0] == pytest.approx(difference, rel=1e-9, abs=1e-9)
    slope = expected[0][1]
    np.testing.assert_allclose(
        coordinates_of(model, own[0][1]), slope, rtol=1e-7, atol=1e-9 * abs(slope).max()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_draws_keep_what_is_known_of_the_rows(kind):
    """The data of the model that PyMC copies to the group constant_data."""
    model = mixture_model(X, 2, error_covariances=np.eye(2), **KINDS[kind])
    kept = {each.name: each.get_value() for each in model.data_vars if each.name != "X"}
    known = posterior_model(X, 2, None, None, None, error_covariances=np.eye(2), **KINDS[kind])
    expected = known.constants()
    assert kept.keys() == expected.keys()
    for name, (_, values) in expected.items():
        np.testing.assert_array_equal(kept[name], values)


def test_verbs_read_what_pymcs_draws_keep():
    """The log-likelihood of rows with noise, labels and weights, by either constant_data."""
    known = KINDS["noise and labels"]
    posterior = sample_posterior(
        X, 2, draws=5, tune=50, chains=1, progressbar=False, rng=1, **known
    )
    expected = log_likelihood(posterior), responsibilities(posterior)
    of_pymc = pm.sample_prior_predictive(
        1, mixture_model(X, 2, **known), ["weights"], 1, compile_kwargs={"mode": INTERPRETED}
    )
    posterior["constant_data"] = of_pymc["constant_data"]
    for found, each in zip(
        (log_likelihood(posterior), responsibilities(posterior)), expected, strict=True
    ):
        np.testing.assert_array_equal(found, each)


def test_held_parameters_in_draws_from_the_prior():
    model = mixture_model(X, 2, fixed={"means": [[NAN, 1.0], [NAN, NAN]], "weights": [0.3, NAN]})
    weights, means = pm.draw([model["weights"], model["means"]], 50, 0, mode=INTERPRETED)
    np.testing.assert_allclose(weights, np.tile([0.3, 0.7], (50, 1)))
    assert (means[:, 0, 1] == 1.0).all()
    assert (means[:, 1].std(axis=0) > 0.1).all()


def test_draws_of_rows_have_noise():
    with pm.Model():
        rows = marginal_mixture(
            "x", [1.0], [[0.0, 0.0]], cholesky=[[0.01, 0.01]], covariance_type="diag",
            observed=np.array([[-2.0, 0.0], [2.0, 4.0]]), noise_weight=0.25,
        )  # fmt: skip
    drawn = np.concatenate(pm.draw(rows, 500, random_seed=0, mode=INTERPRETED))
    far = np.abs(drawn).max(axis=1) > 0.1
    # A share of .25 of 1,000, but for a few beside the origin: within four standard errors.
    assert abs(far.mean() - 0.25) < 0.055
    assert drawn[far].min(axis=0)[1] >= 0.0
    assert drawn[far].max(axis=0)[1] <= 4.0


def test_labels_that_cannot_be():
    def model(**options):
        with pm.Model():
            marginal_mixture(
                "x", [0.5, 0.5], np.zeros((2, 1)), cholesky=np.ones((2, 1)),
                covariance_type="diag", observed=np.zeros((3, 1)), **options,
            )  # fmt: skip

    with pytest.raises(InputError, match="row 2 has 2"):
        model(labels=[0, 1, 2])
    with pytest.raises(InputError, match=r"of shape \(3, 2\)"):
        model(labels=np.ones((3, 1), dtype=bool))
    with pytest.raises(InputError, match="possible for each row"):
        model(labels=np.array([[True, False], [False, False], [True, True]]))
    with pytest.raises(InvalidParameterError, match="labels needs observed rows"), pm.Model():
        marginal_mixture(
            "x", [0.5, 0.5], np.zeros((2, 1)), cholesky=np.ones((2, 1)),
            covariance_type="diag", labels=[0],
        )  # fmt: skip


def test_pymcs_own_sampler_knows_them():
    x = load_dataset("faithful").X
    short = {"draws": 100, "tune": 200, "chains": 1, "progressbar": False, "rng": 1}
    posterior = sample_posterior(
        x,
        2,
        covariance_type="diag",
        nuts_sampler="pymc",
        noise_component=True,
        fixed={"means": [[2.0, NAN], [NAN, NAN]]},
        **short,
    )
    draws = posterior["posterior"]
    assert (draws["means"].values[..., 0, 0] == 2.0).all()
    assert draws["means"].values[..., 1, 0].mean() == pytest.approx(4.29, abs=0.1)
    # Some 50 effective draws, of a standard deviation of .02.
    fit = GaussianMixture(
        2, covariance_type="diag", noise_component=True,
        fixed={"means": [[2.0, NAN], [NAN, NAN]]}, random_state=0,
    ).fit(x)  # fmt: skip
    assert draws["noise_weight"].values.mean() == pytest.approx(fit.noise_.weight, abs=0.02)
