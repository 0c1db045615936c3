"""Files and documents: exact on the way there and back, damage is a sentence."""

import contextlib
import io
import json
from functools import cache

import numpy as np
import pandas as pd
from fuzzing import fuzz, line_mixtures, outcome
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bayesgmm import GaussianMixture, GaussianMixtureClassifier
from bayesgmm.data.csv_files import csv_text
from bayesgmm.data.json_document import dump_document
from bayesgmm.data.table_files import npy_bytes, read_table
from bayesgmm.data.tables import select
from bayesgmm.errors import BayesGMMError, InputError, InputTypeError, ModelFormatError
from bayesgmm.mixture.mixture import Mixture

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TABLES = st.tuples(st.integers(1, 6), st.integers(1, 4)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=FINITE)
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
FIELDS = {
    "feature_names": ["x"],
    "weights": [0.5, 0.5],
    "means": [[0.0], [1.0]],
    "covariances": [[[1.0]], [[2.0]]],
}


@fuzz(60)
@given(TABLES, st.sampled_from([",", ";", "\t", "|"]))
def test_csv_holds_every_float_to_the_last_bit(tmp_path_factory, X, delimiter):
    path = tmp_path_factory.getbasetemp() / "x.csv"
    names = [f"c{j}" for j in range(X.shape[1])]
    path.write_text(csv_text(names, list(X.T)).replace(",", delimiter))
    found = select(read_table(path, delimiter=delimiter))
    assert found.feature_names == tuple(names)
    assert found.X.tobytes() == X.tobytes()


@fuzz(60)
@given(TABLES, st.sampled_from(["<f8", ">f8"]), st.booleans())
def test_npy_holds_every_float_to_the_last_bit(tmp_path_factory, X, dtype, by_columns):
    path = tmp_path_factory.getbasetemp() / "x.npy"
    array = np.asfortranarray(X) if by_columns else X
    path.write_bytes(npy_bytes(array.astype(dtype)))
    assert select(read_table(path)).X.tobytes() == X.tobytes()


@st.composite
def damaged(draw, content):
    """Some bytes changed, taken out or put in; or the end missing."""
    found = bytearray(content)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(found) - 1))
        found[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
        if not found:
            break
    return bytes(found[: draw(st.none() | st.integers(0, len(found)))])


def parquet_bytes(frame):
    buffer = io.BytesIO()
    frame.to_parquet(buffer)
    return buffer.getvalue()


CONTENTS = st.sampled_from(
    [
        parquet_bytes(pd.DataFrame({"x": [1.0, None, 3.5], "y": [1, 2, 3]})),
        b"x,y\n1.0,2.0\n3.5,-4e-3\n",
        b"a;b;c\n1;2;w\n4;5;9007199254740993\n",
        b"1 2\n3 4\n",
        npy_bytes(np.arange(6.0).reshape(3, 2)),
        npy_bytes(np.arange(6).reshape(3, 2)),
    ]
)


@fuzz(150)
@given(st.sampled_from(["x", "x.npy", "x.csv", "x.parquet"]), CONTENTS.flatmap(damaged))
def test_a_damaged_file_is_a_table_or_a_sentence(tmp_path_factory, name, content):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    with contextlib.suppress(InputError, InputTypeError):
        assert select(read_table(path)).X.ndim == 2


@fuzz(60)
@given(line_mixtures(), st.none() | st.text(min_size=1))
def test_a_mixture_comes_back_from_its_document_to_the_last_bit(mixture, name):
    if name is not None:
        args = mixture.weights, mixture.means, mixture.covariances, [name]
        mixture = outcome(Mixture, *args)
        if isinstance(mixture, BayesGMMError):
            return
    again = Mixture.from_json(mixture.to_json())
    assert again == mixture
    assert again.covariances.tobytes() == mixture.covariances.tobytes()


@st.composite
def changed(draw, value):
    """A value of a document with parts of it replaced by anything that JSON can hold."""
    if draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    if isinstance(value, list):
        return [draw(changed(each)) for each in value]
    return value


@fuzz(100)
@given(st.fixed_dictionaries({name: changed(value) for name, value in FIELDS.items()}))
def test_a_document_with_other_values_is_a_mixture_or_a_sentence(fields):
    try:
        text = dump_document("bayesgmm.mixture", 1, fields)
    except ValueError:  # JSON has no NaN
        return
    found = outcome(Mixture.from_json, text)
    if isinstance(found, Mixture):
        # Where the sum misses 1, by 1e-8 at most, weights are divided by it.
        np.testing.assert_allclose(found.weights, fields["weights"], rtol=2e-8)
        assert found.means.tolist() == fields["means"]


@fuzz(150)
@given(damaged(Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 2.0], ["x"]).to_json().encode()))
def test_a_damaged_document_is_refused(content):
    whole = Mixture([0.5, 0.5], [0.0, 1.0], [1.0, 2.0], ["x"])
    found = outcome(Mixture.from_json, content)
    # Blanks between its parts, and other ways to write a number, are no damage.
    if isinstance(found, Mixture):
        assert found == whole
        assert json.loads(content) == json.loads(whole.to_json())


@cache
def saved():
    """A fit and a classifier as documents."""
    x = np.arange(24.0).reshape(12, 2) % 7
    fit = GaussianMixture(2, covariance_type="EII", random_state=0).fit(x)
    y = np.where(fit.predict(x) == 0, "a", "b")
    classifier = GaussianMixtureClassifier(covariance_type="EII").fit(x, y)
    return {type(each): each.to_json() for each in (fit, classifier)}


ESTIMATORS = st.sampled_from([GaussianMixture, GaussianMixtureClassifier])


@st.composite
def edited(draw, value):
    """A document with one of its parts replaced by anything that JSON can hold."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    key = draw(st.sampled_from(keys))
    found = value.copy()
    found[key] = draw(edited(value[key]))
    return found


@fuzz(200)
@given(ESTIMATORS, st.data())
def test_a_document_of_an_estimator_with_other_values_is_one_or_a_sentence(kind, data):
    document = json.loads(saved()[kind])
    fields = {name: document[name] for name in ("estimator", "parameters", "fit")}
    try:
        text = dump_document("bayesgmm.estimator", 1, data.draw(edited(fields)))
    except (ValueError, TypeError, AttributeError):  # JSON has no NaN, and a document is an object
        return
    found = outcome(kind.from_json, text)
    if isinstance(found, kind):
        assert outcome(found.predict_proba, np.zeros((2, 2))).shape == (2, 2)
    else:
        assert isinstance(found, ModelFormatError)


@fuzz(150)
@given(ESTIMATORS, st.data())
def test_a_damaged_document_of_an_estimator_is_refused(kind, data):
    content = data.draw(damaged(saved()[kind].encode()))
    found = outcome(kind.from_json, content)
    if isinstance(found, kind):
        assert json.loads(content) == json.loads(saved()[kind])
