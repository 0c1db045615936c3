"""Penalised EM: modes of the posterior, for every structure, where likelihood has them and not."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from bayesgmm import GaussianMixture, Mixture, Priors, load_dataset
from bayesgmm.covariance.structures import as_structure, structures
from bayesgmm.errors import InvalidParameterError
from bayesgmm.likelihood import e_step, score
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.objective import Objective

FAITHFUL = load_dataset("faithful").X
GALAXIES = load_dataset("galaxies").X
CODES = [each.code for each in structures() if len(each.code) == 3]


def dense(covariances):
    return covariances if covariances.ndim == 3 else covariances[:, :, None] * np.eye(2)


def nearby(fit, structure, weights, means, covariances):
    """The mixture of the structure next to changed parameters."""
    if structure.diagonal:
        covariances = np.einsum("kii->ki", covariances)
    sizes = weights.reshape(-1, *[1] * (covariances.ndim - 1))
    return Mixture(weights, means, dense(structure.covariances(weights, sizes * covariances)))


def slope(values, h):
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * h)


def slopes_at(fit, x, structure, rng):
    """Slopes of log-likelihood and log prior along a random curve through a fit, and their size."""
    own = fit.mixture_
    unit = np.sqrt(own.variances)
    dw, dm = rng.standard_normal(own.n_components), rng.standard_normal(own.means.shape) * unit
    change = 0.1 * rng.standard_normal(own.covariances.shape)
    dc = (change + change.mT) * unit[:, :, None] * unit[:, None, :]
    h = 1e-3
    points = []
    for t in (-2 * h, -h, h, 2 * h):
        w = own.weights * np.exp(t * dw)
        moved = own.covariances + t * dc
        points.append(nearby(fit, structure, w / w.sum(), own.means + t * dm, moved))
    found = score(e_step(np.ascontiguousarray(x), own), own)
    parts = [
        (getattr(found, name) * slope([getattr(p, name) for p in points], h))
        for name in ("weights", "means", "covariances")
    ]
    prior = slope([fit.priors_.log_density(p) for p in points], h)
    return sum(p.sum() for p in parts), prior, sum(abs(p).sum() for p in parts)


def test_objectives_are_equal_if_all_that_is_maximised_is():
    structure, fixed = as_structure("VVV"), Priors(hierarchical=False).for_data(FAITHFUL, 2)
    different = {
        structure,
        Objective(structure),
        Objective(as_structure("EEE")),
        Objective(structure, priors=fixed),
        Objective(structure, priors=Priors().for_data(FAITHFUL, 2)),
        Objective(structure, ridge=(1e-6, 1e-6)),
    }
    assert len(different) == 6
    again = Priors(hierarchical=False).for_data(FAITHFUL, 2)
    assert Objective(structure, priors=again) in different


def test_each_fit_has_its_own_priors():
    weak, strong = Priors(hierarchical=False), Priors(concentration=30.0, mean_sd=[0.05, 1.0])
    fits = [
        GaussianMixture(2, priors=priors, random_state=0).fit(FAITHFUL).mixture_
        for priors in (weak, strong, weak, None)
    ]
    assert fits[0] == fits[2]
    assert abs(fits[1].means - fits[0].means).max() > 1e-3
    assert abs(fits[3].means - fits[0].means).max() > 1e-6


PRIORS = {
    "learned scale": Priors(),
    "fixed scale": Priors(hierarchical=False),
    "strong": Priors(concentration=30.0, mean_location=[2.0, 60.0], mean_sd=[0.05, 1.0]),
    "different": Priors(
        concentration=[30.0, 3.0],
        mean_location=[[4.1, 85.0], [2.2, 50.0]],
        mean_sd=[[0.05, 1.0], [0.1, 2.0]],
    ),
}


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize(
    "structure", [s for s in structures() if len(s.code) == 3], ids=lambda each: each.code
)
def test_the_gradient_of_the_log_posterior_is_zero(structure, name):
    x = FAITHFUL
    fit = GaussianMixture(
        2, covariance_type=structure.code, priors=PRIORS[name], random_state=0
    ).fit(x)
    assert fit.converged_
    rng = np.random.default_rng(3)
    for _ in range(5):
        likelihood, prior, scale = slopes_at(fit, x, structure, rng)
        # Neither is zero alone, beyond the errors of the differences (h^4) and of the optimum.
        assert abs(likelihood + prior) <= 1e-7 * (scale + len(x))
    if name in ("strong", "different"):
        assert abs(prior) > 1e-3 * scale
    if name == "different":
        # Component k is the one with the k-th prior, not the one with the k-th smallest mean.
        assert fit.means_[0, 0] > fit.means_[1, 0]


OF_EACH = {
    "VVV": InverseWishart(30.0, [np.diag([0.5, 500.0]), np.diag([8.0, 30.0])]),
    "VVI": InverseGamma(20.0, [[0.5, 500.0], [8.0, 30.0]]),
    "VII": InverseGamma(20.0, [[5.0], [200.0]]),
}


@pytest.mark.parametrize("code", OF_EACH)
def test_covariances_of_each_component_have_priors_of_their_own(code):
    priors = Priors(covariances=OF_EACH[code], mean_location=[[4.3, 80.0], [2.0, 54.0]])
    fit = GaussianMixture(2, covariance_type=code, priors=priors, random_state=0).fit(FAITHFUL)
    assert fit.converged_
    rng = np.random.default_rng(3)
    for _ in range(5):
        likelihood, prior, scale = slopes_at(fit, FAITHFUL, as_structure(code), rng)
        assert abs(likelihood + prior) <= 1e-7 * (scale + len(FAITHFUL))
    # Also the components at which runs start are in the order that the priors favour.
    swapped = fit.priors_.log_density(fit.mixture_.permuted([1, 0]))
    assert swapped < fit.priors_.log_density(fit.mixture_) - 1.0


@pytest.mark.parametrize(("components", "up"), [(None, True), ((0, 1), True), ((1, 0), False)])
def test_ordered_means_number_the_components(components, up):
    priors = Priors(ordered="waiting", ordered_components=components)
    fit = GaussianMixture(2, priors=priors, random_state=0).fit(
        pd.DataFrame(FAITHFUL, columns=["eruptions", "waiting"])
    )
    free = GaussianMixture(2, priors=Priors(), random_state=0).fit(FAITHFUL)
    assert (fit.means_[0, 1] < fit.means_[1, 1]) == up
    # Of two permutations of equal density the order keeps one.
    assert fit.log_posterior_ == pytest.approx(free.log_posterior_ + np.log(2.0), rel=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3, 5])
def test_one_feature(k):
    structure = next(each for each in structures() if each.code == "VVV")
    fit = GaussianMixture(k, priors=Priors.richardson_green(), random_state=0).fit(GALAXIES)
    assert fit.converged_
    rng = np.random.default_rng(k)
    for _ in range(5):
        likelihood, prior, scale = slopes_at(fit, GALAXIES, structure, rng)
        assert abs(likelihood + prior) <= 1e-7 * (scale + len(GALAXIES))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("acceleration", ["anderson", None])
def test_no_step_loses_posterior_density(code, acceleration):
    fit = GaussianMixture(
        3,
        covariance_type=code,
        priors="default",
        init_params="random",
        acceleration=acceleration,
        max_iter=5000,
        tol=1e-9,
        random_state=1,
    ).fit(FAITHFUL)
    rises = np.diff(fit.lower_bounds_)
    assert rises.min() >= -8 * np.finfo(float).eps * abs(fit.lower_bounds_[-1])
    assert fit.lower_bounds_[-1] == pytest.approx(fit.log_posterior_ / 272, rel=1e-12)


def test_the_numbers_reported_are_those_of_the_mixture():
    fit = GaussianMixture(2, priors="default", random_state=0).fit(FAITHFUL)
    assert fit.log_likelihood_ == pytest.approx(fit.mixture_.log_density(FAITHFUL).sum(), rel=1e-12)
    assert fit.log_posterior_ == fit.log_likelihood_ + fit.priors_.log_density(fit.mixture_)
    plain = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    assert plain.priors_ is None
    assert plain.log_posterior_ is None
    assert plain.log_likelihood_ > fit.log_likelihood_


def test_a_prior_that_says_nothing_leaves_the_maximum_of_the_likelihood():
    # Dirichlet(1), a flat mean, and an inverse-Wishart whose count and scatter are next to none.
    flat = Priors(
        concentration=1.0,
        mean_sd=1e9,
        covariances=InverseWishart(1.0 + 1e-9, np.eye(2) * 1e-9),
    )
    fit = GaussianMixture(2, priors=flat, random_state=0).fit(FAITHFUL)
    plain = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    # What is left of the prior: 4 rows' worth of determinant, of 272.
    assert_allclose(fit.means_, plain.means_, rtol=2e-3)
    tied = GaussianMixture(1, priors=flat).fit(FAITHFUL)
    expected = np.cov(FAITHFUL.T, bias=True) * 272 / (272 + 4)
    assert_allclose(tied.covariances_[0], expected, rtol=1e-9)


def test_one_component_has_a_closed_form():
    # A normal-inverse-gamma mode by its two equations, iterated by hand.
    x = GALAXIES[:, 0]
    n, prior = len(x), Priors(covariances=InverseGamma(3.0, 5.0), mean_location=15.0, mean_sd=2.0)
    fit = GaussianMixture(1, priors=prior).fit(GALAXIES)
    mean, variance = x.mean(), x.var()
    for _ in range(200):
        mean = (n / variance * x.mean() + 15.0 / 4.0) / (n / variance + 0.25)
        variance = (((x - mean) ** 2).sum() + 10.0) / (n + 8.0)
    assert fit.means_[0, 0] == pytest.approx(mean, rel=1e-12)
    assert fit.covariances_[0, 0, 0] == pytest.approx(variance, rel=1e-12)


def collapsing():
    """Data on which a start ends on two equal rows, on a line, or on one row."""
    rng = np.random.default_rng(8)
    cloud = rng.standard_normal((40, 2))
    far = np.array([[9.0, 9.0]])
    line = np.column_stack([np.linspace(20, 21, 5), np.linspace(5, 7, 5)])
    return {
        "two equal rows": np.vstack([cloud, far, far]),
        "one row": np.vstack([cloud, far]),
        "a line": np.vstack([cloud, line]),
    }


def lives(case, code, prior):
    x = collapsing()[case]
    fit = GaussianMixture(
        2, covariance_type=code, priors=prior, random_state=0, means_init=[[0.0, 0.0], x[-1]]
    ).fit(x)
    assert fit.converged_
    assert np.linalg.eigvalsh(fit.mixture_.covariances).min() > 1e-6
    assert fit.predict(x[-1:]) == [1]
    assert set(fit.starts_.outcome) == {"converged"}


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("case", ["two equal rows", "one row", "a line"])
def test_what_collapses_under_maximum_likelihood_lives(case, code):
    lives(case, code, "default")


@pytest.mark.parametrize(
    ("case", "code"),
    [
        *(("one row", code) for code in ("VVV", "EEE", "VVI", "VII")),
        *(("two equal rows", code) for code in ("VVV", "EEE", "VVI")),
    ],
)
def test_a_learned_scale_holds_a_component_on_few_rows(case, code):
    # It shrinks with the component if (m nu + p) < N + nu + D + 1, so not for these.
    lives(case, code, Priors())


def test_rows_fewer_than_columns():
    x = np.random.default_rng(2).standard_normal((6, 10))
    fit = GaussianMixture(2, priors="default", random_state=0).fit(x)
    assert fit.converged_
    assert np.linalg.eigvalsh(fit.covariances_).min() > 1e-6


def test_a_given_scale_holds_where_most_rows_are_equal():
    # A learned scale may follow a component onto 30 equal rows; a given one cannot.
    x = np.concatenate([np.zeros(30), np.random.default_rng(3).normal(5.0, 1.0, 30)])[:, None]
    fit = GaussianMixture(2, priors="default", random_state=0).fit(x)
    assert fit.converged_
    count = 30 + 2 * 3
    scale = 2 * 0.02 * np.ptp(x) ** 2
    assert fit.covariances_[0, 0, 0] == pytest.approx(scale / count, rel=0.05)


@pytest.mark.parametrize("code", CODES)
def test_units_do_not_matter(code):
    apart = as_structure(code).scales_by_column
    a = np.array([1e-6, 300.0] if apart else [8.0, 8.0])
    b = np.array([1e3, -5.0])
    kind = {"covariance_type": code, "priors": "default", "random_state": 0}
    here = GaussianMixture(2, **kind).fit(FAITHFUL)
    there = GaussianMixture(2, **kind).fit(FAITHFUL * a + b)
    assert_allclose(there.weights_, here.weights_, rtol=1e-6)
    assert_allclose((there.means_ - b) / a, here.means_, rtol=1e-6)
    assert_allclose(
        there.mixture_.covariances / a / a[:, None], here.mixture_.covariances, rtol=1e-5, atol=1e-9
    )


def test_a_weight_is_a_repetition():
    counts = np.random.default_rng(6).integers(0, 3, len(FAITHFUL))
    kind = {"priors": "default", "means_init": [[2.0, 54.0], [4.3, 80.0]]}
    weighted = GaussianMixture(2, **kind).fit(FAITHFUL, sample_weight=counts)
    repeated = GaussianMixture(2, **kind).fit(np.repeat(FAITHFUL, counts, axis=0))
    assert_allclose(weighted.means_, repeated.means_, rtol=1e-7)
    assert weighted.log_posterior_ == pytest.approx(repeated.log_posterior_, abs=1e-8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"priors": Priors(covariances=LKJ())}, "no closed|without a closed"),
        ({"priors": Priors(concentration=0.5)}, "no maximum"),
        ({"priors": Priors(concentration=[2.0, 0.01])}, "concentration=0.01 < 1.*sample_posterior"),
        ({"priors": PRIORS["different"], "order_by": "means"}, "Leave order_by out"),
        ({"priors": Priors(ordered=0), "order_by": "weights"}, "Leave order_by out"),
        ({"priors": "default", "reg_covar": 1e-6}, "one of them"),
        ({"priors": "jeffreys"}, "priors"),
        ({"priors": Priors(mean_sd=[1.0, 2.0, 3.0])}, "mean_sd has shape"),
    ],
)
def test_priors_that_have_no_mode_are_refused(settings, message):
    with pytest.raises(InvalidParameterError, match=message):
        GaussianMixture(2, **settings).fit(FAITHFUL)
