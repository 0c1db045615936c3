"""Files as people have them: messages carry a command line, and that line works."""

import json
import re
import shlex

import numpy as np
import pandas as pd
import pytest
from command_lines import beside_stages

from bayesgmm import GaussianMixture, load_dataset
from bayesgmm.data.csv_files import csv_text
from bayesgmm.errors import BayesGMMWarning

X = np.random.default_rng(0).normal(size=(40, 2))


def pasted(run, stderr):
    """Run the command line that ends a message."""
    line = beside_stages(stderr).rstrip().splitlines()[-1]
    assert line.startswith("  bayesgmm ")
    return run(*shlex.split(line)[1:])


def written(path, columns, encoding="utf-8"):
    path.write_bytes(csv_text(list(columns), list(columns.values())).encode(encoding))
    return path


def test_all_columns_of_text_are_left_out_by_the_line_shown(bayesgmm_command, tmp_path):
    columns = {"date, UTC": ["Mon"] * 40, "x": X[:, 0], "it's": ["b"] * 40, "y": X[:, 1]}
    columns |= {"": [""] * 40, "z": X[:, 1] * 2, "big": [str(2**60)] * 40}
    path = written(tmp_path / "odd name.csv", columns)
    result = bayesgmm_command("fit", path, "-k", 1, "--exclude", "z")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "column 'big'" in result.stderr
    result = pasted(bayesgmm_command, result.stderr)
    assert result.exit_code == 0, result.stderr
    assert "x" in result.stdout
    result = bayesgmm_command("fit", path, "-k", 1, "--exclude", "z,big", "--json")
    assert (
        "2 columns hold text (first: column 'date, UTC': row 0 (line 2), 'Mon'; column"
        in result.stderr
    )
    result = pasted(bayesgmm_command, result.stderr)
    assert json.loads(result.stdout)["feature_names"] == ["x", "y"]


def test_a_column_of_groups_may_be_compared_by_the_line_shown(bayesgmm_command, tmp_path):
    names = [f"n{i}" for i in range(40)]
    path = written(tmp_path / "x.csv", {"x": X[:, 0], "site": ["u", "v"] * 20, "who": names})
    arguments = ("fit", path, "-k", 1, "--json")
    message = bayesgmm_command(*arguments).stderr
    assert "with --label-column if it gives the group of each row, or with --labels if" in message
    lines = [line for line in message.splitlines() if line.startswith("  bayesgmm ")]
    compared, without = (json.loads(pasted(bayesgmm_command, line).stdout) for line in lines)
    assert compared["feature_names"] == without["feature_names"] == ["x"]
    assert compared["known_groups"]["groups"] == ["u", "v"]
    assert without["known_groups"] is None
    # Where each row has a text of its own, or groups are named already, they are no groups.
    for more in (("--exclude", "site"), ("--label-column", "site")):
        message = bayesgmm_command(*arguments, *more).stderr
        lines = [line for line in message.splitlines() if line.startswith("  bayesgmm ")]
        assert len(lines) == 1
        assert "who" in lines[0]


def test_a_file_of_text_alone_has_no_line_to_paste(bayesgmm_command, tmp_path):
    path = written(tmp_path / "x.csv", {"a": ["u", "v"], "b": ["w", "x"]})
    result = bayesgmm_command("fit", path, "-k", 1)
    assert result.exit_code == 1
    assert "2 columns hold text" in result.stderr
    assert "  bayesgmm" not in result.stderr


def test_empty_columns_are_named(bayesgmm_command, tmp_path):
    path = tmp_path / "x.csv"
    lines = "".join(f"{a:.3f};{b:.3f};;\n" for a, b in X)
    path.write_text("a;b;c;\n" + lines)
    result = bayesgmm_command("fit", path, "-k", 1)
    assert result.exit_code == 1
    assert "All values are missing in column 'c'; column 3, without a name." in result.stderr
    assert pasted(bayesgmm_command, result.stderr).exit_code == 0


@pytest.mark.parametrize("command", ["fit", "select", "report", "explore"])
def test_decimal_commas_are_recognised_and_proposed(bayesgmm_command, tmp_path, command):
    path, output = tmp_path / "x.csv", tmp_path / "out"
    lines = "".join(f"{a:.3f};{b:.3f};u\n".replace(".", ",") for a, b in X)
    path.write_text("a;b;c\n" + lines)
    more = {"select": ("--structures", "EII"), "report": ("--no-posterior",)}.get(command, ())
    more = ("--structures", "EII") if command == "explore" else more
    arguments = (path, "-k", 1, "--json", "-o", output, *more)
    result = bayesgmm_command(command, *arguments)
    assert result.exit_code == 1
    message = (
        "Numbers with a decimal comma in column 'a', column 'b' (first: '0,126'), and no numbers"
    )
    assert f"{message} in column 'c'. Read them so:" in result.stderr
    result = pasted(bayesgmm_command, result.stderr)
    assert result.exit_code == 0, result.stderr
    assert output.exists()


def test_missing_values_are_fitted_with_a_note_or_dropped_by_request(bayesgmm_command, tmp_path):
    path = tmp_path / "x.csv"
    cells = [[f"{a:.3f}", f"{b:.3f}", "g" * (i % 2 + 1)] for i, (a, b) in enumerate(X)]
    for i, mark in enumerate(["NA", "N/A", "null", "?", ".", "-", "", "#N/A"]):
        cells[i][i % 2] = mark
    path.write_text("a,b,g\n" + "\n".join(map(",".join, cells)))
    result = bayesgmm_command("fit", path, "-k", 1, "--label-column", "g", "--json")
    assert result.exit_code == 0
    assert "Note: 8 entries in 8 of 40 rows are missing." in result.stderr
    assert json.loads(result.stdout)["n_rows"] == 40
    result = pasted(bayesgmm_command, result.stderr)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["n_rows"] == 32
    assert found["data"] == f"{path} (8 rows with missing values left out)"
    assert np.sum(found["known_groups"]["counts"]) == 32
    rounded = [[float(f"{value:.3f}") for value in row] for row in X[8:]]
    np.testing.assert_allclose(found["means"][0], np.mean(rounded, axis=0))
    path.write_text("a,b\n1,\n,2\n")
    result = bayesgmm_command("fit", path, "-k", 1, "--drop-missing")
    assert (result.exit_code, "Every row has a missing value" in result.stderr) == (1, True)


def test_columns_that_number_the_rows_are_noted(bayesgmm_command, tmp_path):
    columns = {"x": X[:, 0], "id": range(1, 41), "y": X[:, 1]}
    path = written(tmp_path / "x.csv", columns)
    result = bayesgmm_command("fit", path, "-k", 1)
    assert result.exit_code == 0
    assert "Note: Column 'id' only numbers the rows." in result.stderr
    result = pasted(bayesgmm_command, result.stderr)
    stages = "Reading the rows\nFitting by EM\n"
    assert (result.exit_code, result.stderr) == (0, stages)
    for chosen in (("--columns", "x,y,id"), ("--exclude", "id")):
        assert bayesgmm_command("fit", path, "-k", 1, *chosen).stderr == stages
    assert bayesgmm_command("fit", path, "-k", 1, "--quiet").stderr == ""
    alone = written(tmp_path / "alone.csv", {"id": range(1, 41)})
    assert bayesgmm_command("fit", alone, "-k", 1).stderr == stages


def test_numbers_that_often_mark_missing_values_are_noted(bayesgmm_command, tmp_path):
    x = np.column_stack([X, X[:, 0] * X[:, 1]])
    x[:3, 1:] = -999
    path = written(tmp_path / "x.csv", dict(zip("abc", x.T, strict=True)))
    arguments = ("fit", path, "-k", 1, "--covariance", "diag", "--json")
    result = bayesgmm_command(*arguments, "--na", "unknown", "--columns", "a,b,c")
    assert json.loads(result.stdout)["means"][0] == pytest.approx(x.mean(axis=0))
    assert "Note: the number -999 in column 'b', column 'c' often marks a missing" in result.stderr
    assert "--na unknown,-999" in result.stderr
    result = pasted(bayesgmm_command, result.stderr)
    assert "6 entries in 3 of 40 rows are missing" in result.stderr
    result = pasted(bayesgmm_command, result.stderr)
    assert json.loads(result.stdout)["n_rows"] == 37


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_encodings(bayesgmm_command, tmp_path, encoding):
    path = written(tmp_path / "x.csv", {"höhe": X[:, 0], "größe": X[:, 1]}, encoding)
    result = bayesgmm_command("fit", path, "-k", 1, "--json")
    assert json.loads(result.stdout)["feature_names"] == ["höhe", "größe"]
    western = encoding in {"latin-1", "cp1252"}
    assert ("Note:" in result.stderr) == western
    assert bayesgmm_command("fit", path, "-k", 1, "--quiet").stderr == ""


def test_columns_of_standard_errors(bayesgmm_command, tmp_path):
    errors = np.random.default_rng(2).uniform(0.1, 0.5, X.shape)
    columns = dict(zip(["a", "b", "a_error", "b_error"], [*X.T, *errors.T], strict=True))
    path = written(tmp_path / "x.csv", columns)
    arguments = ("fit", path, "-k", 1, "--json", "--errors")
    result = bayesgmm_command(*arguments, "a_error,b_error")
    found = json.loads(result.stdout)
    rows = pd.read_csv(path).to_numpy()
    fit = GaussianMixture().fit(rows[:, :2], error_covariances=rows[:, 2:] ** 2)
    assert found["feature_names"] == ["a", "b"]
    assert found["log_likelihood"] == pytest.approx(fit.log_likelihood_, rel=1e-12)
    assert found["bic"] == pytest.approx(fit.bic(), rel=1e-12)
    result = bayesgmm_command(*arguments, "a_error")
    assert (result.exit_code, "--errors names 1 column, but 3" in result.stderr) == (1, True)


def test_a_column_of_weights(bayesgmm_command, tmp_path):
    v = np.random.default_rng(3).integers(0, 3, len(X))
    path = written(tmp_path / "x.csv", {"a": X[:, 0], "n": v, "b": X[:, 1]})
    found = json.loads(bayesgmm_command("fit", path, "-k", 1, "--json", "--weights", "n").stdout)
    assert found["feature_names"] == ["a", "b"]
    assert found["sum_of_weights"] == pytest.approx(v.sum())
    rows = pd.read_csv(path)[["a", "b"]].to_numpy()
    np.testing.assert_allclose(found["means"][0], np.average(rows, axis=0, weights=v))
    assert found["bic"] == pytest.approx(GaussianMixture().fit(np.repeat(rows, v, axis=0)).bic())
    result = bayesgmm_command("select", path, "-k", 2, "--weights", "n", "--json")
    table = json.loads(result.stdout)["models"]
    best = GaussianMixture(1, covariance_type="EII").fit(np.repeat(rows, v, axis=0))
    one = next(
        each for each in table if (each["n_components"], each["covariance_type"]) == (1, "EII")
    )
    assert one["bic"] == pytest.approx(best.bic(), abs=1e-4)
    result = bayesgmm_command("fit", path, "-k", 1, "--weights", "none")
    assert (result.exit_code, "none" in result.stderr) == (1, True)


@pytest.mark.parametrize("more", [(), ("--force",)])
def test_a_proposed_line_can_be_pasted_after_its_command(bayesgmm_command, tmp_path, more):
    """The command has written its file by then, and would refuse to replace it."""
    path, model = tmp_path / "rows.csv", tmp_path / "model.json"
    lines = [
        f"{i},{x:.3f},{y:.3f}" for i, (x, y) in enumerate(np.random.default_rng(0).random((20, 2)))
    ]
    lines[4] = "4,,-999"
    path.write_text("\n".join(["n,a,b", *lines]))
    run = bayesgmm_command("fit", path, "-k", 1, "-o", model, *more)
    assert run.exit_code == 0
    assert "Note: 1 entry in 1 of 20 rows is missing. Rows count" in run.stderr
    proposed = re.findall(r"^  bayesgmm (.*)$", run.stderr, re.M)
    assert len(proposed) == 3
    for line in proposed:
        assert line.count("--force") == 1
        assert bayesgmm_command(*shlex.split(line)).exit_code == 0
    # Without a file there is nothing to replace.
    assert "--force" not in bayesgmm_command("fit", path, "-k", 1).stderr
    assert "--force" not in bayesgmm_command("fit", path, "-k", 1, "-o", "-").stderr


def test_one_line_leaves_out_text_and_columns_that_number_the_rows(bayesgmm_command, tmp_path):
    """Two lines were proposed, one after the other, the first with --force for no file."""
    path = tmp_path / "rows.csv"
    x = np.random.default_rng(0).normal(size=(30, 2))
    lines = [f"{i},{a},{b},g{i % 2}" for i, (a, b) in enumerate(x.tolist())]
    path.write_text("\n".join(["id,a,b,group", *lines]))
    refused = bayesgmm_command("fit", path, "-k", 1, "-o", tmp_path / "model.json")
    assert refused.exit_code == 1
    assert "Note" not in refused.stderr
    assert "'id' only numbers the rows." in refused.stderr
    line = refused.stderr.splitlines()[-1]
    assert line.endswith("--exclude group,id")
    assert "--force" not in refused.stderr
    again = bayesgmm_command(*shlex.split(line)[1:])
    assert (again.exit_code, again.stderr.count("Note")) == (0, 0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fit", "--contaminated", "--noise"], "--contaminated cannot be combined with --noise."),
        (["fit", "--noise", "--equal-weights"], "--noise takes a share of each weight"),
        (["select", "--noise", "--contaminated"], "--contaminated cannot be combined"),
        (["fit", "-k", 900], "but -k 900"),
    ],
)
def test_messages_name_options(bayesgmm_command, arguments, words):
    found = bayesgmm_command(arguments[0], "faithful", "-k", 2, *arguments[1:])
    assert words in found.stderr
    for name in ("contaminated=", "noise_component", "equal_weights", "n_components"):
        assert name not in found.stderr


def soil(path, marks=("k.A.",), decimal=","):
    """A spreadsheet of German rows: an ID, a word, three columns with gaps, two without."""
    rng = np.random.default_rng(1)
    numbers = {name: [f"{x:.2f}" for x in rng.normal(5, 1, 60)] for name in "abcd"}
    numbers["depth"] = [str(x) for x in rng.integers(10, 90, 60)]
    for name in ("a", "b", "depth"):
        for i, row in enumerate(rng.choice(60, 6, replace=False)):
            numbers[name][row] = marks[i % len(marks)]
    numbers = {name: [x.replace(".", decimal) if x[0].isdigit() else x for x in column]
               for name, column in numbers.items()}  # fmt: skip
    columns = {"ID": map(str, range(1, 61)), "site": ["Nord", "Moor"] * 30, **numbers}
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([";".join(columns), *map(";".join, rows)]))
    return path


@pytest.mark.parametrize("given", [(), ("--decimal", ","), ("--na", "k.A."), ("--na", "x")])
@pytest.mark.parametrize("marks", [("k.A.",), ("k.A.", "defekt, alt")])
def test_words_among_numbers_are_marks_and_no_column_of_numbers_is_dropped(
    bayesgmm_command, tmp_path, given, marks
):
    """The line that was proposed left out three columns of measurements, and kept the ID."""
    path = soil(tmp_path / "soil.csv", marks)
    arguments = ("fit", path, "-k", 1, "--covariance", "diag", "--json", *given)
    result = bayesgmm_command(*arguments)
    assert result.exit_code == 1
    if given != ("--na", "k.A."):
        n = 18 if len(marks) == 1 else 9
        assert f"'k.A.' in {n} cells" in result.stderr
        assert "of columns that are numbers otherwise (column 'a', column 'b', column 'depth')" in (
            result.stderr
        )
    result = pasted(bayesgmm_command, result.stderr)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["feature_names"] == ["a", "b", "c", "d", "depth"]
    assert "18 entries in" in result.stderr


def test_marks_alone_are_proposed(bayesgmm_command, tmp_path):
    path = soil(tmp_path / "soil.csv", decimal=".")
    result = bayesgmm_command("fit", path, "-k", 1, "--columns", "a,c")
    assert "'k.A.' in 6 cells of columns that are numbers otherwise (column 'a')." in result.stderr
    assert "--decimal" not in result.stderr
    assert pasted(bayesgmm_command, result.stderr).exit_code == 0


def test_marks_far_below_the_first_rows(bayesgmm_command, tmp_path):
    """Rows are read by the ten thousand, and later ones were written with points."""
    path = tmp_path / "x.csv"
    path.write_text("a;b\n" + "0,5;1\n1,25;2\n" * 17000 + "k.A.;3\n")
    result = bayesgmm_command("fit", path, "-k", 1, "--decimal", ",")
    assert "'k.A.' in 1 cell of columns" in result.stderr


def test_cells_that_tell_of_a_value_are_not_taken_for_missing(bayesgmm_command, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{x:.3f},{y:.3f}\n" for x, y in X) + "<0.01,1\n")
    result = bayesgmm_command("fit", path, "-k", 1)
    assert "Column 'a' holds text (first: row 40 (line 42), '<0.01')." in result.stderr
    assert "--na" not in result.stderr


@pytest.mark.parametrize("decimal", [",", "."])
def test_predict_leaves_out_no_column_of_the_model(bayesgmm_command, tmp_path, decimal):
    path, model = soil(tmp_path / "soil.csv", decimal=decimal), tmp_path / "m.json"
    form = ("--decimal", decimal, "--na", "k.A.")
    arguments = ("-k", 1, "--columns", "a,b", "-o", model)
    assert bayesgmm_command("fit", path, *form, *arguments).exit_code == 0
    result = bayesgmm_command("predict", model, path)
    assert result.exit_code == 1
    assert "--exclude" not in result.stderr
    assert pasted(bayesgmm_command, result.stderr).exit_code == 0
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,u\n2,v\n")
    result = bayesgmm_command("predict", model, other)
    assert "Column 'b' holds text (first: row 0 (line 2), 'u'). The model needs" in result.stderr
    assert not {"--exclude", "--label-column"} & set(result.stderr.split())


def test_a_column_without_a_name_is_named_by_its_position(bayesgmm_command, tmp_path):
    columns = {"": range(1, 41), "x": X[:, 0], "y": X[:, 1]}
    path = written(tmp_path / "x.csv", columns)
    result = bayesgmm_command("fit", path, "-k", 1)
    assert "Note: Column 0, without a name, only numbers the rows." in result.stderr
    assert pasted(bayesgmm_command, result.stderr).exit_code == 0


FIRST_LINES = [
    ("id,2019,2020\n1,2,3\n2,5,1\n3,1,1\n4,4,0\n", [], "The first line has words", "--header"),
    ("2019,2020\n1,2\n2,5\n3,1\n4,4\n", [], "the first line was read as a row", "--header"),
    ("5.1,3.5\n1,2\n2,5\n3,1\n", ["--header"], "read as names, and all of these", "--no-header"),
]


@pytest.mark.parametrize(("text", "more", "words", "option"), FIRST_LINES)
def test_a_first_line_of_numbers(bayesgmm_command, tmp_path, text, more, words, option):
    path = tmp_path / "rows.csv"
    path.write_text(text)
    said = bayesgmm_command("fit", path, "-k", 1, *more).stderr
    assert words in said
    line = said.splitlines()[
        said.splitlines().index(next(s for s in said.splitlines() if words in s)) + 1
    ]
    assert line == f"  bayesgmm fit {path} -k 1 {option}"
    # The line that is proposed reads the file without such a message.
    again = bayesgmm_command(*line.split()[1:]).stderr
    assert "first line" not in again


def test_first_lines_without_a_note(bayesgmm_command, tmp_path):
    path = tmp_path / "rows.csv"
    for text in ("1,2\n3,1\n4,8\n6,1\n", "2019,2020\n1,2\n2018,5\n3,1\n", "9\n1\n2\n3\n"):
        path.write_text(text)
        assert "first line" not in bayesgmm_command("fit", path, "-k", 1).stderr
    path.write_text("2019,2020\n1,2\n3,1\n4,8\n")
    assert "first line" not in bayesgmm_command("fit", path, "-k", 1, "--header").stderr


def test_repeated_names_are_said_with_their_columns(bayesgmm_command, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("a,b,a,,\n1,2,1,0,1\n2,5,7,1,3\n3,1,2,3,9\n4,4,7,5,2\n")
    said = bayesgmm_command("fit", path, "-k", 1).stderr
    assert "Note: the columns 0, 2 have the same name, 'a', and are called 'a', 'a (2)'." in said
    assert said.count("the same name") == 1


def test_a_row_of_which_nothing_was_seen(bayesgmm_command, tmp_path):
    frame = load_dataset("faithful").frame
    frame.iloc[[3, 7]] = np.nan
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False)
    memberships = tmp_path / "memberships.csv"
    ended = bayesgmm_command("fit", path, "-k", 2, "--memberships", memberships)
    assert "Note: nothing was seen of 2 rows (first: row 3 (line 5))." in ended.stderr
    assert "nothing was seen of 2 rows (first: row 3 (line 5)): the memberships" in ended.stdout
    written = pd.read_csv(memberships)
    with pytest.warns(BayesGMMWarning, match="Nothing was seen of 2 rows"):
        weights = GaussianMixture(2, random_state=0).fit(frame).weights_
    columns = ["probability_0", "probability_1"]
    assert np.allclose(written.loc[[3, 7], columns], weights, atol=2e-6)
    assert (written.loc[[3, 7], "component"] == weights.argmax()).all()
