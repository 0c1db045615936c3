import csv
import io

import numpy as np
import pytest

import bayesgmm
from bayesgmm.cli.simulate import simulate


def rows_of(text):
    return list(csv.reader(io.StringIO(text)))


def test_a_worked_example_as_csv(bayesgmm_command):
    result = bayesgmm_command("simulate", "overlapping_ellipses", "-n", 5, "--seed", 3, "--labels")
    assert result.exit_code == 0
    header, *rows = rows_of(result.stdout)
    assert header == ["x", "y", "component"]
    drawn = bayesgmm.simulate(bayesgmm.scenario("overlapping_ellipses"), 5, rng=3)
    assert [[float(x), float(y)] for x, y, _ in rows] == drawn.X.tolist()
    assert [int(row[2]) for row in rows] == drawn.labels.tolist()


def test_files_of_both_kinds_hold_the_same_rows(bayesgmm_command, tmp_path):
    table, array = tmp_path / "x.csv", tmp_path / "x.npy"
    for output in (table, array):
        result = bayesgmm_command("simulate", "blobs", "-n", 20, "-o", output)
        assert (result.exit_code, result.stdout) == (0, "")
        assert result.stderr == f"The rows were written to {output}.\n"
    read = np.loadtxt(table, delimiter=",", skiprows=1)
    assert np.array_equal(read, np.load(array, allow_pickle=False))
    assert bayesgmm_command("simulate", "blobs", "-n", 20, "-o", array).exit_code == 1
    again = bayesgmm_command("simulate", "blobs", "-n", 3, "-o", array, "--force", "--quiet")
    assert (again.exit_code, again.stderr) == (0, "")
    assert np.load(array, allow_pickle=False).shape == (3, 2)


def test_from_a_fitted_model_with_missing_entries(bayesgmm_command, tmp_path):
    model = tmp_path / "model.json"
    assert bayesgmm_command("fit", "faithful", "-k", 2, "-o", model).exit_code == 0
    result = bayesgmm_command("simulate", model, "-n", 100, "--missing", 0.25)
    header, *rows = rows_of(result.stdout)
    assert header == ["eruptions", "waiting"]
    assert sum(cell == "" for row in rows for cell in row) == 50
    assert all(any(row) for row in rows)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("blob", "-n", 3), 1, "Did you mean 'blobs'?"),
        (("blobs", "-n", 0), 2, "range"),
        (("blobs", "-n", 3, "--missing", 1), 2, "range"),
        (("heights", "-n", 3, "--missing", 0.5), 2, "each of the 3 rows keeps one"),
        (("blobs", "-n", 3, "-o", "x.txt"), 2, ".csv or .npy"),
    ],
)
def test_errors(bayesgmm_command, arguments, status, words):
    result = bayesgmm_command("simulate", *arguments)
    assert result.exit_code == status
    assert words in result.stderr
    assert result.stdout == ""


def test_a_damaged_model_is_refused(bayesgmm_command, tmp_path):
    path = tmp_path / "model.json"
    text = bayesgmm.scenario("blobs").to_json()
    for damaged in (text[:-30], text.replace("2.5", "2.6"), "\x80\x04", "{}"):
        path.write_text(damaged)
        result = bayesgmm_command("simulate", path, "-n", 3)
        assert result.exit_code == 1
        assert "model" in result.stderr
        assert "Traceback" not in result.stderr


def test_help_names_every_worked_example():
    assert all(name in simulate.help for name in bayesgmm.scenarios())
