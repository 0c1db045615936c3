"""The tables of a page as CSV files, at full precision, within data addresses."""

import csv
import io
from html.parser import HTMLParser
from urllib.parse import unquote

import numpy as np
import pytest
from browser import chromium, needs_chromium

from bayesgmm import GaussianMixture, Mixture, report
from bayesgmm.reporting.downloads import as_csv, as_latex
from bayesgmm.reporting.parts import Table, between, count, estimate, fixed, percent


class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "a" and "download" in attrs:
            kind, _, text = attrs["href"].partition(",")
            assert kind in ("data:text/csv;charset=utf-8", "data:text/plain;charset=utf-8")
            self.found[attrs["download"]] = unquote(text)


def rows_of(text):
    return list(csv.reader(io.StringIO(text)))


def test_every_table_can_be_downloaded(faithful, faithful_em, faithful_page):
    tables = [t for s in faithful_page.numbers["sections"].values() for t in s["tables"]]
    files = Links(faithful_page.html).found
    assert len([name for name in files if name.endswith(".csv")]) >= len(tables) > 5
    parameters = rows_of(files["parameters.csv"])
    assert parameters[0] == [
        "", "component 0", "component 0: standard error", "component 1",
        "component 1: standard error",
    ]  # fmt: skip
    by_name = {row[0]: [float(each) for each in row[1:]] for row in parameters[1:]}
    assert by_name["mean of waiting"][::2] == faithful_em.means_[:, 1].tolist()
    errors = faithful_em.standard_errors(faithful)
    assert by_name["weight"][1::2] == errors.weights.tolist()


def test_cells_of_several_numbers_become_columns():
    table = Table(
        "A & B, of <c>!",
        ("", "n", "share", "interval", "estimate", "word"),
        [
            ("first", count(1234), percent(0.25), between(1.0, 0.5, 2.0), estimate(3.0, 0.1), "=1"),
            ("second", count(np.nan), percent(0.5), between(2.0, 1.0, 4.0), fixed(4.0, 2), "x,y"),
        ],
    )
    file = as_csv(table)
    assert file.name == "a-b.csv"
    assert rows_of(file.text) == [
        ["", "n", "share", "interval", "interval: low", "interval: high", "estimate",
         "estimate: standard error", "word"],
        ["first", "1234", "0.25", "1.0", "0.5", "2.0", "3.0", "0.1", "'=1"],
        ["second", "", "0.5", "2.0", "1.0", "4.0", "4.0", "", "x,y"],
    ]  # fmt: skip


def test_tables_and_parameters_come_as_latex_csv_and_json(faithful_em, faithful_page):
    files = Links(faithful_page.html).found
    tex = files["parameters.tex"]
    assert tex.count(r"\\") == len(rows_of(files["parameters.csv"]))
    assert r"\begin{tabular}{lrr}" in tex
    assert "weight & 0.356 (0.029) & 0.644 (0.029)" in tex
    everything = dict(rows_of(files["all-parameters.csv"])[1:])
    assert float(everything["mean of waiting, component 1"]) == faithful_em.means_[1, 1]
    assert len(everything) == 12
    assert Mixture.from_json(files["mixture.json"]) == faithful_em.mixture_


def test_latex_is_escaped():
    table = Table(r"100 % of a_b", ("", r"\x & y"), [("$1^2$ ~ {}", fixed(-1.5, 1))])
    lines = as_latex(table).text.splitlines()
    assert r" & \textbackslash{}x \& y \\" in lines
    assert r"\$1\textasciicircum{}2\$ \textasciitilde{} \{\} & $-$1.5 \\" in lines


@pytest.mark.usefixtures("undrawn")
def test_hostile_names_are_quoted(hostile):
    em = GaussianMixture(2, covariance_type="diag", random_state=0).fit(hostile)
    page = report(hostile, em=em)
    rows = rows_of(Links(page.html).found["columns.csv"])
    assert len(rows) == hostile.shape[1] + 1
    assert "'=cmd|' /C calc'!A0" in [row[0] for row in rows]


@needs_chromium
def test_a_browser_saves_the_file(faithful_page, tmp_path):
    faithful_page.save(tmp_path / "page.html")
    with chromium() as page:
        said = []
        page.on("console", lambda message: said.append(message.text))
        page.goto((tmp_path / "page.html").as_uri())
        with page.expect_download() as waiting:
            page.click("a[download='sizes.csv']")
        waiting.value.save_as(tmp_path / "sizes.csv")
        assert waiting.value.suggested_filename == "sizes.csv"
    assert said == []
    rows = rows_of((tmp_path / "sizes.csv").read_text("utf-8"))
    assert [row[:2] for row in rows[1:]] == [["component 0", "97"], ["component 1", "175"]]


@pytest.mark.parametrize("key", ["posterior", "switching", "engines", "recovery"])
def test_what_was_not_asked_is_one_line(faithful_page, key):
    assert f'<section id="{key}"' not in faithful_page.html
    assert faithful_page.html.count(f'<li id="{key}">') == 1
    assert f'href="#{key}"' not in faithful_page.html


@pytest.mark.usefixtures("undrawn")
def test_the_verdict_comes_first_unless_it_is_good(
    faithful, faithful_em, faithful_page, posterior_of
):
    good = faithful_page.html
    assert good.index("All checks passed") > good.index("Two components for 272 rows")
    text = str(faithful_page)
    assert text.startswith("Gaussian mixture: Two components")
    assert text.count("All checks passed") == 1
    few = report(faithful, em=faithful_em, posterior=posterior_of(faithful_em, 272, draws=4))
    assert few.html.index('class="overall"') < few.html.index("Two components for 272 rows")
    text = str(few)
    assert text.startswith("Serious problems")
    assert text.count("Serious problems") == 1
