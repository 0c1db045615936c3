"""A start that fails is one start: the others live, and the table says what became of it."""

import warnings

import numpy as np
import pytest

from bayesgmm import GaussianMixture, random_mixture, report, simulate
from bayesgmm.covariance.structures import structures
from bayesgmm.errors import FitError, InputError, InvalidParameterError
from bayesgmm.selection.model_selection import select_mixture

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CODES = [each.code for each in structures()]
BINARY = np.random.default_rng(0).integers(0, 2, (200, 3)).astype(float)
# One component of three collapses on the way to its maximum.
HEAPED = np.array(
    [
        1.06, -0.41, 0.84, 0.98, 1.04, 1.06, 1.06, 1.19, 1.06, 1.06, 0.93, 1.07, 1.07, 1.02, 0.49,
        0.99, 1.03, 1.02, 1.06, 1.02, 1.02, 0.89, 0.99, 0.89, 1.02, 1.06, 0.98, 0.84, 0.93, 1.19,
    ]
)[:, None]  # fmt: skip


def fitted_or_refused(k, covariance_type, x):
    """A fit, or None if it was refused by a `FitError` of at most ten lines."""
    try:
        return GaussianMixture(k, covariance_type=covariance_type, random_state=0).fit(x)
    except FitError as error:
        if len(str(error).splitlines()) > 10:
            raise
        return None


def test_a_start_that_collapses_later_is_not_called_converged():
    fit = GaussianMixture(3, random_state=0).fit(HEAPED)
    starts = fit.starts_
    sound = starts[starts["outcome"] == "converged"]
    assert (sound["log_likelihood"] <= fit.log_likelihood_ + 1e-6).all()
    # The second highest maximum, if the page names one, is lower indeed.
    maxima = [each for each in sound["log_likelihood"] if each < fit.log_likelihood_ - 1e-2]
    said = report(HEAPED, em=fit).html.count("second highest maximum")
    assert bool(said) == bool(maxima)


def test_starts_on_a_sample_say_so_and_agree_among_themselves():
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.normal(0, 1, (3000, 2)), rng.normal(8, 1, (3000, 2))))
    fit = GaussianMixture(2, random_state=0).fit(x)
    assert (fit.starts_["n_rows"] == 2048).all()
    assert "4 of 4 starts reached this maximum" in fit.summary(x)
    assert report(x, em=fit).numbers["sections"]["starts"]["numbers"]["starts_agreed"] == 4
    small = GaussianMixture(2, random_state=0).fit(x[::10])
    assert (small.starts_["n_rows"] == 600).all()


@pytest.mark.parametrize("covariance_type", CODES)
def test_binary_columns_give_a_fit_or_a_fit_error(covariance_type):
    fit = fitted_or_refused(5, covariance_type, BINARY)
    assert fit is None or np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("init_params", ["kmeans", "k-means++", "random", "random_from_data"])
@pytest.mark.parametrize("covariance_type", CODES)
def test_every_kind_of_start_with_every_structure(covariance_type, init_params):
    x = np.random.default_rng(1).normal(size=(100, 5))
    for seed in range(3):
        fit = GaussianMixture(
            3, covariance_type=covariance_type, init_params=init_params, reg_covar=1e-6,
            random_state=seed,
        ).fit(x)  # fmt: skip
        assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("covariance_type", ["VEV", "VEE", "EVE", "VVE"])
def test_many_columns(covariance_type):
    rng = np.random.default_rng(2)
    x = np.concatenate((rng.normal(0, 1, (150, 15)), rng.normal(1, 2, (150, 15))))
    fit = GaussianMixture(2, covariance_type=covariance_type, random_state=0).fit(x)
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize("covariance_type", CODES)
def test_one_row_far_away(covariance_type):
    x = np.random.default_rng(3).normal(size=(200, 2))
    x[7] = 1e12
    fit = fitted_or_refused(3, covariance_type, x)
    assert fit is None or np.isfinite(fit.log_likelihood_)


SQUARE = np.array([[0, 0], [0, 1], [1, 0], [1, 1]] * 25, dtype=float)


@pytest.mark.parametrize("covariance_type", CODES)
@pytest.mark.parametrize("data", ["square", "heap"])
def test_reg_covar_rescues_every_structure(covariance_type, data):
    x, k, ridge = SQUARE, 4, 1e-3
    if data == "heap":
        x = np.append(np.random.default_rng(4).normal(size=100), np.full(10, 10.0))[:, None]
        k, ridge = 2, 1e-6
    fit = GaussianMixture(k, covariance_type=covariance_type, reg_covar=ridge, random_state=0).fit(
        x
    )
    assert np.isfinite(fit.log_likelihood_)
    if data == "square" and covariance_type in ("VVV", "VVI"):
        assert fit.log_likelihood_ >= 111.59  # scikit-learn's, to which "full" agrees
    if data == "heap":
        full = GaussianMixture(2, reg_covar=ridge, random_state=0).fit(x)
        if covariance_type.startswith("V"):
            assert fit.log_likelihood_ == pytest.approx(full.log_likelihood_, rel=1e-6)


def test_more_freedom_is_not_worse_beside_a_column_of_two_values():
    rng = np.random.default_rng(5)
    x = np.column_stack((rng.integers(0, 2, 200), rng.normal(size=200)))
    fits = [fitted_or_refused(2, code, x) for code in ("EEI", "VVI")]
    equal, free = (-np.inf if fit is None else fit.log_likelihood_ for fit in fits)
    # "diag" is unbounded here, as a component may rest on one value: no maximum, or a better one.
    assert fits[1] is None or free >= equal - 1e-6


@pytest.mark.parametrize(
    ("covariance_type", "x", "k", "never"),
    [
        ("VVI", SQUARE, 4, ["'diag'", "'tied'"]),
        ("EEE", SQUARE, 4, ["'tied'", "'diag'"]),
        ("VVV", SQUARE, 4, ["'diag'"]),
        ("V", np.repeat([[1.0], [2.0], [4.0]], 20, axis=0), 3, ["'diag'", "'tied'"]),
    ],
    ids=["diag", "tied", "full", "one column"],
)
def test_advice_helps_in_this_very_case(covariance_type, x, k, never):
    with pytest.raises(FitError) as caught:
        GaussianMixture(k, covariance_type=covariance_type, random_state=0).fit(x)
    said = str(caught.value)
    assert len(said.splitlines()) <= 10
    assert not [each for each in never if each in said]
    assert "rows are distinct" in said
    fit = GaussianMixture(k, covariance_type=covariance_type, random_state=0, priors="default").fit(
        x
    )
    assert "priors='default'" in said
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize(
    "changed", [{"n_components": 3}, {"covariance_type": "diag"}, {"x": 3}], ids=str
)
def test_a_warm_start_from_another_kind_of_solution(changed):
    x = np.random.default_rng(6).normal(size=(100, 2))
    fit = GaussianMixture(2, warm_start=True, random_state=0).fit(x)
    if "x" in changed:
        x = np.random.default_rng(6).normal(size=(100, 3))
    else:
        fit.set_params(**changed)
    with pytest.raises(InvalidParameterError, match="warm_start"):
        fit.fit(x)
    assert fit.means_.shape == (2, 2), "the previous fit stays"


def test_a_selection_says_what_failed():
    table = select_mixture(BINARY, range(1, 4), ["VVI", "VEI"], progressbar=False).table
    assert np.isfinite(table["log_likelihood"]).any()


@pytest.mark.parametrize("far", [1e17, 1e40, 1e150])
def test_rows_that_one_far_row_makes_equal_end_the_search(far):
    """Centred on their mean all but two rows are the same number: no four groups can be made."""
    x = np.append(np.random.default_rng(0).normal(size=26), far)[:, None]
    with pytest.raises(FitError, match="Remove outliers"):
        GaussianMixture(4, random_state=0).fit(x)


def test_k_means_with_fewer_groups_than_asked_for_is_a_start_that_fails():
    """scikit-learn's warning of it would be one of another package."""
    x = np.append(np.random.default_rng(0).normal(size=(40, 2)), [[1e12, 0.0]], axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(FitError):
            GaussianMixture(3, covariance_type="VVE", init_params="kmeans", random_state=0).fit(x)


@pytest.mark.parametrize("unit", [1e-310, 1e-160, 1e-20])
def test_reg_covar_serves_columns_of_any_size(unit):
    """Beside it their variance is nothing, whether float64 holds that or not."""
    x = unit * np.random.default_rng(0).normal(size=(40, 2))
    fit = GaussianMixture(1, reg_covar=1e-6).fit(x)
    # Their own covariances are 1e-40 at most.
    np.testing.assert_allclose(fit.covariances_[0], 1e-6 * np.eye(2), rtol=1e-12, atol=1e-39)


@pytest.mark.parametrize("parameters", [{"reg_covar": 1e-6}, {"priors": "default"}, {}])
def test_a_variance_beyond_float64_is_refused_whatever_is_added_to_it(parameters):
    x = 1e300 * np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(InputError, match="does not fit into float64"):
        GaussianMixture(1, **parameters).fit(x)


@pytest.mark.parametrize("covariance_type", ["EII", "VII", "VEV", "EEV", "EVE", "VVE"])
def test_columns_too_far_apart_for_one_unit_are_named(covariance_type):
    x = np.random.default_rng(0).normal(size=(40, 2)) * [1e-40, 1e40]
    with pytest.raises(InputError, match=r"Column 1 .* too far apart"):
        GaussianMixture(2, covariance_type=covariance_type).fit(x)
    assert np.isfinite(GaussianMixture(2, random_state=0).fit(x).log_likelihood_)


@pytest.mark.parametrize("covariance_type", ["full", "diag", "spherical"])
def test_a_constant_column_beside_reg_covar_disturbs_no_start(covariance_type):
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.normal(0, 1, (20, 1)), rng.normal(9, 1, (20, 1))))
    here = GaussianMixture(2, reg_covar=1e-6, random_state=0).fit(x)
    constant = np.column_stack((x, np.full(40, 3.0)))
    there = GaussianMixture(2, covariance_type=covariance_type, reg_covar=1e-6, random_state=0).fit(
        constant
    )
    if covariance_type != "spherical":
        # One variance for both columns is another model.
        np.testing.assert_allclose(there.means_[:, 0], here.means_[:, 0], rtol=1e-9)
    np.testing.assert_allclose(there.means_[:, 1], 3.0, rtol=1e-15)


@pytest.mark.parametrize("seed", [12, 21, 131, 133])
def test_four_starts_that_agree_are_not_all_led_astray(seed):
    """Three components far apart, where k-means starts agree on one that is split, and two merged.

    They stopped 150 to 190 nats below the maximum near the truth.
    """
    truth = random_mixture(3, 4, average_overlap=0.02, rng=1)
    X = simulate(truth, 2000, rng=seed).X
    near = GaussianMixture(
        3,
        weights_init=truth.weights,
        means_init=truth.means,
        precisions_init=np.linalg.inv(truth.covariances),
    ).fit(X)
    found = GaussianMixture(3, random_state=0).fit(X)
    assert found.log_likelihood_ == pytest.approx(near.log_likelihood_, abs=1e-4)
