"""GaussianMixture beyond scikit-learn's contract: exactness, degeneracy, units, hostile input."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning as SklearnConvergenceWarning
from sklearn.exceptions import NotFittedError as SklearnNotFittedError
from sklearn.mixture import GaussianMixture as SklearnGaussianMixture

from bayesgmm import GaussianMixture, Mixture, load_dataset, scenario, simulate, structures
from bayesgmm.em.loop import StopRule, maximise
from bayesgmm.errors import (
    BayesGMMError,
    BayesGMMWarning,
    ConvergenceWarning,
    DegeneracyWarning,
    FitError,
    InputError,
    InputTypeError,
    InvalidParameterError,
    NotFittedError,
)
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.scaling import fit_units
from bayesgmm.priors.objective import Objective

FAITHFUL = load_dataset("faithful").X
WORDS = [each.name for each in structures()]


def overlapping(seed, dimension=2):
    """Two unit spheres two standard deviations apart, 1000 rows each."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2000, dimension))
    X[:1000, 0] += 2.0
    return X


# --- exactness --------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_left_to_gain_at_defaults(seed, dimension):
    """Plain EM from the result, 20,000 E-steps on, gains at most 1e-6 nats (the docs say 1e5)."""
    X = overlapping(seed, dimension)
    fit = GaussianMixture(2, random_state=seed).fit(X)
    assert fit.converged_
    units = fit_units(X, None, fit._structure)
    rows = Rows(X, shift=units.shift, scale=units.scale)
    rule = StopRule(remaining=0.0, max_e_steps=20_000)
    objective = Objective(fit._structure)
    longer = maximise(rows, objective, units.from_user(fit._parameters), rule, accelerate=False)
    gained = units.log_likelihood(longer.log_likelihood, len(X)) - fit.log_likelihood_
    assert gained <= 1e-6


def test_scikit_learn_stops_short_where_we_do_not():
    X = overlapping(0)
    ours = GaussianMixture(2, random_state=0).fit(X).log_likelihood_
    theirs = SklearnGaussianMixture(2, random_state=0).fit(X).score(X) * len(X)
    assert ours > theirs + 0.05


@pytest.mark.parametrize("word", WORDS)
def test_plain_em_ends_where_accelerated_em_does(word):
    fits = [
        GaussianMixture(2, covariance_type=word, acceleration=each, random_state=1).fit(FAITHFUL)
        for each in ("anderson", None)
    ]
    assert fits[0].log_likelihood_ == pytest.approx(fits[1].log_likelihood_, abs=1e-9)


@pytest.mark.parametrize("word", ["full", "tied", "diag", "spherical"])
def test_equal_to_scikit_learn_at_a_tight_tolerance(word):
    ours = GaussianMixture(2, covariance_type=word, random_state=0).fit(FAITHFUL)
    theirs = SklearnGaussianMixture(
        2, covariance_type=word, tol=1e-13, reg_covar=0.0, max_iter=5000, random_state=0
    ).fit(FAITHFUL)
    order = np.argsort(theirs.means_[:, 0])
    for name in ("weights_", "means_", "covariances_", "precisions_", "precisions_cholesky_"):
        expected = getattr(theirs, name)
        if (
            np.ndim(expected)
            and len(expected) == 2
            and not (word == "tied" and "s_" in name[-2:] and name[0] in "cp")
        ):
            expected = expected[order]
        np.testing.assert_allclose(getattr(ours, name), expected, rtol=2e-5, err_msg=name)


def test_log_likelihood_is_that_of_the_returned_mixture():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    total = fit.mixture_.log_density(FAITHFUL).sum()
    assert fit.log_likelihood_ == pytest.approx(total, abs=1e-9)
    assert fit.lower_bound_ == pytest.approx(fit.score(FAITHFUL), abs=1e-12)
    assert np.diff(fit.lower_bounds_).min() >= -8 * np.finfo(float).eps * abs(fit.lower_bound_)


def test_criteria_by_hand():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    n, total = len(FAITHFUL), fit.log_likelihood_
    assert fit.n_parameters_ == 11
    assert fit.bic(FAITHFUL) == pytest.approx(-2 * total + 11 * np.log(n))
    assert fit.aic(FAITHFUL) == pytest.approx(-2 * total + 22)
    largest = fit.predict_proba(FAITHFUL).max(axis=1)
    assert fit.icl(FAITHFUL) == pytest.approx(fit.bic(FAITHFUL) - 2 * np.log(largest).sum())
    # mclust's BIC of VVV, 2 has the other sign.
    assert fit.bic(FAITHFUL) == pytest.approx(2322.192, abs=1e-3)


def test_one_component_is_closed_form():
    fit = GaussianMixture().fit(FAITHFUL)
    assert fit.n_iter_ == 1
    np.testing.assert_allclose(fit.means_[0], FAITHFUL.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(fit.covariances_[0], np.cov(FAITHFUL.T, ddof=0), rtol=1e-12)
    tiny = GaussianMixture().fit([[1.0], [2.0]])
    assert (tiny.means_.item(), tiny.covariances_.item(), tiny.n_iter_) == (1.5, 0.25, 1)


# --- units, weights, layouts --------------------------------------------------------------------


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("factor", [1e-160, 1e-4, 1e150])
def test_scaled_data_give_the_scaled_fit(word, factor):
    base = GaussianMixture(2, covariance_type=word, random_state=0).fit(FAITHFUL)
    fit = GaussianMixture(2, covariance_type=word, random_state=0).fit(FAITHFUL * factor)
    shift = FAITHFUL.size * np.log(factor)
    assert fit.log_likelihood_ + shift == pytest.approx(base.log_likelihood_, abs=1e-9)
    np.testing.assert_allclose(fit.means_ / factor, base.means_, rtol=1e-12)
    # Variances near 1e-320 are held to a few digits by float64 itself.
    digits = 0.01 if factor == 1e-160 else 1e-12
    np.testing.assert_allclose(fit.covariances_ / factor / factor, base.covariances_, rtol=digits)


@pytest.mark.parametrize("word", WORDS)
def test_an_offset_changes_nothing_but_the_means(word):
    """At 1e8 the rows themselves are rounded to 1.5e-8."""
    X = np.round(FAITHFUL * 1024) / 1024
    base = GaussianMixture(2, covariance_type=word, random_state=0).fit(X)
    for dtype in (np.float64, np.float32):
        offset = 2.0**27 if dtype is np.float64 else 2.0**13
        moved = (X + offset).astype(dtype)
        exact = moved.astype(np.float64) - offset
        expected = GaussianMixture(2, covariance_type=word, random_state=0).fit(exact)
        fit = GaussianMixture(2, covariance_type=word, random_state=0).fit(moved)
        assert fit.log_likelihood_ == pytest.approx(expected.log_likelihood_, abs=1e-8)
        np.testing.assert_allclose(fit.covariances_, expected.covariances_, rtol=1e-9)
    assert base.converged_


def test_affine_maps_of_full_covariances():
    A = np.array([[2.0, 0.3], [-1.0, 0.5]])
    base = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL @ A.T + [5.0, -3.0])
    shift = len(FAITHFUL) * np.log(abs(np.linalg.det(A)))
    assert fit.log_likelihood_ + shift == pytest.approx(base.log_likelihood_, abs=1e-9)


def test_weights_repeat_and_remove_rows():
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 4, size=len(FAITHFUL))
    weighted = GaussianMixture(2, random_state=0).fit(FAITHFUL, sample_weight=weights)
    repeated = GaussianMixture(2, random_state=0).fit(np.repeat(FAITHFUL, weights, axis=0))
    assert weighted.log_likelihood_ == pytest.approx(repeated.log_likelihood_, abs=1e-9)
    np.testing.assert_allclose(weighted.means_, repeated.means_, rtol=1e-9)
    wild = FAITHFUL.copy()
    wild[weights == 0] = 1e9
    removed = GaussianMixture(2, random_state=0).fit(wild, sample_weight=weights)
    assert removed.log_likelihood_ == pytest.approx(weighted.log_likelihood_, abs=1e-6)


@pytest.mark.parametrize(
    "weights", [[0.0] * 272, [-1.0] + [1.0] * 271, [np.nan] + [1.0] * 271, [1.0] * 5]
)
def test_weights_that_are_none(weights):
    with pytest.raises(InputError):
        GaussianMixture(2).fit(FAITHFUL, sample_weight=weights)


def test_layouts_give_the_same_bits(tmp_path):
    path = tmp_path / "rows.npy"
    np.save(path, FAITHFUL)
    layouts = [
        np.asfortranarray(FAITHFUL),
        np.repeat(FAITHFUL, 2, axis=0)[::2],
        FAITHFUL.astype(">f8"),
        np.load(path, mmap_mode="r"),
        pd.DataFrame(FAITHFUL),
    ]
    base = GaussianMixture(2, random_state=0).fit(np.array(FAITHFUL))
    for each in layouts:
        fit = GaussianMixture(2, random_state=0).fit(each)
        assert fit.log_likelihood_ == base.log_likelihood_
        assert np.array_equal(fit.means_, base.means_)


def test_same_seed_same_bits_over_runs_clones_and_pickles():
    X = simulate(scenario("overlapping_ellipses"), 5000, rng=1).X
    model = GaussianMixture(3, random_state=7)
    first, second = clone(model).fit(X), clone(model).fit(X)
    third = pickle.loads(pickle.dumps(first))
    for each in (second, third):
        assert np.array_equal(first.means_, each.means_)
        assert first.log_likelihood_ == each.log_likelihood_
    assert np.array_equal(first.predict_proba(X), third.predict_proba(X))


@pytest.mark.parametrize(
    "seed", [0, np.random.default_rng(0), np.random.RandomState(0), np.random.SeedSequence(0), None]
)
def test_whatever_default_rng_takes(seed):
    fit = GaussianMixture(2, random_state=seed).fit(FAITHFUL)
    assert fit.log_likelihood_ == pytest.approx(-1130.26396, abs=1e-4)


def test_components_are_in_the_order_of_their_means_or_of_the_given_start():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    assert fit.means_[0, 0] < fit.means_[1, 0]
    turned = GaussianMixture(2, means_init=fit.means_[::-1]).fit(FAITHFUL)
    np.testing.assert_allclose(turned.means_, fit.means_[::-1], rtol=1e-6)


# --- degeneracy -----------------------------------------------------------------------------------


def test_a_collapsing_component_is_never_preferred():
    """Iris from single random rows, three components: runs end on a few rows that lie on a plane.

    The likelihood has no bound there; -180.1855 is the best maximum that is more than an accident.
    """
    X = load_dataset("iris").X
    fits = [
        GaussianMixture(3, init_params="random_from_data", n_init=30, random_state=seed).fit(X)
        for seed in range(5)
    ]
    assert max(each.log_likelihood_ for each in fits) == pytest.approx(-180.185477, abs=1e-5)
    outcomes = pd.concat([each.starts_ for each in fits])
    spurious = outcomes["outcome"].str.contains("collapsed|spurious|effective size")
    assert spurious.any()
    assert outcomes.loc[spurious, "log_likelihood"].max() > -180.0


def test_all_collapsed():
    with pytest.raises(FitError, match=r"starts with 2 components.*(\n.*)*Use fewer components"):
        GaussianMixture(2, random_state=0).fit([[1.0], [2.0]])


def test_an_untrustworthy_fit_warns_once():
    X = np.vstack([np.random.default_rng(5).normal(size=(60, 4)), [[50.0] * 4] * 2])
    X[-1] += [0.1, -0.2, 0.3, 0.1]
    given = np.vstack([X[:60].mean(axis=0), X[60:].mean(axis=0)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            GaussianMixture(2, covariance_type="diag", means_init=given, random_state=0).fit(X)
        except FitError:
            return
    assert len(caught) <= 1
    assert all(issubclass(each.category, DegeneracyWarning) for each in caught)


def test_too_few_iterations_warn_once_and_say_what_is_left():
    with pytest.warns(ConvergenceWarning, match="remain to be gained") as caught:
        fit = GaussianMixture(2, max_iter=2, random_state=0).fit(overlapping(0))
    assert len(caught) == 1
    assert issubclass(caught[0].category, SklearnConvergenceWarning)
    assert not fit.converged_
    assert fit.n_iter_ == 2


def test_few_rows_are_fitted_with_a_warning():
    X = np.random.default_rng(0).normal(size=(4, 6))
    with pytest.warns(DegeneracyWarning, match="4 rows and 6 columns, but"):
        fit = GaussianMixture().fit(X)
    assert np.isfinite(fit.log_likelihood_)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.repeat(np.arange(3.0)[:, None], 10, axis=0), "3 distinct rows but n_components=5"),
        (FAITHFUL[:4], "4 rows .* n_components=5"),
        (np.c_[FAITHFUL, np.ones(272)], "column 2 is constant"),
        (np.c_[FAITHFUL, FAITHFUL.sum(axis=1)], "rank 2"),
        (np.where(np.arange(272)[:, None] == 5, [1.0, 1e300], FAITHFUL), "column 1"),
        (np.where(np.arange(272)[:, None] == 5, [1.0, np.inf], FAITHFUL), "row 5, column 1"),
    ],
)
def test_data_that_no_mixture_fits(X, message):
    with pytest.raises(InputError, match=message):
        GaussianMixture(5).fit(X)


def test_text_is_refused_by_name():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]})
    with pytest.raises(InputTypeError, match="'b'"):
        GaussianMixture().fit(frame)


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"n_components": 2.0},
        {"n_components": "2"},
        {"n_components": True},
        {"tol": np.nan},
        {"tol": -1.0},
        {"max_iter": 1.5},
        {"covariance_type": "fulll"},
        {"weights_init": [0.2, 0.2]},
        {"weights_init": [0.2, 0.8, 0.0]},
        {"means_init": [[np.nan, 0.0], [1.0, 1.0]]},
        {"precisions_init": -np.ones((2, 2, 2))},
        {"acceleration": "squarem"},
    ],
    ids=str,
)
def test_bad_parameters_are_refused_at_fit(parameters):
    model = GaussianMixture(**{"n_components": 2, **parameters})
    with pytest.raises(InvalidParameterError):
        model.fit(FAITHFUL)


@pytest.mark.parametrize(
    "names",
    [["", "=cmd|' /C calc'!A0"], ["x" * 5000, "<script>"], ["km/h", "größe"], ["a", 3]],
    ids=["formula", "long", "unicode", "mixed"],
)
def test_hostile_column_names_survive(names):
    frame = pd.DataFrame(FAITHFUL, columns=names)
    fit = GaussianMixture(2, random_state=0).fit(frame)
    assert np.array_equal(fit.predict(frame), fit.predict(frame))
    assert len(set(fit.mixture_.feature_names)) == 2
    assert Mixture.from_json(fit.mixture_.to_json()) == fit.mixture_
    assert str(names[1]) in fit.summary(frame)
    with pytest.raises((ValueError, TypeError)):
        fit.predict(frame[frame.columns[::-1]])


def test_columns_that_share_a_name_are_told_apart_and_said():
    frame = pd.DataFrame(FAITHFUL, columns=["a", "a"])
    with pytest.warns(
        BayesGMMWarning, match="have the same name, 'a', and are called 'a', 'a .2.'"
    ):
        fit = GaussianMixture(2, random_state=0).fit(frame)
    assert fit.mixture_.feature_names == ("a", "a (2)")
    assert "a (2)" in fit.summary(frame)
    with pytest.raises((ValueError, TypeError)):
        fit.predict(frame.iloc[:, :1])


def test_unknown_structure_names_the_nearest():
    with pytest.raises(InvalidParameterError, match="Did you mean 'full'"):
        GaussianMixture(covariance_type="fulll").fit(FAITHFUL)


def test_far_rows_have_finite_memberships():
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    far = fit.predict_proba([[1e155, 0.0], [-1e300, 1e300], [1e300, 1e300]])
    assert np.isfinite(far).all()
    np.testing.assert_allclose(far.sum(axis=1), 1.0)
    assert not np.isnan(fit.score_samples([[1e300, 1e300]])).any()


def test_not_fitted():
    for call in ("predict", "predict_proba", "score_samples", "score", "bic", "icl", "summary"):
        with pytest.raises(NotFittedError) as caught:
            getattr(GaussianMixture(), call)(FAITHFUL)
        assert isinstance(caught.value, (BayesGMMError, SklearnNotFittedError))
    assert not hasattr(GaussianMixture(), "precisions_")


def test_an_interrupted_fit_leaves_the_previous_one(monkeypatch):
    fit = GaussianMixture(2, random_state=0).fit(FAITHFUL)
    before = dict(vars(fit))

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("bayesgmm.em.fit.finish", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit.fit(FAITHFUL * 2.0)
    assert vars(fit) == before


# --- what it says ----------------------------------------------------------------------


def test_starts_are_a_table():
    fit = GaussianMixture(3, random_state=0).fit(load_dataset("iris").X)
    assert list(fit.starts_.columns) == [
        "start",
        "log_likelihood",
        "iterations",
        "outcome",
        "n_rows",
    ]
    assert len(fit.starts_) >= 4
    assert fit.starts_["log_likelihood"].max() == pytest.approx(fit.log_likelihood_, abs=0.01)


def test_summary_says_what_mclust_says():
    text = GaussianMixture(2, random_state=0).fit(FAITHFUL).summary(FAITHFUL)
    for part in (
        "VVV (ellipsoidal, varying volume, shape, and orientation) with 2 components",
        "-1130.263960",
        "2322.1917",
        "4 of 4 starts reached this maximum",
        "0.6441271",
        # The estimate times and over exp(1.6448536 * 0.3268856 / 6.00385).
        "sd[1, x1]                 6.00385   0.3268856   5.489544    6.56634",
    ):
        assert part in text


def test_summary_names_components_that_overlap():
    X = np.random.default_rng(0).normal(size=(400, 1))
    halves = GaussianMixture(
        2,
        weights_init=[0.5, 0.5],
        means_init=[[-0.2], [0.2]],
        precisions_init=[1.0, 1.0],
        covariance_type="spherical",
        max_iter=0,
    ).fit(X)
    assert "components 0 and 1 overlap (Bhattacharyya coefficient 0.98)" in halves.summary(X)
