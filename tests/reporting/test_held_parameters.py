"""Pages on a fit with held parameters."""

import numpy as np
import pytest

from bayesgmm import GaussianMixture, load_dataset, recovery, report, scenario, simulate
from bayesgmm.priors.held_parameters import held_parameters
from bayesgmm.reporting.paper import held_sentences

pytestmark = pytest.mark.usefixtures("undrawn")

NAN = np.nan


def test_the_page_says_what_was_held():
    X = load_dataset("faithful").X
    fit = GaussianMixture(2, fixed={"means": [[2.0, NAN], [NAN, NAN]]}, random_state=0).fit(X)
    page = report(X, em=fit)
    sentence = "Entries of the mean of component 0 were fixed beforehand."
    assert page.html.count(sentence) == 2
    assert "internal error" not in page.html
    assert "fixed = ...  # the held values\nem = bg.GaussianMixture(2, fixed=fixed," in page.html
    assert "were fixed beforehand" not in report(X, 2).html


def test_number_of_the_verb():
    fit = GaussianMixture(2).fit(load_dataset("faithful").X)
    for fixed, sentence in (
        ({"weights": [0.4, NAN]}, "The weight of component 0 was fixed beforehand."),
        ({"weights": [0.4, 0.6]}, "The weights of all components were fixed beforehand."),
        (
            {"weights": [0.4, NAN], "means": [[0.0, 0.0], [NAN, NAN]]},
            "The weight of component 0 and the mean of component 0 were fixed beforehand.",
        ),
    ):
        fit._held = held_parameters(fixed, False, 2, 2, fit._structure)
        assert held_sentences(fit) == [sentence]


def test_a_mixture_that_is_held_as_a_whole_has_a_page():
    truth = scenario("overlapping_ellipses")
    X = simulate(truth, 200, rng=0).X
    fixed = {name: getattr(truth, name) for name in ("weights", "means", "covariances")}
    fit = GaussianMixture(2, fixed=fixed).fit(X)
    page = report(X, em=fit, truth=truth)
    assert "internal error" not in page.html
    table = recovery(fit, simulate(truth, 200, rng=0)).table
    assert (table["error"] == 0.0).all()
    assert table["z"].isna().all()
    assert table["covered"].all()
