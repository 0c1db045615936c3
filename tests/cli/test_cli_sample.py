import json

import numpy as np
import pytest
import xarray as xr

import bayesgmm

SHORT = ("--draws", 50, "--tune", 100, "--chains", 2)


def test_a_summary_with_em_beside_the_posterior(bayesgmm_command, tmp_path):
    output = tmp_path / "posterior.nc"
    result = bayesgmm_command("sample", "faithful", "-k", 2, *SHORT, "-o", output)
    assert result.exit_code == 0
    for word in ("EM", "SE", "mean", "sd", "mean[1, waiting]", "2 chains of 50 draws", "differ"):
        assert word in result.stdout
    assert "written" in result.stderr
    with xr.open_datatree(output) as found:
        assert found["posterior"]["means"].shape == (2, 50, 2, 2)
        assert "log_likelihood" in found.children


def test_json_holds_every_parameter(bayesgmm_command):
    result = bayesgmm_command("sample", "faithful", "-k", 2, *SHORT, "--json", "--quiet")
    found = json.loads(result.stdout)
    assert (found["schema"], found["version"], found["seed"]) == ("bayesgmm.sample", 1, "0")
    assert found["priors"]["covariances"]["family"] == "InverseWishart"
    # Weights, means, standard deviations and correlations.
    assert len(found["parameters"]) == 2 + 4 + 4 + 2
    means = [each for each in found["parameters"] if each["parameter"].startswith("mean")]
    assert len(means) == 4
    for each in means:
        assert abs(each["posterior_mean"] - each["em"]) < each["posterior_sd"]
        # With 272 rows the prior has little influence: the posterior is about as wide.
        assert 0.7 < each["standard_error"] / each["posterior_sd"] < 1.4
    assert found["verdict"].startswith("EM and the posterior")


def test_a_saved_fit_is_where_the_chains_begin(bayesgmm_command, tmp_path):
    model, priors = tmp_path / "m.json", tmp_path / "priors.json"
    priors.write_text('{"concentration": 5}')
    fitted = ("iris", "-k", 3, "--covariance", "VEV", "--columns", "petal_width,petal_length")
    bayesgmm_command("fit", *fitted, "--priors", priors, "-o", model, "--quiet")
    found = bayesgmm_command("sample", "iris", "--init", model, *SHORT, "--json", "--quiet")
    fields = json.loads(found.stdout)
    assert (fields["init"], fields["covariance_type"], fields["n_components"]) == (
        "given",
        "VEV",
        3,
    )
    assert fields["priors"]["concentration"] == 5.0
    fit = bayesgmm.GaussianMixture.from_json(model)
    em = {each["parameter"]: each["em"] for each in fields["parameters"]}
    assert [em[f"mean[{k}, petal_length]"] for k in range(3)] == pytest.approx(fit.means_[:, 1])


def test_other_files_are_no_saved_fits(bayesgmm_command, tmp_path):
    model = tmp_path / "m.json"
    bayesgmm.GaussianMixture(2).fit(bayesgmm.load_dataset("faithful").X).mixture_.to_json(model)
    for more, words in (
        (("--init", model), "holds a Mixture, not a fit"),
        ((), "Missing option '-k'"),
        (("--init", tmp_path / "none.json"), "none.json"),
    ):
        result = bayesgmm_command("sample", "faithful", *more)
        assert (result.exit_code != 0, words in result.stderr) == (True, True), result.stderr


@pytest.mark.parametrize("more", [(), ("--noise",), ("--contaminated",)])
def test_components_are_compared_with_known_groups(bayesgmm_command, monkeypatch, more):
    """`--label-column` was read, and nothing compared."""
    plain, made = bayesgmm.sample_posterior, []

    def sampled_once(*args, **settings):
        made.extend([] if made else [plain(*args, **settings)])
        return made[0]

    monkeypatch.setattr(bayesgmm, "sample_posterior", sampled_once)
    petals = ("--columns", "petal_length,petal_width", "--label-column", "label")
    petals = () if "--noise" in more else petals  # noise takes many rows of two columns
    arguments = (
        "sample",
        "iris",
        "-k",
        3,
        "--covariance",
        "EEE",
        *petals,
        *SHORT,
        "--quiet",
        *more,
    )
    found = json.loads(bayesgmm_command(*arguments, "--json").stdout)
    groups = found["known_groups"]
    assert (groups["column"], groups["groups"][0]) == ("label", "setosa")
    counts = np.array(groups["counts"])
    assert (counts.sum(), groups["agreement"] > 0.9) == (150, True)
    # In the numbering of the parameters that are printed: setosas have the shortest petals.
    means = {each["parameter"]: each["posterior_mean"] for each in found["parameters"]}
    petals = [means[f"mean[{k}, petal_length]"] for k in range(3)]
    assert counts[0].argmax() == np.argmin(petals)
    text = bayesgmm_command(*arguments).stdout
    assert f"Known groups and components: {groups['agreement']:.2%} of 150 rows" in text


def test_the_summary_has_intervals(bayesgmm_command):
    arguments = ("sample", "faithful", "-k", 1, *SHORT, "--quiet")
    fields = json.loads(bayesgmm_command(*arguments, "--json").stdout)
    assert fields["known_groups"] is None
    found = fields["parameters"]
    mean = next(each for each in found if each["parameter"] == "mean[0, eruptions]")
    text = bayesgmm_command(*arguments).stdout
    assert "with the bounds of an equal-tailed 90% interval:" in text
    row = next(line for line in text.splitlines() if line.startswith("mean[0, eruptions]"))
    assert [float(cell) for cell in row.split()[-2:]] == pytest.approx(
        [mean["lower"], mean["upper"]], rel=1e-3
    )
    assert "Known groups" not in text


def test_a_short_run_is_marked(bayesgmm_command, monkeypatch):
    import bayesgmm

    plain = bayesgmm.sample_posterior

    def interrupted(*args, **kwargs):
        tree = plain(*args, **kwargs)
        tree.attrs["interrupted"] = 1
        return tree

    monkeypatch.setattr(bayesgmm, "sample_posterior", interrupted)
    result = bayesgmm_command("sample", "faithful", "-k", 2, *SHORT)
    assert "INTERRUPTED: fewer draws than requested" in result.stdout
    assert result.exit_code != 0


def test_a_file_is_not_overwritten(bayesgmm_command, tmp_path):
    output = tmp_path / "posterior.nc"
    output.write_text("precious")
    result = bayesgmm_command("sample", "faithful", "-k", 2, *SHORT, "-o", output)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert output.read_text() == "precious"
    assert (
        bayesgmm_command("sample", "faithful", "-k", 2, *SHORT, "-o", output, "--force").exit_code
        == 0
    )


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(("faithful", "-k", 0), 2), (("faithful", "-k", 300), 1), (("nowhere.csv", "-k", 2), 1)],
)
def test_exit_statuses(bayesgmm_command, arguments, status):
    assert bayesgmm_command("sample", *arguments, *SHORT).exit_code == status


def test_a_column_of_weights(bayesgmm_command, tmp_path):
    rows = tmp_path / "rows.csv"
    lines = [f"{0.1 * i % 1.7 + 5 * (i % 2):.3f},{i % 3}" for i in range(60)]
    rows.write_text("\n".join(["x,times", *lines]))
    output = tmp_path / "posterior.nc"
    result = bayesgmm_command("sample", rows, "-k", 2, *SHORT, "--weights", "times", "-o", output)
    assert result.exit_code == 0
    with xr.open_datatree(output) as found:
        stored = found["constant_data"]["sample_weight"].values
        assert stored.tolist() == [i % 3 for i in range(60)]
        assert found["observed_data"]["X"].shape == (60, 1)


def test_structures_that_share_parts_have_advice_of_their_own(bayesgmm_command):
    few = ("--draws", 20, "--tune", 50, "--chains", 2)
    petals = ("--columns", "petal_length,petal_width")
    run = bayesgmm_command("sample", "iris", *petals, "-k", 2, "--covariance", "VVE", *few)
    assert "NOT converged" in run.stdout
    assert "or --covariance full: components of VVE share parts of their covariances" in run.stdout
    run = bayesgmm_command("sample", "faithful", "-k", 2, *few)
    assert "NOT converged" in run.stdout
    assert "--covariance full" not in run.stdout


@pytest.mark.parametrize("command", ["sample", "report"])
def test_the_acceptance_rate_is_handed_on(bayesgmm_command, monkeypatch, command):
    given = {}

    def stop(*_, **settings):
        given.update(settings)
        raise bayesgmm.errors.InputError("far enough")

    monkeypatch.setattr(bayesgmm, "sample_posterior", stop)
    bayesgmm_command(command, "faithful", "-k", 2, "--target-accept", "0.95")
    assert given["target_accept"] == 0.95
    assert bayesgmm_command(command, "faithful", "-k", 2, "--target-accept", "1").exit_code == 2


def test_draws_at_the_mode(bayesgmm_command, tmp_path):
    mixture = bayesgmm.random_mixture(2, 2, average_overlap=0.01, rng=1)
    np.savetxt(tmp_path / "x.csv", mixture.sample(3000, rng=2)[0], delimiter=",", header="a,b")
    common = ("sample", tmp_path / "x.csv", "-k", 2, "--method", "laplace", "--draws", 500)
    result = bayesgmm_command(*common, "-o", tmp_path / "draws.nc")
    assert result.exit_code == 0, result.stderr
    with xr.open_datatree(tmp_path / "draws.nc") as found:
        assert found.attrs["sampler"] == "laplace"
    result = bayesgmm_command("sample", "faithful", "-k", 6, "--method", "laplace")
    assert result.exit_code == 1
    assert "--method nuts" in result.stderr
    assert "method='" not in result.stderr
