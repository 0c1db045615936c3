"""Fits whose components have outliers of their own."""

import numpy as np
import pytest
from noisy_rows import with_noise
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.metrics import roc_auc_score

from bayesgmm import GaussianMixture, load_dataset, structures
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture

FAITHFUL = load_dataset("faithful").X
CODES = [each.code for each in structures()]
TWO = GaussianMixture(2, random_state=0).fit(FAITHFUL).mixture_


def with_outliers(rng, n=800, share=0.05, inflation=20.0):
    """Rows of two components with outliers of their own, and which they are."""
    truth = Contamination(np.full(2, share), np.full(2, inflation)).pairs(TWO)
    rows, labels = truth.sample(n, rng=rng)
    return rows, labels >= 2


def fitted(x, **options):
    return GaussianMixture(2, contaminated=True, random_state=0, **options).fit(x)


@pytest.mark.parametrize("seed", range(5))
def test_five_percent_of_uniform_noise(seed):
    rng = np.random.default_rng(seed)
    rows, _ = TWO.sample(1900, rng=rng)
    middle, reach = FAITHFUL.mean(axis=0), 1.5 * np.ptp(FAITHFUL, axis=0)
    x = np.concatenate((rows, rng.uniform(middle - reach, middle + reach, (100, 2))))
    clean = GaussianMixture(2, random_state=0).fit(rows)
    deviations = np.sqrt(clean.mixture_.variances)
    plain = GaussianMixture(2, random_state=0).fit(x)
    fit = fitted(x)
    assert (np.abs(fit.means_ - clean.means_) / deviations).max() < 0.1
    assert (np.abs(plain.means_ - clean.means_) / deviations).max() > 0.1
    assert roc_auc_score(np.arange(2000) >= 1900, fit.outlier_proba(x)) > 0.95


def test_densities_and_probabilities_are_those_of_the_pairs():
    x, _ = with_outliers(1)
    fit = fitted(x)
    joint = np.zeros((len(x), 2, 2))
    shares, etas = fit.contamination_.proportions, fit.contamination_.inflation
    for k in range(2):
        for j, (share, eta) in enumerate(((1 - shares[k], 1.0), (shares[k], etas[k]))):
            gaussian = multivariate_normal(fit.means_[k], eta * fit.covariances_[k])
            joint[:, k, j] = fit.weights_[k] * share * gaussian.pdf(x)
    total = joint.sum(axis=(1, 2))
    assert_allclose(fit.score_samples(x), np.log(total), rtol=1e-10)
    assert fit.log_likelihood_ == pytest.approx(np.log(total).sum(), rel=1e-12)
    assert_allclose(fit.predict_proba(x), joint.sum(axis=2) / total[:, None], atol=1e-10)
    assert_allclose(fit.outlier_proba(x), joint[:, :, 1].sum(axis=1) / total, atol=1e-10)
    assert fit.n_parameters_ == 11 + 4
    assert fit.bic() == pytest.approx(-2 * fit.log_likelihood_ + 15 * np.log(len(x)), rel=1e-12)


@pytest.mark.parametrize("code", CODES)
def test_the_likelihood_never_falls_and_acceleration_ends_where_em_does(code):
    x, _ = with_outliers(2)
    plain = fitted(x, covariance_type=code, acceleration=None)
    assert np.diff(plain.lower_bounds_).min() >= -1e-13 * abs(plain.lower_bound_)
    fast = fitted(x, covariance_type=code)
    assert fast.converged_
    assert np.diff(fast.lower_bounds_).min() >= -1e-13 * abs(fast.lower_bound_)
    assert fast.log_likelihood_ == pytest.approx(plain.log_likelihood_, abs=1e-5)


def test_the_maximum_is_that_of_the_likelihood():
    rng = np.random.default_rng(3)
    x = np.concatenate((rng.normal(0.0, 1.0, 150), rng.normal(0.0, 6.0, 30)))[:, None]
    fit = GaussianMixture(1, contaminated=True, random_state=0).fit(x)

    def loss(u):
        share = 0.5 / (1.0 + np.exp(-u[0]))
        variance, eta = np.exp(u[2]), 1.0 + np.exp(u[3])
        pair = Mixture([1.0 - share, share], [u[1], u[1]], [variance, eta * variance])
        return -pair.log_density(x).sum()

    best = minimize(loss, [-1.0, 0.1, 0.1, 2.0], method="BFGS", options={"gtol": 1e-8})
    assert fit.log_likelihood_ == pytest.approx(-best.fun, abs=1e-7)
    assert fit.contamination_.inflation[0] == pytest.approx(1.0 + np.exp(best.x[3]), rel=1e-4)


def test_parameters_are_recovered():
    x, outlying = with_outliers(4, n=20_000)
    fit = fitted(x)
    errors = fit.standard_errors()
    truth = {f"outliers[{k}]": 0.05 for k in range(2)} | {f"inflation[{k}]": 20.0 for k in range(2)}
    for name, value in truth.items():
        estimate, error = errors.extras[name]
        assert abs(estimate - value) < 4.5 * error
    assert (np.abs(fit.means_ - TWO.means) < 4.5 * errors.means).all()
    # Outliers among the others cannot be told from them: about a third of a component's lie within
    # the ellipse of 90 % of its other rows.
    assert roc_auc_score(outlying, fit.outlier_proba(x)) > 0.85


def test_tables_name_outliers():
    x, _ = with_outliers(5)
    fit = fitted(x)
    errors = fit.standard_errors()
    assert errors.table.loc["outliers[0]", "estimate"] == fit.contamination_.proportions[0]
    assert errors.table.loc["inflation[1]", "standard_error"] == errors.extras["inflation[1]"][1]
    assert "inflation[1]" in fit.summary()


@pytest.mark.parametrize("scale", [np.array([1e-5, 1e4]), np.array([1.0, 1e9])])
def test_units_of_the_columns_do_not_matter(scale):
    x, _ = with_outliers(7)
    plain, other = fitted(x), fitted(scale * x)
    assert_allclose(other.contamination_.inflation, plain.contamination_.inflation, rtol=1e-6)
    gap = plain.log_likelihood_ - other.log_likelihood_
    assert gap == pytest.approx(len(x) * np.log(scale).sum(), rel=1e-9)


def test_weights_repeat_rows_and_labels_number_components():
    x, _ = with_outliers(8)
    v = 1 + np.arange(len(x)) % 3
    labels = np.where(np.arange(len(x)) % 4 == 0, 1 - TWO.classify(x), -1)
    one = GaussianMixture(2, contaminated=True, random_state=0).fit(x, None, v, labels=labels)
    other = GaussianMixture(2, contaminated=True, random_state=0).fit(
        np.repeat(x, v, axis=0), labels=np.repeat(labels, v)
    )
    assert one.log_likelihood_ == pytest.approx(other.log_likelihood_, abs=1e-6)
    assert one.means_[0, 0] > one.means_[1, 0]
    assert one.bic() == pytest.approx(other.bic(), abs=1e-5)
    assert np.isfinite(one.standard_errors().means).all()


def test_missing_entries_and_measurement_errors():
    x, outlying = with_outliers(9, n=1500)
    x[np.random.default_rng(10).random(x.shape) < 0.1] = np.nan
    errors = np.array([0.01, 1.0]) * np.ones((len(x), 2))
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(x, error_covariances=errors)
    assert fit.converged_
    assert fit.log_likelihood_ == pytest.approx(fit.score_samples(x).sum(), rel=1e-10)
    assert roc_auc_score(outlying, fit.outlier_proba(x)) > 0.8


def test_rows_without_outliers_are_fitted_at_least_as_well():
    fit = fitted(FAITHFUL)
    plain = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    assert fit.log_likelihood_ >= plain.log_likelihood_ - 1e-6
    assert (fit.contamination_.inflation >= 1.0).all()
    assert (fit.contamination_.proportions <= 0.5).all()
    assert fit.summary()


@pytest.mark.parametrize(
    "options", [{"priors": "default"}, {"equal_weights": True}, {"noise_component": True}]
)
def test_other_settings_that_exclude_it(options):
    with pytest.raises(InvalidParameterError, match=next(iter(options))):
        fitted(FAITHFUL, **options)


def test_a_sample_has_outliers():
    x = np.random.default_rng(0).standard_t(3, (2000, 1))
    fit = GaussianMixture(1, contaminated=True, random_state=0).fit(x)
    drawn, labels = fit.sample(20_000)
    assert set(labels) == {0}
    p, eta = fit.contamination_.proportions[0], fit.contamination_.inflation[0]
    variance = fit.covariances_[0, 0, 0] * (1.0 - p + p * eta)
    assert drawn.var() == pytest.approx(variance, rel=0.1)


@pytest.mark.parametrize(("k", "code"), [(4, "VVI"), (5, "EEE"), (5, "VVV")])
def test_components_without_outliers_do_not_keep_a_fit_from_converging(k, code):
    # Proportions of 0 are at the edge of the parameters, where EM is slow.
    for seed in (0, 3, 5):
        x, _ = with_noise(seed, 380, 20)
        fit = GaussianMixture(k, covariance_type=code, contaminated=True, random_state=0).fit(x)
        assert fit.converged_
        assert fit.n_iter_ < 2000
        assert (fit.contamination_.proportions > 0.0).all()


def test_a_component_without_outliers_has_no_inflation():
    """Its proportion of 2e-16 and an inflation of 59 (566,359,000) were printed as estimates."""
    rng = np.random.default_rng(0)
    x = np.vstack((rng.uniform(-1.7, 1.7, (200, 2)), rng.standard_normal((200, 2)) + 9.0))
    x[200:210] += rng.normal(0.0, 8.0, (10, 2))
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(x)
    none = int(fit.contamination_.proportions.argmin())
    assert fit.contamination_.proportions[none] < 1e-10
    found = fit.standard_errors()
    assert found.extras[f"outliers[{none}]"][0] == 0.0
    assert np.isnan(
        [*found.extras[f"inflation[{none}]"], found.extras[f"outliers[{none}]"][1]]
    ).all()
    assert any(f"Component {none} has no outliers" in note for note in found.notes)
    assert np.isfinite([*found.extras[f"inflation[{1 - none}]"]]).all()
    assert fit.outlier_proba(x).max() <= 1.0
