"""The models on the page of `explore`, and their numbers."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from interrupts import interrupt_after
from noisy_rows import with_noise

import bayesgmm
from bayesgmm import GaussianMixture, explore, select_mixture, simulate
from bayesgmm.errors import InputError
from bayesgmm.explorer import explore as room
from bayesgmm.reporting import neighbours

pytestmark = pytest.mark.filterwarnings("ignore:The selected model:bayesgmm.errors.BayesGMMWarning")


@pytest.fixture(scope="module")
def page(faithful):
    return explore(faithful, range(1, 4), ["EEE", "VVV"], title="Old Faithful", progressbar=False)


def models(page):
    return {(m["n_components"], m["covariance_type"]): m for m in page.numbers["models"]}


def test_every_model_is_fitted_at_the_maximum_of_the_search(page, faithful):
    table = select_mixture(faithful, range(1, 4), ["EEE", "VVV"], rng=0, progressbar=False).table
    found = models(page)
    assert len(found) == len(table) == 6
    for row in table.itertuples():
        numbers = found[row.n_components, row.covariance_type]["sections"]["mixture"]["numbers"]
        assert numbers["bic"] == pytest.approx(row.bic, abs=1e-5)
        assert numbers["log_likelihood"] == pytest.approx(row.log_likelihood, abs=2e-6)


@pytest.mark.usefixtures("undrawn")
def test_every_model_has_noise_on_request():
    X, is_noise = with_noise(0, 300, 30)
    page = explore(X, [2, 3], "EEE", noise_component=True, progressbar=False)
    assert "Every model has a component of noise." in page.numbers["choice"]["verdict"]
    for model in models(page).values():
        weight = model["sections"]["mixture"]["numbers"]["noise_weight"]
        assert weight == pytest.approx(is_noise.mean(), abs=0.04)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(
    ("sizes", "sentence"),
    [
        (range(1, 4), None),
        ([2], None),
        (
            [1, 2],
            "K = 2 is the largest that was tried: more components may be better. To go on, give "
            "range(1, 6), or -k 5.",
        ),
        (
            [2, 3],
            "K = 2 is the smallest that was tried: it is preferred to K = 3, but K = 1 was not "
            "compared. To do so, give range(1, 4), or --min-components 1.",
        ),
    ],
)
def test_a_best_number_at_the_edge_of_the_grid_is_told(faithful, sizes, sentence):
    choice = explore(faithful, sizes, "VVV", progressbar=False).numbers["choice"]
    assert ("that was tried" in choice["verdict"]) == (sentence is not None)
    if sentence is not None:
        assert sentence in choice["verdict"]


@pytest.mark.usefixtures("undrawn")
def test_the_verdicts_are_those_of_a_report(page, faithful):
    fit = GaussianMixture(2, random_state=0).fit(faithful)
    reported = bayesgmm.report(faithful, em=fit).numbers["sections"]
    explored = models(page)[2, "VVV"]["sections"]
    for key in ("mixture", "fit", "membership"):
        assert explored[key]["state"] == reported[key]["state"]
    assert explored["membership"]["verdict"] == reported["membership"]["verdict"]
    assert "Further starts" not in page.html
    assert "A single start" not in page.html


@pytest.mark.usefixtures("undrawn")
def test_a_model_has_one_verdict_on_every_page(page, faithful):
    """K is judged among the same models on every page; a grid may have a better structure, too."""
    grid = select_mixture(faithful, range(1, 4), ["EEE", "VVV"], rng=0, progressbar=False)
    for (k, code), model in models(page).items():
        fit = GaussianMixture(k, covariance_type=code, random_state=0).fit(faithful)
        alone = bayesgmm.report(faithful, em=fit).numbers["sections"]["choice"]
        in_grid = bayesgmm.report(faithful, em=fit, selection=grid).numbers["sections"]["choice"]
        of_page = model["sections"]["choice"]
        assert of_page["state"] == in_grid["state"], (k, code)
        # Given its structure, K may be right where another structure is better.
        assert of_page["state"] == alone["state"] or (k, code) == (2, "VVV")
    states = {key: each["sections"]["choice"]["state"] for key, each in models(page).items()}
    # BIC of VVV is 1.99 smaller for 2 components than for 3, and 7.9 larger than of EEE with 3.
    alone = GaussianMixture(2, random_state=0).fit(faithful)
    assert bayesgmm.report(faithful, em=alone).numbers["sections"]["choice"]["state"] == "good"
    assert states[2, "VVV"] == states[1, "VVV"] == states[2, "EEE"] == "care"


@pytest.mark.usefixtures("undrawn")
def test_where_other_k_cost_too_much_those_of_the_grid_are_compared(faithful, monkeypatch):
    monkeypatch.setattr(neighbours, "_CHEAP", 0)
    found = models(explore(faithful, [1, 2], ["EEE", "VVV"], progressbar=False))
    choice = found[2, "VVV"]["sections"]["choice"]
    assert "Of models with the same structure and 1 to 2 components" in choice["verdict"]
    assert choice["state"] == "care"  # more than two may be better
    assert found[1, "VVV"]["sections"]["choice"]["state"] == "care"


def test_the_standing_of_a_model_is_a_difference_of_bic(page):
    found = models(page)
    bic = {key: each["sections"]["mixture"]["numbers"]["bic"] for key, each in found.items()}
    first, second = sorted(bic.values())[:2]
    for key, each in found.items():
        choice = each["sections"]["choice"]
        if bic[key] == first:
            assert f"larger by {second - first:.2f}" in choice["verdict"]
            assert each["status"].endswith("the smallest")
            # The model of the smallest BIC has two components that overlap, of one group.
            assert key == (3, "EEE")
            assert "if those are joined, the 3 components are 2 clusters" in choice["verdict"]
            assert choice["state"] == "care"
        else:
            assert f"smaller by {bic[key] - first:,.2f}" in choice["verdict"]
            assert choice["state"] == "care"
            assert each["status"].endswith(f"{bic[key] - first:,.2f} above the smallest")


@pytest.mark.usefixtures("undrawn")
def test_the_smallest_bic_of_separate_components_has_a_tick(faithful):
    page = explore(faithful, [1, 2], ["VVV"], progressbar=False)
    choice = models(page)[2, "VVV"]["sections"]["choice"]
    assert choice["state"] == "good"
    assert "overlap (" not in choice["verdict"]


@pytest.mark.usefixtures("undrawn")
def test_of_a_large_grid_the_best_structure_of_each_k_is_shown(faithful):
    page = explore(faithful, range(1, 4), progressbar=False)
    table = select_mixture(faithful, range(1, 4), rng=0, progressbar=False).table
    best = table.loc[table[table["note"] == ""].groupby("n_components")["bic"].idxmin()]
    assert [*models(page)] == [*zip(best["n_components"], best["covariance_type"], strict=True)]
    assert "a page of all 42 models would be too large" in page.html
    assert 'name="structure"' not in page.html


def test_structures_cannot_be_chosen_on_a_page_that_would_be_too_large(monkeypatch, faithful):
    monkeypatch.setattr(room, "_LARGEST", 500_000)
    page = explore(faithful, [1, 2], ["EEE", "VVV"], progressbar=False)
    assert len(models(page)) == 2
    assert "would be too large" in page.html


@pytest.mark.usefixtures("undrawn")
def test_k_without_a_fit_has_the_reason():
    X = np.random.default_rng(0).standard_normal((7, 2))
    page = explore(X, [1, 2, 4, 8], ["EII", "VVV"], progressbar=False)
    found = models(page)
    assert found[4, "VVV"]["no_fit"] == ["X has 7 rows: the structure needs at least 12."]
    assert found[8, None]["no_fit"] == ["X has only 7 distinct rows."]
    assert found[8, None]["status"] == "K = 8: no fit"
    assert "headline" in found[4, "EII"]
    assert "8" in str(page).splitlines()[-3]
    assert "No fit" in str(page)


@pytest.mark.usefixtures("undrawn")
def test_a_model_that_collapses_after_the_search_is_left_out(monkeypatch, faithful):
    from bayesgmm.errors import FitError
    from bayesgmm.selection.selection_result import Selection

    plain = Selection.fit

    def fit(self, k, code):
        if (k, code) == (2, "VVV"):
            raise FitError("Every start collapsed.")
        return plain(self, k, code)

    monkeypatch.setattr(Selection, "fit", fit)
    page = explore(faithful, [1, 2], ["EEE", "VVV"], progressbar=False)
    found = models(page)
    assert found[2, "VVV"]["no_fit"] == ["Every start collapsed."]
    grid = page.numbers["choice"]["numbers"]["grid"]
    notes = {(each["n_components"], each["covariance_type"]): each["note"] for each in grid}
    assert notes[2, "VVV"] == "Every start collapsed"
    assert found[2, "EEE"]["status"].endswith("the smallest")


@pytest.mark.usefixtures("undrawn")
def test_missing_entries_errors_and_weights_count(faithful):
    X = faithful.to_numpy(copy=True)
    X[3, 1] = X[200, 0] = np.nan
    errors = np.broadcast_to([0.01, 1.0], X.shape)
    weights = np.arange(len(X)) % 3
    page = explore(
        pd.DataFrame(X, columns=["a", "b"]), 2, "VVV", sample_weight=weights,
        error_covariances=errors, progressbar=False,
    )  # fmt: skip
    fit = GaussianMixture(2, random_state=0).fit(X, sample_weight=weights, error_covariances=errors)
    numbers = models(page)[2, "VVV"]["sections"]["mixture"]["numbers"]
    assert numbers["log_likelihood"] == pytest.approx(fit.log_likelihood_, abs=1e-6)
    subtitle = page.numbers["subtitle"]
    assert "2 of 544 entries missing, measurement errors known" in subtitle
    assert models(page)[2, "VVV"]["sections"]["fit"]["verdict"].startswith("Not computed")


def test_one_column_and_many():
    line = explore(bayesgmm.load_dataset("galaxies").X, [1, 3], progressbar=False)
    assert [*models(line)] == [(1, "E"), (1, "V"), (3, "V"), (3, "E")]
    assert "Histogram of the column with the density" in line.html
    wide = simulate(bayesgmm.random_mixture(2, 7, max_overlap=0.01, rng=0), 300, rng=1).X
    page = explore(wide, 2, "EEE", progressbar=False)
    assert "The two of 7 columns in which the components of the selected model differ" in page.html
    assert "Profiles of 2 components over 7 columns." in page.html


def test_pictures_of_all_models_have_one_frame(page):
    heads = [
        re.findall(r'<text[^>]*text-anchor: middle[^>]*x="([\d.]+)"[^>]*>(\d\.\d)<', each)
        for each in re.findall(r'aria-label="Scatter plot of the rows.*?</svg>', page.html, re.S)
    ]
    ticks = [[word for _, word in each] for each in heads]
    assert len(ticks) == 6
    assert len(ticks[0]) > 3
    assert all(each == ticks[0] for each in ticks)


@pytest.mark.usefixtures("undrawn")
def test_known_groups_are_compared():
    iris = bayesgmm.load_dataset("iris")
    page = explore(iris.X, 3, "VEV", labels=iris.labels, progressbar=False)
    numbers = models(page)[3, "VEV"]["sections"]["membership"]["numbers"]
    assert numbers["agreement"] > 0.9
    with pytest.raises(InputError, match="150 rows, but there are 1 labels"):
        explore(iris.X, 3, labels=["a"])


@pytest.mark.parametrize("d", [2, 10])
def test_ten_thousand_rows_make_a_page_below_5_mb(d):
    mixture = bayesgmm.random_mixture(4, d, average_overlap=0.02, rng=1)
    page = explore(simulate(mixture, 10_000, rng=2).X, 9, "EEE", progressbar=False)
    # Nine panels, of which those of fewer components are smaller.
    assert len(page.html.encode()) < 5e6 / 9
    assert "Drawn are 3,000 of 10,000 rows." in page.html


def test_equal_rows_give_equal_bytes(faithful):
    first, again = (explore(faithful.copy(), 2, "VVV", progressbar=False) for _ in range(2))
    assert again.html == first.html
    assert again.to_json() == first.to_json()


def test_every_number_is_in_the_document(page, tmp_path):
    page.save(tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text("utf-8") == page.html
    document = json.loads(page.to_json())
    assert document["schema"] == "bayesgmm.explorer"
    for model in document["models"]:
        assert model["status"] in page.html
        assert model["verdict"] in page.html
    assert repr(page).startswith("<Explorer: BIC selects EEE with 3 components")
    lines = str(page).splitlines()
    assert lines[0] == "Old Faithful: 272 rows, 2 columns, rows given to explore()"
    assert [line.split()[:2] for line in lines[3:9]] == [
        ["1", "EEE"], ["1", "VVV"], ["2", "VVV"], ["2", "EEE"], ["3", "EEE"], ["3", "VVV"]
    ]  # fmt: skip


@pytest.mark.usefixtures("undrawn")
def test_after_ctrl_c_the_page_has_what_was_fitted(monkeypatch, faithful):
    grid = ([1, 2], ["EEE", "VVV"])
    # In the last of three sweeps over four models, and in the first.
    interrupt_after(monkeypatch, 9)
    page = explore(faithful, *grid, progressbar=False)
    assert page.numbers["interrupted"]
    assert "interrupted before the end" in page.numbers["subtitle"]
    assert not any("no_fit" in each for each in page.numbers["models"])
    monkeypatch.undo()
    interrupt_after(monkeypatch, 1)
    page = explore(faithful, *grid, progressbar=False)
    reasons = [each["no_fit"] for each in models(page).values() if "no_fit" in each]
    assert ["Not fitted: the search was interrupted."] in reasons
