"""`--noise` and `--labels` on the command line."""

import csv
import io
import json

import numpy as np
import pytest
from noisy_rows import TWO, with_noise
from numpy.testing import assert_allclose

from bayesgmm import GaussianMixture

X, IS_NOISE = with_noise(0, 300, 30)
KNOWN = np.where(IS_NOISE | (np.arange(len(X)) % 3 > 0), -1, 1 - TWO.classify(X))


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.csv"
    lines = [
        f"{a!r},{b!r},{k if k >= 0 else ''}" for (a, b), k in zip(X.tolist(), KNOWN, strict=True)
    ]
    path.write_text("\n".join(["eruptions,waiting,known", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def fit():
    return GaussianMixture(2, noise_component=True, random_state=0).fit(X)


def test_fit_with_noise(bayesgmm_command, data, fit, tmp_path):
    target = tmp_path / "memberships.csv"
    run = bayesgmm_command(
        "fit", data, "-k2", "--exclude", "known", "--noise", "--json", "--memberships", target
    )
    found = json.loads(run.stdout)
    labels = fit.predict(X)
    assert found["bic"] == pytest.approx(fit.bic())
    assert found["noise"]["weight"] == pytest.approx(fit.noise_.weight)
    assert found["noise"]["size"] == (labels == -1).sum()
    assert found["sizes"] == [(labels == k).sum() for k in (0, 1)]
    assert_allclose(found["noise"]["lower"], X.min(axis=0))
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [int(row["component"]) for row in rows] == labels.tolist()
    outlying, probabilities = fit.outlier_proba(X), fit.predict_proba(X)
    largest = np.maximum(probabilities.max(axis=1), outlying)
    expected = {"outlier": outlying, "probability_1": probabilities[:, 1], "probability": largest}
    for name, values in expected.items():
        assert_allclose([float(row[name]) for row in rows], values.round(6), atol=1e-9)


def test_a_summary_names_the_noise(bayesgmm_command, data):
    run = bayesgmm_command("fit", data, "-k2", "--exclude", "known", "--noise")
    assert "and uniform noise" in run.stdout
    assert "weight[noise]" in run.stdout
    assert "size[noise]" in run.stdout


def test_without_noise_there_is_no_column_for_it(bayesgmm_command, data, tmp_path):
    target = tmp_path / "memberships.csv"
    run = bayesgmm_command(
        "fit", data, "-k2", "--exclude", "known", "--json", "--memberships", target
    )
    assert json.loads(run.stdout)["noise"] is None
    assert "outlier" not in target.read_text().splitlines()[0]


def test_known_labels(bayesgmm_command, data, tmp_path):
    target = tmp_path / "memberships.csv"
    run = bayesgmm_command(
        "fit", data, "-k2", "--labels", "known", "--noise", "--json", "--memberships", target
    )
    found = json.loads(run.stdout)
    own = GaussianMixture(2, noise_component=True, random_state=0).fit(X, labels=KNOWN)
    assert found["feature_names"] == ["eruptions", "waiting"]
    assert found["log_likelihood"] == pytest.approx(own.log_likelihood_)
    assert_allclose(found["means"], own.means_)
    assert found["means"][0][0] > found["means"][1][0]
    assert "known" in target.read_text().splitlines()[0]


def test_a_label_that_is_not_a_component(bayesgmm_command, data):
    run = bayesgmm_command("fit", data, "-k2", "--columns", "eruptions", "--labels", "waiting")
    assert run.exit_code == 1
    assert "row 0" in run.stderr


def test_labels_and_an_order(bayesgmm_command, data):
    run = bayesgmm_command("fit", data, "-k2", "--labels", "known", "--order-by", "weights")
    assert run.exit_code == 2
    assert "--order-by" in run.stderr


@pytest.mark.parametrize("command", ["fit", "select"])
def test_a_file_holds_the_noise(bayesgmm_command, data, fit, tmp_path, command):
    model, target = tmp_path / "model.json", tmp_path / "labelled.csv"
    more = ("--structures", "VVV") if command == "select" else ()
    arguments = (command, data, "-k2", "--exclude", "known", *more, "--noise", "-o", model)
    assert bayesgmm_command(*arguments).exit_code == 0
    assert bayesgmm_command("predict", model, data, "-o", target).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [int(row["component"]) for row in rows] == fit.predict(X).tolist()
    assert_allclose([float(row["outlier"]) for row in rows], fit.outlier_proba(X), atol=1e-5)
    run = bayesgmm_command("simulate", model, "-n", 10)
    assert run.exit_code == 1
    assert "noise" in run.stderr


def test_select_with_noise(bayesgmm_command, data):
    arguments = ("select", data, "--exclude", "known", "-k3", "--structures", "VVV", "--noise")
    found = json.loads(bayesgmm_command(*arguments, "--json").stdout)
    assert found["best"]["n_components"] == 2
    assert found["best"]["noise"]["weight"] == pytest.approx(0.09, abs=0.04)
    assert "uniform noise" in bayesgmm_command(*arguments).stdout


def test_report_with_noise_and_labels(bayesgmm_command, data, tmp_path):
    target = tmp_path / "page.html"
    chosen = ("--noise", "--labels", "known", "--no-posterior", "-o", target)
    assert bayesgmm_command("report", data, "-k2", *chosen).exit_code == 0
    text = target.read_text()
    assert "and uniform noise" in text
    assert "Rows that are probably noise" in text
    assert "was known to the fit" in text


def test_select_with_labels(bayesgmm_command, data, tmp_path):
    chosen = ("--labels", "known", "--noise")
    grid = ("-k3", "--structures", "VVV", "--json")
    found = json.loads(bayesgmm_command("select", data, *chosen, *grid).stdout)
    assert found["best"]["n_components"] == 2
    assert found["best"]["means"][0][0] > found["best"]["means"][1][0]
    assert found["models"][0]["note"] == "labels name 2 components"
    target = tmp_path / "page.html"
    page = ("--no-posterior", "-o", target)
    run = bayesgmm_command("report", data, "--select", "-k2", *chosen, *page)
    assert run.exit_code == 0
    assert "was known to the fit" in target.read_text()


def write(path, words):
    lines = [f"{a!r},{b!r},{word}" for (a, b), word in zip(X.tolist(), words, strict=True)]
    path.write_text("\n".join(["eruptions,waiting,group", *lines]) + "\n")
    return path


def test_groups_by_name(bayesgmm_command, tmp_path):
    """Component 0 is the first group in alphabetical order; empty cells are unknown."""
    names = np.array(["late", "early", "unknown"])[np.where(KNOWN < 0, 2, 1 - KNOWN)]
    own = GaussianMixture(2, random_state=0).fit(X, labels=KNOWN)
    for unknown, more in (("", ()), ("NA", ()), ("unknown", ("--na", "Unknown"))):
        data = write(tmp_path / "rows.csv", np.where(names == "unknown", unknown, names))
        run = bayesgmm_command("fit", data, "-k2", "--labels", "group", "--json", *more)
        assert json.loads(run.stdout)["log_likelihood"] == pytest.approx(own.log_likelihood_)
        assert_allclose(json.loads(run.stdout)["means"], own.means_)
        assert "Note: components by --labels group: 0 early, 1 late." in run.stderr
    run = bayesgmm_command("fit", data, "-k2", "--labels", "group", "--na", "unknown")
    known = (KNOWN >= 0).sum()
    assert f"components known beforehand: those of {known:,} of {len(X):,} rows" in run.stdout
    assert (
        "Note"
        not in bayesgmm_command(
            "fit", data, "-k2", "--labels", "group", "--na", "unknown", "--quiet"
        ).stderr
    )


def test_names_among_numbers(bayesgmm_command, tmp_path):
    words = np.where(KNOWN < 0, "unknown", KNOWN.astype(str))
    data = write(tmp_path / "rows.csv", words)
    run = bayesgmm_command("fit", data, "-k2", "--labels", "group")
    assert run.exit_code == 1
    assert "holds both text" in run.stderr
    assert "--na" in run.stderr
    assert "--label-column" not in run.stderr
    run = bayesgmm_command("fit", data, "-k2", "--labels", "group", "--na", "unknown", "--json")
    own = GaussianMixture(2, random_state=0).fit(X, labels=KNOWN)
    assert json.loads(run.stdout)["log_likelihood"] == pytest.approx(own.log_likelihood_)


def test_more_groups_than_components(bayesgmm_command, tmp_path):
    data = write(tmp_path / "rows.csv", [f"group {i % 3}" for i in range(len(X))])
    run = bayesgmm_command("fit", data, "-k2", "--labels", "group")
    assert run.exit_code == 2
    assert "3 groups (group 0, group 1, group 2), more than the 2 components" in run.stderr
