import json
import shlex

import numpy as np
from command_lines import beside_stages
from interrupts import interrupt_after

import bayesgmm
from bayesgmm.data.csv_files import csv_text

FEW = ("-k", 2, "--structures", "EEE,VVV")


def test_it_writes_one_page_and_says_where(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    result = bayesgmm_command("explore", "faithful", "-k", 4, "--structures", "EEE", "-o", output)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "Reading the rows",
        "Fitting the models, diagnosing, drawing",
        f"The page was written to {output}.",
    ]
    assert "faithful: 272 rows, 2 columns, faithful (shipped with bayesgmm)" in result.stdout
    assert "3  EEE        2314.30  Interpret with care" in result.stdout
    text = output.read_text("utf-8")
    assert "<h1>faithful</h1>" in text
    assert "bayesgmm explore faithful -k 4 --structures EEE" in text


def test_noise(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    run = bayesgmm_command("explore", "faithful", *FEW, "--noise", "-o", output)
    assert "Every model has a component of noise." in run.stdout
    assert "--noise" in output.read_text("utf-8")


def test_json_holds_every_number_and_the_command_on_the_page_is_the_command(
    bayesgmm_command, tmp_path
):
    path, output = tmp_path / "odd name.csv", tmp_path / "page.html"
    x, y = np.random.default_rng(0).standard_normal((2, 60))
    groups = ["one", "two"] * 30
    path.write_text(
        csv_text(["a, b", "c", "n", "s", "t", "g"], [x, y, [2] * 60, *[[0.1] * 60] * 2, groups])
    )
    result = bayesgmm_command(
        "explore", path, *FEW, "--min-components", 2, "--exclude", "c", "--weights", "n",
        "--errors", "s", "--label-column", "g", "--columns", '"a, b"', "--title", "It's <b>",
        "-o", output, "--json", "--quiet",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    numbers = json.loads(result.stdout)
    assert (numbers["schema"], numbers["version"]) == ("bayesgmm.explorer", 1)
    assert [each["n_components"] for each in numbers["models"]] == [2, 2]
    assert "measurement errors known" in numbers["subtitle"]
    page = output.read_text("utf-8")
    line = page[page.index("<code>") + 6 : page.index("</code>")].replace("&#34;", '"')
    words = shlex.split(line.replace("&#39;", "'").replace("&lt;", "<").replace("&gt;", ">"))
    assert words[:2] == ["bayesgmm", "explore"]
    again = bayesgmm_command(*words[1:], "-o", output, "--json", "--force")
    assert json.loads(again.stdout) == numbers


def test_the_default_page_replaces_its_like_alone(bayesgmm_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "explorer.html"
    for _ in range(2):
        result = bayesgmm_command("explore", "faithful", "-k", 1, "--structures", "EEE")
        assert result.exit_code == 0
        assert beside_stages(result.stderr) == "The page was written to explorer.html.\n"
    page.write_text("<!DOCTYPE html>\n<title>mine</title>")
    result = bayesgmm_command("explore", "faithful", *FEW)
    assert (result.exit_code, "--force replaces it" in result.stderr) == (1, True)
    assert "mine" in page.read_text()


def test_errors_leave_no_file(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    for arguments, status, words in [
        (("faithful", "-k", 2, "--min-components", 3), 2, "--min-components 3 is more"),
        (("faithful", "--structures", "ABC"), 2, "ABC"),
        (("nothing.csv",), 1, "There is no file"),
        (
            ("faithful", "--min-components", 300, "-k", 301),
            1,
            "No model of the grid has an admissible fit",
        ),
    ]:
        result = bayesgmm_command("explore", *arguments, "-o", output)
        assert result.exit_code == status, result.output
        assert words in result.stderr.replace("\n", " "), result.stderr
        assert "Traceback" not in result.stderr
        assert list(tmp_path.iterdir()) == []


def test_ctrl_c_while_fitting_leaves_a_page_and_later_nothing(
    bayesgmm_command, monkeypatch, tmp_path
):
    output = tmp_path / "page.html"
    interrupt_after(monkeypatch, 3)
    result = bayesgmm_command("explore", "faithful", *FEW, "-o", output)
    assert result.exit_code == 130
    assert "Interrupted: the page is made of the models fitted so far." in result.stderr
    assert "interrupted before the end" in output.read_text("utf-8")
    output.unlink()

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesgmm, "explore", interrupt)
    result = bayesgmm_command("explore", "faithful", *FEW, "-o", output)
    assert (result.exit_code, result.stdout) == (130, "")
    assert beside_stages(result.stderr) == "Interrupted.\n"
    assert list(tmp_path.iterdir()) == []
