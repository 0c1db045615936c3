"""The page of a fit whose components have outliers: no number without them."""

import json

import numpy as np
import pandas as pd
import pytest
from noisy_rows import TWO

from bayesgmm import GaussianMixture, report, select_mixture
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.contamination import Contamination

pytestmark = pytest.mark.usefixtures("undrawn")

PAIRS = Contamination(np.full(2, 0.08), np.full(2, 25.0)).pairs(TWO)
X, DRAWN = PAIRS.sample(440, rng=0)
ROWS = pd.DataFrame(X, columns=["eruptions", "waiting"])


@pytest.fixture(scope="module")
def fit():
    return GaussianMixture(2, contaminated=True, random_state=0).fit(ROWS)


@pytest.fixture(scope="module")
def page(fit):
    return report(ROWS, em=fit, labels=(DRAWN % 2).astype(str), truth=TWO)


def section(page, key):
    return page.numbers["sections"][key]


def table(page, key, caption):
    return next(each for each in section(page, key)["tables"] if each["caption"] == caption)


def test_the_head_names_the_outliers(page, fit):
    assert page.numbers["headline"] == "Two components with outliers for 440 rows of 2 columns"
    outlying = (fit.outlier_proba(ROWS) > 0.5).sum()
    assert page.numbers["components"][-1] == (
        f"Outliers: {outlying} rows most probably far from their own component"
    )
    assert page.numbers["state"] == "good"


def test_the_mixture_has_proportions_and_inflation(page, fit):
    numbers, errors = section(page, "mixture")["numbers"], fit.standard_errors()
    assert numbers["log_likelihood"] == fit.log_likelihood_
    assert numbers["bic"] == pytest.approx(fit.bic())
    assert numbers["outlier_proportions"] == fit.contamination_.proportions.tolist()
    assert numbers["inflation"] == fit.contamination_.inflation.tolist()
    rows = table(page, "mixture", "Outliers")["rows"]
    for row, name in zip(rows, ("outliers", "inflation"), strict=True):
        for k in range(2):
            value, error = errors.extras[f"{name}[{k}]"]
            assert row[1 + k]["value"] == pytest.approx(value)
            assert row[1 + k]["standard_error"] == pytest.approx(error)
    assert "proportion%20of%20outliers%20in%20component%200" in page.html
    assert "without their outliers, for Mixture.from_json" in page.html


def test_rows_that_are_outliers_are_listed(page, fit):
    labels, outlying = fit.predict(ROWS), fit.outlier_proba(ROWS)
    found = table(page, "membership", "Rows that are probably outliers")["rows"]
    order = np.argsort(-outlying, kind="stable")[: len(found)]
    assert [row[0] for row in found] == order.tolist()
    assert [row[-2] for row in found] == labels[order].tolist()
    assert [row[-1] for row in found] == pytest.approx(outlying[order])
    assert section(page, "membership")["numbers"]["n_outliers"] == (outlying > 0.5).sum()
    sizes = table(page, "membership", "Sizes")["rows"]
    assert [row[1] for row in sizes] == [(labels == k).sum() for k in (0, 1)]
    assert [row[2] for row in sizes] == pytest.approx(fit.predict_proba(ROWS).sum(axis=0))
    assert "outlying-rows.csv" in page.html
    mistaken = section(page, "membership")["numbers"]["expected_misclassified"]
    assert mistaken == pytest.approx((1.0 - fit.predict_proba(ROWS).max(axis=1)).mean())


def test_replicates_have_outliers(page):
    # Replicates without outliers would reach no such extremes.
    assert section(page, "fit")["state"] == "good"
    assert "the fitted mixture with its outliers" in " ".join(section(page, "fit")["notes"])
    plain = report(ROWS, em=GaussianMixture(2, random_state=0).fit(ROWS))
    assert section(plain, "fit")["state"] in ("care", "bad")


def test_neighbours_have_outliers(page, fit):
    grid = pd.DataFrame(section(page, "choice")["numbers"]["grid"]).set_index("n_components")
    assert grid["bic"][2] == pytest.approx(fit.bic(), abs=1e-4)
    assert grid["n_parameters"][2] == fit.n_parameters_
    assert "with the same structure and outliers" in section(page, "choice")["verdict"]


def test_a_grid_and_a_fit_of_which_one_has_outliers(fit):
    found = {
        each: select_mixture(ROWS, [1, 2, 3, 4], "VVV", rng=0, **({each: True} if each else {}))
        for each in ("", "contaminated", "noise_component")
    }
    own = report(ROWS, em=fit, selection=found["contaminated"])
    assert section(own, "data")["state"] is None
    assert "Every model has outliers of its components" in section(own, "choice")["verdict"]
    assert section(own, "choice")["state"] == "good"
    best = found["contaminated"].best
    assert section(report(ROWS, em=best, selection=found["contaminated"]), "data")["state"] is None
    other = section(report(ROWS, em=fit, selection=found[""]), "choice")
    assert other["state"] == "care"
    assert "the models of the grid have none" in other["verdict"]
    other = section(report(ROWS, em=fit, selection=found["noise_component"]), "choice")
    assert other["state"] == "care"


def test_recovery_methods_and_paper(page):
    assert "without their outliers" in section(page, "recovery")["verdict"]
    assert section(page, "recovery")["numbers"]["n_compared"] == 12
    html = page.html
    assert "each contaminated with outliers of its own" in html
    assert "contaminated=True" in html
    assert "Punzo" in " ".join(section(page, "methods")["notes"])


def test_rows_alone_with_outliers(fit):
    made = report(ROWS, 2, contaminated=True)
    assert section(made, "mixture")["numbers"]["bic"] == pytest.approx(fit.bic())
    json.loads(made.to_json())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"contaminated": True}, "give n_components"),
        ({"n_components": 2, "contaminated": "yes"}, "True or False"),
    ],
)
def test_what_cannot_be(arguments, said):
    with pytest.raises(InvalidParameterError, match=said):
        report(ROWS, **arguments)


def test_a_posterior_without_outliers_is_not_compared_with_a_fit_with_them(fit, posterior_of):
    made = report(ROWS, em=fit, posterior=posterior_of(fit, 440, draws=100))
    verdict = section(made, "engines")["verdict"]
    assert "The fit has outliers, but the posterior has none" in verdict
    assert "expected_misclassified_posterior" not in section(made, "membership")["numbers"]


def test_one_column_many_columns_and_a_single_component():
    line = report(ROWS[["waiting"]], 2, contaminated=True)
    assert section(line, "mixture")["tables"][-1]["caption"] == "Outliers"
    wide = np.random.default_rng(0).normal(size=(200, 8))
    wide[:10] *= 6.0
    many = report(wide, 1, contaminated=True)
    assert section(many, "membership")["numbers"]["n_outliers"] >= 8
    assert "single component" in section(many, "membership")["verdict"]


def test_known_components_beside_outliers():
    known = np.where(np.arange(440) % 4 == 0, DRAWN % 2, -1)
    fit = GaussianMixture(2, contaminated=True, random_state=0).fit(X, labels=known)
    made = report(X, em=fit)
    assert section(made, "mixture")["numbers"]["log_likelihood"] == fit.log_likelihood_
    assert section(made, "mixture")["numbers"]["bic"] == pytest.approx(fit.bic())
