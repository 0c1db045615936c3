"""Fits with a component of uniform noise."""

import copy

import numpy as np
import pytest
from noisy_rows import FAITHFUL, TWO, with_noise
from numpy.testing import assert_allclose
from scipy.optimize import minimize
from sklearn.metrics import roc_auc_score

from bayesgmm import GaussianMixture, structures
from bayesgmm.errors import InputError
from bayesgmm.mixture.mixture import Mixture

CODES = [each.code for each in structures()]


@pytest.mark.parametrize("seed", range(5))
def test_five_percent_of_noise(seed):
    x, is_noise = with_noise(seed)
    clean = GaussianMixture(2, random_state=0).fit(x[~is_noise])
    deviations = np.sqrt(clean.mixture_.variances)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    plain = GaussianMixture(2, random_state=0).fit(x)
    assert (np.abs(fit.means_ - clean.means_) / deviations).max() < 0.1
    assert (np.abs(plain.means_ - clean.means_) / deviations).max() > 0.1
    assert roc_auc_score(is_noise, fit.outlier_proba(x)) > 0.95
    # Four standard errors of a share of .05 of 2,000 rows.
    assert fit.noise_.weight == pytest.approx(0.05, abs=0.02)
    labels = fit.predict(x)
    assert set(labels) == {-1, 0, 1}
    assert (labels[is_noise] == -1).mean() > 0.7
    assert (labels[~is_noise] == -1).mean() < 0.01


def test_probabilities_add_up_and_criteria_agree():
    x, _ = with_noise(1)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    probabilities, outlying = fit.predict_proba(x), fit.outlier_proba(x)
    assert_allclose(probabilities.sum(axis=1) + outlying, 1.0, rtol=1e-12)
    own = np.log(1 - fit.noise_.weight) + fit.mixture_.log_density(x)
    box = np.prod(np.ptp(x, axis=0))
    density = np.logaddexp(own, np.log(fit.noise_.weight / box))
    assert_allclose(fit.score_samples(x), density, rtol=1e-10)
    assert fit.log_likelihood_ == pytest.approx(density.sum(), rel=1e-12)
    assert fit.n_parameters_ == 12
    assert fit.bic() == pytest.approx(-2 * density.sum() + 12 * np.log(len(x)), rel=1e-12)
    certainty = np.log(np.maximum(probabilities.max(axis=1), outlying)).sum()
    assert fit.icl() == pytest.approx(fit.bic() - 2 * certainty, rel=1e-10)
    assert fit.outlier_proba([[1e6, -1e6]]) == pytest.approx(1.0)
    assert fit.predict([[1e6, -1e6]]) == [-1]


@pytest.mark.parametrize("code", CODES)
def test_the_likelihood_never_falls(code):
    x, _ = with_noise(2, 400, 40)
    fit = GaussianMixture(
        2, covariance_type=code, noise_component=True, random_state=0, acceleration=None
    ).fit(x)
    steps = np.diff(fit.lower_bounds_)
    assert steps.min() >= -1e-12 * abs(fit.lower_bound_)
    fast = GaussianMixture(2, covariance_type=code, noise_component=True, random_state=0).fit(x)
    assert fast.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-6)


def test_the_maximum_is_that_of_the_likelihood():
    rng = np.random.default_rng(3)
    x = np.concatenate((rng.normal(0.0, 1.0, 150), rng.uniform(-10, 10, 50)))[:, None]
    fit = GaussianMixture(1, noise_component=True, random_state=0).fit(x)

    def loss(u):
        share = 1.0 / (1.0 + np.exp(-u[0]))
        own = Mixture([1.0], u[1:2], np.exp(u[2:3])).log_density(x)
        return -np.logaddexp(np.log1p(-share) + own, np.log(share / np.ptp(x))).sum()

    best = minimize(loss, [-1.0, 0.1, 0.1], method="BFGS", options={"gtol": 1e-8})
    assert fit.log_likelihood_ == pytest.approx(-best.fun, abs=1e-8)
    assert fit.noise_.weight == pytest.approx(1 / (1 + np.exp(-best.x[0])), abs=1e-5)


@pytest.mark.parametrize("scale", [np.array([1e-5, 1e4]), np.array([1.0, 1e9])])
def test_units_of_the_columns_do_not_matter(scale):
    x, _ = with_noise(4, 500, 30)
    plain = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    other = GaussianMixture(2, noise_component=True, random_state=0).fit(scale * x)
    assert other.noise_.weight == pytest.approx(plain.noise_.weight, rel=1e-7)
    gap = plain.log_likelihood_ - other.log_likelihood_
    assert gap == pytest.approx(len(x) * np.log(scale).sum(), rel=1e-9)


def test_weights_repeat_rows():
    x, _ = with_noise(5, 300, 20)
    v = 1 + np.arange(len(x)) % 3
    weighted = GaussianMixture(2, noise_component=True, random_state=0).fit(x, sample_weight=v)
    repeated = GaussianMixture(2, noise_component=True, random_state=0).fit(np.repeat(x, v, axis=0))
    assert weighted.noise_.weight == pytest.approx(repeated.noise_.weight, rel=1e-6)
    one, other = weighted.standard_errors(), repeated.standard_errors()
    assert one.extras["weight[noise]"][1] == pytest.approx(
        other.extras["weight[noise]"][1], rel=1e-5
    )


def test_standard_errors_are_those_of_refits():
    x, _ = with_noise(6)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    found = fit.standard_errors()
    refits = []
    rng = np.random.default_rng(7)
    for _ in range(200):
        again = rng.integers(len(x), size=len(x))
        # From the fit: the highest maximum may lie on rows that were drawn often.
        made = copy.deepcopy(fit).set_params(warm_start=True).fit(x[again])
        refits.append([made.noise_.weight, *made.weights_, *made.means_.ravel()])
    spread = np.std(refits, axis=0)
    own = [found.extras["weight[noise]"][1], *found.weights, *found.means.ravel()]
    # The relative error of a standard deviation of 200 numbers is 5 %: four of them, and what the
    # box of resampled rows adds.
    assert_allclose(own, spread, rtol=0.25)
    assert "weight[noise]" in fit.summary()


def test_missing_entries_beside_noise():
    x, is_noise = with_noise(8)
    x[np.random.default_rng(9).random(x.shape) < 0.1] = np.nan
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    assert fit.converged_
    assert roc_auc_score(is_noise, fit.outlier_proba(x)) > 0.9
    assert fit.log_likelihood_ == pytest.approx(fit.score_samples(x).sum(), rel=1e-10)


def test_known_rows_are_not_noise():
    x, is_noise = with_noise(10, 300, 30)
    labels = np.where(is_noise, -1, TWO.classify(x))
    labels[0] = -1
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x, labels=labels)
    # Of the 31 rows without a label, all but those inside the components.
    assert 25 / 330 < fit.noise_.weight < 31 / 330


def test_a_column_of_one_value_is_refused():
    with pytest.raises(InputError, match="column 1 has one value"):
        GaussianMixture(1, covariance_type="diag", noise_component=True, reg_covar=1e-3).fit(
            np.column_stack((np.arange(20.0), np.ones(20)))
        )


def test_rows_without_noise():
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(FAITHFUL)
    plain = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    assert fit.log_likelihood_ >= plain.log_likelihood_ - 1e-6
    assert (plain.outlier_proba(FAITHFUL) == 0.0).all()
    assert fit.summary()


@pytest.mark.parametrize("method", ["bootstrap", "weighted-bootstrap"])
def test_refits_give_the_error_of_the_weight_of_noise(method):
    x, _ = with_noise(6, 570, 30)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    found = fit.standard_errors(method=method, n_resamples=200, rng=0, progressbar=False)
    # Four standard errors of a standard deviation of 200 numbers, and what the box adds.
    assert found.extras["weight[noise]"][1] == pytest.approx(
        fit.standard_errors().extras["weight[noise]"][1], rel=0.25
    )
    for kind in ("normal", "percentile"):
        row = found.intervals(kind=kind).loc["weight[noise]"]
        assert row["estimate"] == fit.noise_.weight
        assert row["lower"] < fit.noise_.weight < row["upper"]
    assert found.extra_replicates["weight[noise]"].shape == (200,)


def test_a_warm_start_begins_at_the_noise():
    x, _ = with_noise(6, 570, 30)
    fit = GaussianMixture(2, noise_component=True, random_state=0, warm_start=True).fit(x)
    before = fit.log_likelihood_
    fit.fit(x)
    assert fit.lower_bounds_[0] * len(x) == pytest.approx(before, abs=1e-6)
    fit.set_params(noise_component=False).fit(x)
    assert fit.noise_ is None


def test_a_sample_has_noise():
    x, _ = with_noise(6, 570, 30)
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(x)
    drawn, labels = fit.sample(10_000)
    assert (np.diff(labels) >= 0).all()
    # Four standard errors of a share of 10,000 rows.
    share = fit.noise_.weight
    assert (labels == -1).mean() == pytest.approx(share, abs=4 * np.sqrt(share / 10_000))
    outlying = drawn[labels == -1]
    assert ((fit.noise_.lower <= outlying) & (outlying <= fit.noise_.upper)).all()
    spread = np.ptp(x, axis=0) / np.sqrt(12.0)
    assert_allclose(outlying.std(axis=0), spread, rtol=0.15)
    inside = drawn[labels == 0]
    assert_allclose(inside.mean(axis=0), fit.means_[0], atol=0.1 * inside.std(axis=0).max())
