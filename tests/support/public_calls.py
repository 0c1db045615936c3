"""Every public call with sound arguments, and the kind of each argument.

A kind is the list of values that must be refused.
"""

import inspect
import os
import warnings
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from types import SimpleNamespace

import numpy as np
import pandas as pd
import xarray as xr

import bayesgmm
from bayesgmm.errors import BayesGMMWarning

NAN, INF = float("nan"), float("inf")


class Unprintable:
    """An object whose text cannot be had."""

    def __repr__(self):
        raise RuntimeError("no text")


# --- kinds --------------------------------------------------------------------------------------

COUNT = ["a", "2", 2.0, 1.5, NAN, True, -1, 0, None, [], [2], {}, np.array([1, 2]), Unprintable()]
FRACTION = ["a", NAN, INF, -0.5, 2, True, None, [0.5], Unprintable()]
PROBABILITY = [*FRACTION, 0.0, 1.0, 0, 1]
NOT_NEGATIVE = ["a", NAN, -1.0, True, None, [1.0], {}, Unprintable()]
RNG = ["a", b"a", 1.5, NAN, -1, True, {}, ["a"], object(), Unprintable()]
WORD = ["zzz", "", 3, None, 1.5, True, ["a"], {}, np.array(["a", "b"]), Unprintable()]
TEXT = [5, 1.5, True, ["a"], {}, Unprintable()]
MIXTURE = ["a", 5, None, [1.0], {}, Unprintable()]
ROWS = ["a", 5, None, [], [[]], [["a", "b"]], [[1.0], [1.0, 2.0]], np.zeros((2, 7))]
ROWS += [{}]
POSTERIOR = ["a", 5, None, [1.0], {}, xr.Dataset(), xr.DataTree(), Unprintable()]
VARIABLES = ["a", 5, ["a"], {"zzz": "b"}, {"means": 5}, {"means": []}, {"means": "zzz"}]
FEATURE = ["zzz", 99, -99, 1.5, None, True, [], {}, Unprintable()]
FEATURES = ["zzz", 99, 1.5, None, True, [[0]], [0, 0], [1.5], {0: 1}, Unprintable()]
AXES = ["a", 5, [], {}]
NUMBERS = ["a", None, [NAN], [[1.0], [1.0, 2.0]], [1j], {}]
STRUCTURE = ["zzz", "", 3, None, ["full"], {}, np.array(["a", "b"])]
PRIORS = ["zzz", 5, {}, [], Unprintable()]
DOCUMENT = [None, 5, 1.5, [], {}, "", "{}", b"\xff", "no/such/file"]
PATH = [5, 1.5, [], {}, True, ""]
ERRORS = ["a", 5, [], [[-1.0, 1.0]], [[1.0, NAN]], [[1.0, 2.0], [0.0, 1.0]], np.ones((7, 2)), {}]
ROW_WEIGHTS = ["a", 5, [], [1.0], [[1.0]], [-1.0] * 60, [NAN] * 60, {}]
ROW_LABELS = ["a", 5, [], [0], [[0]], [7] * 60, [-2] * 60, [0.5] * 60, [NAN] * 60, {}]
SWITCH = ["a", 1, 0.0, None, [], {}, Unprintable()]
FIXED = ["a", 5, [], True, {"zzz": [1.0]}, {"weights": "a"}, {"weights": [0.5]}, {"means": [[1.0]]}]
FIXED += [{"weights": [2.0, NAN]}, {"weights": [-0.1, NAN]}, {"means": [[INF, 0.0], [0.0, 0.0]]}]
FIXED += [{"covariances": 1.0}, {"covariances": [[[1.0, NAN], [0.0, 1.0]], np.eye(2)]}]
THREADS = [value for value in COUNT if value is not None]


def optional(kind):
    """The same, where None stands for a default."""
    return [value for value in kind if value is not None]


# --- what is called -----------------------------------------------------------------------------


@cache
def things():
    """A mixture, rows, a fit and everything that is made of them; small."""
    mixture = bayesgmm.scenario("overlapping_ellipses")
    rng = np.random.default_rng(0)
    X, _ = mixture.sample(60, rng=rng)
    fit = bayesgmm.GaussianMixture(2, random_state=0).fit(X)
    shape = (2, 20)
    means = mixture.means + 0.1 * rng.standard_normal((*shape, 2, 2))
    draws = xr.Dataset(
        {
            "weights": (("chain", "draw", "component"), np.full((*shape, 2), 0.5)),
            "means": (("chain", "draw", "component", "feature"), means),
            "covariances": (
                ("chain", "draw", "component", "feature", "feature_bis"),
                np.broadcast_to(mixture.covariances, (*shape, 2, 2, 2)),
            ),
        }
    )
    observed = xr.Dataset({"X": (("row", "feature"), X)})
    posterior = xr.DataTree.from_dict({"posterior": draws, "observed_data": observed})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesGMMWarning)
        selection = bayesgmm.select_mixture(X, [1, 2], ["EII", "VVV"], rng=0)
    return SimpleNamespace(
        mixture=mixture,
        line=bayesgmm.scenario("rusty_machine"),
        X=X,
        fit=fit,
        posterior=posterior,
        selection=selection,
        merging=bayesgmm.merge_components(mixture, X),
        bound=bayesgmm.bound_log_likelihood(X, 0.3),
        errors=fit.standard_errors(X),
        priors=bayesgmm.Priors().for_data(X, 2),
        recovery=bayesgmm.recovery(fit, mixture),
        engines=bayesgmm.compare_engines(mixture, posterior),
        switching=bayesgmm.label_switching(posterior),
        evidence=bayesgmm.evidence(X[:20], 1, rng=0, progressbar=False),
        calibration=bayesgmm.calibrate(1, 1, 5, n_simulations=1, n_jobs=1, progressbar=False),
        study=bayesgmm.recovery_study(
            2, 1, 50, overlap=0.1, n_mixtures=1, n_samples=1, n_jobs=1, progressbar=False
        ),
        partition=bayesgmm.posterior_partition(posterior, rng=0),
        region=mixture.highest_density_region(0.5, n_draws=1000, rng=0),
        statistics=bayesgmm.likelihood.e_step(X, mixture),
    )


@cache
def page():
    return bayesgmm.report(things().X, em=things().fit)


@cache
def explorer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BayesGMMWarning)
        return bayesgmm.explore(things().X, [1], "EII", progressbar=False)


def marginal_mixture(**arguments):
    import pymc as pm

    with pm.Model():
        bayesgmm.marginal_mixture(**arguments)


def owned(owner, method):
    """A method of one of the things."""
    return getattr(getattr(things(), owner), method)


# Name, what is called, sound arguments, and the kind of each argument. Arguments without a kind:
# anything is sound that has a truth value, or it is ignored.
def table():
    t = things()
    posterior = {"posterior": t.posterior}
    relabelling = {"method": WORD, "reference": optional(MIXTURE), "X": optional(ROWS)}
    relabelling |= {"posterior": POSTERIOR, "variables": VARIABLES}
    relabelling |= {"allocations": TEXT, "probabilities": TEXT}
    matrices = np.array([np.eye(2)] * 2)
    rows = {"X": ROWS}
    weighted = rows | {"sample_weight": ROW_WEIGHTS}
    yield "Mixture", bayesgmm.Mixture, {
        "weights": [0.5, 0.5], "means": [[0.0], [1.0]], "covariances": [[[1.0]], [[1.0]]],
    }, {
        "weights": NUMBERS, "means": NUMBERS, "covariances": NUMBERS,
        "feature_names": ["a", 5, [5], ["a", "b"], {}, np.array("a")],
        "component_names": ["a", 5, [5], ["a"], {}, np.array("a")],
    }  # fmt: skip
    for method in (
        "log_joint",
        "log_density",
        "responsibilities",
        "classify",
        "check_rows",
        "check_observed",
    ):
        yield f"Mixture.{method}", owned("mixture", method), {"X": t.X}, rows
    yield (
        "Mixture.sample",
        owned("mixture", "sample"),
        {"n_samples": 3},
        {"n_samples": _but(COUNT, 0), "rng": RNG},
    )
    order = ["a", 5, None, [0], [0, 0], [0.0, 1.0], [True, False], [[0, 1]], ["0", "1"], {}]
    for name, owner in (("Mixture", "mixture"), ("GaussianMixture", "fit")):
        call = owned(owner, "permuted")
        yield f"{name}.permuted", call, {"order": [1, 0]}, {"order": order}
    yield (
        "Mixture.marginal",
        owned("mixture", "marginal"),
        {"features": 0},
        {"features": [*FEATURES, []]},
    )
    yield (
        "Mixture.conditional",
        owned("mixture", "conditional"),
        {"given": {0: 1.0}},
        {
            "given": [
                "a",
                5,
                None,
                [0],
                {"zzz": 1.0},
                {0: "a"},
                {0: NAN},
                {0: [1.0]},
                {0: 1.0, 1: 1.0},
            ]
        },
    )
    yield "Mixture.regress", owned("mixture", "regress"), {"X": t.X[:, :1], "given": [0]}, {
        "X": [*ROWS, [[1.0, NAN]]], "given": [*FEATURES, [], [0, 1]],
    }  # fmt: skip
    yield (
        "Mixture.transformed",
        owned("mixture", "transformed"),
        {"A": 2.0},
        {
            "A": [*NUMBERS, 0.0, [1.0] * 3, 1e300, [[1.0, 1.0], [1.0, 1.0]]],
            "b": [*NUMBERS, [1.0] * 3],
        },
    )
    yield "Mixture.cdf", owned("line", "cdf"), {"x": 0.0}, {"x": NUMBERS}
    yield "Mixture.quantile", owned("line", "quantile"), {"q": 0.5}, {"q": [*NUMBERS, 2, -1.0]}
    region = {"prob": PROBABILITY, "n_draws": [*COUNT, 10], "rng": RNG}
    for owner in ("line", "mixture"):
        call = owned(owner, "highest_density_region")
        yield "Mixture.highest_density_region", call, {"prob": 0.5}, region
    yield (
        "Mixture.boundaries",
        owned("line", "boundaries"),
        {},
        {"components": ["a", 5, [0], [0, 0], [0, 9], [0.0, 1.0], [True, False], ["a", "b"], {}]},
    )
    for method in ("boundaries", "modes", "antimodes"):
        yield f"Mixture.{method}", owned("line", method), {}, {}
    yield "Mixture.mean", owned("mixture", "mean"), {}, {}
    yield "Mixture.covariance", owned("mixture", "covariance"), {}, {}
    yield "Mixture.to_json", owned("mixture", "to_json"), {}, {"path": PATH}
    yield (
        "Mixture.from_json",
        bayesgmm.Mixture.from_json,
        {"source": t.mixture.to_json()},
        {"source": DOCUMENT},
    )
    yield "HighestDensityRegion.contains", owned("region", "contains"), {"X": t.X}, rows
    yield "simulate", bayesgmm.simulate, {"mixture": t.mixture, "n_samples": 5}, {
        "mixture": MIXTURE, "n_samples": COUNT, "rng": RNG, "missing": FRACTION,
    }  # fmt: skip
    yield "random_mixture", bayesgmm.random_mixture, {"n_components": 2, "n_features": 2}, {
        "n_components": COUNT, "n_features": COUNT,
        "average_overlap": [*optional(PROBABILITY), 1e-305],
        "max_overlap": optional(PROBABILITY), "covariance_type": STRUCTURE, "rng": RNG,
    }  # fmt: skip
    yield "overlap", bayesgmm.overlap, {"mixture": t.mixture}, {"mixture": MIXTURE}
    yield "scenario", bayesgmm.scenario, {"name": "blobs"}, {"name": WORD}
    yield "scenarios", bayesgmm.scenarios, {}, {}
    yield "structures", bayesgmm.structures, {}, {}
    yield "open_rows", bayesgmm.open_rows, {"source": t.X}, {
        "source": [5, None, {}, b"a", object()], "columns": ["zzz", 5.5, [99], {}],
        "sample_weight": ["a", 5, [], [1.0], [[1.0]], {}], "error_covariances": ERRORS,
    }  # fmt: skip
    yield "write_memberships", bayesgmm.write_memberships, {
        "model": t.mixture, "rows": bayesgmm.open_rows(t.X), "force": True,
        "path": Path(gettempdir(), f"memberships-of-{os.getpid()}.npy"),
    }, {
        "model": MIXTURE, "rows": [5, None, "a", [[1.0]], {}],
        "path": [5, None, "", "a.csv", "/dev/null/x.npy"], "executor": ["a", 5, []], "force": [],
    }  # fmt: skip
    yield "load_dataset", bayesgmm.load_dataset, {"name": "iris"}, {"name": WORD}
    steps = bayesgmm.likelihood
    yield "e_step", steps.e_step, {"X": t.X, "mixture": t.mixture}, {
        "X": ROWS, "mixture": MIXTURE, "sample_weight": ROW_WEIGHTS, "n_jobs": THREADS,
    }  # fmt: skip
    yield "m_step", steps.m_step, {"statistics": t.statistics}, {
        "statistics": MIXTURE, "covariance_type": STRUCTURE, "mixture": optional(MIXTURE),
    }  # fmt: skip
    yield "score", steps.score, {"statistics": t.statistics, "mixture": t.mixture}, {
        "statistics": MIXTURE, "mixture": MIXTURE,
    }  # fmt: skip
    yield "Statistics.moments", owned("statistics", "moments"), {}, {}
    # scikit-learn writes these values into its messages, so that they must have a text.
    count = [value for value in COUNT if not isinstance(value, Unprintable)]
    yield "GaussianMixture", _fitted, {}, {
        "n_components": [*count, 10_000], "covariance_type": STRUCTURE,
        "tol": ["a", -1.0, NAN, [], True], "reg_covar": ["a", -1.0, NAN, []],
        "max_iter": ["a", -1, 1.5, []], "n_init": optional(count),
        "init_params": ["zzz", 5, [0], {}], "weights_init": ["a", [0.5], [NAN, 1.0], 5],
        "means_init": ["a", [[NAN]], [[1.0]], 5, [[b"a"]]], "precisions_init": ["a", [[NAN]], 5],
        "random_state": ["a", 1.5, -1, {}], "warm_start": ["a", None],
        "verbose": ["a", -1], "verbose_interval": count, "acceleration": ["zzz", 5, []],
        "priors": PRIORS[:-1], "eigenvalue_ratio": ["a", 0.5, NAN, [], 10**400],
        "missing": ["zzz", 5, []], "noise_component": ["a", 2, None, []],
        "contaminated": ["a", 2, None, []],
        "order_by": ["zzz", 5, [], True, bayesgmm.GaussianMixture(), t.line],
        "fixed": FIXED, "equal_weights": ["a", None, [], 2],
    }  # fmt: skip
    for method in ("fit", "fit_predict"):
        yield f"GaussianMixture.{method}", _method_of_a_fit(method), {"X": t.X}, weighted
    yield (
        "GaussianMixture.partial_fit",
        lambda **given: bayesgmm.GaussianMixture(2).partial_fit(**given),
        {"X": t.X},
        {"X": ROWS, "sample_weight": ROW_WEIGHTS},
    )
    streamed = {"executor": ["a", 5, [], {}], "checkpoint": PATH}
    yield "GaussianMixture.fit", _method_of_a_fit("fit"), {"X": t.X}, streamed
    labelled = {"labels": ROW_LABELS}
    for method in ("fit", "fit_predict"):
        yield f"GaussianMixture.{method}", _method_of_a_fit(method), {"X": t.X}, labelled
    for method in ("score_samples", "predict", "predict_proba", "outlier_proba"):
        yield f"GaussianMixture.{method}", _method_of_a_fit(method), {"X": t.X}, rows
    for method in ("score", "bic", "aic", "icl"):
        yield f"GaussianMixture.{method}", owned("fit", method), {}, {
            "X": optional(ROWS), "sample_weight": ROW_WEIGHTS,
        }  # fmt: skip
    filled = {"X": ROWS, "draws": optional(COUNT), "rng": RNG}
    yield "GaussianMixture.impute", owned("fit", "impute"), {"X": t.X}, filled
    yield "Mixture.impute", owned("mixture", "impute"), {"X": t.X}, filled
    for owner, thing in ("GaussianMixture", "fit"), ("Mixture", "mixture"):
        sound = {"X": t.X, "error_covariances": np.eye(2)}
        yield f"{owner}.denoised", owned(thing, "denoised"), sound, rows
    yield (
        "Mixture.from_sklearn",
        bayesgmm.Mixture.from_sklearn,
        {"model": t.fit},
        {
            "model": MIXTURE,
        },
    )
    yield "Mixture.to_sklearn", owned("mixture", "to_sklearn"), {}, {}
    yield "GaussianMixture.plot", owned("fit", "plot"), {}, {"kind": WORD, "X": optional(ROWS)}
    yield "GaussianMixture.summary", owned("fit", "summary"), {}, {"X": optional(ROWS)}
    yield "GaussianMixture.sample", owned("fit", "sample"), {}, {"n_samples": COUNT}
    other = [*MIXTURE, bayesgmm.GaussianMixture(2), t.line]
    yield "align", bayesgmm.align, {"fit": t.fit, "to": t.mixture}, {"fit": other, "to": other}
    errors = {"X": t.X, "method": "bootstrap", "n_resamples": 2, "progressbar": False}
    yield "GaussianMixture.standard_errors", owned("fit", "standard_errors"), errors, {
        "X": optional(ROWS), "method": WORD, "sample_weight": ROW_WEIGHTS,
        "n_resamples": [*COUNT, 1],
        "rng": RNG, "n_jobs": THREADS,
    }  # fmt: skip
    yield "StandardErrors.intervals", owned("errors", "intervals"), {}, {
        "prob": PROBABILITY, "kind": [*WORD, "percentile"],
    }  # fmt: skip
    yield "select_mixture", bayesgmm.select_mixture, {
        "X": t.X, "n_components": 1, "covariance_type": "EII", "progressbar": False,
    }, {
        "X": ROWS,
        "n_components": ["a", 2.0, NAN, None, True, 0, [], {}, [1, 2.0], ["2"], [0], [[1]]],
        "covariance_type": ["zzz", 3, None, [], {}, [3], ["full", "zzz"]],
        "criterion": WORD, "eigenvalue_ratio": ["a", 0.5, NAN, None, [], True], "rng": RNG,
        "labels": ROW_LABELS, "noise_component": SWITCH, "contaminated": SWITCH,
        "n_init": optional(count),
        "max_time": [*NOT_NEGATIVE, 0.0], "equal_weights": ["a", None, [], 1, {}],
    }  # fmt: skip
    sound = {"X": t.X, "y": t.fit.predict(t.X)}
    classes = ["a", 5, None, [], [0.5] * 60, [0] * 7, [[0, 1]] * 60, [NAN] * 60, {}]
    yield "GaussianMixtureClassifier", _classifier, {}, {
        "n_components": ["a", 2.0, NAN, None, True, 0, [], {}, [1, 2.0], ["2"], [0], [[1]]],
        "covariance_type": ["zzz", 3, None, [], {}, [3], ["full", "zzz"]], "family": WORD,
        "criterion": WORD, "class_prior": ["a", 5, [0.5], [0.5, 0.6], [1.0, 0.0], [NAN, 1.0], {}],
        "missing": WORD, "random_state": RNG,
    }  # fmt: skip
    weighted_classes = weighted | {"y": classes}
    yield "GaussianMixtureClassifier.fit", _classifier().fit, sound, weighted_classes
    yield (
        "GaussianMixtureClassifier.brier_score",
        _classifier().brier_score,
        sound,
        weighted_classes,
    )
    for method in ("predict", "predict_proba", "predict_log_proba"):
        name = f"GaussianMixtureClassifier.{method}"
        yield name, getattr(_classifier(), method), {"X": t.X}, rows
    yield "GaussianMixtureClassifier.summary", _classifier().summary, {}, {}
    for name, made in ("GaussianMixture", t.fit), ("GaussianMixtureClassifier", _classifier()):
        yield f"{name}.to_json", made.to_json, {}, {"path": PATH}
        text = made.to_json()
        yield f"{name}.from_json", made.from_json, {"source": text}, {"source": DOCUMENT}
    yield "Selection.ranked", owned("selection", "ranked"), {}, {}
    yield "Selection.fit", owned("selection", "fit"), {"n_components": 1}, {
        "n_components": COUNT, "covariance_type": optional(STRUCTURE),
    }  # fmt: skip
    yield "Selection.to_mclust", owned("selection", "to_mclust"), {}, {}
    yield "Selection.summary", owned("selection", "summary"), {}, {"top": COUNT}
    yield "plot_selection", bayesgmm.plot_selection, {"selection": t.selection}, {
        "selection": MIXTURE, "ax": AXES,
    }  # fmt: skip
    yield "merge_components", bayesgmm.merge_components, {"mixture": t.mixture, "X": t.X}, {
        "mixture": MIXTURE, "X": ROWS,
    }  # fmt: skip
    for method in ("clusters", "memberships", "labels"):
        yield (
            f"Merging.{method}",
            owned("merging", method),
            {"n_clusters": 1},
            {"n_clusters": [*COUNT, 3]},
        )
    yield "evidence", bayesgmm.evidence, {
        "X": t.X[:20], "n_components": 1, "progressbar": False,
    }, {
        "X": [*ROWS[:-2], {}, [[NAN], [1.0]]],
        "n_components": ["a", 2.0, NAN, None, True, 0, [], {}, [1, 2.0], ["2"], [0], [13]],
        "covariance_type": [*STRUCTURE, "EEV"],
        "priors": [*PRIORS, bayesgmm.Priors(covariances="lkj")], "rng": RNG,
    }  # fmt: skip
    yield "prior_sensitivity", bayesgmm.prior_sensitivity, {
        "X": t.X[:20], "n_components": 1, "priors": {"a": bayesgmm.Priors()}, "progressbar": False,
    }, {
        "X": [*ROWS[:-2], {}, [[NAN], [1.0]]],
        "n_components": ["a", 2.0, NAN, None, True, 0, [], {}, [1, 2.0], ["2"], [0], [13]],
        "covariance_type": [*STRUCTURE, "EEV"],
        "priors": [*PRIORS, {"a": 5}, {"a": bayesgmm.Priors(covariances="lkj")}], "rng": RNG,
    }  # fmt: skip
    yield "calibrate", bayesgmm.calibrate, {
        "n_components": 1, "n_features": 1, "n_rows": 5, "n_simulations": 1, "n_jobs": 1,
        "progressbar": False,
    }, {
        "n_components": COUNT, "n_features": COUNT, "n_rows": COUNT, "n_simulations": COUNT,
        "draws": COUNT, "n_jobs": optional(COUNT), "covariance_type": STRUCTURE,
        "priors": PRIORS, "rng": RNG,
    }  # fmt: skip
    yield "Calibration.extended", owned("calibration", "extended"), {"n_simulations": 1}, {
        "n_simulations": COUNT, "n_jobs": optional(COUNT),
    }  # fmt: skip
    yield "recovery_study", bayesgmm.recovery_study, {
        "n_components": 2, "n_features": 1, "n_rows": 50, "overlap": 0.1, "n_mixtures": 1,
        "n_samples": 1, "n_jobs": 1, "progressbar": False,
    }, {
        "n_components": ["a", 2.0, NAN, None, True, 1, [], {}, [2, 2.5], ["2"], [1]],
        "n_features": COUNT, "draws": optional(COUNT), "n_mixtures": COUNT, "n_samples": COUNT,
        "n_jobs": optional(COUNT),
        "n_rows": ["a", 2.0, NAN, None, True, 0, [], {}, [50, 2.5], ["2"], [0]],
        "overlap": ["a", NAN, None, True, 0.0, 1, [], {}, [0.1, 2.0], ["0.1"]],
        "covariance_type": ["zzz", "", 3, None, [], {}, ["zzz"], np.array(["a", "b"])],
        "priors": PRIORS, "prob": PROBABILITY, "rng": RNG,
        "engines": ["zzz", "", 3, None, [], {}, ["em", "zzz"], [3]],
    }  # fmt: skip
    yield "RecoveryStudy.extended", owned("study", "extended"), {"n_mixtures": 1}, {
        "n_mixtures": COUNT, "n_jobs": optional(COUNT),
    }  # fmt: skip
    size = [*optional(COUNT), None, 7]
    yield "Evidence.log_bayes_factor", owned("evidence", "log_bayes_factor"), {
        "n_components": 1, "other": 1,
    }, {"n_components": size, "other": size}  # fmt: skip
    yield "bootstrap_lrt", bayesgmm.bootstrap_lrt, {
        "X": t.X, "n_resamples": 1, "progressbar": False,
    }, {
        "X": ROWS, "n_components": COUNT, "covariance_type": STRUCTURE, "n_resamples": COUNT,
        "n_jobs": COUNT, "rng": RNG,
    }  # fmt: skip
    yield "bound_log_likelihood", bayesgmm.bound_log_likelihood, {
        "X": t.X, "smallest_covariance": 0.3,
    }, {
        "X": [*ROWS, np.eye(3)],
        "smallest_covariance": [*NUMBERS, 0.0, -1.0, [1.0], [[1.0, 2.0], [2.0, 1.0]], True],
        "sample_weight": ROW_WEIGHTS, "gap": [*NOT_NEGATIVE, 0.0, INF],
    }  # fmt: skip
    for method in ("excluded", "excluded_from"):
        yield (
            f"LikelihoodBound.{method}",
            owned("bound", method),
            {"selection": t.selection},
            {"selection": MIXTURE},
        )
    yield "Priors", bayesgmm.Priors, {}, {
        "concentration": ["a", NAN, 0.0, None, [], True], "mean_location": ["a", [NAN], [], {}],
        "mean_sd": ["a", [0.0], {}], "covariances": PRIORS,
        "ordered": [1.5, True, [], {}, Unprintable()], "ordered_components": ["a", [0, 1], 5],
    }  # fmt: skip
    yield "Priors", bayesgmm.Priors, {"ordered": 0}, {
        "ordered_components": ["a", 5, {}, ["a"], [-1, 0], [0, 0], [1.5]],
    }  # fmt: skip
    yield (
        "Priors.from_resolved",
        bayesgmm.Priors.from_resolved,
        {"resolved": t.priors},
        {"resolved": ["a", "{}", "[]", 5, None, {}, []]},
    )
    yield "Priors.to_json", bayesgmm.Priors().to_json, {}, {"path": PATH}
    yield "Priors.from_json", bayesgmm.Priors.from_json, {"source": "{}"}, {
        "source": ["a", "[]", '{"covariances": {}}', '{"mean_sd": [0]}', 5, None, {}],
    }  # fmt: skip
    yield "Priors.richardson_green", bayesgmm.Priors.richardson_green, {}, {}
    yield "Priors.for_data", bayesgmm.Priors().for_data, {"X": t.X, "n_components": 2}, {
        "X": ROWS, "n_components": COUNT, "covariance_type": STRUCTURE,
        "sample_weight": ROW_WEIGHTS,
    }  # fmt: skip
    yield (
        "ResolvedPriors.expected_scale",
        owned("priors", "expected_scale"),
        {"mixture": t.mixture},
        {"mixture": MIXTURE},
    )
    yield "ResolvedPriors.log_density", owned("priors", "log_density"), {"mixture": t.mixture}, {
        "mixture": MIXTURE, "scale": [*optional(NUMBERS), 0, [], -np.eye(2)],
    }  # fmt: skip
    yield "ResolvedPriors.to_dict", owned("priors", "to_dict"), {}, {}
    yield (
        "ResolvedPriors.from_dict",
        bayesgmm.ResolvedPriors.from_dict,
        {"fields": t.priors.to_dict()},
        {"fields": ["a", 5, None, {}, []]},
    )
    positive = ["a", 0.0, NAN, [], True, np.array("a")]
    yield "LKJ", bayesgmm.LKJ, {}, {
        "eta": positive, "log_scale_location": ["a", {}], "log_scale_spread": positive,
    }  # fmt: skip
    yield "Gamma", bayesgmm.Gamma, {}, {"shape": positive, "rate": positive}
    yield "Wishart", bayesgmm.Wishart, {}, {"df": positive, "scale": ["a", 5]}
    yield "InverseGamma", bayesgmm.InverseGamma, {}, {"shape": positive, "scale": positive}
    yield "InverseWishart", bayesgmm.InverseWishart, {}, {
        "df": positive, "scale": ["a", 5, [[1.0, 2.0], [2.0, 1.0]]],
    }  # fmt: skip
    yield "marginal_mixture", marginal_mixture, {
        "name": "x", "weights": [0.5, 0.5], "means": t.mixture.means, "covariances": matrices,
    }, {
        "name": [5, None, []], "weights": [*NUMBERS, 5], "means": [*NUMBERS, [1.0], [[]]],
        "covariances": [*NUMBERS, 5], "cholesky": [matrices], "precision_cholesky": [matrices],
        "covariance_type": STRUCTURE, "observed": optional(ROWS), "labels": ROW_LABELS,
        "noise_weight": ["a", [NAN], 5, 0.1],
    }  # fmt: skip
    known = {
        "labels": ROW_LABELS, "noise_component": SWITCH, "contaminated": SWITCH,
        "equal_weights": SWITCH, "fixed": [5, "a", {"zzz": [1.0]}, {"weights": [2.0, NAN]}],
    }  # fmt: skip
    yield "mixture_model", bayesgmm.mixture_model, {"X": t.X, "n_components": 2}, {
        "X": ROWS, "n_components": COUNT, "covariance_type": optional(STRUCTURE),
        "priors": PRIORS, "init": optional(MIXTURE), **known,
    }  # fmt: skip
    yield "sample_posterior", bayesgmm.sample_posterior, {
        "X": t.X, "n_components": 2, "draws": 4, "tune": 4, "chains": 1, "progressbar": False,
    }, {
        "X": ROWS, "n_components": COUNT, "covariance_type": optional(STRUCTURE), "priors": PRIORS,
        "draws": optional(COUNT), "tune": COUNT, "chains": COUNT, "init": WORD,
        "method": WORD, "nuts_sampler": WORD, "target_accept": PROBABILITY, "min_ess": NOT_NEGATIVE,
        "max_time": NOT_NEGATIVE, "rng": RNG, **known,
    }  # fmt: skip
    for name in ("co_clustering", "log_likelihood", "responsibilities"):
        yield name, getattr(bayesgmm, name), posterior, {
            "posterior": POSTERIOR, "X": optional(ROWS), "variables": VARIABLES,
        }  # fmt: skip
    yield "filled_components", bayesgmm.filled_components, posterior, {
        "posterior": POSTERIOR, "X": optional(ROWS), "variables": VARIABLES, "rng": RNG,
    }  # fmt: skip
    yield "posterior_partition", bayesgmm.posterior_partition, posterior, {
        "posterior": POSTERIOR, "X": optional(ROWS), "loss": WORD, "prob": PROBABILITY,
        "allocations": TEXT, "variables": VARIABLES, "rng": RNG,
    }  # fmt: skip
    yield "impute", bayesgmm.impute, posterior, {
        "posterior": POSTERIOR, "X": optional(ROWS), "n_imputations": THREADS, "rng": RNG,
        "variables": VARIABLES,
    }  # fmt: skip
    yield "posterior_predictive", bayesgmm.posterior_predictive, posterior, {
        "posterior": POSTERIOR, "n_samples": THREADS, "rng": RNG, "variables": VARIABLES,
    }  # fmt: skip
    yield "relabel", bayesgmm.relabel, posterior, relabelling | {
        "by": WORD,
    }  # fmt: skip
    yield "relabel", bayesgmm.relabel, posterior | {"method": "ordered"}, {"feature": FEATURE}
    yield "label_switching", bayesgmm.label_switching, posterior, relabelling
    yield (
        "LabelSwitching.r_hat",
        owned("switching", "r_hat"),
        {"form": "relabelled"},
        {"form": WORD},
    )
    yield "LabelSwitching.to_dict", owned("switching", "to_dict"), {}, {}
    yield "LabelSwitching.relabelled", owned("switching", "relabelled"), {}, {}
    yield "compare_engines", bayesgmm.compare_engines, {"em": t.mixture, **posterior}, {
        "em": optional(MIXTURE), "posterior": POSTERIOR, "X": optional(ROWS), "prob": PROBABILITY,
        "variables": VARIABLES,
    }  # fmt: skip
    yield "recovery", bayesgmm.recovery, {"fit": t.posterior, "truth": t.mixture}, {
        "fit": MIXTURE, "truth": MIXTURE, "prob": PROBABILITY, "rng": RNG, "variables": VARIABLES,
    }  # fmt: skip
    yield "plot_mixture", bayesgmm.plot_mixture, {"fit": t.posterior}, {
        "kind": WORD,
        "fit": MIXTURE, "X": optional(ROWS), "features": optional(FEATURES), "prob": PROBABILITY,
        "variables": VARIABLES, "ax": AXES,
    }  # fmt: skip
    results = [*MIXTURE, pd.DataFrame()]
    switching = {"result": t.switching}
    yield "plot_ambiguity", bayesgmm.plot_ambiguity, switching, {"result": results, "ax": AXES}
    yield "plot_label_switching", bayesgmm.plot_label_switching, switching, {
        "result": results, "parameter": WORD, "feature": FEATURE,
    }  # fmt: skip
    yield "plot_partition", bayesgmm.plot_partition, {"result": t.partition}, {
        "result": results, "X": optional(ROWS), "features": optional(FEATURES),
    }  # fmt: skip
    yield "plot_engines", bayesgmm.plot_engines, {"result": t.engines}, {
        "result": results, "ax": AXES,
    }  # fmt: skip
    yield "plot_recovery_study", bayesgmm.plot_recovery_study, {"result": t.study}, {
        "result": ["a", 5, None, [1.0], {}, xr.Dataset(), Unprintable()],
    }  # fmt: skip
    yield "plot_recovery", bayesgmm.plot_recovery, {"result": t.recovery}, {
        "result": results, "ax": AXES,
    }  # fmt: skip
    yield "report", bayesgmm.report, {"X": t.X}, {"n_components": THREADS}
    yield "report", bayesgmm.report, {"X": t.X, "n_components": 2}, {
        "noise_component": SWITCH, "contaminated": SWITCH,
    }  # fmt: skip
    yield "report", bayesgmm.report, {"X": t.X, "em": t.fit}, {
        "X": ROWS, "em": optional(MIXTURE), "posterior": optional(POSTERIOR[:5]),
        "variables": [each for each in VARIABLES if each != {"means": "zzz"}],
        "truth": optional(MIXTURE), "labels": [5, ["a"], "a"], "selection": ["a", 5, []],
        # A text is the reason why there is none.
        "evidence": [5, [], {}, Unprintable()], "title": TEXT, "source": TEXT,
        "command": TEXT, "reading": TEXT,
    }  # fmt: skip
    yield (
        "Report.save",
        lambda **a: page().save(**a),
        {"path": "page.html"},
        {"path": [*PATH, None]},
    )
    yield "Report.to_json", lambda **a: page().to_json(**a), {}, {"path": PATH}
    yield "explore", bayesgmm.explore, {
        "X": t.X, "n_components": 1, "covariance_type": "EII", "progressbar": False,
    }, {
        "X": ROWS, "n_components": ["a", 2.0, None, 0, []], "covariance_type": ["zzz", 3, []],
        "labels": [5, ["a"], "a"], "title": TEXT, "source": TEXT, "command": TEXT, "rng": RNG,
        "sample_weight": ROW_WEIGHTS, "error_covariances": ERRORS, "noise_component": SWITCH,
    }  # fmt: skip
    saved = {"path": [*PATH, None]}
    yield "Explorer.save", lambda **a: explorer().save(**a), {"path": "page.html"}, saved
    yield "Explorer.to_json", lambda **a: explorer().to_json(**a), {}, {"path": PATH}


def _but(kind, *allowed):
    return [value for value in kind if not any(value is each for each in allowed)]


def _fitted(**arguments):
    return bayesgmm.GaussianMixture(**arguments).fit(things().X)


def _classifier(**arguments):
    fit = bayesgmm.GaussianMixtureClassifier(**{"covariance_type": "EII", **arguments})
    return fit.fit(things().X, things().fit.predict(things().X))


def _method_of_a_fit(method):
    def call(**arguments):
        from sklearn.base import clone

        fit = clone(things().fit) if method.startswith("fit") else things().fit
        return getattr(fit, method)(**arguments)

    return call


@cache
def calls():
    """The table, with the arguments on how rows were observed wherever a call has them."""
    observed = {
        "error_covariances": ERRORS, "sample_weight": ROW_WEIGHTS, "missing": ["zzz", 5, []],
    }  # fmt: skip
    found = []
    for name, function, sound, kinds in table():
        owner, _, method = name.partition(".")
        item = getattr(bayesgmm, owner, None) or getattr(bayesgmm.likelihood, owner, None)
        item = getattr(item, method, None) if method else item
        has = () if item is None else inspect.signature(item).parameters
        more = {each: kind for each, kind in observed.items() if each in has}
        found.append((name, function, sound, {**more, **kinds}))
    return found
