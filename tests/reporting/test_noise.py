"""The page of a fit with noise, and of one with known components: no number without them."""

import json

import numpy as np
import pandas as pd
import pytest
from noisy_rows import TWO, with_noise

from bayesgmm import GaussianMixture, report, select_mixture
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.mixture import Mixture

pytestmark = pytest.mark.usefixtures("undrawn")

X, IS_NOISE = with_noise(0, 400, 40)
ROWS = pd.DataFrame(X, columns=["eruptions", "waiting"])


@pytest.fixture(scope="module")
def fit():
    return GaussianMixture(2, noise_component=True, random_state=0).fit(ROWS)


@pytest.fixture(scope="module")
def page(fit):
    groups = np.where(IS_NOISE, "noise", TWO.classify(X).astype(str))
    return report(ROWS, em=fit, labels=groups, truth=TWO)


def section(page, key):
    return page.numbers["sections"][key]


def table(page, key, caption):
    return next(each for each in section(page, key)["tables"] if each["caption"] == caption)


def test_the_head_names_the_noise(page, fit):
    assert page.numbers["headline"] == "Two components and uniform noise for 440 rows of 2 columns"
    outlying = (fit.predict(ROWS) == -1).sum()
    share = f"{100 * fit.noise_.weight:.0f} %"
    assert page.numbers["components"][-1] == (
        f"Noise ({share} of the rows): {outlying} rows most probably outside all components"
    )
    shares = (1.0 - fit.noise_.weight) * fit.weights_
    for each, said in zip(shares, page.numbers["components"], strict=False):
        assert f"({100 * each:.0f} % of the rows)" in said
    assert page.numbers["state"] == "good"


def test_the_mixture_has_the_weight_of_noise(page, fit):
    numbers = section(page, "mixture")["numbers"]
    assert numbers["log_likelihood"] == fit.log_likelihood_
    assert numbers["bic"] == pytest.approx(fit.bic())
    assert numbers["noise_weight"] == fit.noise_.weight
    sizes = (1.0 - fit.noise_.weight) * fit.weights_ * len(X)
    assert numbers["effective_sizes"] == pytest.approx(sizes)
    weight = table(page, "mixture", "Noise")["rows"][0][1]
    assert weight["value"] == fit.noise_.weight
    assert weight["standard_error"] == pytest.approx(
        fit.standard_errors().extras["weight[noise]"][1]
    )
    assert "weight%20of%20noise" in page.html
    assert "without the noise, for Mixture.from_json" in page.html


def test_rows_that_are_noise_are_listed(page, fit):
    labels, outlying = fit.predict(ROWS), fit.outlier_proba(ROWS)
    found = table(page, "membership", "Rows that are probably noise")["rows"]
    assert [row[0] for row in found] == np.argsort(-outlying, kind="stable")[: len(found)].tolist()
    assert [row[-1] for row in found] == pytest.approx(np.sort(outlying)[::-1][: len(found)])
    assert section(page, "membership")["numbers"]["n_noise"] == (labels == -1).sum()
    sizes = table(page, "membership", "Sizes")["rows"]
    assert [row[1] for row in sizes] == [(labels == k).sum() for k in (0, 1, -1)]
    assert [row[2] for row in sizes] == pytest.approx(
        [*fit.predict_proba(ROWS).sum(axis=0), outlying.sum()]
    )
    assert "noise-rows.csv" in page.html
    largest = np.maximum(fit.predict_proba(ROWS).max(axis=1), outlying)
    mistaken = section(page, "membership")["numbers"]["expected_misclassified"]
    assert mistaken == pytest.approx((1.0 - largest).mean())
    groups = table(page, "membership", "Known groups and components")
    assert groups["columns"] == ["group", "component 0", "component 1", "noise"]
    assert groups["rows"][-1][-1] == (labels[IS_NOISE] == -1).sum()


def test_replicates_have_noise(page):
    # Replicates without noise would reach no such extremes.
    assert section(page, "fit")["state"] == "good"
    assert "drawn from the fitted mixture and its noise" in " ".join(section(page, "fit")["notes"])
    plain = report(ROWS, em=GaussianMixture(2, random_state=0).fit(ROWS))
    assert section(plain, "fit")["state"] in ("care", "bad")


def test_neighbours_have_noise(page, fit):
    grid = pd.DataFrame(section(page, "choice")["numbers"]["grid"]).set_index("n_components")
    assert grid["bic"][2] == pytest.approx(fit.bic(), abs=1e-4)
    assert grid["n_parameters"][2] == fit.n_parameters_
    assert "with the same structure and noise" in section(page, "choice")["verdict"]


def test_a_grid_and_a_fit_of_which_one_has_noise(fit):
    found = {
        each: select_mixture(ROWS, [1, 2, 3, 4], "VVV", noise_component=each, rng=0)
        for each in (False, True)
    }
    own = report(ROWS, em=fit, selection=found[True])
    assert section(own, "data")["state"] is None
    assert "Every model has a component of noise" in section(own, "choice")["verdict"]
    assert section(own, "choice")["state"] == "good"
    other = section(report(ROWS, em=fit, selection=found[False]), "choice")
    assert other["state"] == "care"
    assert "the models of the grid have none" in other["verdict"]
    plain = GaussianMixture(3, random_state=0).fit(ROWS)
    other = section(report(ROWS, em=plain, selection=found[True]), "choice")
    assert other["state"] == "care"
    assert "no component of noise" in other["verdict"]


def test_recovery_is_that_of_the_components(page):
    assert "without the noise" in section(page, "recovery")["verdict"]
    assert section(page, "recovery")["numbers"]["n_compared"] == 12


def test_methods_and_paper_name_the_noise(page):
    html = page.html
    assert "and a component of uniform noise (weight" in html
    assert "noise_component=True" in html
    assert "Banfield" in " ".join(section(page, "methods")["notes"])


def test_rows_alone_with_noise(fit):
    made = report(ROWS, 2, noise_component=True)
    assert section(made, "mixture")["numbers"]["bic"] == pytest.approx(fit.bic())
    json.loads(made.to_json())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"noise_component": True}, "give n_components"),
        ({"n_components": 2, "noise_component": "yes"}, "True or False"),
    ],
)
def test_what_cannot_be(arguments, said):
    with pytest.raises(InvalidParameterError, match=said):
        report(ROWS, **arguments)


def test_a_posterior_without_noise_is_not_compared_with_a_fit_with_it(fit, posterior_of):
    made = report(ROWS, em=fit, posterior=posterior_of(fit, 440, draws=100))
    verdict = section(made, "engines")["verdict"]
    assert "The fit has noise, but the posterior has none" in verdict
    assert "expected_misclassified_posterior" not in section(made, "membership")["numbers"]


def test_one_column_many_columns_and_a_single_component():
    rng = np.random.default_rng(0)
    line = report(ROWS[["waiting"]], 2, noise_component=True)
    landmarks = section(line, "mixture")["tables"][-1]["caption"]
    assert landmarks.startswith("Boundaries")
    wide = rng.normal(size=(200, 8))
    wide[:10] *= 6.0
    many = report(wide, 1, noise_component=True)
    assert section(many, "membership")["numbers"]["n_noise"] >= 8
    assert "single component" not in section(many, "membership")["verdict"]


def test_known_components():
    truth = Mixture([0.5, 0.5], [[0.0, 0.0], [2.5, 0.0]], [np.eye(2), np.eye(2)])
    x, labels = truth.sample(300, rng=0)
    known = np.where(np.arange(300) < 100, 1 - labels, -1)
    fit = GaussianMixture(2, random_state=0).fit(x, labels=known)
    made = report(x, em=fit, labels=labels)
    assert section(made, "data")["state"] is None
    assert "component of 100 rows was known" in section(made, "data")["verdict"]
    # The fit agrees with what it was given; the other rows are compared.
    assert "of the 200 rows whose group is known" in section(made, "membership")["verdict"]
    given = GaussianMixture(2, random_state=0).fit(x, labels=labels)
    assert "agrees" not in section(report(x, em=given, labels=labels), "membership")["verdict"]
    assert section(made, "mixture")["numbers"]["log_likelihood"] == fit.log_likelihood_
    assert section(made, "mixture")["numbers"]["bic"] == pytest.approx(fit.bic())
    assert "not compared" in section(made, "choice")["verdict"]
    probabilities = fit.predict_proba(x)
    probabilities[:100] = np.eye(2)[known[:100]]
    mistaken = section(made, "membership")["numbers"]["expected_misclassified"]
    assert mistaken == pytest.approx((1.0 - probabilities.max(axis=1)).mean())
    assert "components of 100 observations were known" in made.html
    assert "labels=known" in made.html
