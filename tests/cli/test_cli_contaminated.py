"""`--contaminated` on the command line."""

import csv
import io
import json

import numpy as np
import pytest
from noisy_rows import TWO
from numpy.testing import assert_allclose

from bayesgmm import GaussianMixture
from bayesgmm.mixture.contamination import Contamination

X = Contamination(np.full(2, 0.08), np.full(2, 25.0)).pairs(TWO).sample(330, rng=0)[0]


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "rows.csv"
    np.savetxt(path, X, delimiter=",", header="eruptions,waiting", comments="", fmt="%.17g")
    return path


@pytest.fixture(scope="module")
def fit():
    return GaussianMixture(2, contaminated=True, random_state=0).fit(X)


def test_fit_with_outliers(bayesgmm_command, data, fit, tmp_path):
    target = tmp_path / "memberships.csv"
    run = bayesgmm_command("fit", data, "-k2", "--contaminated", "--json", "--memberships", target)
    found = json.loads(run.stdout)
    assert found["bic"] == pytest.approx(fit.bic())
    assert_allclose(found["contamination"]["proportions"], fit.contamination_.proportions)
    assert_allclose(found["contamination"]["inflation"], fit.contamination_.inflation)
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [int(row["component"]) for row in rows] == fit.predict(X).tolist()
    outlying = fit.outlier_proba(X).round(6)
    assert_allclose([float(row["outlier"]) for row in rows], outlying, atol=1e-9)
    run = bayesgmm_command("fit", data, "-k2", "--contaminated")
    assert "each with outliers" in run.stdout
    assert "inflation[1]" in run.stdout
    assert (
        json.loads(bayesgmm_command("fit", data, "-k2", "--json").stdout)["contamination"] is None
    )


@pytest.mark.parametrize("command", ["fit", "select"])
def test_a_file_holds_the_outliers(bayesgmm_command, data, fit, tmp_path, command):
    model, target = tmp_path / "model.json", tmp_path / "labelled.csv"
    more = ("--structures", "VVV") if command == "select" else ()
    run = bayesgmm_command(command, data, "-k2", *more, "--contaminated", "-o", model)
    assert run.exit_code == 0
    assert bayesgmm_command("predict", model, data, "-o", target).exit_code == 0
    rows = list(csv.DictReader(io.StringIO(target.read_text())))
    assert [int(row["component"]) for row in rows] == fit.predict(X).tolist()
    assert_allclose([float(row["outlier"]) for row in rows], fit.outlier_proba(X), atol=1e-5)
    run = bayesgmm_command("simulate", model, "-n", 10)
    assert run.exit_code == 1
    assert "outliers" in run.stderr


def test_select_with_outliers(bayesgmm_command, data):
    arguments = ("select", data, "-k3", "--structures", "VVV", "--contaminated")
    found = json.loads(bayesgmm_command(*arguments, "--json").stdout)
    assert found["best"]["n_components"] == 2
    assert_allclose(found["best"]["contamination"]["proportions"], 0.08, atol=0.06)
    assert "each with outliers" in bayesgmm_command(*arguments).stdout


def test_report_with_outliers(bayesgmm_command, data, tmp_path):
    target = tmp_path / "page.html"
    alone = ("--contaminated", "--no-posterior", "-o", target)
    assert bayesgmm_command("report", data, "-k2", *alone).exit_code == 0
    assert "Rows that are probably outliers" in target.read_text()
    chosen = ("--select", "--no-posterior", "--contaminated", "-o", target, "--force")
    assert bayesgmm_command("report", data, "-k2", *chosen).exit_code == 0
    assert "Every model has outliers of its components" in target.read_text()


def test_noise_and_outliers(bayesgmm_command, data):
    run = bayesgmm_command("fit", data, "-k2", "--contaminated", "--noise")
    assert run.exit_code == 2
    assert "cannot be combined" in run.stderr
