"""Fits to rows some of whose components are known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from bayesgmm import GaussianMixture, load_dataset, simulate, structures
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.mixture import Mixture

IRIS = load_dataset("iris")
SPECIES = np.unique(IRIS.labels, return_inverse=True)[1]
CODES = [each.code for each in structures()]


def some(labels, share, rng=0):
    known = np.random.default_rng(rng).random(len(labels)) < share
    return np.where(known, labels, -1)


def test_labels_of_all_rows_give_the_estimates_of_their_groups():
    fit = GaussianMixture(3).fit(IRIS.X, labels=SPECIES)
    for k in range(3):
        group = IRIS.X[k == SPECIES]
        assert_allclose(fit.means_[k], group.mean(axis=0), rtol=1e-12)
        assert_allclose(fit.covariances_[k], np.cov(group.T, bias=True), rtol=1e-10)
    tied = GaussianMixture(3, covariance_type="tied").fit(IRIS.X, labels=SPECIES)
    pooled = sum(np.cov(IRIS.X[k == SPECIES].T, bias=True) for k in range(3)) / 3
    assert_allclose(tied.covariances_, pooled, rtol=1e-10)
    # The density of the rows and their labels.
    joint = fit.mixture_.log_joint(IRIS.X)[np.arange(150), SPECIES].sum()
    assert fit.log_likelihood_ == pytest.approx(joint, rel=1e-12)
    assert fit.bic() == pytest.approx(-2 * joint + fit.n_parameters_ * np.log(150), rel=1e-12)


@pytest.mark.parametrize("code", CODES)
def test_components_are_numbered_as_the_labels(code):
    labels = some(2 - SPECIES, 0.2)
    fit = GaussianMixture(3, covariance_type=code, random_state=0).fit(IRIS.X, labels=labels)
    assert fit.converged_
    steps = np.diff(fit.lower_bounds_)
    assert steps.min(initial=0.0) >= -1e-12 * abs(fit.lower_bound_)
    assert (fit.predict(IRIS.X) == 2 - SPECIES).mean() > 0.85
    # A label is information: the fit without it has another likelihood of the same rows.
    assert fit.score_samples(IRIS.X).sum() > fit.log_likelihood_


def test_the_maximum_is_that_of_the_likelihood_of_rows_and_labels():
    rng = np.random.default_rng(4)
    x = np.concatenate((rng.normal(0.0, 1.0, 60), rng.normal(1.5, 0.7, 40)))[:, None]
    labels = some(np.repeat([0, 1], [60, 40]), 0.3, 5)
    fit = GaussianMixture(2, random_state=0).fit(x, labels=labels)

    def loss(u):
        w = 1.0 / (1.0 + np.exp(-u[0]))
        mixture = Mixture([w, 1.0 - w], u[1:3], np.exp(u[3:5]))
        joint = mixture.log_joint(x)
        known = labels >= 0
        rest = mixture.log_density(x[~known]).sum()
        return -(joint[known, labels[known]].sum() + rest)

    start = np.concatenate(([0.0], fit.means_[:, 0] + 0.1, np.log(fit.covariances_[:, 0, 0])))
    best = minimize(loss, start, method="BFGS", options={"gtol": 1e-8})
    assert fit.log_likelihood_ == pytest.approx(-best.fun, abs=1e-8)
    assert_allclose(fit.means_[:, 0], best.x[1:3], atol=1e-5)


def test_weights_repeat_rows_with_their_labels():
    labels = some(SPECIES, 0.3)
    v = 1 + np.arange(150) % 3
    weighted = GaussianMixture(3, random_state=0).fit(IRIS.X, labels=labels, sample_weight=v)
    repeated = GaussianMixture(3, random_state=0).fit(
        np.repeat(IRIS.X, v, axis=0), labels=np.repeat(labels, v)
    )
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, abs=1e-8)
    assert_allclose(weighted.means_, repeated.means_, rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_units_do_not_matter(scale):
    labels = some(SPECIES, 0.2)
    plain = GaussianMixture(3, random_state=0).fit(IRIS.X, labels=labels)
    other = GaussianMixture(3, random_state=0).fit(scale * IRIS.X + 1e3 * scale, labels=labels)
    assert_allclose((other.means_ - 1e3 * scale) / scale, plain.means_, rtol=1e-8)


def test_a_component_without_labelled_rows_takes_what_is_left():
    labels = np.where(SPECIES == 1, -1, some(np.where(SPECIES == 2, 0, 2), 0.3))
    fit = GaussianMixture(3, random_state=0).fit(IRIS.X, labels=labels)
    found = fit.predict(IRIS.X)
    assert np.bincount(found[SPECIES == 0], minlength=3).argmax() == 2
    assert np.bincount(found[SPECIES == 1], minlength=3).argmax() == 1
    assert np.bincount(found[SPECIES == 2], minlength=3).argmax() == 0


def test_standard_errors_count_the_labels():
    truth = Mixture([0.6, 0.4], [0.0, 1.5], [1.0, 1.0])
    data = simulate(truth, 2000, rng=3)
    free = GaussianMixture(2, random_state=0).fit(data.X)
    known = GaussianMixture(2, random_state=0).fit(data.X, labels=data.labels)
    errors = known.standard_errors()
    assert (errors.means < free.standard_errors().means).all()
    sizes = np.bincount(data.labels)
    assert_allclose(errors.means[:, 0], np.sqrt(known.covariances_[:, 0, 0] / sizes), rtol=1e-6)
    refitted = known.standard_errors(method="bootstrap", n_resamples=200, rng=0, progressbar=False)
    # Of 200 refits, a standard error has a relative one of 5 %: four of them.
    assert_allclose(refitted.means, errors.means, rtol=0.2)
    assert "No standard errors" not in known.summary()


def test_missing_entries_and_measurement_errors_beside_labels():
    truth = Mixture([0.5, 0.5], [[0.0, 0.0], [2.0, 2.0]], [np.eye(2), np.eye(2)])
    errors = np.full((600, 2), 0.3)
    data = simulate(truth, 600, rng=8, missing=0.2, error_covariances=errors)
    labels = some(1 - data.labels, 0.5)
    fit = GaussianMixture(2, random_state=0).fit(data.X, error_covariances=errors, labels=labels)
    assert fit.converged_
    # Seven standard errors of a mean of 300 rows with variance 1.3.
    assert_allclose(fit.means_, [[2.0, 2.0], [0.0, 0.0]], atol=7 * np.sqrt(1.3 / 300))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.full(150, 3), "row 0 has 3"),
        (np.append(np.zeros(149), -2), "row 149 has -2"),
        (np.append(np.zeros(149), 0.5), "row 149 has 0.5"),
        (np.append(np.zeros(149), np.nan), "row 149 has nan"),
        (np.zeros(149), r"\(150,\)"),
    ],
)
def test_labels_that_cannot_be(labels, said):
    with pytest.raises(InputError, match=said):
        GaussianMixture(3).fit(IRIS.X, labels=labels)


def test_labels_and_an_order_exclude_each_other():
    with pytest.raises(InvalidParameterError, match="order_by"):
        GaussianMixture(3, order_by="weights").fit(IRIS.X, labels=SPECIES)


def test_unknown_labels_change_nothing():
    plain = GaussianMixture(3, random_state=0).fit(IRIS.X)
    fit = GaussianMixture(3, random_state=0).fit(IRIS.X, labels=np.full(150, -1))
    assert np.array_equal(fit.means_, plain.means_)
    assert fit.log_likelihood_ == plain.log_likelihood_
