import json
import os
import pickle
import threading
import time

import numpy as np
import pytest

import bayesgmm
from bayesgmm.data.json_document import dump_document
from bayesgmm.errors import FileError, InvalidParameterError, ModelFormatError
from bayesgmm.mixture.mixture import Mixture

FIELDS = {
    "feature_names": ["x"],
    "weights": [0.5, 0.5],
    "means": [[0.0], [1.0]],
    "covariances": [[[1.0]], [[2.0]]],
}


def signed(**changes):
    return dump_document("bayesgmm.mixture", 1, FIELDS | changes)


def test_round_trip_is_exact(mixture, tmp_path):
    scaled = mixture.transformed([1e-150, 1 / 3, 1e150])
    path = tmp_path / "model.json"
    text = scaled.to_json(path)
    assert json.loads(text)["schema"] == "bayesgmm.mixture"
    for source in (text, text.encode(), path, str(path)):
        assert Mixture.from_json(source) == scaled
    assert Mixture.from_json(signed()).feature_names == ("x",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (signed(weights=[0.5, 0.6]), "sum to 1"),
        (signed(weights=[1.0]), "means must have shape"),
        (signed(weights="[0.5, 0.5]"), "real numbers"),
        (signed(weights={"a": 1}), "real numbers"),
        (signed(weights=None), "real numbers"),
        (signed(means=[[0.0], [1.0, 2.0]]), "ragged"),
        (signed(covariances=[[[1.0]], [[-2.0]]]), "variance -2"),
        (signed(means=[[0.0], [10**400]]), "real numbers"),
        (signed(feature_names=3), "valid mixture"),
        (signed(extra=1), "unknown ones"),
        (signed().replace("0.5", "NaN"), "NaN is not a finite number"),
        (signed().replace("0.5", "1e999"), "checksum"),
        (signed().replace("2.0", "3.0"), "checksum"),
        (signed().replace('"version": 1', '"version": 2'), "Update"),
        (signed().replace('"version": 1', '"version": true'), "version"),
        (signed().replace("bayesgmm.mixture", "other"), "schema"),
        ("[1, 2]", "neither"),
        ("", "neither"),
        ("a\0b", "neither"),
        ("{" * 10, "not valid JSON"),
        ('{"a":' * 100_000, "nested"),
        ('{"schema": ' + "[" * 100_000, "nested"),
        ('{"a": ' + "9" * 10_000 + "}", "not valid JSON"),
        ("{" + " " * (64 * 2**20), "longer"),
        (b"\xff\xfe\x00", "UTF-8"),
    ],
    ids=range(25),
)
def test_hostile_texts_are_refused_quickly(text, message):
    start = time.perf_counter()
    with pytest.raises(ModelFormatError, match=message):
        Mixture.from_json(text)
    assert time.perf_counter() - start < 1


def test_asymmetric_covariances_are_refused():
    skew = signed(
        weights=[1.0],
        means=[[0.0, 0.0]],
        covariances=[[[1.0, 0.5], [0.4, 1.0]]],
        feature_names=None,
    )
    with pytest.raises(ModelFormatError, match="symmetric"):
        Mixture.from_json(skew)


def test_truncation_anywhere_is_refused(mixture):
    text = mixture.to_json()
    for end in range(0, len(text), 7):
        with pytest.raises(ModelFormatError):
            Mixture.from_json(text[:end])


def test_a_flipped_bit_anywhere_is_refused_or_harmless(mixture):
    content = mixture.to_json().encode()
    refused = 0
    for position in range(0, len(content), 3):
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 7)
        try:
            assert Mixture.from_json(bytes(damaged)) == mixture
        except ModelFormatError:
            refused += 1
    assert refused > 0.9 * len(range(0, len(content), 3))


class _Bomb:
    def __reduce__(self):
        return (pytest.fail, ("code ran",))


def test_pickles_are_refused_unread(tmp_path):
    path = tmp_path / "model.json"
    path.write_bytes(pickle.dumps(_Bomb()))
    for source in (path, str(path), path.read_bytes()):
        with pytest.raises(ModelFormatError):
            Mixture.from_json(source)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError):
        Mixture.from_json(tmp_path / "none.json")
    with pytest.raises(ModelFormatError, match="regular"):
        Mixture.from_json(tmp_path)


def test_a_failed_write_leaves_the_old_file(mixture, tmp_path, monkeypatch):
    path = tmp_path / "model.json"
    mixture.to_json(path)
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        mixture.permuted([2, 1, 0]).to_json(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.json"]


def test_floats_survive_to_the_last_bit():
    values = np.nextafter([0.1, 1e-308, 1e308], 1)
    mixture = Mixture([1.0], [values], [np.diag([0.1, 5e-324 * 3, 1e308])])
    assert Mixture.from_json(mixture.to_json()).means.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (signed(feature_names={"x": 1}), "sequence of names"),
        (signed(feature_names="x"), "sequence of names"),
        (signed(feature_names=True), "sequence of names"),
        (signed(feature_names=[["x"]]), "strings"),
        (signed(feature_names=[True]), "strings"),
        (signed(feature_names=["a\0b"]), "NUL character"),
        (signed(feature_names=["half \ud800"]), "surrogate"),
        (signed(weights=[True, 0.0]), "truth values"),
        (signed(means=[[0.0], [True]]), "truth values"),
        (signed(covariances=[[[1.0]], [[True]]]), "truth values"),
        (signed(covariances=[[[True]], [[True]]]), "real numbers"),
        (signed(means=[[0.5], [2**53 + 1]]), r"integer beyond 2\*\*53 at index \(1, 0\)"),
        (signed(means=[[0], [2**63]]), r"integer beyond 2\*\*53"),
        (signed(means=[[None], [1.0]]), "real numbers"),
        (signed(means=[["1"], [1.0]]), "real numbers"),
        (signed(means=[{"0": 1.0}, {"0": 2.0}]), "real numbers"),
        (signed(means={"0": [1.0]}), "real numbers"),
        (signed().replace('"weights"', '"means": [], "weights"', 1), "field occurs twice"),
        ("\ufeff" + signed(), "neither"),
    ],
    ids=range(19),
)
def test_kinds_that_python_would_take_and_a_model_has_not(text, message):
    with pytest.raises(ModelFormatError, match=message):
        Mixture.from_json(text)


@pytest.mark.parametrize("source", [None, 5, 1.5, ["{}"], {}, bytearray(b"{}"), object()])
def test_what_is_neither_text_nor_path(source):
    with pytest.raises(InvalidParameterError, match="read from JSON text, bytes or a path"):
        Mixture.from_json(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a pipe by its name")
def test_a_model_comes_through_a_pipe(mixture, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for source in (pipe, str(pipe)):
        writer = threading.Thread(target=mixture.to_json, args=(pipe,))
        writer.start()
        assert Mixture.from_json(source) == mixture
        writer.join()
    with pytest.raises(ModelFormatError, match="longer than 64 MB"):
        Mixture.from_json("/dev/zero")


def test_files_that_cannot_be_read_are_errors_of_the_package(tmp_path):
    with pytest.raises(FileError, match=r"none\.json' was not read\. No such file"):
        Mixture.from_json(tmp_path / "none.json")
    with pytest.raises(InvalidParameterError, match="NUL"):
        Mixture.from_json(tmp_path / "a\0b")


def test_documents_of_another_class_name_their_reader():
    fit = bayesgmm.GaussianMixture(1).fit([[1.0], [2.0], [4.0]])
    with pytest.raises(ModelFormatError, match=r"read it with Mixture\.from_json"):
        bayesgmm.GaussianMixture.from_json(fit.mixture_.to_json())
    with pytest.raises(ModelFormatError, match=r"GaussianMixture\.from_json"):
        bayesgmm.Mixture.from_json(fit.to_json())
    with pytest.raises(ModelFormatError, match=r"in the file that `bayesgmm fit -o` writes"):
        bayesgmm.Mixture.from_json('{"schema": "bayesgmm.fit", "version": 1}')
