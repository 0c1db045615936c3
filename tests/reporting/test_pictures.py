"""Figures of a page, and the names of parameters."""

import re

import numpy as np
import pandas as pd
import pytest

import bayesgmm
from bayesgmm import report


@pytest.fixture(scope="module")
def page(faithful, faithful_em, posterior_of):
    posterior = posterior_of(faithful_em, 272, draws=100)
    return report(faithful, em=faithful_em, posterior=posterior, truth=faithful_em.mixture_)


def part(page, key):
    """The HTML of a section."""
    start = page.html.index(f'<section id="{key}"')
    return page.html[start : page.html.index("</section>", start)]


def test_parameters_have_one_form_of_name(page):
    for key in ("engines", "recovery", "posterior", "switching"):
        text = part(page, key)
        assert "component 1" in text
        for other in ("mean[", "sd[", "weight[", "correlation[", "[0]</td>", "[1]</td>"):
            assert other not in text, (key, other)
    verdict = page.numbers["sections"]["engines"]["verdict"]
    assert ", component " in verdict
    names = [row[0] for row in page.numbers["sections"]["recovery"]["tables"][0]["rows"]]
    assert "mean of waiting, component 0" in names
    assert "correlation of eruptions and waiting, component 1" in names


def test_names_belong_to_their_numbers(page, faithful_em):
    rows = page.numbers["sections"]["engines"]["tables"][0]["rows"]
    found = {row[0]: row[1]["value"] for row in rows}
    for k in range(2):
        assert found[f"weight, component {k}"] == faithful_em.weights_[k]
        assert found[f"mean of waiting, component {k}"] == faithful_em.means_[k, 1]
        variance = faithful_em.covariances_[k, 0, 0]
        assert found[f"s.d. of eruptions, component {k}"] == pytest.approx(np.sqrt(variance))


def test_the_chains_are_drawn_component_by_component(page):
    text = part(page, "posterior")
    assert text.count("<figure") == 2
    for word in ("component 0", "component 1", "ranks, by chain"):
        assert word in text


def test_the_picture_at_the_head_and_the_map_of_uncertainty(page):
    head = page.html[: page.html.index("</nav>")]
    assert head.count("<figure") == 1
    assert "Scatter plot of the rows with density contours" in head
    assert "A map of the uncertainty of classification." in part(page, "membership")
    assert "Scatter plot" not in part(page, "fit")


@pytest.mark.parametrize(("d", "drawn"), [(4, "Means of the components (points)"), (5, "Profiles")])
def test_profiles_from_five_columns_on(d, drawn):
    X = bayesgmm.random_mixture(3, d, average_overlap=0.01, rng=1).sample(200, rng=1)[0]
    frame = pd.DataFrame(X, columns=[f"column {j}" for j in range(d)])
    made = report(frame, 3)
    text = part(made, "mixture")
    assert drawn in text
    assert "two of" in made.html[: made.html.index("</nav>")]
    for j in range(d):
        assert f"column {j}" in text


def test_known_groups_are_drawn_by_component():
    iris = bayesgmm.load_dataset("iris")
    text = part(report(iris.X, 3, labels=iris.labels), "membership")
    assert "Bars of the known groups" in text
    assert "virginica" in text


def test_sentences_for_a_paper(page, faithful_em):
    (text,) = (each for each in page.html.split("<code>") if each.startswith("A Gaussian mixture"))
    assert "2 components (covariance structure VVV" in text
    assert "272 observations of 2 variables by maximum likelihood" in text
    assert f"BIC {faithful_em.bic():,.2f}" in text
    assert "4 chains of 100 draws" in text
    assert "Posterior means with 90 % credible intervals: component 0: weight 0.3" in text
    means = [
        float(m) for m in re.search(r"mean of eruptions (\S+) \[(\S+), (\S+)\]", text).groups()
    ]
    assert means[1] < faithful_em.means_[0, 0] < means[2]
    assert means[1] < means[0] < means[2]
    assert "Estimated means" not in text


def test_em_alone_gives_a_paper_its_own_figures(faithful_page):
    assert (
        "Estimated means and standard deviations: component 0 (35.6 % of the rows) eruptions"
        in (faithful_page.html)
    )


def test_columns_and_components_that_a_paper_omits_are_counted():
    X = bayesgmm.random_mixture(5, 8, average_overlap=0.001, rng=1).sample(600, rng=1)[0]
    made = report(X, em=bayesgmm.GaussianMixture(5, covariance_type="VVI", random_state=0).fit(X))
    assert (
        "standard deviations (4 of 5 components, the largest; 6 of 8 variables, those" in made.html
    )
