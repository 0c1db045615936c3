"""Results of other rows than the report's: scored on these, and said so in the head."""

import pytest

import bayesgmm
from bayesgmm import GaussianMixture, report

pytestmark = pytest.mark.usefixtures("undrawn")

MINUS = "\N{MINUS SIGN}"


def data_reason(page):
    """The sentence on the rows in the head of the page."""
    assert page.numbers["state"] in ("care", "bad")
    assert {"section": "data", "state": "care"} in page.numbers["reasons"]
    assert "Data" in page.numbers["verdict"] or page.numbers["state"] == "bad"
    return page.numbers["sections"]["data"]["reason"]


def test_a_fit_of_other_rows_is_scored_on_these(faithful, faithful_em):
    rows = faithful[:100]
    page = report(rows, em=faithful_em)
    reason = data_reason(page)
    assert (
        f"EM was fitted to other rows (272 rows, log-likelihood {MINUS}1,130.2640 nats)" in reason
    )
    numbers = page.numbers["sections"]["mixture"]["numbers"]
    assert numbers["log_likelihood"] == pytest.approx(100 * faithful_em.score(rows))
    assert numbers["bic"] == pytest.approx(faithful_em.bic(rows))
    assert f"{numbers['log_likelihood']:.4f}".replace("-", MINUS) in reason
    assert reason in page.html
    assert reason in str(page)


def test_as_many_other_rows_are_told_too(faithful, faithful_em):
    rows = faithful.copy()
    rows.iloc[5, 1] += 0.5
    assert "EM was fitted to other rows" in data_reason(report(rows, em=faithful_em))


def test_the_same_rows_in_another_order_are_the_same(faithful, faithful_em, posterior_of):
    tree = with_rows(posterior_of(faithful_em, 272, draws=50), faithful)
    page = report(faithful[::-1], em=faithful_em, posterior=tree)
    assert page.numbers["sections"]["data"]["state"] is None


def test_a_posterior_of_other_rows_is_told(faithful, faithful_em, posterior_of):
    tree = with_rows(posterior_of(faithful_em, 272, draws=50), faithful)
    em = GaussianMixture(2, random_state=0).fit(faithful[:200])
    page = report(faithful[:200], em=em, posterior=tree)
    assert data_reason(page) == "The posterior was sampled for other rows (272 rows)."
    engines = page.numbers["sections"]["engines"]
    assert engines["verdict"].startswith("Could not be computed: X are 200 other rows than the 272")


@pytest.mark.parametrize("whole", [True, False])
def test_a_grid_of_other_rows_is_told(faithful, whole):
    found = bayesgmm.select_mixture(faithful[:200], [1, 2, 3], "VVV", rng=0, progressbar=False)
    selection = found if whole else found.table
    page = report(faithful[:200], em=found.best, selection=selection)
    assert page.numbers["sections"]["data"]["state"] is None
    em = GaussianMixture(2, random_state=0).fit(faithful)
    assert "grid of models was fitted to other rows" in data_reason(
        report(faithful, em=em, selection=selection)
    )


def with_rows(tree, rows):
    import xarray as xr

    tree["observed_data"] = xr.DataTree(xr.Dataset({"X": (("row", "feature"), rows.to_numpy())}))
    return tree
