"""Rows that commands read in parts."""

import json

import numpy as np
import pandas as pd
import pytest

import bayesgmm

MIXTURE = bayesgmm.random_mixture(3, 2, average_overlap=0.15, rng=3)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    X = MIXTURE.sample(120_000, rng=4)[0]
    frame = pd.DataFrame(X, columns=["a", "b"]).assign(w=1.0 + np.arange(len(X)) % 2)
    frame.to_csv(folder / "x.csv", index=False)
    frame.to_csv(folder / "comma.csv", index=False, sep=";", decimal=",")
    (folder / "parts").mkdir()
    for i in range(3):
        frame[i * 40_000 : (i + 1) * 40_000].to_parquet(folder / "parts" / f"{i}.parquet")
    np.save(folder / "x.npy", X)
    return folder


def fields(result):
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_files_of_all_kinds_have_one_fit(bayesgmm_command, files):
    common = ("fit", "-k", 3, "--stream", "--json", "--weights", "w")
    found = [
        fields(bayesgmm_command(*common, files / name, *more))
        for name, *more in (("x.csv",), ("comma.csv", "--decimal", ","), ("parts",))
    ]
    names = "log_likelihood", "bic", "icl", "means", "sizes", "n_iter", "sum_of_weights"
    for other in found[1:]:
        assert [other[each] for each in names] == [found[0][each] for each in names]
    assert found[0]["sum_of_weights"] == 180_000
    assert sum(found[0]["sizes"]) == found[0]["n_rows"] == 120_000


def test_the_fit_is_that_of_rows_in_memory(bayesgmm_command, files):
    common = ("fit", files / "x.csv", "-k", 3, "--columns", "a,b", "--json")
    here, there = (fields(bayesgmm_command(*common, *more)) for more in ((), ("--stream",)))
    assert list(there) == [each for each in here if each != "known_groups"]
    for name in ("log_likelihood", "bic", "aic"):
        assert there[name] == pytest.approx(here[name], rel=1e-10)
    # Memberships move with the means, whose distance from the maximum is not squared.
    assert there["icl"] == pytest.approx(here["icl"], rel=1e-6)
    assert there["sizes"] == here["sizes"]
    np.testing.assert_allclose(there["means"], here["means"], atol=1e-6)


def test_local_workers_have_the_bits_of_threads(bayesgmm_command, files, monkeypatch):
    monkeypatch.setenv("BAYESGMM_NUM_THREADS", "1")
    common = ("fit", files / "x.npy", "-k", 3, "--json")
    threads, dask = (
        fields(bayesgmm_command(*common, *more)) for more in (("--stream",), ("--dask", "local"))
    )
    assert dask == threads


def test_progress_the_summary_and_a_checkpoint(bayesgmm_command, files, tmp_path):
    passes = tmp_path / "passes.json"
    arguments = ("fit", files / "x.npy", "-k", 3, "--checkpoint", passes)
    first = bayesgmm_command(*arguments)
    assert first.exit_code == 0, first.stderr
    assert "Reading 120,000 rows of " in first.stderr
    assert "rows per second, about " in first.stderr
    assert passes.exists()
    again = bayesgmm_command(*arguments, "--quiet")
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == first.stdout
    other = bayesgmm_command(*arguments[:3], 2, *arguments[4:])
    assert other.exit_code == 1
    assert "is of another run: its number of components is 3" in other.stderr


def test_memberships(bayesgmm_command, files, tmp_path):
    model, by_fit, by_predict = (tmp_path / name for name in ("m.json", "a.parquet", "b.parquet"))
    common = (files / "parts", "--columns", "b,a", "--stream")
    result = bayesgmm_command("fit", *common, "-k", 3, "-o", model, "--memberships", by_fit)
    assert result.exit_code == 0, result.stderr
    assert f"The memberships were written to {by_fit}.\n" in result.stderr
    # By the names that the model has, also where other columns come first.
    result = bayesgmm_command("predict", model, files / "parts", "--stream", "-o", by_predict)
    assert (result.exit_code, result.stdout) == (0, "")
    table = pd.read_parquet(by_fit)
    assert list(table)[:4] == ["b", "a", "component", "probability"]
    assert table.equals(pd.read_parquet(by_predict))
    mixture = bayesgmm.GaussianMixture.from_json(model).mixture_
    assert np.array_equal(table["component"], mixture.classify(table[["b", "a"]]))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--noise",), "--noise needs the rows in memory"),
        (("--exclude", "w"), "Name the columns to read with --columns."),
        (("--labels", "w"), "--labels needs the rows in memory"),
        (("--errors", "w,w"), "--errors needs the rows in memory"),
        (("--drop-missing",), "--drop-missing needs the rows in memory"),
        (("--memberships", "x.csv"), "must end in .parquet or .npy, unlike 'x.csv'"),
        (("--columns", "nope"), "There is no column 'nope'"),
    ],
)
def test_what_needs_rows_in_memory(bayesgmm_command, files, tmp_path, monkeypatch, more, said):
    monkeypatch.chdir(tmp_path)
    result = bayesgmm_command("fit", files / "x.csv", "-k", 2, "--stream", *more)
    assert result.exit_code in (1, 2)
    assert said in result.stderr
    assert "Pass" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_reached_or_read(bayesgmm_command, files, tmp_path):
    common = ("fit", "-k", 2, files / "x.npy")
    result = bayesgmm_command(*common, "--dask", "nowhere")
    assert result.exit_code == 1
    assert "--dask: no Dask scheduler answers at 'nowhere'" in result.stderr
    result = bayesgmm_command(*common, "--stream", "--na", "-999")
    assert result.exit_code == 1
    assert "Marks of missing values are for text" in result.stderr
    result = bayesgmm_command("predict", tmp_path / "none.json", files / "x.npy", "--stream")
    assert result.exit_code == 2
    assert "-o must name a .parquet or .npy file" in result.stderr


def test_a_shipped_data_set(bayesgmm_command):
    here = fields(bayesgmm_command("fit", "faithful", "-k", 2, "--json"))
    there = fields(bayesgmm_command("fit", "faithful", "-k", 2, "--json", "--stream"))
    assert there["bic"] == pytest.approx(here["bic"], abs=1e-6)
    assert there["feature_names"] == here["feature_names"]
