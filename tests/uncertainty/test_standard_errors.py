"""Standard errors: closed forms, differences, equivariance, what is not identified, coverage."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from bayesgmm import (
    GaussianMixture,
    InverseGamma,
    InverseWishart,
    Mixture,
    Priors,
    load_dataset,
    random_mixture,
)
from bayesgmm.covariance.structures import as_structure, structures
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.likelihood.information import information
from bayesgmm.mixture.matching import match_components
from bayesgmm.uncertainty.curvature import _in_chart
from bayesgmm.uncertainty.prior_hessian import prior_derivatives

FAITHFUL = load_dataset("faithful").X
STRUCTURES = [each for each in structures() if len(each.code) == 3]


def test_one_component_has_the_textbook_errors():
    x = FAITHFUL
    n = len(x)
    fit = GaussianMixture(1).fit(x)
    s = fit.covariances_[0]
    sd = np.sqrt(np.diagonal(s))
    rho = s[0, 1] / sd.prod()
    found = fit.standard_errors(x)
    assert_allclose(found.weights, 0.0, atol=1e-15)
    assert_allclose(found.means[0], sd / np.sqrt(n), rtol=1e-9)
    assert_allclose(found.standard_deviations[0], sd / np.sqrt(2 * n), rtol=1e-9)
    assert_allclose(found.correlations[0, 0, 1], (1 - rho**2) / np.sqrt(n), rtol=1e-9)
    assert_allclose(found.covariances[0, 0, 1], np.sqrt((s[0, 0] * s[1, 1] + s[0, 1] ** 2) / n))
    robust = fit.standard_errors(x, "sandwich")
    assert_allclose(robust.means[0], sd / np.sqrt(n), rtol=1e-9)
    fourth = ((x - x.mean(axis=0)) ** 4).mean(axis=0)
    assert_allclose(np.diagonal(robust.covariances[0]), np.sqrt((fourth - sd**4) / n), rtol=1e-9)


def along(fit, x, structure, rng):
    """Second difference of the log-likelihood along a curve of the structure, and the chart's."""
    mixture = fit.mixture_
    found = information(x, mixture)
    if fit.priors_ is not None:
        first, second = prior_derivatives(fit.priors_, mixture, found.roots)
        found = replace(found, gradient=found.gradient + first, hessian=found.hessian + second)
    jacobian, hessian = _in_chart(found, mixture, structure)
    scale = 1 / np.sqrt(np.maximum(np.einsum("im,im->m", jacobian, jacobian), 1e-12))
    c = rng.standard_normal(len(scale)) * scale / np.sqrt(len(scale))
    k, d = mixture.means.shape
    step = (jacobian @ c).reshape(k, -1)
    rows, columns = np.tril_indices(d)
    e = np.zeros((k, d, d))
    e[:, rows, columns] = e[:, columns, rows] = step[:, 1 + d :]
    change = found.roots @ e @ found.roots.mT

    def value(t):
        covariances = mixture.covariances + t * change
        if structure.diagonal:
            covariances = np.einsum("kii->ki", covariances)
        sizes = mixture.weights.reshape(-1, *[1] * (covariances.ndim - 1))
        made = structure.covariances(mixture.weights, sizes * covariances)
        if structure.diagonal:
            made = made[:, :, None] * np.eye(d)
        means = mixture.means + t * np.einsum("kij,kj->ki", found.roots, step[:, 1 : 1 + d])
        moved = Mixture(mixture.weights + t * step[:, 0], means, made)
        prior = 0.0 if fit.priors_ is None else fit.priors_.log_density(moved)
        return moved.log_density(x).sum() + prior

    h = 0.02
    f = [value(t) for t in (-2 * h, -h, 0.0, h, 2 * h)]
    difference = (-f[0] + 16 * f[1] - 30 * f[2] + 16 * f[3] - f[4]) / (12 * h**2)
    return difference, c @ hessian @ c


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda each: each.code)
def test_second_derivatives_along_each_structure(structure):
    # Off the structure the slope of the likelihood is not zero: the chart's curvature takes part.
    fit = GaussianMixture(2, covariance_type=structure.code, random_state=0).fit(FAITHFUL)
    rng = np.random.default_rng(5)
    for _ in range(4):
        difference, product = along(fit, FAITHFUL, structure, rng)
        # Fourth order in h = .02.
        assert product == pytest.approx(difference, rel=2e-4)


@pytest.mark.parametrize("hierarchical", [True, False])
@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda each: each.code)
def test_second_derivatives_of_the_posterior(structure, hierarchical):
    # Forty rows, of which the prior is a tenth.
    x = FAITHFUL[:40]
    prior = Priors(hierarchical=hierarchical, mean_sd=[1.0, 10.0])
    fit = GaussianMixture(2, covariance_type=structure.code, priors=prior, random_state=0).fit(x)
    rng = np.random.default_rng(6)
    for _ in range(4):
        difference, product = along(fit, x, structure, rng)
        assert product == pytest.approx(difference, rel=1e-3)
    assert np.isfinite(fit.standard_errors(x).means).all()


@pytest.mark.parametrize("word", ["full", "diag", "spherical"])
def test_second_derivatives_of_priors_that_differ(word):
    x = FAITHFUL[:40]
    family = {
        "full": InverseWishart(9.0, [np.diag([0.5, 200.0]), np.diag([2.0, 90.0])]),
        "diag": InverseGamma(4.0, [[0.5, 200.0], [2.0, 90.0]]),
        "spherical": InverseGamma(4.0, [[20.0], [90.0]]),
    }
    prior = Priors(
        concentration=[3.0, 6.0],
        mean_location=[[2.0, 50.0], [4.0, 80.0]],
        mean_sd=[[0.3, 5.0], [1.0, 10.0]],
        covariances=family[word],
    )
    fit = GaussianMixture(2, covariance_type=word, priors=prior, random_state=0).fit(x)
    rng = np.random.default_rng(6)
    for _ in range(4):
        difference, product = along(fit, x, as_structure(word), rng)
        assert product == pytest.approx(difference, rel=1e-3)


@pytest.mark.parametrize("structure", STRUCTURES, ids=lambda each: each.code)
@pytest.mark.parametrize("method", ["information", "sandwich"])
def test_rank_is_the_number_of_free_parameters(structure, method):
    fit = GaussianMixture(2, covariance_type=structure.code, random_state=0).fit(FAITHFUL)
    found = fit.standard_errors(FAITHFUL, method)
    assert found.notes == ()
    scale = np.sqrt(np.diagonal(found.joint))
    kept = scale > 0
    unit = found.joint[np.ix_(kept, kept)] / scale[kept] / scale[kept, None]
    values = np.linalg.eigvalsh(unit)
    assert (values > 1e-9).sum() == fit.n_parameters_
    assert values.min() > -1e-9
    # Weights sum to 1 whatever happens.
    assert abs(found.joint[:2, :2].sum()) < 1e-12


def test_far_apart_components_are_fitted_alone():
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(0, 1, 300), rng.normal(100, 2, 700)])[:, None]
    fit = GaussianMixture(2, random_state=0).fit(x)
    found = fit.standard_errors(x)
    sd = np.sqrt(fit.covariances_[:, 0, 0])
    assert_allclose(found.means[:, 0], sd / np.sqrt([300, 700]), rtol=1e-9)
    assert_allclose(found.standard_deviations[:, 0], sd / np.sqrt([600, 1400]), rtol=1e-9)
    assert_allclose(found.weights, np.sqrt(0.3 * 0.7 / 1000), rtol=1e-9)


def test_units_and_repetition():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    here = fit.standard_errors(FAITHFUL)
    a, b = np.array([1e-4, 1e3]), np.array([1e2, -1e5])
    moved = FAITHFUL * a + b
    there = GaussianMixture(2, random_state=0).fit(moved).standard_errors(moved)
    assert_allclose(there.weights, here.weights, rtol=1e-5)
    assert_allclose(there.means / a, here.means, rtol=1e-5)
    assert_allclose(there.correlations, here.correlations, rtol=1e-5)
    for method in ("information", "sandwich"):
        once = fit.standard_errors(FAITHFUL, method)
        twice = np.repeat(FAITHFUL, 2, axis=0)
        weighted = fit.standard_errors(FAITHFUL, method, sample_weight=np.full(272, 2.0))
        repeated = fit.standard_errors(twice, method)
        assert_allclose(weighted.means, repeated.means, rtol=1e-9)
        assert_allclose(weighted.means, once.means / np.sqrt(2), rtol=1e-9)


def test_a_table_of_intervals():
    fit = GaussianMixture(2, random_state=0).fit(load_dataset("faithful").X)
    found = fit.standard_errors(FAITHFUL)
    table = found.intervals(prob=0.95)
    assert list(table.columns) == ["estimate", "standard_error", "lower", "upper"]
    assert table.attrs == {"prob": 0.95, "kind": "normal", "method": "information"}
    row = table.loc["mean[1, x0]"]
    assert row.estimate == fit.means_[1, 0]
    assert row.upper - row.lower == pytest.approx(2 * stats.norm.ppf(0.975) * found.means[1, 0])
    assert table.loc["sd[0, x1]"].estimate == pytest.approx(np.sqrt(fit.covariances_[0, 1, 1]))
    assert len(table) == 2 + 4 + 4 + 2
    for bad in ({"prob": 1.0}, {"kind": "percentile"}):
        with pytest.raises(InvalidParameterError):
            found.intervals(**bad)


def test_two_equal_components_have_no_errors():
    x = np.random.default_rng(2).standard_normal((200, 1))
    fit = GaussianMixture(
        2, weights_init=[0.5, 0.5], means_init=[[0.0], [0.0]], precisions_init=[[[1.0]], [[1.0]]]
    ).fit(x)
    found = fit.standard_errors(x)
    assert np.isnan(found.weights).all()
    assert np.isnan(found.means).all()
    assert np.isnan(found.standard_deviations).all()
    assert "components 0 and 1" in found.notes[0]
    assert found.table.standard_error.isna().all()


def test_of_one_component_too_many_the_others_keep_theirs():
    # Two clusters far apart, the second of which is fitted by two equal components.
    rng = np.random.default_rng(3)
    first, second = rng.normal(0, 1, (200, 1)), rng.normal(50, 1, (200, 1))
    x = np.concatenate([first, second])
    start = {"weights_init": [0.5, 0.25, 0.25], "means_init": [[0.0], [50.0], [50.0]]}
    fit = GaussianMixture(3, precisions_init=np.ones((3, 1, 1)), **start).fit(x)
    found = fit.standard_errors(x)
    assert found.means[0, 0] == pytest.approx(first.std() / np.sqrt(200), rel=1e-6)
    assert found.weights[0] == pytest.approx(np.sqrt(0.25 / 400), rel=1e-6)
    assert np.isnan(found.means[1:]).all()
    assert np.isnan(found.weights[1:]).all()
    assert "components 1 and 2" in " ".join(found.notes)


def test_one_normal_cluster_does_not_determine_two_components():
    x = np.random.default_rng(56).standard_normal((150, 1))
    fit = GaussianMixture(2, random_state=0).fit(x)
    found = fit.standard_errors(x)
    assert len(found.notes) == 2
    assert "takes the weight of component 0 to 0" in found.notes[0]
    assert np.isnan(found.weights).all()
    assert np.isnan(found.means).all()


def test_what_cannot_be_done_is_refused():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    with pytest.raises(InputError, match="not a maximum for X"):
        fit.standard_errors(FAITHFUL[:200])
    with pytest.raises(InvalidParameterError, match="method must be one of"):
        fit.standard_errors(FAITHFUL, "hessian")
    with pytest.raises(InvalidParameterError, match="n_resamples"):
        fit.standard_errors(FAITHFUL, "bootstrap", n_resamples=1)


@pytest.mark.parametrize("method", ["bootstrap", "weighted-bootstrap"])
def test_bootstraps_agree_with_the_sandwich(method):
    mixture = random_mixture(2, 2, average_overlap=0.005, rng=6)
    x, _ = mixture.sample(1000, rng=7)
    fit = GaussianMixture(2, random_state=0).fit(x)
    found = fit.standard_errors(x, method, n_resamples=300, rng=8)
    expected = fit.standard_errors(x, "sandwich")
    # A standard deviation of 300 has a standard error of 4 %; four of them, and n^-1/2 of 3 % for
    # the next order of the expansion.
    for name in ("weights", "means", "standard_deviations"):
        assert_allclose(getattr(found, name), getattr(expected, name), rtol=0.19)
    assert found.replicates.shape == (300, 2 + 4 + 6)
    table = found.intervals(kind="percentile")
    assert (table.lower < table.estimate).all()
    assert (table.estimate < table.upper).all()


def test_a_bootstrap_does_not_depend_on_workers_or_labels():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    runs = [
        fit.standard_errors(FAITHFUL, "bootstrap", n_resamples=20, rng=3, n_jobs=n_jobs)
        for n_jobs in (1, 2)
    ]
    assert np.array_equal(runs[0].replicates, runs[1].replicates)
    other = fit.standard_errors(FAITHFUL, "bootstrap", n_resamples=20, rng=4)
    assert not np.array_equal(runs[0].replicates, other.replicates)
    # One label for one component: the first means stay near 2 and never near 4.3.
    assert runs[0].replicates[:, 2].max() < 3


def coverage(replications, seed):
    """Share of 90 % intervals that cover true means and weights, and how many there were."""
    truth = random_mixture(3, 2, average_overlap=0.01, rng=11)
    reach = stats.norm.ppf(0.95)
    covered = []
    for child in np.random.SeedSequence(seed).spawn(replications):
        x, _ = truth.sample(1000, rng=np.random.default_rng(child))
        fit = GaussianMixture(3, random_state=0).fit(x)
        order = match_components(fit.mixture_, truth).order
        found = fit.standard_errors(x)
        assert found.notes == ()
        mean_hits = abs(fit.means_[order] - truth.means) <= reach * found.means[order]
        weight_hits = abs(fit.weights_[order] - truth.weights) <= reach * found.weights[order]
        covered.append(np.concatenate([mean_hits.ravel(), weight_hits]))
    return np.array(covered)


def test_intervals_cover_as_often_as_they_say():
    replications = 60
    hits = coverage(replications, seed=21)
    # Intervals of one data set depend on one another: the error is that of the data sets' shares.
    error = hits.mean(axis=1).std(ddof=1) / np.sqrt(replications)
    # Four standard errors (a false alarm in 16,000), and the 1 % that normal intervals may miss.
    assert abs(hits.mean() - 0.9) < 4 * error + 0.01
    # Each single number: binomial at .9, nine of them, false alarm under 1e-4 in all.
    assert hits.sum(axis=0).min() >= stats.binom.ppf(1e-5, replications, 0.89)


@pytest.mark.slow
def test_intervals_cover_between_87_and_93_percent():
    hits = coverage(400, seed=22)
    assert 0.87 < hits[:, :6].mean() < 0.93
    assert 0.87 < hits[:, 6:].mean() < 0.93


@pytest.mark.parametrize("unit", [1e-140, 1e-100, 1e100, 1e140])
@pytest.mark.parametrize("method", ["information", "sandwich", "bootstrap"])
def test_units_whose_squares_float64_does_not_hold(unit, method):
    options = {"n_resamples": 20, "rng": 1, "progressbar": False}
    plain, far = (
        GaussianMixture(2, random_state=0).fit(x).standard_errors(x, method, **options)
        for x in (FAITHFUL, FAITHFUL * unit)
    )
    # Two fits stop at slightly different points; refits too.
    close = {"rtol": 1e-5}
    assert_allclose(far.weights, plain.weights, **close)
    assert_allclose(far.means / unit, plain.means, **close)
    assert_allclose(far.standard_deviations / unit, plain.standard_deviations, **close)
    assert_allclose(far.covariances / unit / unit, plain.covariances, **close)
    assert_allclose(far.correlations, plain.correlations, **close)


def test_columns_are_those_of_the_fit():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    with pytest.raises(InputError, match="X has 1 features, but GaussianMixture is expecting 2"):
        fit.standard_errors(FAITHFUL[:, :1])
    frame = pd.DataFrame(FAITHFUL, columns=["eruption", "waiting"])
    fit.fit(frame)
    with pytest.raises(InputError, match="feature names should match"):
        fit.standard_errors(frame[["waiting", "eruption"]])


@pytest.mark.parametrize("code", ["VEV", "EEV", "EVE", "VVE", "EEE"])
def test_one_component_is_one_model_in_any_structure_and_unit(code):
    """With K = 1 what components share is free, also where columns differ by 1e40."""
    x = np.random.default_rng(0).normal(size=(60, 2)) * [1e-20, 1e20]
    here = GaussianMixture(1).fit(x).standard_errors(x)
    there = GaussianMixture(1, covariance_type=code).fit(x).standard_errors(x)
    # Derivatives are taken at the same maximum, but for the rounding of their units.
    assert_allclose(there.means, here.means, rtol=1e-12)
    assert_allclose(there.standard_deviations, here.standard_deviations, rtol=1e-12)


def test_axes_that_float64_cannot_tell_apart_are_refused():
    rng = np.random.default_rng(0)
    x = np.concatenate((rng.normal(size=(40, 2)), rng.normal(5.0, 2.0, (40, 2)))) * [1e-10, 1.0]
    fit = GaussianMixture(2, covariance_type="VVE", random_state=0).fit(x)
    with pytest.raises(InputError, match="too close to singular"):
        fit.standard_errors(x)
