import json

import numpy as np
import pytest
from command_lines import beside_stages
from interrupts import interrupt_after

import bayesgmm
from bayesgmm.data import validation
from bayesgmm.data.csv_files import csv_text


@pytest.fixture
def blobs(tmp_path):
    drawn = bayesgmm.simulate(bayesgmm.scenario("blobs"), 400, rng=1)
    path = tmp_path / "blobs.csv"
    columns = [*drawn.X.T, [f"g{k}" for k in drawn.labels]]
    path.write_text(csv_text(["x", "y", "group"], columns))
    return path


def run_report(run, *arguments):
    return run("report", *arguments, "--no-posterior")


def test_it_writes_one_page_and_says_where(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    result = run_report(bayesgmm_command, "faithful", "-k", 2, "-o", output)
    assert result.exit_code == 0
    assert result.stderr.splitlines() == [
        "Reading the rows",
        "Fitting by EM",
        "Relabelling, diagnosing, drawing",
        f"The report was written to {output}.",
    ]
    assert "log-likelihood -1130.263960" in result.stdout
    text = output.read_text("utf-8")
    assert "<h1>faithful</h1>" in text
    assert "bayesgmm report faithful -k 2 --no-posterior" in text


def test_json_holds_every_number(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    result = run_report(bayesgmm_command, "faithful", "-k", 2, "-o", output, "--json", "--quiet")
    numbers = json.loads(result.stdout)
    assert (numbers["schema"], numbers["version"]) == ("bayesgmm.report", 1)
    assert numbers["sections"]["mixture"]["numbers"]["log_likelihood"] == pytest.approx(
        -1130.2639601847, abs=1e-7
    )
    assert result.stderr == ""


def test_the_same_command_writes_the_same_bytes(bayesgmm_command, tmp_path, blobs):
    pages = []
    for name in ("a.html", "b.html"):
        output = tmp_path / name
        arguments = (blobs, "-k", 4, "--label-column", "group", "--seed", 7, "-o", output)
        assert run_report(bayesgmm_command, *arguments).exit_code == 0
        pages.append(output.read_bytes())
    assert pages[0] == pages[1]
    assert b"Known groups and components" in pages[0]


def test_the_command_on_the_page_is_the_command(bayesgmm_command, tmp_path):
    path, output = tmp_path / "odd name.csv", tmp_path / "page.html"
    rng = np.random.default_rng(0)
    names = ["a, b", "c;d", "e"]
    path.write_text(csv_text(names, list(rng.standard_normal((50, 3)).T)))
    arguments = (path, "-k", 1, "--columns", '"a, b",e', "--title", "It's <b>", "--header")
    result = run_report(bayesgmm_command, *arguments, "-o", output, "--json")
    command = json.loads(result.stdout)["sections"]["methods"]["numbers"]["command"]
    import shlex

    words = shlex.split(command)
    assert words[:2] == ["bayesgmm", "report"]
    again = bayesgmm_command(*words[1:], "-o", output, "--json", "--force")
    assert json.loads(again.stdout) == json.loads(result.stdout)


def test_an_existing_page_is_not_overwritten(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    output.write_text("mine")
    result = run_report(bayesgmm_command, "faithful", "-k", 2, "-o", output)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert output.read_text() == "mine"
    assert run_report(bayesgmm_command, "faithful", "-k", 2, "-o", output, "--force").exit_code == 0
    assert output.read_text("utf-8").startswith("<!DOCTYPE html>")


def test_the_default_page_replaces_its_like_alone(bayesgmm_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "report.html"
    for k in (2, 3):
        result = run_report(bayesgmm_command, "faithful", "-k", k)
        assert result.exit_code == 0
        assert beside_stages(result.stderr) == "The report was written to report.html.\n"
        assert f"-k {k}" in page.read_text("utf-8")
    result = run_report(bayesgmm_command, "faithful", "-k", 2, "-o", "report.html")
    assert (result.exit_code, "--force replaces it" in result.stderr) == (1, True)
    page.write_text("<!DOCTYPE html>\n<title>mine</title>")
    result = run_report(bayesgmm_command, "faithful", "-k", 2)
    assert (result.exit_code, "--force replaces it" in result.stderr) == (1, True)
    assert "mine" in page.read_text()


def test_errors_leave_no_file(bayesgmm_command, tmp_path):
    output = tmp_path / "page.html"
    for arguments, status, words in [
        (("faithful",), 2, "-k"),
        (("faithful", "-k", 300), 1, "272 rows"),
        (("nothing.csv", "-k", 2), 1, "There is no file"),
        (("faithful", "-k", 2, "--truth", tmp_path / "no.json"), 1, "no.json"),
    ]:
        result = run_report(bayesgmm_command, *arguments, "-o", output)
        assert result.exit_code == status, result.output
        assert words in result.stderr
        assert "Traceback" not in result.stderr
        assert list(tmp_path.iterdir()) == []


def test_ctrl_c_writes_nothing(bayesgmm_command, monkeypatch, tmp_path):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesgmm, "report", interrupt)
    result = run_report(bayesgmm_command, "faithful", "-k", 2, "-o", tmp_path / "page.html")
    assert (result.exit_code, result.stdout) == (130, "")
    assert beside_stages(result.stderr) == "Interrupted.\n"
    assert list(tmp_path.iterdir()) == []


def test_the_posterior_is_on_the_page(bayesgmm_command, tmp_path):
    truth, data, output = (tmp_path / name for name in ("truth.json", "x.csv", "page.html"))
    bayesgmm.scenario("overlapping_ellipses").to_json(truth)
    assert bayesgmm_command("simulate", truth, "-n", 400, "--labels", "-o", data).exit_code == 0
    result = bayesgmm_command(
        *("report", data, "-k", 2, "--label-column", "component", "--truth", truth),
        *("--draws", 300, "--chains", 2, "-o", output, "--json"),
    )
    assert result.exit_code == 0, result.output
    sections = json.loads(result.stdout)["sections"]
    for key in ("posterior", "switching", "engines", "recovery", "membership"):
        assert not sections[key]["verdict"].startswith(("Not computed", "Could not")), key
    assert sections["posterior"]["numbers"]["n_chains"] == 2
    assert sections["recovery"]["numbers"]["share_covered"] > 0.6


def test_an_interrupted_sampler_leaves_a_page_of_its_draws(bayesgmm_command, tmp_path, monkeypatch):
    plain, output = bayesgmm.sample_posterior, tmp_path / "page.html"

    def halved(*args, **given):
        tree = plain(*args, **{**given, "tune": 100, "draws": 60, "chains": 2})
        tree.attrs["interrupted"] = 1
        return tree

    monkeypatch.setattr(bayesgmm, "sample_posterior", halved)
    result = bayesgmm_command("report", "faithful", "-k", 2, "-o", output, "--json")
    assert result.exit_code == 130
    assert result.stderr.splitlines() == [
        "Reading the rows",
        "Fitting by EM",
        "Sampling the posterior: 4 chains",
        "Interrupted: the page is made from the results so far.",
        "Relabelling, diagnosing, drawing",
        f"The report was written to {output}.",
    ]
    assert json.loads(result.stdout)["sections"]["posterior"]["numbers"]["n_draws"] == 60
    assert "interrupted before the end" in output.read_text("utf-8")


def test_ctrl_c_before_the_first_draw_leaves_a_page_of_the_fit(
    bayesgmm_command, tmp_path, monkeypatch
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesgmm, "sample_posterior", interrupt)
    output = tmp_path / "page.html"
    result = bayesgmm_command("report", "faithful", "-k", 2, "-o", output)
    assert result.exit_code == 130
    assert "Interrupted: the page is made from the results so far." in result.stderr
    assert "no posterior was given" in output.read_text("utf-8")


def test_an_interrupted_selection_leaves_a_page(bayesgmm_command, tmp_path, monkeypatch):
    interrupt_after(monkeypatch, 12)
    output = tmp_path / "page.html"
    result = bayesgmm_command("report", "faithful", "--select", "-o", output)
    assert result.exit_code == 130
    assert "Interrupted: the page is made from the results so far." in result.stderr
    text = output.read_text("utf-8")
    assert "interrupted before the end" in text
    assert "no posterior was given" in text


def test_select_chooses_k_and_structure(bayesgmm_command, tmp_path):
    arguments = ("faithful", "-k", 3, "--select", "-o", tmp_path / "page.html", "--json")
    result = run_report(bayesgmm_command, *arguments)
    assert result.exit_code == 0, result.output
    sections = json.loads(result.stdout)["sections"]
    # mclust 6.0.0: BIC of faithful for K = 1..3 is best at EEE,3, 2314.316 in our sign.
    assert sections["choice"]["verdict"].startswith("BIC selects EEE with 3 components (2,314.3")
    assert sections["mixture"]["numbers"]["covariance_code"] == "EEE"
    assert sections["mixture"]["numbers"]["bic"] == pytest.approx(2314.3, abs=0.1)


def test_structures_that_share_parts_are_sampled_and_rows_may_have_weights(
    bayesgmm_command, tmp_path
):
    output = tmp_path / "page.html"
    rows = tmp_path / "rows.csv"
    X = bayesgmm.load_dataset("faithful").X
    rows.write_text(csv_text(["x", "y", "times"], [*X.T, np.arange(272) % 3]))
    result = bayesgmm_command(
        "report", rows, "-k", 2, "--covariance", "VEE", "--weights", "times", "--draws", 100,
        "--json", "-o", output,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    sections = json.loads(result.stdout)["sections"]
    assert sections["posterior"]["state"] != "unknown"
    assert "the rows have weights" in output.read_text("utf-8")
    weighted = bayesgmm.GaussianMixture(2, covariance_type="VEE", random_state=0)
    weighted.fit(X, sample_weight=np.arange(272) % 3)
    found = sections["mixture"]["numbers"]["log_likelihood"]
    assert found == pytest.approx(weighted.log_likelihood_, rel=1e-9)


def test_rows_are_checked_once_and_fitted_once(bayesgmm_command, monkeypatch, tmp_path):
    checked, fitted = [], []
    check, fit = validation._check_finite, bayesgmm.GaussianMixture.fit

    def check_finite(array, *args, **more):
        checked.append(array.shape)
        check(array, *args, **more)

    def fit_once(self, X, *args, **options):
        fitted.append(self)
        return fit(self, X, *args, **options)

    monkeypatch.setattr(validation, "_check_finite", check_finite)
    monkeypatch.setattr(bayesgmm.GaussianMixture, "fit", fit_once)
    short = ("--draws", 100, "--chains", 2)
    result = bayesgmm_command("report", "faithful", "-k", 2, *short, "-o", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    assert checked.count((272, 2)) == 1
    assert len(fitted) == 1


def test_evidence_is_asked_for_two_components_more(bayesgmm_command, tmp_path, monkeypatch):
    few, made = bayesgmm.load_dataset("galaxies").X[:20], []
    found = bayesgmm.evidence(few, 1, rng=0, progressbar=False)

    def of_one(X, n_components, **settings):
        made.append((list(n_components), settings))
        return found

    monkeypatch.setattr(bayesgmm, "evidence", of_one)
    arguments = ("galaxies", "-k", 1, "--evidence", "--seed", 3, "-o", tmp_path / "page.html")
    result = run_report(bayesgmm_command, *arguments, "--json", "--quiet")
    expected = {"covariance_type": "full", "priors": None, "rng": 3, "progressbar": False}
    assert made == [([1, 2, 3], expected)]
    (first,) = json.loads(result.stdout)["sections"]["evidence"]["numbers"]["evidence"]
    assert first["log_evidence"] == found.table.loc[1, "log_evidence"]


def test_evidence_that_cannot_be_computed_is_a_note(bayesgmm_command, tmp_path, blobs):
    output = tmp_path / "page.html"
    arguments = ("faithful", "-k", 2, "--covariance", "VEV", "--evidence", "-o", output)
    result = run_report(bayesgmm_command, *arguments)
    assert result.exit_code == 0
    reason = "shares parts of covariances"
    assert "The evidence was not computed: " in result.stderr
    assert reason in result.stderr
    text = output.read_text("utf-8")
    assert "The evidence was requested, but could not be computed: " in text
    assert reason in text
    assert "evidence is computed on request" not in text
    arguments = (blobs, "-k", 2, "--columns", "x,y", "--noise", "--evidence", "-o", output)
    result = run_report(bayesgmm_command, *arguments)
    assert result.exit_code == 2
    assert "--evidence is for components alone" in result.stderr


def test_interrupted_evidence_leaves_a_page(bayesgmm_command, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesgmm, "evidence", interrupted)
    output = tmp_path / "page.html"
    result = run_report(bayesgmm_command, "faithful", "-k", 2, "--evidence", "-o", output)
    assert result.exit_code == 130
    assert "Interrupted: the page is made from the results so far." in result.stderr
    assert "could not be computed: It was interrupted." in output.read_text("utf-8")


@pytest.mark.parametrize("command", ["report", "explore"])
def test_json_speaks_as_the_command_line_does(bayesgmm_command, tmp_path, command):
    frame = bayesgmm.load_dataset("faithful").frame
    frame.set_axis(["n_components", "select_mixture"], axis=1).to_csv(tmp_path / "x.csv")
    more = ("--no-posterior",) if command == "report" else ("--structures", "VVV")
    arguments = (tmp_path / "x.csv", "-k", 2, "--seed", 3, "--exclude", 0, "--json")
    target = ("-o", tmp_path / "page.html")
    result = bayesgmm_command(command, *arguments, *more, *target)
    found = json.loads(result.stdout)
    like = json.loads(bayesgmm_command("fit", *arguments).stdout)
    for key in ("version", "program", "data", "seed"):
        assert found[key] == like[key], key
    # An explorer of K up to 2 says that more may be better; in words of the commands.
    assert ["give -k" in each for each in found["warnings"]] == [True] * (command == "explore")
    assert list(found)[:4] == list(like)[:4] == ["schema", "version", "data", "program"]
    assert "select_mixture(X)" not in result.stdout
    assert "n_components" in result.stdout  # the column
    if command == "report":
        assert found["sections"]["data"]["numbers"]["columns"] == ["n_components", "select_mixture"]
        assert "bayesgmm report --select compares them" in result.stdout


@pytest.fixture
def model(bayesgmm_command, tmp_path):
    path = tmp_path / "model.json"
    arguments = ("fit", "faithful", "-k", 2, "--covariance", "VEV", "-o", path, "--quiet")
    assert bayesgmm_command(*arguments).exit_code == 0
    return path


def test_the_page_of_a_stored_fit_makes_no_other(bayesgmm_command, tmp_path, monkeypatch, model):
    """In units of the data's own, and of rows whose columns stand in another order."""
    turned = bayesgmm.load_dataset("faithful").frame.iloc[:, ::-1]
    turned.to_csv(tmp_path / "x.csv", index=False)
    found = []

    def drawn(X, n_components=None, **given):
        found.append((X.feature_names, given["init"].covariance_type, given["rng"]))
        raise KeyboardInterrupt

    monkeypatch.setattr(bayesgmm, "sample_posterior", drawn)
    arguments = ("report", tmp_path / "x.csv", "--init", model, "-o", tmp_path / "page.html")
    result = bayesgmm_command(*arguments, "--json")
    assert result.exit_code == 130
    assert "Fitting by EM" not in result.stderr
    assert found == [(("eruptions", "waiting"), "VEV", 0)]
    numbers = json.loads(result.stdout)["sections"]["mixture"]["numbers"]
    fit = bayesgmm.GaussianMixture.from_json(model)
    assert numbers["log_likelihood"] == pytest.approx(fit.log_likelihood_, rel=1e-12)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert f"bayesgmm report {tmp_path / 'x.csv'} --init {model}" in page


def test_the_page_of_stored_draws_makes_no_others(bayesgmm_command, tmp_path, monkeypatch):
    draws, page = tmp_path / "draws.nc", tmp_path / "page.html"
    few = ("--draws", 60, "--tune", 100, "--quiet", "-o", draws)
    assert bayesgmm_command("sample", "faithful", "-k", 2, *few).exit_code == 0
    monkeypatch.setattr(bayesgmm, "sample_posterior", None)
    arguments = ("report", "faithful", "--draws-from", draws, "-o", page, "--force", "--json")
    result = bayesgmm_command(*arguments)
    assert result.exit_code == 0, result.stderr
    sections = json.loads(result.stdout)["sections"]
    assert sections["posterior"]["numbers"]["n_draws"] == 60
    result = bayesgmm_command(*arguments, "-k", 2)
    assert "Fitting by EM" in result.stderr
    assert json.loads(result.stdout)["sections"]["mixture"]["numbers"]["covariance_code"] == "VVV"
    result = bayesgmm_command(*arguments, "-k", 3)
    assert (result.exit_code, "have 2 components, and the fit" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        (("--init", "MODEL", "-k", 4), 2, "has 2 components, but -k 4 is asked for. Leave out -k"),
        (("--init", "MODEL", "--select", "--noise"), 2, "leave out --noise, --select."),
        (("--init", "MODEL", "--covariance", "diag"), 2, "leave out --covariance."),
        (("--init", "MODEL", "--columns", "waiting"), 1, "have 1 column, but --init has 2"),
        (("--init", "none.json"), 1, "none.json"),
        (("--draws-from", "MODEL"), 1, "does not hold draws: it is a JSON object"),
        (("--draws-from", "none.nc"), 1, "none.nc: No such file"),
        (("--draws-from", "DAMAGED"), 1, "cannot be read as draws"),
        (("--draws-from", "x", "--no-posterior"), 2, "leave out --no-posterior."),
        (("--draws-from", "x", "--draws", 9), 2, "leave out --draws."),
        (("--draws-from", "x", "--evidence"), 2, "give -k or --init"),
    ],
)
def test_stored_results_that_cannot_be_shown(
    bayesgmm_command, tmp_path, model, more, status, words
):
    damaged = tmp_path / "damaged.nc"
    damaged.write_bytes(b"\x89HDF\r\n\x1a\n" + b"x" * 2000)
    files = {"MODEL": model, "DAMAGED": damaged}
    more = [files.get(each, each) for each in more]
    page = tmp_path / "page.html"
    result = bayesgmm_command("report", "faithful", "--no-posterior", *more, "-o", page)
    if "--draws-from" in more and "--no-posterior" not in more:
        result = bayesgmm_command("report", "faithful", *more, "-o", page)
    assert (result.exit_code, words in result.stderr) == (status, True), result.stderr
    assert not page.exists()


def test_a_stored_fit_of_other_rows_is_refused_or_said(bayesgmm_command, tmp_path, model):
    page = tmp_path / "page.html"
    arguments = ("report", "iris", "--init", model, "--no-posterior", "-o", page)
    result = bayesgmm_command(*arguments)
    assert (result.exit_code, "no column named 'eruptions' or" in result.stderr) == (1, True)
    few = bayesgmm.load_dataset("faithful").frame.iloc[:100]
    few.to_csv(tmp_path / "few.csv", index=False)
    result = bayesgmm_command("report", tmp_path / "few.csv", *arguments[2:])
    assert result.exit_code == 0, result.stderr
    assert "other rows" in page.read_text("utf-8")
