import errno
import json
import os
import warnings

import numpy as np
import pytest

import bayesgmm
from bayesgmm.data.csv_files import csv_text
from bayesgmm.data.table_files import npy_bytes
from bayesgmm.errors import ConvergenceWarning


@pytest.fixture
def blobs(tmp_path):
    """A CSV of four clusters with the component of each row."""
    drawn = bayesgmm.simulate(bayesgmm.scenario("blobs"), 400, rng=1)
    path = tmp_path / "blobs.csv"
    columns = [*drawn.X.T, [f"g{k}" for k in drawn.labels]]
    path.write_text(csv_text(["x", "y", "group"], columns))
    return path


def test_faithful_prints_the_reference_numbers(bayesgmm_command):
    result = bayesgmm_command("fit", "faithful", "-k", 2)
    assert result.exit_code == 0
    assert result.stderr == "Reading the rows\nFitting by EM\n"
    for figure in ("-1130.26396", "272", "11", "2322.19", "eruptions", "waiting", "starts"):
        assert figure in result.stdout


def test_equal_weights(bayesgmm_command):
    result = bayesgmm_command("fit", "faithful", "-k", 2, "--equal-weights")
    assert "held at given values: the weights of all components" in result.stdout
    found = json.loads(
        bayesgmm_command("fit", "faithful", "-k", 2, "--equal-weights", "--json").stdout
    )
    assert found["weights"] == [0.5, 0.5]
    assert (found["n_parameters"], found["equal_weights"]) == (10, True)


@pytest.mark.parametrize(
    ("rule", "first"), [("means", 0.356), ("weights", 0.644), ("variances", 0.356)]
)
def test_components_are_numbered_as_asked(bayesgmm_command, tmp_path, rule, first):
    path = tmp_path / "mixture.json"
    result = bayesgmm_command("fit", "faithful", "-k", 2, "--order-by", rule, "--json", "-o", path)
    found = json.loads(result.stdout)
    assert found["weights"][0] == pytest.approx(first, abs=1e-3)
    assert found["sizes"] == ([97, 175] if first < 0.5 else [175, 97])
    assert bayesgmm.GaussianMixture.from_json(path).mixture_.weights.tolist() == found["weights"]


def test_json_holds_the_fit_at_full_precision(bayesgmm_command):
    result = bayesgmm_command("fit", "faithful", "-k", 2, "--json")
    found = json.loads(result.stdout)
    assert (found["schema"], found["version"]) == ("bayesgmm.fit", 1)
    assert found["log_likelihood"] == pytest.approx(-1130.2639601847, abs=1e-7)
    assert found["bic"] == pytest.approx(2322.1917, abs=1e-4)
    assert found["n_parameters"] == 11
    assert found["n_rows"] == 272
    assert found["feature_names"] == ["eruptions", "waiting"]
    assert sorted(found["sizes"]) == [97, 175]
    assert sorted(found["weights"]) == pytest.approx([0.355872859688, 0.644127140312], abs=1e-6)
    assert len(found["starts"]) == found["starts_made"] >= found["starts_agreed"] >= 1
    assert found["converged"] is True
    assert 0 <= found["remaining"] < 1e-6
    assert np.shape(found["bhattacharyya"]) == (2, 2)
    assert found["known_groups"] is None
    assert found["warnings"] == []


def test_iris_is_compared_with_its_species(bayesgmm_command):
    found = json.loads(bayesgmm_command("fit", "iris", "-k", 3, "--json").stdout)
    assert found["log_likelihood"] == pytest.approx(-180.185477, abs=1e-5)
    assert found["known_groups"]["groups"] == ["setosa", "versicolor", "virginica"]
    assert found["known_groups"]["agreement"] == pytest.approx(145 / 150)
    assert "versicolor" in bayesgmm_command("fit", "iris", "-k", 3).stdout


@pytest.mark.parametrize("word", ["tied", "EEE", "diag", "spherical"])
def test_other_structures(bayesgmm_command, word):
    result = bayesgmm_command("fit", "faithful", "-k", 2, "--covariance", word, "--json")
    reference = {"tied": -1140.186759, "diag": -1147.806353, "spherical": -1709.529282}
    reference["EEE"] = reference["tied"]
    assert json.loads(result.stdout)["log_likelihood"] == pytest.approx(reference[word], abs=1e-6)


def test_the_same_seed_prints_the_same(bayesgmm_command, blobs):
    arguments = ("fit", blobs, "-k", 4, "--label-column", "group", "--seed", 7)
    first, second = (bayesgmm_command(*arguments).stdout for _ in range(2))
    assert first == second
    assert "agree" in first


def test_a_written_model_is_the_fit_and_is_not_overwritten(bayesgmm_command, blobs, tmp_path):
    output = tmp_path / "model.json"
    arguments = ("fit", blobs, "-k", 4, "--columns", "x,y", "-o", output)
    result = bayesgmm_command(*arguments, "--json")
    assert result.exit_code == 0
    assert "written" in result.stderr
    mixture = bayesgmm.GaussianMixture.from_json(output).mixture_
    assert mixture.feature_names == ("x", "y")
    assert mixture.means.tolist() == json.loads(result.stdout)["means"]
    result = bayesgmm_command(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "--force" in result.stderr
    assert bayesgmm_command(*arguments, "--force").exit_code == 0


def test_text_columns_are_named(bayesgmm_command, blobs):
    result = bayesgmm_command("fit", blobs, "-k", 4)
    assert result.exit_code == 1
    assert "'group' holds text" in result.stderr
    assert "--columns" in result.stderr
    assert "--label-column" in result.stderr


def test_infinite_entries_are_named_by_row_and_column(bayesgmm_command, tmp_path):
    path = tmp_path / "holes.csv"
    path.write_text("a,b\n1,2\n3,4\n5,inf\n6,-inf\n7,9\n")
    result = bayesgmm_command("fit", path, "-k", 1)
    assert result.exit_code == 1
    assert "2 infinite values in 2 of 5 rows (first: row 2 (line 4), column 'b')" in result.stderr
    assert "Traceback" not in result.stderr


NAMES = ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "a/b", "", "ünï ☃", "x" * 300, "x", "x"]


def test_hostile_column_names_survive(bayesgmm_command, tmp_path):
    rng = np.random.default_rng(3)
    path, output = tmp_path / "names.csv", tmp_path / "model.json"
    path.write_text(csv_text(NAMES, list(rng.standard_normal((60, len(NAMES))).T)), "utf-8")
    result = bayesgmm_command("fit", path, "-k", 1, "--covariance", "diag", "--json", "-o", output)
    assert result.exit_code == 0
    expected = ["'" + NAMES[0], *NAMES[1:-1], "x (2)"]
    assert json.loads(result.stdout)["feature_names"] == expected
    assert bayesgmm_command("fit", path, "-k", 1, "--covariance", "diag").exit_code == 0
    drawn = bayesgmm_command("simulate", output, "-n", 2)
    assert drawn.exit_code == 0
    assert not drawn.stdout.startswith("=")


def test_help_keeps_the_lines_of_examples(bayesgmm_command):
    lines = bayesgmm_command("fit", "--help").stdout.splitlines()
    assert "    bayesgmm fit faithful -k 2" in lines


def test_usage_errors(bayesgmm_command):
    for arguments, words in [
        (("fit", "faithful", "-k", 2, "--covariance", "fulll"), "'full'"),
        (("fit", "faithful", "-k", 0), "0 is not in the range"),
        (("fit", "faithful", "-k", "two"), "valid integer"),
        (("fit", "faithful"), "Missing option"),
        (("fit", "faithful", "-k", 2, "--delimiter", "ab"), "one character"),
        (("fit", "faithful", "-k", 2, "--seed", -1), "range"),
        (("fitt",), "fit"),
    ]:
        result = bayesgmm_command(*arguments)
        assert result.exit_code == 2, arguments
        assert words in result.stderr
        assert result.stdout == ""


def test_data_errors(bayesgmm_command, tmp_path):
    few = tmp_path / "few.npy"
    few.write_bytes(npy_bytes(np.random.default_rng(0).standard_normal((5, 2))))
    for arguments, words in [
        (("fit", few, "-k", 6), "The data have 5 rows"),
        (("fit", "faithfull", "-k", 2), "Did you mean 'faithful'?"),
        (("fit", tmp_path / "none.csv", "-k", 2), "There is no file"),
        (("fit", tmp_path, "-k", 2), "Is a directory"),
        (("fit", "faithful", "-k", 2, "--columns", "nope"), "There is no column 'nope'"),
        (("fit", "faithful", "-k", 2, "-o", tmp_path / "no" / "m.json"), "no such folder"),
        (("fit", "faithful", "-k", 2, "-o", tmp_path), "Is a directory"),
    ]:
        result = bayesgmm_command(*arguments)
        assert result.exit_code == 1, arguments
        assert words in result.stderr
        assert "Traceback" not in result.stderr
        assert result.stdout == ""


def test_a_full_disk_loses_neither_summary_nor_old_model(bayesgmm_command, tmp_path, monkeypatch):
    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    output = tmp_path / "model.json"
    output.write_text("old")
    monkeypatch.setattr(os, "fsync", full)
    result = bayesgmm_command("fit", "faithful", "-k", 2, "-o", output, "--force")
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert "log-likelihood" in result.stdout
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_warnings_are_sentences_on_standard_error(bayesgmm_command, monkeypatch):
    fit = bayesgmm.GaussianMixture.fit

    def warn(self, X, **options):
        warnings.warn("Stopped early. Raise max_iter.", ConvergenceWarning, stacklevel=2)
        return fit(self, X)

    monkeypatch.setattr(bayesgmm.GaussianMixture, "fit", warn)
    result = bayesgmm_command("fit", "faithful", "-k", 2, "--json")
    assert result.stderr.splitlines()[2:] == ["Warning: Stopped early. Raise max_iter."]
    assert json.loads(result.stdout)["warnings"] == ["Stopped early. Raise max_iter."]
    quiet = bayesgmm_command("fit", "faithful", "-k", 2, "--quiet")
    assert quiet.stderr == ""
    assert quiet.exit_code == 0


def test_an_error_of_the_program_shows_a_traceback_only_when_asked(bayesgmm_command, monkeypatch):
    def fail(self, X, **options):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(bayesgmm.GaussianMixture, "fit", fail)
    result = bayesgmm_command("fit", "faithful", "-k", 2)
    assert result.exit_code == 1
    assert "--debug" in result.stderr
    result = bayesgmm_command("fit", "faithful", "-k", 2, "--debug")
    assert isinstance(result.exception, ZeroDivisionError)


def test_ctrl_c_exits_with_130_and_writes_nothing(bayesgmm_command, monkeypatch, tmp_path):
    def interrupt(self, X, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesgmm.GaussianMixture, "fit", interrupt)
    result = bayesgmm_command("fit", "faithful", "-k", 2, "-o", tmp_path / "m.json")
    assert result.exit_code == 130
    assert result.stderr == "Reading the rows\nFitting by EM\nInterrupted.\n"
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_csv_on_standard_input(bayesgmm_command):
    text = bayesgmm_command("datasets", "faithful").stdout
    found = json.loads(bayesgmm_command("fit", "-", "-k", 2, "--json", input=text).stdout)
    assert found["log_likelihood"] == pytest.approx(-1130.2639601847, abs=1e-7)
