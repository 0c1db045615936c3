"""The classifier: models, probabilities, unknown classes, wrong input."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from sklearn.naive_bayes import GaussianNB

from bayesgmm import GaussianMixtureClassifier, load_dataset, scenario, simulate
from bayesgmm.errors import (
    ConvergenceWarning,
    FitError,
    InputError,
    InvalidParameterError,
    NotFittedError,
)


@pytest.fixture(scope="module")
def iris():
    data = load_dataset("iris")
    return pd.DataFrame(data.X, columns=data.feature_names), data.labels


def one_component(structure):
    return GaussianMixtureClassifier(family="EDDA", covariance_type=structure)


def two_groups(n=200):
    """Two classes of two clusters each, in turn on a line, which quadrics do not separate."""
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 4, n)
    centres = np.array([[0, 0], [12, 0], [6, 0], [18, 0]])
    return centres[cluster] + rng.standard_normal((n, 2)), np.where(cluster < 2, "same", "other")


# --- models --------------------------------------------------------------------------------------


def test_tied_is_linear_discriminant_analysis(iris):
    X, y = iris
    ours = one_component("tied").fit(X, y).predict_proba(X)
    theirs = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_diag_is_naive_bayes(iris):
    X, y = iris
    ours = one_component("diag").fit(X, y).predict_proba(X)
    theirs = GaussianNB(var_smoothing=0).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(ours, theirs, atol=1e-10)


def test_full_is_quadratic_discriminant_analysis(iris):
    X, y = iris[0].to_numpy(), iris[1]
    fit = one_component("full").fit(X, y)
    joint = np.stack(
        [
            multivariate_normal.logpdf(X, X[y == c].mean(0), np.cov(X[y == c].T, bias=True))
            for c in fit.classes_
        ],
        axis=1,
    ) + np.log(1 / 3)
    np.testing.assert_allclose(
        fit.predict_log_proba(X),
        joint - np.logaddexp.reduce(joint, axis=1, keepdims=True),
        atol=1e-9,
    )
    own = joint[np.arange(150), np.searchsorted(fit.classes_, y)].sum()
    assert fit.log_likelihood_ == pytest.approx(own, abs=1e-8)
    assert fit.n_parameters_ == 2 + 3 * 4 + 3 * 10
    assert fit.bic_ == pytest.approx(-2 * own + 44 * np.log(150), abs=1e-7)


@pytest.mark.parametrize("criterion", ["bic", "cv"])
def test_classes_of_several_clusters_need_several_components(criterion):
    X, y = two_groups()
    fit = GaussianMixtureClassifier((1, 2, 3), criterion=criterion, random_state=0).fit(X, y)
    assert fit.family_ == "MDA"
    sizes = np.bincount(fit.component_classes_)
    assert sizes.tolist() == [2, 2] if criterion == "bic" else (sizes >= 2).all()
    assert fit.classes_.tolist() == ["other", "same"]
    assert fit.score(X, y) >= 0.99
    assert one_component("all").fit(X, y).score(X, y) < 0.95
    assert [each.n_components for each in fit.class_mixtures_] == sizes.tolist()
    assert fit.mixture_.n_components == sizes.sum()
    joint = [p * m.log_density(X) for p, m in zip([1, 1], fit.class_mixtures_, strict=True)]
    proba = np.exp(joint + np.log(fit.class_prior_)[:, None])
    np.testing.assert_allclose(fit.predict_proba(X), (proba / proba.sum(0)).T, atol=1e-9)


def test_the_chosen_model_is_the_best_of_the_table(iris):
    X, y = iris
    fit = GaussianMixtureClassifier((1, 2)).fit(X, y)
    table = fit.models_
    assert len(table) == 15
    assert fit.bic_ == table["bic"].min()
    assert table.loc[table["bic"].idxmin(), "covariance_types"] == "VEV"
    cv = GaussianMixtureClassifier(criterion="cv", random_state=1).fit(X, y)
    chosen = cv.models_.loc[cv.models_["cv_log_loss"].idxmin()]
    assert chosen["family"] == cv.family_
    assert chosen["bic"] == cv.bic_
    again = GaussianMixtureClassifier(criterion="cv", random_state=1).fit(X, y)
    pd.testing.assert_frame_equal(again.models_, cv.models_)


def test_cross_validated_log_loss_is_that_of_held_out_rows():
    X, y = two_groups(300)
    fit = GaussianMixtureClassifier(
        family="EDDA", covariance_type="full", criterion="cv", random_state=0
    ).fit(X, y)
    scores = cross_val_score(one_component("full"), X, y, scoring="neg_log_loss", cv=5)
    assert fit.models_["cv_log_loss"][0] == pytest.approx(-scores.mean(), abs=3 * scores.std())
    assert fit.models_["cv_log_loss"][0] > log_loss(y, fit.predict_proba(X))


def test_structures_that_cannot_be_fitted_are_left_out_with_a_note(iris):
    X, y = iris
    few = np.r_[0:50, 50:53, 100:150]
    fit = GaussianMixtureClassifier().fit(X.iloc[few], y[few])
    notes = fit.models_.set_index("covariance_types")["note"]
    assert notes["VVV"] == "the covariance of class 'versicolor' (3 rows) is singular"
    assert notes["EEE"] == ""
    assert "could not be fitted" in fit.summary()
    with pytest.raises(FitError, match=r"class 'versicolor' \(3 rows\) is singular"):
        one_component("full").fit(X.iloc[few], y[few])
    with pytest.raises(FitError, match="class 'versicolor'"):
        GaussianMixtureClassifier(family="MDA", covariance_type="full").fit(X.iloc[few], y[few])


def test_models_that_no_fold_may_lack_rows_for_are_left_out_with_a_note(iris):
    X, y = iris
    few = np.r_[0:50, 50:55, 100:150]
    fit = GaussianMixtureClassifier(criterion="cv", random_state=0).fit(X.iloc[few], y[few])
    notes = fit.models_.set_index("covariance_types")["note"]
    assert notes["VVV"] == "cannot be fitted without the rows of some fold"
    assert notes["EEE"] == ""
    assert fit.models_["cv_log_loss"].isna().equals(fit.models_["note"] != "")


def test_class_prior_is_held(iris):
    X, y = iris
    prior = [0.8, 0.1, 0.1]
    fit = GaussianMixtureClassifier(family="EDDA", covariance_type="EEE", class_prior=prior)
    fit.fit(X, y)
    assert fit.class_prior_.tolist() == prior
    free = one_component("EEE").fit(X, y)
    assert free.n_parameters_ == fit.n_parameters_ + 2
    weighed = free.predict_proba(X) * np.array(prior)
    weighed /= weighed.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fit.predict_proba(X), weighed, rtol=1e-9)


def test_weights_are_repetitions(iris):
    X, y = iris
    times = np.random.default_rng(0).integers(0, 3, 150)
    weighted = GaussianMixtureClassifier().fit(X, y, sample_weight=times)
    repeated = GaussianMixtureClassifier().fit(X.loc[X.index.repeat(times)], np.repeat(y, times))
    assert weighted.bic_ == pytest.approx(repeated.bic_, rel=1e-10)
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-8)


# --- rows seen in part, or through noise ---------------------------------------------------------


def test_missing_entries_and_errors(iris):
    X, y = iris
    rng = np.random.default_rng(3)
    holes = X.mask(rng.random(X.shape) < 0.2)
    fit = GaussianMixtureClassifier((1, 2), covariance_type=["EEE", "VVV", "VVI"]).fit(holes, y)
    assert fit.score(X, y) > 0.95
    unseen = np.full((1, 4), np.nan)
    np.testing.assert_allclose(fit.predict_proba(pd.DataFrame(unseen, columns=X.columns))[0], 1 / 3)
    with pytest.raises(InputError, match="NaN"):
        GaussianMixtureClassifier(missing="raise").fit(holes, y)
    noisy = X + 0.3 * rng.standard_normal(X.shape)
    errors = np.full(X.shape, 0.09)
    clean = one_component("EEI").fit(X, y)
    known = one_component("EEI").fit(noisy, y, error_covariances=errors)
    ignored = one_component("EEI").fit(noisy, y)
    variances = [each.mixture_.variances[0] for each in (clean, known, ignored)]
    assert np.abs(variances[1] - variances[0]).max() < 0.07
    assert (variances[2] - variances[1]).min() > 0.07
    proba = known.predict_proba(noisy, error_covariances=errors)
    assert (proba.argmax(1) == np.searchsorted(known.classes_, y)).mean() > 0.9


# --- unknown classes -----------------------------------------------------------------------------


@pytest.mark.parametrize("unlabelled", ["", -1, np.nan])
def test_rows_of_unknown_class_help(unlabelled):
    truth = scenario("overlapping_ellipses")
    train, test = (simulate(truth, 1000, rng=seed) for seed in (1, 2))
    known = np.r_[np.flatnonzero(train.labels == 0)[:6], np.flatnonzero(train.labels == 1)[:6]]
    names = np.array(["a", "b"])[train.labels] if unlabelled == "" else train.labels
    true = np.array(["a", "b"])[test.labels] if unlabelled == "" else test.labels
    y = np.full(1000, unlabelled, dtype=object)
    y[known] = names[known]
    supervised = one_component("full").fit(train.X[known], names[known])
    fit = GaussianMixtureClassifier(
        family="EDDA", covariance_type="full", unlabelled=unlabelled
    ).fit(train.X, y)
    assert fit.classes_.tolist() == np.unique(names).tolist()
    assert fit.score(test.X, true) > supervised.score(test.X, true) + 0.02
    assert fit.score(test.X, true) > (truth.classify(test.X) == test.labels).mean() - 0.02
    assert "988 rows of unknown class" in fit.summary()
    assert fit.n_rows_ == 1000


def test_every_structure_is_compared_where_few_classes_are_known(iris):
    X, y = iris[0], iris[1].astype(object)
    y = np.where(np.arange(150) % 50 < 3, y, None)
    fit = GaussianMixtureClassifier(unlabelled="?").fit(X, np.where(y == None, "?", y))  # noqa: E711
    assert (fit.models_["note"][:14] == "").all()
    assert fit.score(X, iris[1]) > 0.9


def test_mixtures_of_classes_use_rows_of_unknown_class():
    X, y = two_groups(400)
    known = np.arange(400) < 80
    labels = np.where(known, y, "?")
    fit = GaussianMixtureClassifier((1, 2), unlabelled="?").fit(X, labels)
    assert fit.family_ == "MDA"
    assert fit.score(X, y) > 0.99
    only = GaussianMixtureClassifier((1, 2)).fit(X[known], y[known])
    assert fit.n_rows_ == 400
    assert only.covariance_types_ == fit.covariance_types_
    # log p(x, y) of the known, and log p(x) of the others.
    log_joint = np.stack([m.log_density(X) for m in fit.class_mixtures_], 1) + np.log(
        fit.class_prior_
    )
    own = log_joint[np.arange(400), np.searchsorted(fit.classes_, y)]
    total = np.where(known, own, np.logaddexp.reduce(log_joint, axis=1)).sum()
    assert fit.log_likelihood_ == pytest.approx(total, rel=1e-10)


# --- scores and output ---------------------------------------------------------------------------


def test_brier_score():
    X, y = two_groups()
    fit = GaussianMixtureClassifier(2).fit(X, y)
    p = fit.predict_proba(X)[:, 1]
    assert fit.brier_score(X, y) == pytest.approx(np.mean((p - (y == "same")) ** 2), abs=1e-12)
    weights = np.arange(200.0)
    expected = np.average((p - (y == "same")) ** 2, weights=weights)
    assert fit.brier_score(X, y, weights) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(InputError, match="the class 'third' in row 3, which was not fitted"):
        fit.brier_score(X, np.where(np.arange(200) == 3, "third", y))


def test_rows_far_away_have_probabilities(iris):
    X, y = iris
    fit = GaussianMixtureClassifier().fit(X, y)
    far = pd.DataFrame([[1e200] * 4, [-1e308] * 4], columns=X.columns)
    proba = fit.predict_proba(far)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0)


def test_summary_and_cells(iris):
    X, y = iris
    fit = GaussianMixtureClassifier().fit(X, y)
    text = fit.summary()
    assert "EDDA, one component a class, VEV over all classes" in text
    assert "versicolor" in text
    assert "versicolor" in fit._repr_html_()
    assert "GaussianMixtureClassifier" in GaussianMixtureClassifier()._repr_html_()
    assert fit.class_mixtures_[0].feature_names == tuple(X.columns)
    read = pickle.loads(pickle.dumps(fit))
    np.testing.assert_array_equal(read.predict_proba(X), fit.predict_proba(X))
    assert not hasattr(clone(fit), "classes_")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"family": "mda"}, "family must be one of"),
        ({"criterion": "aic"}, "criterion must be one of"),
        ({"missing": "drop"}, "missing must be one of"),
        ({"n_components": 0}, "an integer of at least 1"),
        ({"covariance_type": "zzz"}, "not a covariance structure"),
        ({"class_prior": [0.5, 0.5]}, "class_prior must be 3 positive numbers of sum 1"),
        ({"random_state": "a"}, "random_state must be a seed"),
    ],
)
def test_wrong_parameters(iris, arguments, words):
    with pytest.raises(InvalidParameterError, match=words):
        GaussianMixtureClassifier(**arguments).fit(*iris)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y to be passed"),
        (np.zeros(3), "y has 3 classes, but X has 150 rows"),
        (np.r_[np.nan, np.zeros(149)], "y has nan in row 0"),
        ([*["a"] * 148, None, None], r"y has None in rows 148, 149, .*unlabelled=float\('nan'\)"),
        (np.r_[np.zeros(100), np.full(50, np.nan)], "in rows 100, 101, 102, 103, 104 and 45 more"),
        (np.linspace(0, 1, 150), "Unknown label type"),
        (np.full(150, "?"), "Every row of y is '\\?', of unknown class"),
        ([1, "a"] * 75, "classes of several types: int, str"),
        (np.zeros((150, 2)), "1d array"),
    ],
)
def test_wrong_classes(iris, y, words):
    with pytest.raises(InputError, match=words):
        GaussianMixtureClassifier(unlabelled="?").fit(iris[0], y)


def test_a_class_of_few_rows_cannot_be_held_out(iris):
    X, y = iris
    with pytest.raises(InputError, match="Class 'versicolor' has 3 rows: cross-validation"):
        GaussianMixtureClassifier(criterion="cv").fit(X[:53], y[:53])


def test_prediction_needs_a_fit_and_the_same_columns(iris):
    X, y = iris
    with pytest.raises(NotFittedError):
        GaussianMixtureClassifier().predict(X)
    fit = one_component("EII").fit(X, y)
    with pytest.raises(InputError, match="feature names should match"):
        fit.predict(X.rename(columns=str.upper))
    plain = one_component("EII").fit(X.to_numpy(), y)
    with pytest.raises(InputError, match="3 features"):
        plain.predict(X.to_numpy()[:, :3])


def test_an_em_that_was_cut_short_says_so(monkeypatch):
    monkeypatch.setattr("bayesgmm.classification.labelled_em._MOST_ITERATIONS", 3)
    X, y = two_groups()
    few = np.where(np.arange(200) < 20, y, "?")
    with pytest.warns(ConvergenceWarning, match="nats of log-likelihood remain to be gained"):
        one_component("EEE").set_params(unlabelled="?").fit(X, few)


@pytest.mark.parametrize("seed", [None, 3, np.random.RandomState(0), np.random.default_rng(1)])
def test_seeds(iris, seed):
    X, y = iris
    fit = GaussianMixtureClassifier(covariance_type="EEE", criterion="cv", random_state=seed)
    assert fit.fit(X, y).score(X, y) > 0.95


def test_a_column_never_seen_in_a_class_is_named(iris):
    X, y = iris[0].copy(), iris[1]
    X.loc[y == "setosa", X.columns[2]] = np.nan
    X.iloc[0, 2] = 1.4
    with pytest.raises(InputError, match=f"NaN in column '{X.columns[2]}' in the rows of class 's"):
        GaussianMixtureClassifier().fit(X, y, sample_weight=np.arange(150) > 0)
    GaussianMixtureClassifier(covariance_type="EEE").fit(X, y)
