"""The settings of a page, in words."""

import json

import numpy as np
import pytest

from bayesgmm import GaussianMixture, Priors, report

pytestmark = pytest.mark.usefixtures("undrawn")


def settings(page):
    tables = page.numbers["sections"]["methods"]["tables"]
    return dict(next(each["rows"] for each in tables if each["caption"] == "Settings"))


def recorded(posterior, **attributes):
    """The posterior with attributes as `sample_posterior` or another program records them."""
    found = posterior.copy()
    found.attrs = {**found.attrs, **attributes}
    return found


def test_settings_of_a_fit_have_words(faithful):
    start = np.array([[2.0, 55.0], [4.3, 80.0]])
    em = GaussianMixture(2, covariance_type="VEV", means_init=start, n_init=3, random_state=1)
    found = settings(report(faithful, em=em.fit(faithful)))
    assert found == {
        "EM: number of components": "2",
        "EM: covariance structure": "VEV (ellipsoidal, equal shape)",
        "EM: initial means": "[[2.0, 55.0], [4.3, 80.0]]",
        "EM: number of starts": "3",
        "EM: seed": "1",
    }
    em = GaussianMixture(2, priors=Priors(hierarchical=False)).fit(faithful)
    found = settings(report(faithful, em=em))
    assert found["EM: priors"] == "in the table of priors"
    assert found["EM: seed"] == "none"


def test_settings_of_a_posterior_have_words(faithful, faithful_em, posterior_of):
    posterior = recorded(
        posterior_of(faithful_em, 272, draws=20),
        sampler="nutpie",
        modes="joined",
        init="given",
        stopped="converged",
        interrupted=0,
        rhat=1.00518,
        rhat_of="weight [1]",
        versions=json.dumps({"bayesgmm": "0.1.0", "pymc": "6.4.0"}),
        wall_time=3.0,
        of_another_program="x",
    )
    found = settings(report(faithful, em=faithful_em, posterior=posterior))
    words = {key: value for key, value in found.items() if key.startswith("posterior: ")}
    assert words["posterior: sampler"] == (
        "independent proposals, fitted to a run of NUTS, by nutpie"
    )
    assert words["posterior: modes of notable mass"] == (
        "several, and the chains jump between them"
    )
    assert words["posterior: initial mixture"] == "the fit that was given"
    assert words["posterior: end of sampling"] == "the chains agreed"
    assert words["posterior: interrupted"] == "no"
    assert words["posterior: largest R-hat, as monitored"] == "1.005, of weight, component 1"
    assert words["posterior: versions at sampling"] == "bayesgmm 0.1.0, pymc 6.4.0"
    assert words["posterior: of another program"] == "x"
    assert not any("time" in key for key in words)


@pytest.mark.parametrize("text", ["not a document", "[1]", "{"])
def test_attributes_of_other_programs_are_shown_as_they_are(
    faithful, faithful_em, posterior_of, text
):
    posterior = recorded(posterior_of(faithful_em, 272, draws=20), versions=text, sampler=text)
    found = settings(report(faithful, em=faithful_em, posterior=posterior))
    assert found["posterior: versions at sampling"] == text
    assert found["posterior: sampler"] == text
