"""What a report says, of what it is given and of what it is not."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import bayesgmm
from bayesgmm import GaussianMixture, Mixture, report
from bayesgmm.errors import InputError, InvalidParameterError, NotFittedError


class Reader(HTMLParser):
    """The elements of a page and the text of its table cells and paragraphs."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.cells, self._cell = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in ("td", "th"):
            self._cell = ""

    def handle_data(self, data):
        if self._cell is not None:
            self._cell += data

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cells.append(self._cell)
            self._cell = None


def leaves(value):
    if isinstance(value, dict):
        return [leaf for each in value.values() for leaf in leaves(each)]
    if isinstance(value, list):
        return [leaf for each in value for leaf in leaves(each)]
    return [value]


@pytest.mark.usefixtures("undrawn")
def test_the_numbers_are_those_of_the_fit(faithful, faithful_em):
    made = report(faithful, em=faithful_em, title="Old Faithful")
    mixture = made.numbers["sections"]["mixture"]
    assert mixture["numbers"]["log_likelihood"] == faithful_em.log_likelihood_
    assert mixture["numbers"]["bic"] == pytest.approx(faithful_em.bic(faithful), rel=1e-12)
    assert mixture["numbers"]["icl"] == pytest.approx(faithful_em.icl(faithful), rel=1e-12)
    assert mixture["numbers"]["aic"] == pytest.approx(faithful_em.aic(faithful), rel=1e-12)
    rows = {row[0]: row[1:] for row in mixture["tables"][0]["rows"]}
    values = {
        name: [each["value"] if isinstance(each, dict) else each for each in cells]
        for name, cells in rows.items()
    }
    assert values["weight"] == faithful_em.weights_.tolist()
    assert values["mean of waiting"] == faithful_em.means_[:, 1].tolist()
    covariances = faithful_em.covariances_
    deviations = np.sqrt(covariances[:, [0, 1], [0, 1]])
    assert values["s.d. of eruptions"] == pytest.approx(deviations[:, 0])
    correlations = covariances[:, 0, 1] / deviations.prod(axis=1)
    assert values["correlation of eruptions and waiting"] == pytest.approx(correlations)
    data = made.numbers["sections"]["data"]["tables"][0]["rows"]
    assert data[0][1:6] == pytest.approx(
        [
            faithful.eruptions.mean(),
            faithful.eruptions.std(),
            1.6,
            faithful.eruptions.median(),
            5.1,
        ]
    )


def test_every_number_in_a_table_is_a_rounding_of_one_in_the_json(faithful_page):
    known = np.array(
        [x for x in leaves(faithful_page.numbers) if isinstance(x, int | float)], dtype=float
    )
    checked = 0
    for cell in Reader(faithful_page.html).cells:
        text = cell.replace("\N{MINUS SIGN}", "-").replace(",", "")
        if re.fullmatch(r"-?\d+(\.\d+)?( %)?", text):
            scale = 0.01 if text.endswith("%") else 1.0
            number = text.removesuffix(" %")
            decimals = len(number.partition(".")[2])
            half = 0.5000001 * 10.0**-decimals * scale
            assert np.abs(known - float(number) * scale).min() <= half, cell
            checked += 1
    assert checked > 50


def test_equal_inputs_give_equal_bytes(faithful, faithful_em):
    again = GaussianMixture(2, random_state=0).fit(faithful.copy())
    first, second = (report(faithful, em=each, title="x") for each in (faithful_em, again))
    assert first.html == second.html
    assert first.to_json() == second.to_json()


def test_it_is_saved_whole_and_read_back(faithful_page, tmp_path):
    faithful_page.save(tmp_path / "page.html")
    faithful_page.to_json(tmp_path / "page.json")
    assert (tmp_path / "page.html").read_text("utf-8") == faithful_page.html
    assert json.loads((tmp_path / "page.json").read_text("utf-8")) == faithful_page.numbers
    with pytest.raises(FileNotFoundError):
        faithful_page.save(tmp_path / "no" / "page.html")


def test_a_notebook_gets_a_frame_that_runs_nothing(faithful, faithful_em):
    made = report(faithful, em=faithful_em, title="a \" ' < title")
    ((tag, attributes),) = Reader(made._repr_html_()).elements
    assert tag == "iframe"
    assert attributes["sandbox"] in (None, "")
    assert attributes["srcdoc"] == made.html
    assert attributes["title"] == "a \" ' < title"


def test_the_page_holds_no_script_and_no_address(faithful_page):
    assert "://" not in faithful_page.html
    for tag, attributes in Reader(faithful_page.html).elements:
        assert tag not in {"script", "link", "base", "object", "embed", "iframe", "form"}
        assert not any(name.startswith("on") for name in attributes)
        for name in ("href", "src"):
            target = attributes.get(name, "#")
            kinds = ("image/png;base64,", "text/csv;charset=utf-8,", "text/plain;charset=utf-8,")
            assert target.startswith(("#", *(f"data:{kind}" for kind in kinds)))


def test_ids_are_unique_and_links_lead_to_them(faithful_page):
    elements = Reader(faithful_page.html).elements
    ids = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {a["href"][1:] for _, a in elements if a.get("href", "").startswith("#")}
    assert links <= set(ids)


def test_hostile_names_and_titles_come_out_as_text(hostile, hostile_title):
    em = GaussianMixture(2, random_state=0, covariance_type="diag").fit(hostile)
    labels = ["<b onclick=alert(4)>" if i % 2 else "&lt;\x00" for i in range(len(hostile))]
    made = report(
        hostile,
        em=em,
        title=hostile_title,
        labels=labels,
        source="</p><script>",
        command="bayesgmm report '<script>'",
    )
    elements = Reader(made.html).elements
    assert not {tag for tag, _ in elements} & {"script", "img", "b"}
    assert "<h1>&lt;/title&gt;&lt;script&gt;" in made.html
    assert "49" not in re.findall(r"\{\{.*?\}\}|7 \* 7", made.html)
    assert made.numbers["sections"]["data"]["numbers"]["columns"] == list(em.mixture_.feature_names)
    assert "\x00" not in made.html
    assert "\x07" not in made.html
    assert "\x1b" not in made.html
    # With five columns the names also stand in the figures.
    few = hostile.iloc[:, :5]
    em = GaussianMixture(2, random_state=0).fit(few)
    elements = Reader(report(few, em=em).html).elements
    assert not {tag for tag, _ in elements} & {"script", "img"}


def test_nothing_given_says_what_could_not_be_computed(faithful):
    made = report(faithful)
    assert made.numbers["state"] in ("good", "unknown", "care")
    for key in ("mixture", "starts", "posterior", "switching", "fit", "membership"):
        section = made.numbers["sections"][key]
        assert section["state"] == "unknown"
        assert section["verdict"].startswith("Not computed: n")
    assert made.numbers["sections"]["data"]["numbers"]["n_rows"] == 272


@pytest.mark.parametrize(("n", "d", "k"), [(300, 1, 1), (400, 2, 30), (250, 200, 2), (120, 7, 3)])
@pytest.mark.filterwarnings("ignore::bayesgmm.errors.BayesGMMWarning")
def test_every_shape_renders_and_stays_small(n, d, k):
    rng = np.random.default_rng(n)
    means = 8.0 * rng.standard_normal((k, d))
    truth = Mixture(np.full(k, 1 / k), means, np.broadcast_to(np.eye(d), (k, d, d)))
    X, _ = truth.sample(n, rng=1)
    em = GaussianMixture(k, covariance_type="diag", random_state=0).fit(X)
    made = report(X, em=em)
    for section in made.numbers["sections"].values():
        assert not section["verdict"].startswith("Could not be computed"), section
    assert made.numbers["sections"]["mixture"]["tables"][0]["rows"]
    assert len(made.html) < 3e6


def test_many_rows_make_a_small_file():
    drawn = bayesgmm.simulate(bayesgmm.scenario("blobs"), 50_000, rng=1)
    em = GaussianMixture(4, random_state=0).fit(drawn.X)
    made = report(drawn.X, em=em)
    assert len(made.html) < 1e6
    assert made.numbers["sections"]["starts"]["state"] == "good"


def test_many_rows_of_many_columns_stay_below_3_mb():
    truth = bayesgmm.random_mixture(5, 10, average_overlap=0.02, rng=3)
    X = truth.sample(100_000, rng=1)[0]
    made = report(X, em=GaussianMixture(5, random_state=0).fit(X))
    assert len(made.html) < 2e6  # a posterior adds less than the rest


@pytest.mark.parametrize("unit", [1e-100, 1e100])
def test_units_of_any_size(faithful, unit):
    X = faithful.to_numpy() * unit
    em = GaussianMixture(2, random_state=0).fit(X)
    made = report(X, em=em)
    assert made.numbers["sections"]["fit"]["state"] == "good"
    assert made.numbers["sections"]["membership"]["numbers"]["n_uncertain"] == 1


@pytest.mark.usefixtures("undrawn")
def test_known_groups_are_compared():
    iris = bayesgmm.load_dataset("iris")
    em = GaussianMixture(3, random_state=0).fit(iris.X)
    section = report(iris.X, em=em, labels=iris.labels).numbers["sections"]["membership"]
    assert section["numbers"]["agreement"] == pytest.approx(145 / 150)
    table = next(t for t in section["tables"] if t["caption"].startswith("Known groups"))
    assert table["rows"][0] == ["setosa", 50, 0, 0]


@pytest.mark.usefixtures("undrawn")
def test_missing_entries_are_counted_and_their_rows_classified(faithful, faithful_em):
    X = faithful.copy()
    X.iloc[[3, 7], 1] = np.nan
    made = report(X, em=faithful_em)
    assert made.numbers["sections"]["data"]["numbers"]["n_missing"] == 2
    assert made.numbers["sections"]["data"]["numbers"]["n_incomplete_rows"] == 2
    sizes = made.numbers["sections"]["membership"]["tables"][0]["rows"]
    assert sum(row[1] for row in sizes) == 272


@pytest.mark.usefixtures("undrawn")
def test_a_fit_that_is_not_to_be_trusted_says_so():
    X = np.random.default_rng(0).standard_normal((400, 2))
    with pytest.warns(bayesgmm.errors.ConvergenceWarning):
        em = GaussianMixture(3, max_iter=3, random_state=0).fit(X)
    made = report(X, em=em)
    assert made.numbers["state"] == "bad"
    assert made.numbers["verdict"].startswith("Serious problems")
    assert "did not converge" in made.numbers["sections"]["starts"]["verdict"]


@pytest.mark.usefixtures("undrawn")
def test_components_that_are_hardly_told_apart_are_doubted():
    # Equal means, deviations 1 and 2: their Bhattacharyya coefficient is sqrt(4 / 5) = 0.894.
    X = np.random.default_rng(2).standard_normal((4000, 1))
    X[:2000] *= 2.0
    em = GaussianMixture(2, random_state=0).fit(X)
    section = report(X, em=em).numbers["sections"]["mixture"]
    assert section["state"] == "care"
    assert "may be superfluous" in section["verdict"]


@pytest.mark.usefixtures("undrawn")
def test_a_mixture_that_cannot_make_the_rows_is_found_out():
    X = np.random.default_rng(0).exponential(size=(1500, 1))
    section = report(X, em=GaussianMixture(1).fit(X)).numbers["sections"]["fit"]
    assert section["state"] == "bad"
    assert section["numbers"]["p_value"] == pytest.approx(1 / 200)


def test_what_does_not_belong_together_is_refused(faithful, faithful_em):
    with pytest.raises(InputError, match="X has 1 column, but em has 2"):
        report(faithful[["waiting"]], em=faithful_em)
    with pytest.raises(InputError, match="272 rows, but there are 3 labels"):
        report(faithful, em=faithful_em, labels=[1, 2, 3])
    with pytest.raises(InvalidParameterError, match="em must be a GaussianMixture"):
        report(faithful, em=faithful_em.mixture_)
    with pytest.raises(NotFittedError):
        report(faithful, em=GaussianMixture(2))


def test_the_room_does_not_hide_the_function():
    from bayesgmm.reporting.build import report as from_the_room

    assert bayesgmm.report is from_the_room


@pytest.mark.usefixtures("undrawn")
def test_one_column_has_a_table_of_boundaries_and_modes(faithful_page):
    galaxies = bayesgmm.load_dataset("galaxies").X
    em = GaussianMixture(3, random_state=0).fit(galaxies)
    made = report(galaxies, em=em)
    _, table = made.numbers["sections"]["mixture"]["tables"]
    found = em.mixture_.boundaries()
    rows = [row for row in table["rows"] if row[0] == "boundary"]
    assert [row[1] for row in rows] == found.x.tolist()
    assert [row[2] for row in rows] == [f"component {k}" for k in found.below]
    assert [row[3] for row in rows] == [f"component {k}" for k in found.above]
    modes = [row[1] for row in table["rows"] if row[0] == "mode"]
    assert modes == em.mixture_.modes().tolist()
    places = [row[1] for row in table["rows"]]
    assert places == sorted(places)
    # Two columns have curves for boundaries, and one component has none.
    assert len(faithful_page.numbers["sections"]["mixture"]["tables"]) == 1
    one = GaussianMixture(1).fit(galaxies)
    assert len(report(galaxies, em=one).numbers["sections"]["mixture"]["tables"]) == 1


@pytest.mark.usefixtures("undrawn")
def test_tables_name_rows_by_the_index_of_a_data_frame(faithful):
    named = pd.DataFrame(faithful.to_numpy(), [f"eruption {i}" for i in range(len(faithful))])
    for rows, text in ((named, ">eruption "), (faithful, ">row ")):
        html = report(rows, 2).html.partition("The most uncertain rows")[2].partition("</table>")[0]
        assert html.count(f'<th scope="row"{text}') == 10
