import json

import pytest

import bayesgmm


def test_a_table_of_the_best_and_a_sentence(bayesgmm_command):
    result = bayesgmm_command("select", "faithful", "--max-components", 4)
    assert result.exit_code == 0
    assert result.stderr == "Reading the rows\nChoosing K and the structure\n"
    assert "Best: EEE" in result.stdout
    assert "2314.296" in result.stdout


def test_k_is_the_largest_number_of_components(bayesgmm_command):
    result = bayesgmm_command("select", "faithful", "-k", 2, "--structures", "EEE", "--json")
    models = json.loads(result.stdout)["models"]
    assert [each["n_components"] for each in models] == [1, 2]


def test_json_holds_every_cell(bayesgmm_command, tmp_path):
    target = tmp_path / "best.json"
    result = bayesgmm_command(
        *("select", "iris", "--max-components", 3, "--structures", "VEV,EEE,diag"),
        *("--criterion", "icl", "--json", "-o", target, "--quiet"),
    )
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert (found["schema"], found["version"]) == ("bayesgmm.selection", 1)
    assert len(found["models"]) == 9
    assert found["criterion"] == "icl"
    assert found["best"]["covariance_type"] == "VEV"
    assert found["best"]["log_likelihood"] == pytest.approx(-215.725972, abs=1e-5)
    assert bayesgmm.GaussianMixture.from_json(target).mixture_.n_components == 2
    # An existing file is not replaced without being told.
    assert bayesgmm_command("select", "iris", "-o", target).exit_code != 0


def test_a_bound_on_the_time(bayesgmm_command):
    plain = bayesgmm_command("select", "faithful", "-k", 3)
    within = bayesgmm_command("select", "faithful", "-k", 3, "--max-time", 1000)
    assert (within.exit_code, within.stdout) == (0, plain.stdout)
    late = bayesgmm_command("select", "faithful", "-k", 3, "--max-time", 1e-9)
    assert late.exit_code != 0
    assert "--max-time 1e-09 s" in late.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-time", 0),
        ("--structures", "VVW"),
        ("--criterion", "bicc"),
        ("--max-components", 0),
        ("--min-components", 3, "--max-components", 2),
    ],
)
def test_usage_errors(bayesgmm_command, arguments):
    result = bayesgmm_command("select", "faithful", *arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_the_edge_is_said_on_standard_error(bayesgmm_command):
    result = bayesgmm_command("select", "faithful", "--max-components", 3, "--structures", "EEE")
    assert result.exit_code == 0
    assert "edge of the grid" in result.stderr


def test_equal_weights(bayesgmm_command):
    arguments = "select", "faithful", "-k", 2, "--structures", "EEE", "--equal-weights", "--json"
    found = json.loads(bayesgmm_command(*arguments).stdout)
    assert found["equal_weights"] is True
    assert [each["n_parameters"] for each in found["models"]] == [5, 7]
    assert found["best"]["weights"] == [0.5, 0.5]


def test_the_best_components_are_compared_with_known_groups(bayesgmm_command):
    """`--label-column` was read, and nothing compared."""
    arguments = "select", "iris", "-k", 3, "--structures", "VEV", "--quiet"
    groups = json.loads(bayesgmm_command(*arguments, "--json").stdout)["known_groups"]
    assert groups["column"] == "label"
    assert groups["counts"] == [[50, 0], [0, 50], [0, 50]]
    text = bayesgmm_command(*arguments).stdout
    assert "Known groups and components: 66.67% of 150 rows of known group agree" in text
    without = bayesgmm_command("select", "faithful", "-k", 1, "--json", "--quiet")
    assert json.loads(without.stdout)["known_groups"] is None
