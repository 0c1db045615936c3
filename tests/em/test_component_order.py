"""Labels that stay: `order_by` of the estimator, and `align`."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import bayesgmm
from bayesgmm import GaussianMixture, Mixture, align
from bayesgmm.em.component_order import component_order
from bayesgmm.errors import DegeneracyWarning, InvalidParameterError, NotFittedError

STRUCTURES = ["full", "tied", "diag", "spherical", "VVE", "EVE"]
RULES = ["means", "weights", "variances"]


def rows(d, seed=0):
    """Three groups whose orders by mean, weight and variance all differ, in random order."""
    rng = np.random.default_rng(seed)
    groups = [(-4.0, 1.5, 150), (0.0, 0.5, 250), (5.0, 1.0, 400)]
    X = np.vstack([mean + sd * rng.normal(size=(n, d)) for mean, sd, n in groups])
    return rng.permutation(X)


def fitted(X, **settings):
    return GaussianMixture(3, random_state=0, **settings).fit(X)


def log_determinants(mixture):
    return np.linalg.slogdet(mixture.covariances)[1]


# --- the order of a fit ---------------------------------------------------------------------------


@pytest.mark.parametrize("word", STRUCTURES)
@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("rule", RULES)
def test_components_follow_the_rule(rule, d, word):
    X = rows(d)
    plain, fit = fitted(X, covariance_type=word), fitted(X, covariance_type=word, order_by=rule)
    keys = {
        "means": fit.means_[:, 0],
        "weights": -fit.weights_,
        "variances": log_determinants(fit.mixture_),
    }
    assert (np.diff(keys[rule]) > -1e-9).all()
    order = [int(np.abs(plain.means_[:, 0] - mean).argmin()) for mean in fit.means_[:, 0]]
    assert_relabelled(fit, plain, order, X)


def assert_relabelled(fit, plain, order, X):
    """All that is said of a fit is that of another, whose component order[k] is its k."""
    assert sorted(order) == [0, 1, 2]
    assert fit.mixture_ == plain.mixture_.permuted(order)
    assert fit.log_likelihood_ == plain.log_likelihood_
    assert np.array_equal(fit.weights_, plain.weights_[order])
    assert np.array_equal(fit.means_, plain.means_[order])
    for name in ("covariances_", "precisions_", "precisions_cholesky_"):
        ours, theirs = getattr(fit, name), getattr(plain, name)
        shared = fit.covariance_type == "tied"
        np.testing.assert_allclose(ours, theirs if shared else theirs[order], rtol=1e-14)
    probabilities = plain.predict_proba(X)[:, order]
    np.testing.assert_allclose(fit.predict_proba(X), probabilities, rtol=1e-12, atol=1e-300)
    assert np.array_equal(np.asarray(order)[fit.predict(X)], plain.predict(X))
    assert fit.score(X) == pytest.approx(plain.score(X), rel=1e-14)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_depends_neither_on_the_seed_nor_on_the_order_of_rows(rule):
    X = rows(3)
    fit = fitted(X, order_by=rule)
    for seed in (1, 2):
        shuffled = np.random.default_rng(seed).permutation(X)
        other = GaussianMixture(3, random_state=seed, order_by=rule).fit(shuffled)
        np.testing.assert_allclose(other.means_, fit.means_, atol=1e-6)


def test_standard_errors_follow():
    X = rows(2)
    plain, fit = fitted(X), fitted(X, order_by="weights")
    order = np.argsort(-plain.weights_)
    ours, theirs = fit.standard_errors(X), plain.standard_errors(X)
    for name in ("weights", "means", "covariances"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name)[order], rtol=1e-6)


def test_bootstrap_errors_do_not_depend_on_the_order():
    X = rows(2)
    settings = {"n_resamples": 4, "rng": 1, "progressbar": False}
    plain, fit = fitted(X), fitted(X, order_by=fitted(X).mixture_.permuted([2, 0, 1]))
    theirs = plain.standard_errors(X, "bootstrap", **settings)
    ours = fit.standard_errors(X, "bootstrap", **settings)
    np.testing.assert_allclose(ours.means, theirs.means[[2, 0, 1]], rtol=1e-6)


def test_none_is_the_order_of_the_means_or_of_the_start():
    X = rows(2)
    plain = fitted(X)
    assert np.array_equal(np.lexsort(plain.means_.T[::-1]), [0, 1, 2])
    start = {"means_init": plain.means_[[2, 0, 1]]}
    np.testing.assert_allclose(fitted(X, **start).means_, plain.means_[[2, 0, 1]], atol=1e-6)
    ordered = fitted(X, **start, order_by="means")
    np.testing.assert_allclose(ordered.means_, plain.means_, atol=1e-6)


def test_a_warm_start_keeps_the_order_or_is_put_in_it():
    X = rows(2)
    fit = fitted(X, warm_start=True, order_by="weights")
    first = fit.means_.copy()
    assert np.allclose(fit.fit(X).means_, first, atol=1e-6)
    assert np.allclose(fit.set_params(order_by=None).fit(X).means_, first, atol=1e-6)
    assert (np.diff(fit.set_params(order_by="means").fit(X).means_[:, 0]) > 0).all()


@pytest.mark.parametrize("word", STRUCTURES)
def test_a_refit_on_a_bootstrap_sample_keeps_the_labels_of_the_reference(word):
    X = rows(3)
    reference = fitted(X, covariance_type=word, order_by="weights")
    rng = np.random.default_rng(1)
    for seed, order_by in enumerate((reference, reference.mixture_)):
        drawn = X[rng.integers(len(X), size=len(X))]
        settings = {"covariance_type": word, "random_state": seed, "order_by": order_by}
        refit = GaussianMixture(3, **settings).fit(drawn)
        np.testing.assert_allclose(refit.means_, reference.means_, atol=0.5)


def test_a_warning_names_the_component_as_the_fit_numbers_it():
    """A pair of rows far off is the last component by means, and the first by variances."""
    rng = np.random.default_rng(5)
    X = np.vstack([rng.normal(size=(60, 4)), [[50.0] * 4, [50.1, 49.8, 50.3, 50.1]]])
    settings = {"covariance_type": "diag", "n_init": 1, "init_params": [0] * 60 + [1] * 2}
    for rule, number in (("variances", 0), ("means", 1)):
        with pytest.warns(DegeneracyWarning, match=f"component {number} "):
            fit = GaussianMixture(2, order_by=rule, **settings).fit(X)
        assert fit.weights_[number] < 0.1
        assert fit.starts_["outcome"][0].startswith(f"component {number} ")
        turned = align(fit, to=fit.mixture_.permuted([1, 0]))
        assert turned.starts_["outcome"][0].startswith(f"component {1 - number} ")


# --- ties -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("seed", range(5))
def test_ties_are_broken_whatever_the_labels_were(rule, seed):
    """Crossing ellipses, and copies of one of them that differ in one respect each."""
    ellipse = np.diag([2.0, 0.5])
    cross = [ellipse, ellipse[::-1, ::-1], ellipse, 4.0 * ellipse]
    means = [[0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    mixture = Mixture([0.25, 0.25, 0.25, 0.25], means, cross)
    rng = np.random.default_rng(seed)
    noise = 1e-12 * rng.normal(size=(4, 2))
    near = Mixture(mixture.weights, mixture.means + noise, mixture.covariances)
    near = near.permuted(rng.permutation(4))
    ordered, expected = (each.permuted(component_order(each, rule)) for each in (near, mixture))
    np.testing.assert_allclose(ordered.means, expected.means, atol=1e-10)
    assert np.array_equal(ordered.covariances, expected.covariances)


def test_equal_volumes_go_by_the_means():
    fit = fitted(rows(3), covariance_type="EVE", order_by="variances")
    assert (np.diff(fit.means_[:, 0]) > 0).all()


# --- align ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", STRUCTURES)
@pytest.mark.parametrize("d", [1, 3])
def test_an_aligned_fit_is_a_copy_under_the_other_labels(d, word):
    X = rows(d)
    fit = fitted(X, covariance_type=word)
    before = pickle.dumps(fit)
    aligned = align(fit, to=fit.mixture_.permuted([2, 0, 1]))
    assert_relabelled(aligned, fit, [2, 0, 1], X)
    assert pickle.dumps(fit) == before
    assert aligned.bic(X) == pytest.approx(fit.bic(X), rel=1e-14)
    assert aligned.get_params() == fit.get_params()
    again = aligned.set_params(warm_start=True).fit(X)
    np.testing.assert_allclose(again.means_, fit.means_[[2, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("as_reference", [lambda fit: fit, lambda fit: fit.mixture_])
def test_fits_of_different_rows_are_aligned(as_reference):
    first, second = fitted(rows(3)), fitted(rows(3, seed=1), order_by="weights")
    aligned = align(second, to=as_reference(first))
    np.testing.assert_allclose(aligned.means_, first.means_, atol=0.5)
    assert isinstance(align(second.mixture_, to=first), Mixture)
    assert align(second.mixture_, to=first) == aligned.mixture_


def test_aligning_to_itself_is_the_identity():
    fit = fitted(rows(2))
    assert align(fit, to=fit).mixture_ == fit.mixture_
    twins = Mixture([0.2, 0.5, 0.3], [[0.0], [0.0], [1.0]], [[[1.0]]] * 3)
    assert align(twins, to=twins) == twins


def test_weights_of_rows_stay_with_an_aligned_fit():
    X = rows(2)
    weights = np.random.default_rng(0).integers(1, 4, size=len(X))
    fit = GaussianMixture(3, random_state=0).fit(X, sample_weight=weights)
    aligned = align(fit, to=fit.mixture_.permuted([1, 2, 0]))
    assert aligned.bic(X) == pytest.approx(fit.bic(X), rel=1e-14)


# --- errors, and scikit-learn's conventions -------------------------------------------------------


@pytest.fixture(scope="module")
def fit():
    return fitted(rows(2))


@pytest.mark.parametrize(
    ("k", "d", "words"),
    [
        (2, 2, "2 components of 2 features, but 3 components of 2 features are needed"),
        (3, 1, "3 components of 1 feature, but 3 components of 2 features are needed"),
    ],
)
def test_another_size_is_refused(fit, k, d, words):
    other = bayesgmm.random_mixture(k, d, rng=0)
    with pytest.raises(InvalidParameterError, match=f"to has {words}"):
        align(fit, to=other)
    with pytest.raises(InvalidParameterError, match=f"order_by has {words}"):
        fitted(rows(2), order_by=other)


def test_other_features_are_refused_by_name(fit):
    names = Mixture(
        fit.weights_, fit.mixture_.means, fit.mixture_.covariances, feature_names=["b", "a"]
    )
    X = pd.DataFrame(rows(2), columns=["a", "b"])
    assert fitted(X.to_numpy(), order_by=names).mixture_.feature_names is None
    with pytest.raises(InvalidParameterError, match=r"order_by has the features \['b', 'a'\], but"):
        fitted(X, order_by=names)
    with pytest.raises(InvalidParameterError, match=r"to has the features \['b', 'a'\], but"):
        align(fitted(X), to=names)


def test_what_is_not_fitted_is_refused(fit):
    for call in (
        lambda: align(GaussianMixture(3), to=fit),
        lambda: align(fit, to=GaussianMixture(3)),
        lambda: fitted(rows(2), order_by=GaussianMixture(3)),
    ):
        with pytest.raises(NotFittedError, match="not fitted"):
            call()


@pytest.mark.parametrize("value", ["mean", "", 3, True, ["means"], np.array(["a", "b"])])
def test_other_words_are_refused(value):
    with pytest.raises(InvalidParameterError, match="order_by"):
        fitted(rows(2), order_by=value)


def test_a_clone_keeps_its_reference_fitted(fit):
    X = rows(2)
    estimator = GaussianMixture(3, random_state=0, order_by=fit)
    copied = clone(estimator)
    assert copied.order_by is fit
    assert not hasattr(copied, "mixture_")
    assert clone(GaussianMixture(order_by=fit.mixture_)).order_by == fit.mixture_
    assert np.isfinite(cross_val_score(estimator, X, cv=2)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "order_by" in repr(estimator)
