"""Fitted estimators as JSON: everything but the rows comes back to the last bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesgmm import GaussianMixture, InverseWishart, Mixture, Priors, load_dataset, structures
from bayesgmm.data.json_document import dump_document
from bayesgmm.errors import (
    FileError,
    InputError,
    InvalidParameterError,
    ModelFormatError,
    NotFittedError,
)

GOLDEN = Path(__file__).parent / "gaussian_mixture_v1.json"
X = load_dataset("faithful").X
rng = np.random.default_rng(0)
LABELS = np.where(np.arange(272) < 20, (X[:, 0] > 3).astype(int), -1)


def fitted(*, fit=None, rows=X, **parameters):
    return GaussianMixture(2, random_state=0, **parameters).fit(rows, **(fit or {}))


# Fits that differ in what they hold: parameters, arguments of fit, and results.
FITS = {
    "default": {},
    "diagonal": {"covariance_type": "VEI"},
    "structure": {"covariance_type": structures()[3]},
    "tied": {"covariance_type": "tied", "eigenvalue_ratio": 1e10, "tol": np.float32(1e-3)},
    "priors": {"priors": "default"},
    "more priors": {
        "priors": Priors(
            covariances=InverseWishart(df=5.0), mean_sd=[3.0, 40.0], hierarchical=False
        )
    },
    "start": {"means_init": X[:2], "max_iter": 2000},
    "labels as start": {"init_params": [0, 1] * 136},
    "held": {"fixed": {"weights": [0.4, np.nan], "means": [[np.nan, 54.0], [np.nan, np.nan]]}},
    "noise": {"noise_component": True},
    "contaminated": {"contaminated": True, "max_iter": 200},
    "reference": {"order_by": Mixture([0.5, 0.5], [[4.0, 80.0], [2.0, 50.0]], [np.eye(2)] * 2)},
    "weights": {"fit": {"sample_weight": rng.uniform(0, 2, 272)}},
    "errors": {"fit": {"error_covariances": np.full((272, 2), 0.01)}},
    "labels": {"fit": {"labels": LABELS}},
    "names": {"rows": pd.DataFrame(X, columns=["a", "Gruß"])},
}


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
@pytest.mark.parametrize("name", FITS)
def test_a_fit_comes_back_to_the_last_bit(name, tmp_path):
    fit = fitted(**FITS[name])
    rows = FITS[name].get("rows", X)
    path = tmp_path / "fit.json"
    text = fit.to_json(path)
    for source in (text, text.encode(), path, str(path)):
        again = GaussianMixture.from_json(source)
        assert again.to_json() == text
    assert again.mixture_ == fit.mixture_
    for call in ("predict_proba", "score_samples", "predict", "bic", "icl"):
        np.testing.assert_array_equal(getattr(again, call)(rows), getattr(fit, call)(rows))
    attributes = [each for each in dir(fit) if each.endswith("_") and each[0] != "_"]
    assert attributes == [each for each in dir(again) if each.endswith("_") and each[0] != "_"]
    for each in ("lower_bounds_", "n_iter_", "n_rows_", "remaining_", "covariances_", "priors_"):
        np.testing.assert_array_equal(getattr(again, each), getattr(fit, each))
    pd.testing.assert_frame_equal(again.starts_, fit.starts_)
    assert again.summary(rows) == fit.summary(rows)
    assert vars(fit).keys() - vars(again).keys() == {"_rows", "_of_source", "_online"}


def test_the_rows_stay_behind():
    fit = fitted()
    assert str(X[0, 0]) + ", " + str(X[1, 0]) not in fit.to_json()
    again = GaussianMixture.from_json(fit.to_json())
    with pytest.raises(InputError, match="rows of a fit are not stored in a file with it"):
        again.bic()
    pd.testing.assert_frame_equal(again.standard_errors(X).table, fit.standard_errors(X).table)
    warm = again.set_params(warm_start=True).fit(X)
    assert warm.log_likelihood_ == pytest.approx(fit.log_likelihood_, abs=1e-9)


def test_a_reference_that_was_fitted_is_saved_as_its_mixture():
    reference = fitted()
    again = GaussianMixture.from_json(fitted(order_by=reference).to_json())
    assert again.order_by == reference.mixture_


def test_a_fit_of_version_1_is_read():
    fit = GaussianMixture.from_json(GOLDEN)
    assert json.loads(GOLDEN.read_text())["version"] == 1
    assert fit.covariance_type == "EEE"
    assert fit.priors_.covariance_type == "EEE"
    assert fit.feature_names_in_.tolist() == ["eruptions", "waiting"]
    assert fit.log_likelihood_ == -1140.2123959918408
    assert fit.degeneracy_ is None
    written, held = (json.loads(each)["fit"] for each in (fit.to_json(), GOLDEN.read_text()))
    assert held["FitResults"].items() <= written["FitResults"].items()
    frame = pd.DataFrame(X, columns=fit.feature_names_in_)
    assert fit.score(frame) * 272 == pytest.approx(fit.log_likelihood_, abs=1e-9)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"random_state": np.random.default_rng(0)}, "random_state is a Generator, which a file"),
        ({"init_params": lambda *_, **__: [0, 1] * 136}, "init_params is a function"),
    ],
)
def test_what_a_file_cannot_hold_is_named(parameters, words):
    fit = GaussianMixture(2, **parameters).fit(X)
    with pytest.raises(InputError, match=words):
        fit.to_json()


def test_only_a_fit_is_saved():
    with pytest.raises(NotFittedError):
        GaussianMixture().to_json()


def signed(**changes):
    """The golden document with other values, and a checksum that fits."""
    document = json.loads(GOLDEN.read_text())
    for name in ("schema", "version", "checksum"):
        del document[name]
    results = document["fit"]["FitResults"]
    for name, value in changes.items():
        (document if name in document else results)[name] = value
    return dump_document("bayesgmm.estimator", 1, document)


MEANS = {"array": {"dtype": "float64", "shape": [1, 2], "entries": [0.0, 0.0]}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (signed(estimator="GaussianMixtureClassifier"), "not a GaussianMixture: read it by"),
        (signed(parameters={"zzz": 1}), "parameters that GaussianMixture lacks: \\['zzz'\\]"),
        (signed(parameters=3), "no parameters of a GaussianMixture"),
        (signed(fit=None), "no results of a fit"),
        (signed(fit={"FitResults": {}}), "cannot be read"),
        (signed(fit={"os.system": "ls"}), "of kind 'os.system' that cannot be read"),
        (signed(converged=1), "'converged' cannot be 1"),
        (signed(log_likelihood="a"), "'log_likelihood' cannot be 'a'"),
        (signed(structure="zzz"), "not a covariance structure"),
        (signed(structure="EEI"), "covariances are not those of its structure"),
        (signed(feature_names_in={"tuple": ["a"]}), "1 name for 2 columns"),
        (signed(feature_names={"tuple": ["a"]}), "valid fit"),
        (signed(starts={"list": [3]}), "'starts' cannot be"),
        (signed(n_rows={"tuple": []}), "'n_rows' cannot be"),
        (signed(n_rows={"set": []}), "kind 'set'"),
        (signed(n_rows={"float": "many"}), "kind 'float'"),
        (signed(n_rows=[1]), "no known kind"),
        (signed(parameters=json.loads(GOLDEN.read_text())["parameters"] | {"tol": -1.0}), "'tol'"),
        (GOLDEN.read_text().replace('"version": 1', '"version": 2'), "Update"),
        (GOLDEN.read_text().replace("EEE", "VVV"), "checksum"),
        (GOLDEN.read_text()[:-100], "not valid JSON"),
        (fitted().mixture_.to_json(), "not of the schema 'bayesgmm.estimator'"),
        (b"\xff", "UTF-8"),
        ("", "neither"),
    ],
    ids=range(24),
)
def test_foreign_and_damaged_documents_are_refused(text, message):
    with pytest.raises(ModelFormatError, match=message):
        GaussianMixture.from_json(text)


def test_files_that_are_not_there(tmp_path):
    with pytest.raises(FileError):
        GaussianMixture.from_json(tmp_path / "none.json")
    with pytest.raises(InvalidParameterError):
        GaussianMixture.from_json(3)
