"""Fitted classifiers as JSON: everything but the rows comes back to the last bit."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesgmm import GaussianMixture, GaussianMixtureClassifier, load_dataset
from bayesgmm.data.json_document import dump_document
from bayesgmm.errors import InputError, ModelFormatError

GOLDEN = Path(__file__).parent / "classifier_v1.json"
IRIS = load_dataset("iris")
Y = {
    "texts": IRIS.labels,
    "integers": np.unique(IRIS.labels, return_inverse=True)[1],
    "truth values": IRIS.labels == "setosa",
    "unknown": np.where(np.arange(150) % 3, IRIS.labels, ""),
}


@pytest.mark.parametrize("kind", Y)
@pytest.mark.parametrize("family", ["EDDA", "MDA"])
def test_a_classifier_comes_back_to_the_last_bit(kind, family, tmp_path):
    fit = GaussianMixtureClassifier(
        range(1, 3), family=family, covariance_type=("EEE", "VVV"), unlabelled=""
    ).fit(pd.DataFrame(IRIS.X, columns=[*"abcd"]), Y[kind])
    text = fit.to_json(tmp_path / "fit.json")
    again = GaussianMixtureClassifier.from_json(tmp_path / "fit.json")
    assert again.to_json() == text
    frame = pd.DataFrame(IRIS.X, columns=[*"abcd"])
    np.testing.assert_array_equal(again.predict_proba(frame), fit.predict_proba(frame))
    assert again.predict(frame).tolist() == fit.predict(frame).tolist()
    assert again.classes_.dtype.kind == fit.classes_.dtype.kind
    assert again.summary() == fit.summary()
    assert vars(again).keys() == vars(fit).keys()
    pd.testing.assert_frame_equal(again.models_, fit.models_)


def test_a_classifier_of_version_1_is_read():
    fit = GaussianMixtureClassifier.from_json(GOLDEN)
    assert json.loads(GOLDEN.read_text())["version"] == 1
    assert fit.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert fit.bic_ == 578.4991660609579
    # Names of components came later.
    text = fit.to_json().replace('"component_names": null', "").replace(", }", "}")
    written, held = (json.loads(each)["fit"] for each in (text, GOLDEN.read_text()))
    assert written == held
    assert fit.score(pd.DataFrame(IRIS.X, columns=fit.feature_names_in_), IRIS.labels) == 0.98


def signed(**changes):
    document = json.loads(GOLDEN.read_text())
    for name in ("schema", "version", "checksum"):
        del document[name]
    for name, value in changes.items():
        part = document["parameters"] if name in document["parameters"] else None
        (part or document["fit"]["ClassResults"])[name] = value
    return dump_document("bayesgmm.estimator", 1, document)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chosen": 99}, "does not describe a classifier"),
        ({"chosen": "a"}, "'chosen' cannot be 'a'"),
        ({"mixtures": {"tuple": []}}, "does not describe a classifier"),
        ({"classes": {"array": {"dtype": "str", "shape": [1], "entries": ["a"]}}}, "in number"),
        ({"classes": {"array": {"dtype": "object", "shape": [0], "entries": []}}}, "array of"),
        ({"criterion": "zzz"}, "criterion must be one of"),
        ({"missing": 3}, "missing must be one of"),
        ({"feature_names_in": {"tuple": ["a"]}}, "1 name for 4 columns"),
    ],
)
def test_documents_with_other_values_are_refused(changes, message):
    with pytest.raises(ModelFormatError, match=message):
        GaussianMixtureClassifier.from_json(signed(**changes))


def test_estimators_are_told_apart():
    with pytest.raises(ModelFormatError, match="'GaussianMixtureClassifier', not a Gauss"):
        GaussianMixture.from_json(GOLDEN)


def test_what_a_file_cannot_hold_is_named():
    fit = GaussianMixtureClassifier(random_state=np.random.default_rng(0), covariance_type="EEE")
    with pytest.raises(InputError, match="random_state is a Generator"):
        fit.fit(IRIS.X, IRIS.labels).to_json()
