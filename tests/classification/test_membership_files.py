"""Memberships of the rows of a source, in files."""

import os

import numpy as np
import pandas as pd
import pytest

from bayesgmm import (
    GaussianMixture,
    GaussianMixtureClassifier,
    load_dataset,
    open_rows,
    random_mixture,
    write_memberships,
)
from bayesgmm.errors import ExistingFileError, FileError, InputError, InvalidParameterError
from bayesgmm.executors import SerialExecutor, ThreadExecutor

MIXTURE = random_mixture(3, 2, average_overlap=0.15, rng=3)
X = MIXTURE.sample(150_000, rng=4)[0]


def test_all_rows_in_order(tmp_path):
    for name, executor in (("one", SerialExecutor()), ("three", ThreadExecutor(3))):
        path = tmp_path / f"{name}.npy"
        write_memberships(MIXTURE, open_rows(X), path, executor=executor)
        found = np.load(path)
        assert found.shape == (len(X), 3)
        np.testing.assert_allclose(found, MIXTURE.responsibilities(X), atol=1e-12)
    assert (tmp_path / "one.npy").read_bytes() == (tmp_path / "three.npy").read_bytes()
    write_memberships(MIXTURE, open_rows(X), tmp_path / "all.parquet")
    table = pd.read_parquet(tmp_path / "all.parquet")
    heads = ["component", "probability", *(f"probability_{k}" for k in range(3))]
    assert list(table) == ["x0", "x1", *heads]
    assert np.array_equal(table[["x0", "x1"]], X)
    assert np.array_equal(table[heads[2:]], found)
    assert np.array_equal(table["component"], found.argmax(axis=1))
    assert np.array_equal(table["probability"], found.max(axis=1))


def test_noise_classes_and_missing_entries(tmp_path):
    frame = load_dataset("faithful").frame
    frame.iloc[3, 0] = np.nan
    fit = GaussianMixture(2, noise_component=True, random_state=0).fit(frame)
    write_memberships(fit, open_rows(frame), tmp_path / "a.parquet")
    table = pd.read_parquet(tmp_path / "a.parquet")
    assert list(table)[:2] == list(frame)
    assert np.isnan(table.iloc[3, 0])
    assert np.array_equal(table["component"], fit.predict(frame))
    np.testing.assert_allclose(table["outlier"], fit.outlier_proba(frame), atol=1e-12)
    iris = load_dataset("iris")
    classifier = GaussianMixtureClassifier(random_state=0).fit(iris.X, iris.labels)
    write_memberships(classifier, open_rows(iris.X), tmp_path / "b.parquet")
    assert pd.read_parquet(tmp_path / "b.parquet")["class"].tolist() == list(
        classifier.predict(iris.X)
    )


def test_what_cannot_be_written(tmp_path):
    rows, path = open_rows(X), tmp_path / "a.npy"
    path.write_text("mine")
    with pytest.raises(ExistingFileError):
        write_memberships(MIXTURE, rows, path)
    assert path.read_text() == "mine"
    write_memberships(MIXTURE, rows, path, force=True)
    assert len(np.load(path)) == len(X)
    with pytest.raises(InvalidParameterError, match=r"end in .parquet or .npy, unlike '.*a.csv'"):
        write_memberships(MIXTURE, rows, tmp_path / "a.csv")
    with pytest.raises(InputError, match=r"2 columns, but an array has 1 column\."):
        write_memberships(MIXTURE, open_rows(X[:, :1]), tmp_path / "b.npy")
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(FileError, match="stream"):
        write_memberships(MIXTURE, rows, tmp_path / "pipe.npy", force=True)


def test_columns_in_another_order_are_refused(tmp_path):
    frame = load_dataset("faithful").frame
    fit = GaussianMixture(2, random_state=0).fit(frame)
    turned = open_rows(frame[list(frame)[::-1]])
    with pytest.raises(InputError, match="Choose the columns of the model"):
        write_memberships(fit, turned, tmp_path / "a.npy")
    write_memberships(fit, open_rows(frame, columns=list(frame)), tmp_path / "a.npy")


def test_an_error_leaves_nothing(tmp_path):
    bad = X[:100_000].copy()
    np.save(tmp_path / "rows.npy", bad)
    rows = open_rows(tmp_path / "rows.npy")
    with open(tmp_path / "rows.npy", "ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match="has changed"):
        write_memberships(MIXTURE, rows, tmp_path / "out.parquet")
    assert [each.name for each in tmp_path.iterdir()] == ["rows.npy"]
