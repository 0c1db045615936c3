"""Names of groups that --labels gives: they stand wherever components are numbered."""

import csv
import json

import pytest

import bayesgmm

IRIS = bayesgmm.load_dataset("iris")
NAMES = ["setosa", "versicolor", "virginica"]


@pytest.fixture
def iris(tmp_path):
    """The flowers, of which two thirds are labelled."""
    path = tmp_path / "iris.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*IRIS.feature_names[2:], "species"])
        for i, row in enumerate(IRIS.X[:, 2:].tolist()):
            writer.writerow([*row, IRIS.labels[i] if i % 3 else ""])
    return path


def test_fit_and_predict_keep_the_names(bayesgmm_command, iris, tmp_path):
    model, rows = tmp_path / "model.json", tmp_path / "rows.csv"
    fitted = bayesgmm_command(
        "fit", iris, "-k", 3, "--labels", "species", "-o", model, "--memberships", rows
    )
    assert fitted.exit_code == 0
    for name in ("size[setosa]", "weight[virginica]", "mean[versicolor, petal_width]"):
        assert name in fitted.stdout
    assert bayesgmm.GaussianMixture.from_json(model).mixture_.component_names == (*NAMES,)
    predicted = bayesgmm_command("predict", model, iris).stdout
    assert predicted == rows.read_text()
    head, *cells = csv.reader(predicted.splitlines())
    assert head[3:] == ["component", "probability", *(f"probability_{name}" for name in NAMES)]
    assert sum(row[3] == species for row, species in zip(cells, IRIS.labels, strict=True)) > 140
    assert max(len(cell) for row in cells for cell in row[4:]) <= len("0.123456")


def test_components_without_a_group_keep_their_numbers(bayesgmm_command, iris, tmp_path):
    found = bayesgmm_command("fit", iris, "-k", 4, "--covariance", "tied", "--labels", "species")
    assert "weight[setosa]" in found.stdout
    assert "weight[3]" in found.stdout


def test_the_report_and_the_choice_of_k_keep_the_names(drawing_command, iris, tmp_path):
    page, best = tmp_path / "page.html", tmp_path / "best.json"
    arguments = iris, "-k", 3, "--labels", "species"
    found = drawing_command("report", *arguments, "--no-posterior", "--json", "-o", page)
    sections = json.loads(found.stdout)["sections"]
    assert "Component setosa" in json.loads(found.stdout)["components"][0]
    tables = {each["caption"]: each for key in sections for each in sections[key]["tables"]}
    sizes = [row[0] for row in tables["Sizes"]["rows"]]
    assert sizes == [f"component {name}" for name in NAMES]
    uncertain = tables["The most uncertain rows"]["rows"]
    assert {row[3] for row in uncertain} <= {*NAMES}
    assert "component setosa, weight" in page.read_text()
    # Fewer components than groups are impossible; more are compared.
    tried = [row["n_components"] for row in sections["choice"]["numbers"]["grid"]]
    assert tried == [3, 4, 5, 6]
    arguments = *arguments, "--structures", "VVV", "--quiet"
    assert drawing_command("select", *arguments, "-o", best).exit_code == 0
    assert bayesgmm.GaussianMixture.from_json(best).mixture_.component_names == (*NAMES,)


@pytest.mark.parametrize("command", ["fit", "report", "sample"])
def test_more_groups_than_components_are_named(bayesgmm_command, iris, command):
    found = bayesgmm_command(command, iris, "-k", 2, "--labels", "species")
    assert found.exit_code == 2
    assert "3 groups (setosa, versicolor, virginica), more than the 2 components" in found.stderr
    assert "-k 3" in found.stderr


def test_rows_have_the_names_of_a_column_that_is_left_out(bayesgmm_command, iris, tmp_path):
    lines = iris.read_text().splitlines()
    iris.write_text(
        "\n".join([f"{line},plant{'' if i == 0 else i}" for i, line in enumerate(lines)])
    )
    page = tmp_path / "page.html"
    excluded = "--exclude", "species,plant", "--no-posterior"
    assert bayesgmm_command("report", iris, "-k", 3, *excluded, "-o", page).exit_code == 0
    uncertain = page.read_text().partition("The most uncertain rows")[2].partition("</table>")[0]
    assert '<th scope="row">plant' in uncertain
    assert '<th scope="row">row ' not in uncertain
