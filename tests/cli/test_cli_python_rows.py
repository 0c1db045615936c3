"""The Python code on a page of `bayesgmm report` reads the rows that the command read."""

import html
import re

import numpy as np
import pandas as pd
import pytest

from bayesgmm import load_dataset

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 2)) + 5.0 * rng.integers(0, 2, 40)[:, np.newaxis]
PLAIN = pd.DataFrame(X, columns=["a", "b"]).assign(
    w=rng.integers(1, 4, 40),
    s=0.1,
    t=0.2,
    group=pd.array([None if i % 9 else f"g{int(x > 2.5)}" for i, x in enumerate(X[:, 0])]),
)
HOLED = PLAIN[["a", "b", "w"]].map(lambda each: "?" if 0.0 < each < 0.2 else repr(each))
CASES = [
    (PLAIN[["a", "b"]], {}, []),
    (PLAIN[["b", "w", "a"]], {"sep": ";", "decimal": ","}, ["--columns", "a,b", "--decimal", ","]),
    (PLAIN[["a", "b"]], {"header": False, "sep": "\t"}, ["--exclude", "1"]),
    (HOLED, {}, ["--weights", "w"]),
    (HOLED, {}, ["--drop-missing", "--exclude", "w"]),
    (PLAIN[["a", "b"]].where(X > -1.0, -999), {}, ["--na", "-999", "--columns", "b,a"]),
    (PLAIN.drop(columns="group"), {}, ["--errors", "s,t", "--weights", "w"]),
    (PLAIN[["a", "b", "group"]], {}, ["--labels", "group"]),
    (PLAIN[["a", "b"]].set_axis(["a", "a"], axis=1), {}, ["--columns", "a (2)"]),
]


def code_of(page):
    blocks = [html.unescape(each) for each in re.findall("<code>(.*?)</code>", page, re.S)]
    (code,) = [each for each in blocks if each.startswith("import bayesgmm as bg")]
    return code


@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
@pytest.mark.parametrize(("frame", "form", "options"), CASES)
def test_the_code_makes_the_same_fit(bayesgmm_command, tmp_path, monkeypatch, frame, form, options):
    monkeypatch.chdir(tmp_path)
    frame.to_csv("rows.csv", index=False, **form)
    arguments = ("rows.csv", "-k", 2, "--no-posterior", *options)
    page = bayesgmm_command("report", *arguments, "-o", "page.html", "--json")
    assert page.exit_code == 0, page.stderr
    code = code_of((tmp_path / "page.html").read_text("utf-8"))
    assert "..." not in code
    names = {}
    exec(code.replace('"report.html"', '"again.html"'), names)
    assert (tmp_path / "again.html").exists()
    own = re.search(r'"log_likelihood": (-?[\d.]+)', page.stdout)
    assert names["em"].log_likelihood_ == pytest.approx(float(own[1]), rel=1e-12)


@pytest.mark.parametrize("name", ["faithful", "iris"])
def test_shipped_data(bayesgmm_command, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    bayesgmm_command("report", name, "-k", 2, "--no-posterior")
    names = {}
    exec(code_of((tmp_path / "report.html").read_text("utf-8")), names)
    assert list(names["X"].columns) == list(load_dataset(name).feature_names)
    assert np.array_equal(names["X"], load_dataset(name).X)


def test_known_groups_and_names_of_rows_come_along(bayesgmm_command, tmp_path, monkeypatch):
    """The code left both out, so that its page lacked a section and numbered the rows."""
    monkeypatch.chdir(tmp_path)
    frame = PLAIN[["a", "b"]].assign(id=range(500, 540), kind=np.where(X[:, 0] > 2.5, "x", "y"))
    frame.to_csv("rows.csv", index=False)
    options = ("--exclude", "id", "--label-column", "kind", "-k", 2, "--no-posterior")
    bayesgmm_command("report", "rows.csv", *options)
    names = {}
    page = (tmp_path / "report.html").read_text("utf-8")
    exec(code_of(page).replace('"report.html"', '"again.html"'), names)
    assert names["X"].index.tolist() == list(range(500, 540))
    assert names["groups"].tolist() == frame["kind"].tolist()
    again = (tmp_path / "again.html").read_text("utf-8")
    assert all("Known groups" in each for each in (page, again))


def test_rows_of_npy_and_parquet(bayesgmm_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", X)
    PLAIN[["a", "b", "w"]].to_parquet("rows.parquet")
    for line in ("rows.npy", "rows.parquet --columns b,a"):
        ended = bayesgmm_command("report", *line.split(), "-k", 2, "--no-posterior")
        assert ended.exit_code == 0, ended.stderr
        names = {}
        exec(code_of((tmp_path / "report.html").read_text("utf-8")), names)
        assert np.array_equal(names["X"], X if "npy" in line else X[:, ::-1])


def test_rows_of_standard_input_are_to_be_filled_in(bayesgmm_command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PLAIN[["a", "b"]].to_csv(index=False)
    bayesgmm_command("report", "-", "-k", 2, "--no-posterior", input=text)
    assert "X = ...  # the rows" in code_of((tmp_path / "report.html").read_text("utf-8"))
