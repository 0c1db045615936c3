import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

import bayesgmm
from bayesgmm.data.table_files import npy_bytes


@pytest.fixture
def model(bayesgmm_command, tmp_path):
    path = tmp_path / "model.json"
    assert bayesgmm_command("fit", "faithful", "-k", 2, "-o", path, "--quiet").exit_code == 0
    return path


def rows_of(text):
    return list(csv.reader(io.StringIO(text)))


def test_the_columns_are_followed_by_the_memberships(bayesgmm_command, model, tmp_path):
    output = tmp_path / "labelled.csv"
    result = bayesgmm_command("predict", model, "faithful", "-o", output)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.splitlines() == [
        "Reading the model",
        "Reading the rows",
        "Computing the memberships",
        f"The memberships were written to {output}.",
    ]
    found = pd.read_csv(output)
    data = bayesgmm.load_dataset("faithful")
    assert list(found) == [
        *data.feature_names, "component", "probability", "probability_0", "probability_1",
    ]  # fmt: skip
    assert np.array_equal(found[list(data.feature_names)], data.X)
    mixture = bayesgmm.GaussianMixture.from_json(model).mixture_
    assert np.array_equal(found["component"], mixture.classify(data.X))
    probabilities = found[["probability_0", "probability_1"]]
    expected = mixture.responsibilities(data.X).round(6)
    np.testing.assert_allclose(probabilities, expected, atol=1e-12)
    assert np.array_equal(found["probability"], probabilities.max(axis=1))
    assert bayesgmm_command("predict", model, "faithful").stdout == output.read_text()
    assert bayesgmm_command("predict", model, "faithful", "-o", "-").stdout == output.read_text()
    result = bayesgmm_command("predict", model, "faithful", "-o", output)
    assert (result.exit_code, "--force" in result.stderr) == (1, True)


def test_the_memberships_of_a_fit_are_those_of_its_model(bayesgmm_command, tmp_path):
    by_fit, by_predict, model = (tmp_path / name for name in ("a.csv", "b.csv", "m.json"))
    arguments = ("iris", "-k", 3, "-o", model, "--memberships", by_fit)
    result = bayesgmm_command("fit", *arguments)
    assert result.exit_code == 0, result.output
    assert bayesgmm_command("predict", model, "iris", "-o", by_predict).exit_code == 0
    assert by_fit.read_bytes() == by_predict.read_bytes()
    assert rows_of(by_fit.read_text())[0][4:6] == ["label", "component"]
    model.unlink()
    result = bayesgmm_command("fit", *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "a.csv' was not written. The file exists already" in result.stderr
    assert bayesgmm_command("fit", *arguments, "--force").exit_code == 0


def test_a_spreadsheet_keeps_its_form(bayesgmm_command, tmp_path):
    rng = np.random.default_rng(0)
    lines = [f"{i:03};{x:.2f};=a{i};{y:.3f}" for i, (x, y) in enumerate(rng.normal(size=(60, 2)))]
    text = "id;länge;note;höhe\n" + "\n".join(lines).replace(".", ",") + "\n"
    path, model = tmp_path / "d.csv", tmp_path / "m.json"
    path.write_bytes(text.encode("cp1252"))
    columns = ("--columns", "höhe,länge", "--decimal", ",")
    assert bayesgmm_command("fit", path, "-k", 2, *columns, "-o", model).exit_code == 0
    result = bayesgmm_command("predict", model, path, "--decimal", ",")
    assert "Windows-1252" in result.stderr
    found = [line.split(";") for line in result.stdout.splitlines()]
    assert [row[:4] for row in found] == [line.split(";") for line in text.splitlines()]
    parts = np.array([[cell.replace(",", ".") for cell in row[5:]] for row in found[1:]], float)
    np.testing.assert_allclose(parts[:, 1:].sum(axis=1), 1, atol=1e-6)  # six decimals


def test_columns_are_matched_by_name(bayesgmm_command, model, tmp_path):
    data = bayesgmm.load_dataset("faithful").X
    plain = rows_of(bayesgmm_command("predict", model, "faithful").stdout)
    path = tmp_path / "x.csv"
    names = ["waiting", "day", "eruptions"]
    turned = pd.DataFrame(np.column_stack([data[:, 1], data[:, 0] * 0, data[:, 0]]), columns=names)
    turned.to_csv(path, index=False)
    result = bayesgmm_command("predict", model, path)
    assert [row[3:] for row in rows_of(result.stdout)] == [row[2:] for row in plain]
    turned.rename(columns={"waiting": "wait"}).to_csv(path, index=False)
    result = bayesgmm_command("predict", model, path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no column named 'waiting'. The mixture has 'eruptions', 'waiting'" in result.stderr
    result = bayesgmm_command("predict", model, path, "--columns", "eruptions,wait")
    assert result.exit_code == 1
    assert "--columns gives 'wait' of the data for 'waiting' of the model" in result.stderr
    result = bayesgmm_command("predict", model, "faithful", "--columns", "waiting,eruptions")
    assert (result.exit_code, "Select them in this order" in result.stderr) == (1, True)


@pytest.mark.parametrize("columns", [(), ("--columns", "0,1")])
def test_a_unit_behind_a_name_is_not_of_the_name(bayesgmm_command, model, tmp_path, columns):
    """The fit of a header without units refused a header with them, and the other way round."""
    frame, path = bayesgmm.load_dataset("faithful").frame, tmp_path / "x.csv"
    plain = rows_of(bayesgmm_command("predict", model, "faithful").stdout)
    assert list(frame) == ["eruptions (min)", "waiting (min)"]
    frame.columns = ["eruptions [min]", "waiting (min)"]
    frame.to_csv(path, index=False)
    result = bayesgmm_command("predict", model, path, *columns)
    assert result.exit_code == 0, result.stderr
    found = rows_of(result.stdout)
    assert found[0][:3] == ["eruptions [min]", "waiting (min)", "component"]
    assert [row[2:] for row in found[1:]] == [row[2:] for row in plain[1:]]
    fit = bayesgmm.GaussianMixture(2, random_state=0).fit(frame)
    for saved in (fit, fit.mixture_):
        saved.to_json(tmp_path / "units.json")
        result = bayesgmm_command("predict", tmp_path / "units.json", "faithful", *columns)
        assert [row[2:4] for row in rows_of(result.stdout)] == [row[2:4] for row in plain]


@pytest.mark.parametrize(
    "header", ["eruptions [s],waiting (min)", "eruptions [s],eruptions [min],waiting (min)"]
)
def test_other_units_and_doubtful_names_are_refused(bayesgmm_command, tmp_path, header):
    frame = bayesgmm.load_dataset("faithful").frame
    if "[min]" in header:
        frame = frame.rename(columns={"eruptions (min)": "eruptions"})
    fit = bayesgmm.GaussianMixture(1).fit(frame)
    fit.to_json(tmp_path / "m.json")
    n = header.count(",") + 1
    (tmp_path / "x.csv").write_text(f"{header}\n{','.join('1' * n)}\n{','.join('2' * n)}\n")
    result = bayesgmm_command("predict", tmp_path / "m.json", tmp_path / "x.csv")
    assert result.exit_code == 1
    name = fit.feature_names_in_[0]
    assert f"The data have no column named '{name}'. The mixture" in result.stderr


def test_several_columns_that_lack(bayesgmm_command, model):
    result = bayesgmm_command("predict", model, "iris")
    assert "The data have no column named 'eruptions' or 'waiting'." in result.stderr


@pytest.mark.parametrize("head", ["date,x\n1,2\n", "PK\3\4", "\x89HDF\r\n\x1a\n", ""])
def test_what_is_not_a_model_is_named(bayesgmm_command, tmp_path, head):
    path = tmp_path / "m.json"
    path.write_bytes(head.encode("latin-1"))
    result = bayesgmm_command("predict", path, "faithful")
    word = {"d": "begins with 'date,x", "P": "a ZIP", "\x89": "HDF5", "": "is empty"}[head[:1]]
    assert result.exit_code == 1
    assert word in result.stderr
    assert "`fit -o`" in result.stderr


def test_columns_without_names(bayesgmm_command, model, tmp_path):
    data, path = bayesgmm.load_dataset("faithful").X, tmp_path / "x.npy"
    path.write_bytes(npy_bytes(data[:, ::-1]))
    result = bayesgmm_command("predict", model, path)
    assert result.exit_code == 1
    assert "Name their positions in this order with --columns" in result.stderr
    result = bayesgmm_command("predict", model, path, "--columns", "1,0")
    assert result.exit_code == 0
    plain = rows_of(bayesgmm_command("predict", model, "faithful").stdout)
    assert [row[2:] for row in rows_of(result.stdout)] == [row[2:] for row in plain]
    nameless = tmp_path / "nameless.json"
    assert bayesgmm_command("fit", path, "-k", 2, "-o", nameless, "--quiet").exit_code == 0
    assert bayesgmm_command("predict", nameless, path).exit_code == 0
    result = bayesgmm_command("predict", nameless, path, "--columns", "1")
    assert (result.exit_code, "The data have 1 feature" in result.stderr) == (1, True)


def test_rows_with_missing_values(bayesgmm_command, model, tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("eruptions,waiting\n2,50\n,60\n4,NA\n4,80\n")
    result = bayesgmm_command("predict", model, path)
    assert [row[2] for row in rows_of(result.stdout)[1:]] == ["0", "0", "1", "1"]
    assert f"bayesgmm predict {model} {path} --drop-missing" in result.stderr
    result = bayesgmm_command("predict", model, path, "--drop-missing")
    assert [row[:3] for row in rows_of(result.stdout)[1:]] == [["2", "50", "0"], ["4", "80", "1"]]


def test_errors(bayesgmm_command, model, tmp_path):
    for arguments, status, words in [
        ((tmp_path / "no.json", "faithful"), 1, "no.json"),
        ((model, "none.csv"), 1, "There is no file"),
        ((model,), 2, "DATA"),
        (("-", "-"), 2, "Standard input is read once"),
        ((model, "faithful", "-o", tmp_path / "no" / "x.csv"), 1, "no such folder"),
    ]:
        result = bayesgmm_command("predict", *arguments)
        assert (result.exit_code, result.stdout) == (status, ""), arguments
        assert words in result.stderr
        assert "Traceback" not in result.stderr
    result = bayesgmm_command("predict", "-", "faithful", input=model.read_text())
    assert result.exit_code == 0
    assert json.loads(model.read_text())["schema"] == "bayesgmm.estimator"


def test_a_saved_fit_predicts_as_its_mixture_does(bayesgmm_command, tmp_path):
    data = bayesgmm.load_dataset("faithful")
    frame = pd.DataFrame(data.X, columns=data.feature_names)
    fit = bayesgmm.GaussianMixture(2, random_state=0).fit(frame)
    fit.to_json(tmp_path / "fit.json")
    fit.mixture_.to_json(tmp_path / "mixture.json")
    by_fit, by_mixture = (
        bayesgmm_command("predict", tmp_path / name, "faithful")
        for name in ("fit.json", "mixture.json")
    )
    assert (by_fit.exit_code, by_fit.stdout) == (0, by_mixture.stdout)


def test_a_saved_fit_with_noise_marks_it(bayesgmm_command, tmp_path):
    X = np.vstack((bayesgmm.load_dataset("faithful").X, [[1.6, 95.0]]))
    fit = bayesgmm.GaussianMixture(2, random_state=0, noise_component=True).fit(X)
    fit.to_json(tmp_path / "fit.json")
    (tmp_path / "x.npy").write_bytes(npy_bytes(X))
    result = bayesgmm_command("predict", tmp_path / "fit.json", tmp_path / "x.npy")
    found = pd.read_csv(io.StringIO(result.stdout))
    assert found["component"].tolist() == fit.predict(X).tolist()
    assert found["component"].iloc[-1] == -1


def test_a_saved_classifier_predicts_classes(bayesgmm_command, tmp_path):
    data = bayesgmm.load_dataset("iris")
    frame = pd.DataFrame(data.X, columns=data.feature_names)
    fit = bayesgmm.GaussianMixtureClassifier(covariance_type="VEV").fit(frame, data.labels)
    fit.to_json(tmp_path / "fit.json")
    result = bayesgmm_command("predict", tmp_path / "fit.json", "iris")
    found = pd.read_csv(io.StringIO(result.stdout))
    assert result.exit_code == 0
    assert list(found)[-5:] == [
        "class", "probability", "probability_setosa", "probability_versicolor",
        "probability_virginica",
    ]  # fmt: skip
    assert found["class"].tolist() == fit.predict(frame).tolist()


def test_text_keeps_its_point_beside_decimal_commas(bayesgmm_command, tmp_path):
    data = bayesgmm.load_dataset("iris")
    y = np.where(data.labels == "setosa", "1.5 cm", "=2+3")
    bayesgmm.GaussianMixtureClassifier(covariance_type="EEE").fit(data.X, y).to_json(
        tmp_path / "fit.json"
    )
    text = "\n".join(";".join(f"{x:g}".replace(".", ",") for x in row) for row in data.X)
    (tmp_path / "x.csv").write_text(f"a;b;c;d\n{text}\n")
    arguments = tmp_path / "x.csv", "--delimiter", ";", "--decimal", ","
    result = bayesgmm_command("predict", tmp_path / "fit.json", *arguments)
    assert result.exit_code == 0, result.output
    assert {row.split(";")[4] for row in result.stdout.splitlines()[1:]} == {"1.5 cm", "'=2+3"}


def test_a_file_of_neither_is_a_sentence(bayesgmm_command, tmp_path):
    (tmp_path / "m.json").write_text('{"schema": "other"}')
    result = bayesgmm_command("predict", tmp_path / "m.json", "faithful")
    assert result.exit_code == 1
    assert "not of the schema 'bayesgmm.mixture', but of 'other'" in result.stderr
