"""Priors in a file: --priors of fit, sample and report."""

import json

import pytest

from bayesgmm import GaussianMixture, Priors, load_dataset
from bayesgmm.errors import InvalidParameterError

FEW = "--draws", 20, "--tune", 20, "--quiet"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "priors.json"
    path.write_text('{"concentration": 1, "mean_sd": [2, 30]}')
    return path


def test_the_posterior_is_under_them_and_the_text_says_them(bayesgmm_command, file, tmp_path):
    arguments = "sample", "faithful", "-k", 2, "--priors", file, *FEW
    text = bayesgmm_command(*arguments).stdout
    assert "Dirichlet (concentration 1)" in text
    assert "location of the means 4, 76, standard deviation 2, 30" in text
    assert "--json" in text
    # Wishart(D, diag(R^2) (D + 4) / (100 D)) for the scale: R is 3.5 and 53.
    scale = "scale Wishart (degrees of freedom 2, scale diagonal 0.3675, 84.27)"
    assert f"covariances inverse-Wishart (degrees of freedom 6, {scale})" in " ".join(text.split())
    # What --json prints, and the priors in it, are files for --priors, too.
    printed = bayesgmm_command(*arguments, "--json").stdout
    found = json.loads(printed)["priors"]
    assert Priors.from_json(json.dumps(found)) == Priors.from_json(
        Priors.from_json(json.dumps(found)).to_json()
    )
    for each in (printed, json.dumps(found)):
        file.write_text(each)
        again = bayesgmm_command(*arguments, "--json", "--equal-weights").stdout
        assert json.loads(again)["priors"] == found
    weights = json.loads(again)["parameters"][:2]
    assert [(row["posterior_mean"], row["posterior_sd"]) for row in weights] == [(0.5, 0.0)] * 2


def test_a_fit_is_the_mode_under_them(bayesgmm_command, file):
    found = json.loads(
        bayesgmm_command("fit", "faithful", "-k", 2, "--priors", file, "--json").stdout
    )
    fit = GaussianMixture(2, priors=Priors(concentration=1.0, mean_sd=[2.0, 30.0]), random_state=0)
    expected = fit.fit(load_dataset("faithful").X).log_likelihood_
    assert found["log_likelihood"] == pytest.approx(expected, abs=1e-6)


def test_a_file_that_holds_no_priors_is_named(bayesgmm_command, file):
    for text, words in (("{", "not JSON"), ('{"mean": 3}', "mean_location"), ("[]", "an object")):
        file.write_text(text)
        found = bayesgmm_command("fit", "faithful", "-k", 2, "--priors", file)
        assert (found.exit_code, words in found.stderr) == (2, True)
        for source in (text, str(file), file):
            with pytest.raises(InvalidParameterError, match=words):
                Priors.from_json(source)
    file.write_text('{"mean_sd": [2.0, 30.0]}')
    assert Priors.from_json(str(file)) == Priors.from_json(file) == Priors(mean_sd=(2.0, 30.0))
    file.unlink()
    found = bayesgmm_command("fit", "faithful", "-k", 2, "--priors", file)
    assert "priors.json: No such file" in found.stderr
    found = bayesgmm_command("report", "faithful", "-k", 2, "--priors", file, "--no-posterior")
    assert "--no-posterior" in found.stderr
