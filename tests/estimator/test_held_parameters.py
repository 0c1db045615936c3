"""Fits with held parameters: values, labels, criteria, standard errors and what refuses them."""

import pickle
import warnings
from itertools import permutations

import numpy as np
import pytest
from sklearn.base import clone

from bayesgmm import (
    GaussianMixture,
    Mixture,
    Priors,
    load_dataset,
    random_mixture,
    simulate,
)
from bayesgmm.covariance.structures import structures
from bayesgmm.errors import DegeneracyWarning, EstimatorParameterError, InvalidParameterError

NAN = np.nan
FAITHFUL = load_dataset("faithful").X
THREE = Mixture(
    [0.5, 0.2, 0.3],
    [[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]],
    [np.eye(2), [[1.0, 0.6], [0.6, 1.0]], [[2.0, 0.0], [0.0, 0.5]]],
)
X = simulate(THREE, 400, rng=5).X


def fitted(k, x=FAITHFUL, **parameters):
    parameters.setdefault("random_state", 0)
    return GaussianMixture(k, **parameters).fit(x)


@pytest.mark.parametrize("kind", structures(), ids=lambda each: each.code)
@pytest.mark.parametrize("name", ["means", "weights"])
def test_values_stay_bit_for_bit_in_the_users_units(kind, name):
    # Units and offsets that float64 rounds on the way to the fit's own units.
    x = X * [0.1, 30.0] + [1e3, 1 / 3]
    plain = fitted(3, x, covariance_type=kind)
    values = {
        "means": plain.means_ + np.array([[0.01, NAN], [NAN, NAN], [NAN, 1.0]]),
        "weights": np.array([0.3, NAN, 0.4]),
    }
    fit = fitted(3, x, covariance_type=kind, fixed={name: values[name]})
    held = ~np.isnan(values[name])
    found = fit.means_ if name == "means" else fit.weights_
    assert np.array_equal(found[held], values[name][held])
    assert np.array_equal(fit.mixture_.means, fit.means_)
    assert fit.converged_
    assert fit.n_parameters_ == plain.n_parameters_ - held.sum()
    assert fit.log_likelihood_ <= plain.log_likelihood_ + 1e-9
    assert np.diff(fit.lower_bounds_).min() >= -1e-13
    expected = -2 * fit.mixture_.log_density(x).sum() + fit.n_parameters_ * np.log(len(x))
    assert fit.bic(x) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", structures(), ids=lambda each: each.code)
def test_all_held_is_the_given_mixture(kind):
    plain = fitted(3, X, covariance_type=kind)
    fixed = {
        "weights": plain.weights_,
        "means": plain.means_,
        "covariances": plain.mixture_.covariances,
    }
    fit = fitted(3, X[::2], covariance_type=kind, fixed=fixed)
    assert fit.n_parameters_ == 0
    assert fit.converged_
    assert fit.degeneracy_ is None
    assert fit.log_likelihood_ == pytest.approx(plain.mixture_.log_density(X[::2]).sum(), rel=1e-12)
    assert np.array_equal(fit.covariances_, plain.covariances_)
    assert np.array_equal(fit.means_, plain.means_)
    assert np.array_equal(fit.weights_, plain.weights_)
    assert (fit.standard_errors().joint == 0.0).all()


def test_nothing_held_has_the_bits_of_the_plain_fit():
    plain = fitted(3, X)
    fit = fitted(3, X, fixed={"weights": [NAN] * 3, "means": np.full((3, 2), NAN)})
    assert fit.lower_bounds_ == plain.lower_bounds_
    assert np.array_equal(fit.covariances_, plain.covariances_)


@pytest.mark.parametrize("seed", range(3))
def test_starts_are_matched_to_held_means(seed):
    best = fitted(3, X).log_likelihood_
    order = np.random.default_rng(seed).permutation(3)
    means = THREE.means[order].copy()
    means[2] = NAN
    for settings in ({}, {"init_params": "kmeans", "n_init": 3}, {"max_iter": 200}):
        fit = fitted(3, X, fixed={"means": means}, random_state=seed, **settings)
        assert np.array_equal(fit.means_[:2], means[:2])
        assert fit.log_likelihood_ > best - 10.0
        assert abs(fit.means_[2] - THREE.means[order[2]]).max() < 0.5


@pytest.mark.parametrize("seed", range(2))
def test_starts_are_matched_to_held_weights_and_covariances(seed):
    order = np.random.default_rng(seed).permutation(3)
    best = fitted(3, X).log_likelihood_
    for fixed in (
        {"weights": THREE.weights[order]},
        {"covariances": np.where([[[False]], [[True]], [[True]]], NAN, THREE.covariances[order])},
    ):
        fit = fitted(3, X, fixed=fixed, random_state=seed)
        assert best - 10.0 < fit.log_likelihood_ <= best


@pytest.mark.parametrize("seed", [3, 7, 23, 31])
def test_no_other_component_suits_the_held_covariances_better(seed):
    mixture = random_mixture(3, 2, average_overlap=0.05, rng=seed)
    x = simulate(mixture, 300, rng=seed).X
    covariances = mixture.covariances.copy()
    covariances[2] = NAN
    fixed = {"covariances": covariances}
    best = fitted(3, x, fixed=fixed).log_likelihood_
    plain = fitted(3, x)
    for order in permutations(range(3)):
        start = plain.permuted(order)
        other = fitted(
            3,
            x,
            fixed=fixed,
            weights_init=start.weights_,
            means_init=start.means_,
            precisions_init=start.precisions_,
        )
        assert other.log_likelihood_ <= best + 1e-6


def test_equal_weights_leave_labels_to_the_means():
    fits = [
        fitted(3, X[order], equal_weights=True, random_state=seed)
        for seed, order in (
            (0, slice(None)),
            (3, slice(None, None, -1)),
        )
    ]
    for fit in fits:
        assert np.array_equal(fit.weights_, [1 / 3] * 3)
        assert (np.diff(fit.means_[:, 0]) > 0).all()
        assert fit.n_parameters_ == 15
    np.testing.assert_allclose(fits[0].means_, fits[1].means_, atol=1e-6)
    by_variance = fitted(3, X, equal_weights=True, order_by="variances")
    assert (np.diff(np.linalg.det(by_variance.covariances_)) > 0).all()
    assert by_variance.log_likelihood_ == pytest.approx(fits[0].log_likelihood_, abs=1e-8)


def test_components_that_are_held_alike_are_ordered_by_means():
    fixed = {"means": [[6.0, 0.0], [NAN, NAN], [NAN, NAN]]}
    fit = fitted(3, X, fixed=fixed)
    assert fit.means_[0].tolist() == [6.0, 0.0]
    assert fit.means_[1, 0] < fit.means_[2, 0]


@pytest.mark.parametrize("unit", [2.0**-30, 0.1, 2.0**40])
def test_a_fit_follows_its_units(unit):
    means = np.array([[0.1, NAN], [6.1, 0.2], [NAN, NAN]])
    here = fitted(3, X, fixed={"means": means, "weights": [NAN, 0.25, NAN]})
    there = fitted(3, X * unit, fixed={"means": means * unit, "weights": [NAN, 0.25, NAN]})
    np.testing.assert_allclose(there.means_ / unit, here.means_, atol=1e-6)
    shift = X.size * np.log(unit)
    assert there.log_likelihood_ + shift == pytest.approx(here.log_likelihood_, rel=1e-11)


def test_a_given_start_keeps_its_order():
    start = fitted(3, X, order_by="weights")
    fit = fitted(
        3,
        X,
        weights_init=start.weights_,
        means_init=start.means_,
        precisions_init=start.precisions_,
        fixed={"means": [[NAN, 0.1], [NAN, NAN], [NAN, NAN]]},
    )
    assert fit.means_[0, 1] == 0.1
    assert abs(fit.means_ - start.means_).max() < 0.3
    again = clone(fit).set_params(warm_start=True).fit(X)
    again.set_params(fixed={"means": [[NAN, 0.2], [NAN, NAN], [NAN, NAN]]}).fit(X)
    assert again.means_[0, 1] == 0.2


def test_weights_missing_entries_and_errors_of_rows():
    x = X.copy()
    x[::5, 0] = NAN
    v = np.random.default_rng(1).integers(1, 3, len(x)).astype(float)
    fixed = {"means": [[0.0, NAN], [NAN, NAN], [NAN, 6.0]], "weights": [NAN, 0.2, NAN]}
    fit = GaussianMixture(3, fixed=fixed, random_state=0)
    fit.fit(x, sample_weight=v, error_covariances=0.01 * np.eye(2))
    assert fit.converged_
    assert (fit.means_[0, 0], fit.means_[2, 1], fit.weights_[1]) == (0.0, 6.0, 0.2)
    assert np.diff(fit.lower_bounds_).min() >= -1e-13
    # A maximum: no free mean or weight gains.
    best = fit.log_likelihood_

    def value(weights, means):
        mixture = Mixture(weights, means, fit.covariances_)
        return v @ mixture.log_density(x, error_covariances=0.01 * np.eye(2))

    assert value(fit.weights_, fit.means_) == pytest.approx(best, rel=1e-12)
    for j, i in [(0, 1), (1, 0), (1, 1), (2, 0)]:
        for step in (1e-3, -1e-3):
            moved = fit.means_.copy()
            moved[j, i] += step
            assert value(fit.weights_, moved) < best
    for step in (1e-4, -1e-4):
        assert value(fit.weights_ + np.array([step, 0.0, -step]), fit.means_) < best


def test_priors_weigh_on_what_is_free():
    fixed = {"means": [[NAN, 55.0], [NAN, NAN]], "weights": [0.4, NAN]}
    fit = fitted(2, priors="default", fixed=fixed)
    assert fit.converged_
    assert (fit.means_[0, 1], fit.weights_[0]) == (55.0, 0.4)

    def value(means, covariances):
        mixture = Mixture(fit.weights_, means, covariances)
        return mixture.log_density(FAITHFUL).sum() + fit.priors_.log_density(mixture)

    best = value(fit.means_, fit.covariances_)
    assert fit.log_posterior_ == pytest.approx(best, rel=1e-12)
    for j, i in [(0, 0), (1, 0), (1, 1)]:
        for step in (1e-3, -1e-3):
            moved = fit.means_.copy()
            moved[j, i] += step
            assert value(moved, fit.covariances_) < best
    for factor in (0.999, 1.001):
        assert value(fit.means_, fit.covariances_ * factor) < best
    assert (fit.standard_errors().means == 0.0).tolist() == [[False, True], [False, False]]


def test_held_covariances_need_no_rows():
    wide = np.random.default_rng(0).standard_normal((6, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("error", DegeneracyWarning)
        fit = fitted(1, wide, fixed={"covariances": [np.eye(8)]})
        np.testing.assert_allclose(fit.means_[0], wide.mean(axis=0), atol=1e-12)
        # A background with two rows, and a sharp component on a single one.
        sharp = np.vstack((X[X[:, 0] < 3.0], [[50.0, 50.0]]))
        covariances = [np.full((2, 2), NAN), 1e-6 * np.eye(2)]
        fit = fitted(2, sharp, fixed={"covariances": covariances, "means": [[NAN] * 2, [50.0] * 2]})
        assert fit.degeneracy_ is None
        assert fit.weights_[1] == pytest.approx(1 / len(sharp))
        fit = fitted(2, sharp, fixed={"covariances": covariances}, eigenvalue_ratio=1e20)
        assert fit.degeneracy_ is None


# --- what follows a fit ---------------------------------------------------------------------------

HALF = {"means": np.array([[NAN, 55.0], [4.5, NAN]]), "weights": [NAN, 0.6]}


def test_standard_errors_are_those_of_the_free_parameters():
    fixed = {"means": HALF["means"]}
    fit = fitted(2, fixed=fixed)
    entries = np.tril_indices(2)

    def mixture(u):
        weights, means = np.array([u[0], 1.0 - u[0]]), fit.means_.copy()
        means[0, 0], means[1, 1] = u[1:3]
        covariances = np.empty((2, 2, 2))
        for k in range(2):
            covariances[k][entries] = u[3 + 3 * k : 6 + 3 * k]
            covariances[k].T[entries] = u[3 + 3 * k : 6 + 3 * k]
        return Mixture(weights, means, covariances)

    u = np.concatenate(
        (
            [fit.weights_[0], fit.means_[0, 0], fit.means_[1, 1]],
            *(s[entries] for s in fit.covariances_),
        )
    )
    steps = 1e-4 * np.maximum(abs(u), 0.1)

    def slope(u, i):
        # Of fourth order in the step.
        e = steps[i] * np.eye(len(u))[i]
        f = [mixture(u + c * e).log_density(FAITHFUL).sum() for c in (-2, -1, 1, 2)]
        return (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * steps[i])

    hessian = np.array(
        [
            [(slope(u + h * e, i) - slope(u - h * e, i)) / (2 * h) for i in range(len(u))]
            for e, h in zip(np.eye(len(u)), 10 * steps, strict=True)
        ]
    )
    expected = np.sqrt(np.diag(np.linalg.inv(-0.5 * (hessian + hessian.T))))
    found = fit.standard_errors()
    numbers = [found.weights[0], found.means[0, 0], found.means[1, 1]]
    numbers += [s for each in found.covariances for s in each[entries]]
    np.testing.assert_allclose(numbers, expected, rtol=2e-4)
    assert found.means[0, 1] == found.means[1, 0] == 0.0
    assert found.notes == ()
    assert (
        np.linalg.matrix_rank(found.joint / np.outer(*[np.sqrt(np.diag(found.joint)) + 1e-9] * 2))
        == 9
    )


@pytest.mark.parametrize("method", ["sandwich", "bootstrap", "weighted-bootstrap"])
def test_every_kind_of_standard_error_is_0_for_what_is_held(method):
    fit = fitted(2, fixed=HALF)
    how = {} if method == "sandwich" else {"n_resamples": 40, "rng": 0, "progressbar": False}
    found = fit.standard_errors(method=method, **how)
    assert (found.means == 0.0).tolist() == [[False, True], [True, False]]
    # The other weight is what the held one leaves.
    assert (found.weights == 0.0).all()
    assert found.covariances.min() > 0.0
    plain = fit.standard_errors()
    free = plain.means > 0.0
    np.testing.assert_allclose(found.means[free], plain.means[free], rtol=0.6)


def test_held_covariances_have_no_error():
    free = np.full((2, 2), NAN)
    fit = fitted(2, fixed={"covariances": [free, [[0.16, 0.9], [0.9, 36.0]]]})
    found = fit.standard_errors()
    assert (found.covariances[1] == 0.0).all()
    assert found.covariances[0].min() > 0.0
    tied = fitted(2, covariance_type="tied", fixed={"covariances": [[0.16, 0.9], [0.9, 36.0]]})
    assert tied.n_parameters_ == 5
    assert (tied.standard_errors().covariances == 0.0).all()
    for kind in ("VEV", "EVE", "EII"):
        plain = fitted(2, covariance_type=kind)
        all_held = fitted(2, covariance_type=kind, fixed={"covariances": plain.covariances_})
        assert (all_held.standard_errors().covariances == 0.0).all()
        assert all_held.standard_errors().means.min() > 0.0


def test_permuted_fits_keep_what_is_held_with_its_component():
    fit = fitted(2, fixed=HALF)
    other = fit.permuted([1, 0])
    here, there = fit.standard_errors(), other.standard_errors()
    np.testing.assert_allclose(there.means, here.means[::-1], rtol=1e-8)
    again = other.standard_errors(method="bootstrap", n_resamples=3, rng=0, progressbar=False)
    assert (again.means == 0.0).tolist() == [[True, False], [False, True]]
    assert "held" in other.summary().split("mean[0, x0]")[1].splitlines()[0]


def test_summary_says_what_is_held():
    text = fitted(2, fixed=HALF).summary()
    words = "the weight of component 1 and entries of the means of all components"
    assert f"held at given values: {words}\n" in text
    for name, held in [("weight[0]", 0), ("weight[1]", 1), ("mean[0, x1]", 1), ("sd[0, x0]", 0)]:
        line = next(line for line in text.splitlines() if line.startswith(name))
        assert line.rstrip().endswith("held") == bool(held)
    assert "held" not in fitted(2).summary()
    assert words in str(fitted(2, fixed=HALF)._repr_html_())


def test_scikit_learns_conventions():
    model = GaussianMixture(2, fixed=HALF, random_state=0)
    other = clone(model).set_params(equal_weights=True)
    assert other.get_params()["fixed"].keys() == HALF.keys()
    assert other.equal_weights
    fit = pickle.loads(pickle.dumps(model.fit(FAITHFUL)))
    assert np.array_equal(fit.means_, model.means_)
    assert fit.standard_errors(FAITHFUL).means[0, 1] == 0.0
    with pytest.raises(EstimatorParameterError, match="'fixed'"):
        GaussianMixture(2, fixed=[0.5]).fit(FAITHFUL)
    with pytest.raises(EstimatorParameterError, match="'equal_weights'"):
        GaussianMixture(2, equal_weights="yes").fit(FAITHFUL)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"fixed": {"covariances": [np.eye(2)] * 2}, "reg_covar": 1e-6},
            "reg_covar=1e-06.*component 0",
        ),
        ({"fixed": HALF, "order_by": "weights"}, "order_by"),
        ({"fixed": HALF, "equal_weights": True}, "equal_weights"),
        ({"fixed": {"means": [[1.0]]}}, r"shape \(2, 2\)"),
    ],
)
def test_settings_that_contradict(parameters, message):
    with pytest.raises(InvalidParameterError, match=message):
        fitted(2, **parameters)


def test_reg_covar_goes_with_held_means():
    fit = fitted(2, fixed={"means": HALF["means"]}, reg_covar=1e-6)
    assert fit.means_[0, 1] == 55.0


def test_priors_that_number_components_do_not_go_with_fixed():
    priors = Priors(hierarchical=False, mean_location=[[2.0, 55.0], [4.0, 80.0]])
    with pytest.raises(InvalidParameterError, match="fixed numbers the components"):
        fitted(2, priors=priors, fixed=HALF)
    assert fitted(2, priors=priors, equal_weights=True).weights_.tolist() == [0.5, 0.5]


def test_a_plot_of_numbers_of_components_refuses_fixed():
    with pytest.raises(InvalidParameterError, match="fixed holds parameters of 2 components"):
        fitted(2, fixed=HALF).plot("selection")


@pytest.mark.parametrize("held", ["means", "covariances"])
def test_noise_keeps_its_weight_beside_held_parameters(held):
    """Noise lost its weight at once: 7.6 nats below the maximum on Old Faithful."""
    x = load_dataset("faithful").X
    free = GaussianMixture(2, covariance_type="diag", noise_component=True, random_state=0).fit(x)
    assert free.noise_.weight > 0.05
    values = {"means": free.means_, "covariances": free.mixture_.covariances}[held]
    fit = GaussianMixture(
        2, covariance_type="diag", noise_component=True, fixed={held: values}, random_state=0
    ).fit(x)
    assert fit.log_likelihood_ == pytest.approx(free.log_likelihood_, abs=1e-6)
    assert fit.noise_.weight == pytest.approx(free.noise_.weight, abs=1e-4)
