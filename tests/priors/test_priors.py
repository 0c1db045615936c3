"""Priors: published numbers, densities against scipy and quadrature, units, documents, errors."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from scipy import integrate, stats

from bayesgmm import load_dataset
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.hyperpriors import Gamma, Wishart
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


DIFFERENT = {
    "concentration": [0.5, 1.0, 2.0, 4.0],
    "mean_location": X[:4],
    "mean_sd": [1.0, 2.0, 3.0],
}


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"covariances": "lkj"},
        {"covariances": InverseWishart(8.0, np.diag([1.0, 2.0, 3.0]))},
        {"covariances": InverseWishart(8.0, [c * np.eye(3) for c in (1.0, 2.0, 3.0, 4.0)])},
        {"covariances": LKJ(2.0, X[:4])},
        DIFFERENT,
        {"ordered": 1},
        {"ordered": -1, "ordered_components": [2, 0]},
    ],
)
def test_documents(numbers):
    priors = Priors(**numbers).for_data(X, 4)
    text = json.dumps(priors.to_dict(), allow_nan=False)
    assert ResolvedPriors.from_dict(json.loads(text)) == priors
    # Passed on: all numbers are given, and nothing follows from other data.
    for given in (priors, text):
        assert Priors.from_resolved(given).for_data(X[:20] * 7.0, 4) == priors


def test_equal_priors_may_be_passed_on_to_another_number_of_components():
    priors = Priors(concentration=3.0).for_data(X, 4)
    assert Priors.from_resolved(priors).for_data(X, 2).concentration == (3.0, 3.0)
    different = Priors(**DIFFERENT).for_data(X, 4)
    with pytest.raises(InvalidParameterError, match=r"concentration has shape \(4,\).*\(2,\)"):
        Priors.from_resolved(different).for_data(X, 2)


FAMILIES = {
    "full": InverseWishart(7.0, [c * np.diag([1.0, 400.0, 1e-4]) for c in (1.0, 2.0, 3.0)]),
    "diag": InverseGamma(3.0, [[c, 400.0 * c, 1e-4 * c] for c in (1.0, 2.0, 3.0)]),
    "spherical": InverseGamma(3.0, [[1.0], [2.0], [3.0]]),
}


@pytest.mark.parametrize("word", FAMILIES)
def test_the_density_of_priors_that_differ(word):
    numbers = {name: DIFFERENT[name][:3] for name in DIFFERENT}
    priors = Priors(covariances=FAMILIES[word], **numbers).for_data(X, 3, word)
    mixture = mixture_of(word)
    expected = stats.dirichlet.logpdf(mixture.weights, priors.concentration)
    expected += stats.norm.logpdf(mixture.means, priors.mean_location, priors.mean_sd).sum()
    for covariance, scale in zip(mixture.covariances, FAMILIES[word].scale, strict=True):
        if word == "full":
            expected += stats.invwishart.logpdf(covariance, 7.0, np.array(scale))
        else:
            variances = np.diagonal(covariance)[: len(scale)]
            expected += stats.invgamma.logpdf(variances, 3.0, scale=scale).sum()
    assert priors.log_density(mixture) == pytest.approx(expected, rel=1e-12)
    assert not priors.exchangeable
    moved = priors.transformed(np.ones(3), np.full(3, 2.0))
    there = mixture.transformed(np.full(3, 2.0) * np.eye(3), -2.0)
    powers = {"full": 3 * 3 * 4, "diag": 3 * 3 * 2, "spherical": 3 * 2}[word]
    jacobian = (3 * 3 + powers) * np.log(2.0)
    assert moved.log_density(there) == pytest.approx(priors.log_density(mixture) - jacobian)


@pytest.mark.parametrize("word", FAMILIES)
def test_the_best_order_has_the_highest_density(word):
    numbers = {name: DIFFERENT[name][:3] for name in DIFFERENT}
    priors = Priors(covariances=FAMILIES[word], **numbers).for_data(X, 3, word)
    for seed in range(5):
        mixture = mixture_of(word, seed=seed)
        values = [priors.log_density(mixture.permuted(p)) for p in itertools.permutations(range(3))]
        best = priors.log_density(mixture.permuted(priors.best_order(mixture)))
        assert best == pytest.approx(max(values), rel=1e-13)


def test_equal_numbers_are_one_prior():
    given = Priors(concentration=[2.0] * 2, mean_location=[[1.0] * 3] * 2, mean_sd=X.std(axis=0))
    priors = given.for_data(X, 2)
    assert priors.mean_location == (1.0, 1.0, 1.0)
    assert priors.exchangeable
    assert not Priors(ordered=0).for_data(X, 2).exchangeable


def test_ordered_means_have_one_of_all_permutations():
    mixture = mixture_of("full", k=4)
    free = Priors().for_data(X, 4)
    for components in (None, [3, 1]):
        priors = Priors(ordered=2, ordered_components=components).for_data(X, 4)
        sorted_one = mixture.permuted(priors.in_order(mixture.means))
        permutations = np.log(24.0 if components is None else 2.0)
        expected = free.log_density(sorted_one) + permutations
        assert priors.log_density(sorted_one) == pytest.approx(expected, rel=1e-13)
        these = list(components or range(4))
        assert (np.diff(sorted_one.means[these, 2]) > 0.0).all()
        order = np.arange(4)
        order[these[:2]] = these[1::-1]
        assert priors.log_density(sorted_one.permuted(order)) == -np.inf


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
        (lambda: Priors(concentration=[1.0, -1.0]), "concentration.*greater than 0"),
        (lambda: Priors(concentration=[1.0, 2.0]).for_data(X, 3), r"concentration has shape"),
        (lambda: Priors(mean_location=[1.0, 2.0]).for_data(X, 2), r"\(2,\).*\(3,\)"),
        (lambda: Priors(mean_location=X[:3]).for_data(X, 2), r"\(3, 3\).*\(3,\), or \(2, 3\)"),
        (lambda: Priors(covariances=FAMILIES["full"]).for_data(X, 3, "tied"), r"need \(3, 3\)"),
        (lambda: Priors(ordered=0, ordered_components=[0, 2]).for_data(X, 2), "below 2"),
        (lambda: Priors(ordered_components=[0, 1]), "needs ordered"),
        (lambda: Priors(ordered=0, concentration=[1.0, 2.0]).for_data(X, 2), "have one prior"),
        (lambda: Priors.from_resolved("[]"), "cannot be read"),
        (lambda: Priors.from_resolved(Priors()), "must be a ResolvedPriors"),
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
    with pytest.raises(InputError, match="3 is not a feature"):
        Priors(ordered=3).for_data(X, 2)
    with pytest.raises(InputError, match="NaN"):
        Priors().for_data(np.full((3, 1), np.nan), 2)


def test_the_mixture_must_fit():
    with pytest.raises(InvalidParameterError, match="2 components of 3 features"):
        Priors().for_data(X, 2).log_density(mixture_of("full"))


@pytest.mark.parametrize(
    "priors",
    [
        Priors(),
        Priors.richardson_green(),
        Priors(covariances="lkj", hierarchical=False),
        Priors(concentration=[1.0, 0.1 + 0.2], mean_location=[[0.1, 1e300], [2.0, -3.0]]),
        Priors(covariances=LKJ(2.0, [1.0, 2.0])),
        Priors(covariances=InverseWishart(6.0, [[0.1, 0.01], [0.01, 3.0]])),
        Priors(ordered=np.int64(1), ordered_components=(1, 0)),
        Priors(ordered="<wäiting>"),
    ],
)
def test_priors_are_the_same_after_json(tmp_path, priors):
    text = priors.to_json(tmp_path / "priors.json")
    assert Priors.from_json(text) == Priors.from_json(tmp_path / "priors.json") == priors
    assert json.loads(text).keys() == {each.name for each in dataclasses.fields(Priors)}
