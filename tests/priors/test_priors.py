"""Priors: published numbers, densities against scipy and quadrature, units, documents, errors."""

import json

import numpy as np
import pytest
from scipy import integrate, stats

from bayesgmm import load_dataset
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.families import LKJ, Gamma, InverseGamma, InverseWishart, Wishart
from bayesgmm.priors.priors import Priors
from bayesgmm.priors.resolved_priors import ResolvedPriors

X = np.random.default_rng(0).standard_normal((60, 3)) * [1.0, 20.0, 0.01] + [5.0, 0.0, 1.0]
WORDS = ["full", "tied", "diag", "spherical"]


def mixture_of(word, k=3, d=3, seed=1):
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((k, d, d))
    covariances = roots @ roots.mT + 0.5 * np.eye(d)
    if word == "tied":
        covariances[:] = covariances[0]
    if word in ("diag", "spherical"):
        covariances = covariances * np.eye(d)
    if word == "spherical":
        covariances = covariances[:, :1, :1] * np.eye(d)
    unit = X.std(axis=0)[:d] if word != "spherical" else np.ones(d)
    return Mixture(
        rng.dirichlet(np.full(k, 5.0)),
        X.mean(axis=0)[:d] + unit * rng.standard_normal((k, d)),
        covariances * unit * unit[:, None],
    )


def weights_and_means(priors, mixture):
    return stats.dirichlet.logpdf(mixture.weights, priors.concentration) + sum(
        stats.norm.logpdf(mean, priors.mean_location, priors.mean_sd).sum()
        for mean in mixture.means
    )


def test_richardson_and_green_on_the_galaxies():
    x = load_dataset("galaxies").X
    r = x.max() - x.min()
    priors = Priors.richardson_green().for_data(x, 3)
    assert priors.concentration == (1.0, 1.0, 1.0)
    assert priors.mean_location == pytest.approx([(x.min() + x.max()) / 2], rel=1e-15)
    assert priors.mean_sd == pytest.approx([r], rel=1e-15)
    assert priors.covariances.shape == 2.0
    assert priors.covariances.scale.shape == 0.2
    assert priors.covariances.scale.rate == pytest.approx([10 / r**2], rel=1e-14)


def test_several_features_have_the_telescope_prior():
    # cran/telescope 0.2-0, vignette "Applying telescoping to ... multivariate Gaussian data":
    # b0 = median, B0 = diag(R^2), c0 = 2.5 + (r - 1) / 2, g0 = 0.5 + (r - 1) / 2,
    # G0 = 100 g0 / c0 diag(1 / R^2), Sigma^-1 ~ W(c0, C0), C0 ~ W(g0, G0), in the
    # parametrisation p(C0) ~ |C0|^(g0 - (r + 1) / 2) exp(-tr(G0 C0)).
    priors = Priors().for_data(X, 2)
    r, d = np.ptp(X, axis=0), 3
    c0, g0 = 2.5 + (d - 1) / 2, 0.5 + (d - 1) / 2
    family = priors.covariances
    assert priors.mean_location == tuple(np.median(X, axis=0))
    assert priors.mean_sd == pytest.approx(r)
    assert family.df == 2 * c0
    assert family.scale.df == 2 * g0
    # C = 2 C0 has exponent -tr(G0 C) / 2, so its Wishart scale is the inverse of G0.
    np.testing.assert_allclose(family.scale.scale, np.diag(c0 / (100 * g0) * r**2), rtol=1e-14)


@pytest.mark.parametrize("word", ["diag", "spherical"])
def test_inverse_gamma_density(word):
    priors = Priors().for_data(X, 3, word)
    mixture = mixture_of(word)
    family, hyper = priors.covariances, priors.covariances.scale
    variances = mixture.variances if word == "diag" else mixture.variances[:, :1]
    beta = np.full(variances.shape[1], 0.7)
    expected = weights_and_means(priors, mixture)
    expected += stats.invgamma.logpdf(variances, family.shape, scale=beta).sum()
    expected += stats.gamma.logpdf(beta, hyper.shape, scale=1 / np.asarray(hyper.rate)).sum()
    assert priors.log_density(mixture, beta) == pytest.approx(expected, rel=1e-12)
    # With the scale integrated out: p(theta) = p(theta, beta) / p(beta | theta).
    rate = np.asarray(hyper.rate) + (1 / variances).sum(axis=0)
    shape = hyper.shape + 3 * family.shape
    expected -= stats.gamma.logpdf(beta, shape, scale=1 / rate).sum()
    assert priors.log_density(mixture) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(priors.expected_scale(mixture), shape / rate, rtol=1e-14)


def test_the_scale_of_one_feature_is_integrated_out():
    x = load_dataset("galaxies").X
    priors = Priors().for_data(x, 2)
    mixture = Mixture([0.4, 0.6], [10.0, 21.0], [0.5, 4.0])
    log_joint = lambda beta: priors.log_density(mixture, [beta])  # noqa: E731
    centre = priors.expected_scale(mixture)[0]
    top = log_joint(centre)
    area, _ = integrate.quad(
        lambda t: np.exp(log_joint(centre * np.exp(t)) - top + t), -30, 5, epsabs=0, epsrel=1e-11
    )
    expected = top + np.log(centre * area)
    assert priors.log_density(mixture) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("word", ["full", "tied"])
def test_inverse_wishart_density(word):
    priors = Priors().for_data(X, 3, word)
    mixture = mixture_of(word)
    family = priors.covariances
    distinct = mixture.covariances if word == "full" else mixture.covariances[:1]
    c = np.diag(X.var(axis=0)) * 0.3
    expected = weights_and_means(priors, mixture)
    expected += sum(stats.invwishart.logpdf(each, family.df, c) for each in distinct)
    expected += stats.wishart.logpdf(c, family.scale.df, np.asarray(family.scale.scale))
    assert priors.log_density(mixture, c) == pytest.approx(expected, rel=1e-12)
    post = family.scale.df + len(distinct) * family.df
    inverses = np.linalg.inv(family.scale.scale) + np.linalg.inv(distinct).sum(axis=0)
    expected -= stats.wishart.logpdf(c, post, np.linalg.inv(inverses))
    assert priors.log_density(mixture) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(
        priors.expected_scale(mixture), post * np.linalg.inv(inverses), rtol=1e-9
    )


def test_lkj_correlations_integrate_to_one():
    # Two features: r in (-1, 1), the scales by scipy.
    priors = Priors(covariances=LKJ(2.5)).for_data(X[:, :2], 1)
    family = priors.covariances

    def density(s1, s2, r):
        covariance = np.array([[s1**2, r * s1 * s2], [r * s1 * s2, s2**2]])
        return np.exp(family.log_density(covariance[None]))

    s1, s2 = np.exp(family.log_scale_location)
    area, _ = integrate.quad(lambda r: density(s1, s2, r), -1, 1, epsabs=0, epsrel=1e-11)
    scales = stats.lognorm.pdf([s1, s2], family.log_scale_spread, scale=[s1, s2]).prod()
    assert area * 4 * s1**2 * s2**2 == pytest.approx(scales, rel=1e-9)


def test_lkj_of_three_features_integrates_to_one():
    # Partial correlations are symmetric Betas (their section 2.4): with eta = 1 the density is
    # uniform over a body of volume pi^2 / 2.
    family = LKJ(1.0, (0.0, 0.0, 0.0), 1.0)
    at_identity = family.log_density(np.eye(3)[None])
    scales = 3 * stats.lognorm.logpdf(1.0, 1.0)
    expected = scales - np.log(np.pi**2 / 2) - 3 * np.log(2.0)
    assert at_identity == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("hierarchical", [True, False])
@pytest.mark.parametrize("word", WORDS)
def test_beliefs_follow_the_units(word, hierarchical):
    scale = np.array([4.0, 0.5, 8.0]) if word != "spherical" else np.full(3, 4.0)
    shift = np.array([1.0, -2.0, 0.5])
    recipe = Priors(hierarchical=hierarchical)
    priors = recipe.for_data(X, 3, word)
    moved = recipe.for_data((X - shift) * scale, 3, word)
    carried = priors.transformed(shift, scale)
    np.testing.assert_allclose(carried.mean_location, moved.mean_location, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(carried.mean_sd, moved.mean_sd, rtol=1e-13)
    mixture = mixture_of(word)
    there = mixture.transformed(np.diag(scale), -shift * scale)
    # The Jacobian: K means, and m covariances with (D + 1) / 2 powers of each variance.
    powers = {"full": 3 * 4, "tied": 4, "diag": 3 * 2, "spherical": 3 * 2 / 3}[word]
    jacobian = (3 + powers) * np.log(scale).sum()
    for each in (carried, moved):
        assert each.log_density(there) == pytest.approx(
            priors.log_density(mixture) - jacobian, rel=1e-12
        )


@pytest.mark.parametrize("family", [None, "lkj", InverseWishart(8.0, np.diag([1.0, 2.0, 3.0]))])
def test_documents(family):
    priors = Priors(covariances=family).for_data(X, 4)
    text = json.dumps(priors.to_dict(), allow_nan=False)
    assert ResolvedPriors.from_dict(json.loads(text)) == priors


def test_a_fixed_scale_is_the_mean_of_the_learned_one():
    for word in WORDS:
        learned = Priors().for_data(X, 3, word).covariances
        fixed = Priors(hierarchical=False).for_data(X, 3, word).covariances
        np.testing.assert_allclose(fixed.scale, learned.scale.mean, rtol=1e-15)
        assert learned.hierarchical
        assert not fixed.hierarchical


def test_a_weight_is_a_repetition_and_nan_are_left_aside():
    rng = np.random.default_rng(4)
    counts = rng.integers(0, 3, 60)
    weighted = Priors(covariances="lkj").for_data(X, 2, sample_weight=counts)
    repeated = Priors(covariances="lkj").for_data(np.repeat(X, counts, axis=0), 2)
    np.testing.assert_allclose(weighted.mean_location, repeated.mean_location, rtol=1e-14)
    np.testing.assert_allclose(
        weighted.covariances.log_scale_location,
        repeated.covariances.log_scale_location,
        rtol=1e-12,
    )
    assert weighted.mean_sd == repeated.mean_sd
    holes = np.vstack([X, np.full(3, np.nan)])
    assert Priors().for_data(holes, 2) == Priors().for_data(X, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Priors(concentration=0), "concentration.*greater than 0"),
        (lambda: Priors(mean_sd=[1.0, -1.0]), "mean_sd must be greater than 0"),
        (lambda: Priors(covariances="wishart"), "not the name of a prior"),
        (lambda: Priors(covariances=3.0), "must be a name"),
        (lambda: InverseGamma(-1.0), "shape"),
        (lambda: InverseGamma(2.0, Gamma(rate=[1.0, 0.0])), "rate"),
        (lambda: InverseWishart(5.0, [[1.0, 2.0], [2.0, 1.0]]), "positive definite"),
        (lambda: Priors(mean_location=[1.0, 2.0]).for_data(X, 2), r"\(2,\).*\(3,\)"),
        (lambda: Priors(covariances="inverse-gamma").for_data(X, 2), "not a prior of"),
        (lambda: Priors(covariances="lkj").for_data(X, 2, "diag"), "Use InverseGamma"),
        (lambda: Priors(covariances=InverseWishart(2.0)).for_data(X, 2), "needs df > 2"),
        (lambda: Priors(covariances=InverseWishart(9.0, np.eye(2))).for_data(X, 2), "scale has"),
        (lambda: ResolvedPriors.from_dict({}), "cannot be read"),
        (lambda: Wishart(3.0, "x"), "positive definite"),
    ],
)
def test_what_makes_no_sense_is_refused(make, message):
    with pytest.raises(InvalidParameterError, match=message):
        make()


def test_constant_columns_give_no_scale():
    with pytest.raises(InputError, match="constant in column 1"):
        Priors().for_data(np.column_stack([X[:, 0], np.ones(60)]), 2)
    with pytest.raises(InputError, match="NaN"):
        Priors().for_data(np.full((3, 1), np.nan), 2)


def test_the_mixture_must_fit():
    with pytest.raises(InvalidParameterError, match="2 components of 3 features"):
        Priors().for_data(X, 2).log_density(mixture_of("full"))
