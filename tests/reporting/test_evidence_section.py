"""The section on the number of components: the numbers of the evidence, beside the page's own K."""

import pandas as pd
import pytest

from bayesgmm import Evidence, GaussianMixture, Priors, load_dataset, report
from bayesgmm.data.validation import check_data
from bayesgmm.errors import InvalidParameterError
from bayesgmm.reporting.inputs import gather
from bayesgmm.reporting.sections.evidence import evidence_section

pytestmark = pytest.mark.usefixtures("undrawn")

X = load_dataset("galaxies").X

NONE = dict.fromkeys(
    ("posterior", "variables", "truth", "labels", "selection", "source", "command")
)


def found(probabilities, filled, first=2):
    ks = pd.RangeIndex(first, first + len(probabilities), name="n_components")
    columns = {
        "log_evidence": [-230.1234 - k for k in ks],
        "se": 0.0123,
        "probability": probabilities,
        "probability_se": 0.004,
    }
    rest = pd.RangeIndex(1, len(filled) + 1, name="filled")
    shares = pd.DataFrame({"probability": filled}, index=rest)
    return Evidence(pd.DataFrame(columns, index=ks), shares, Priors(), "full")


def section(k, evidence, **settings):
    fit = GaussianMixture(k, random_state=0, **settings).fit(X)
    return evidence_section(gather(check_data(X), em=fit, evidence=evidence, **NONE))


def test_probabilities_of_components_and_of_those_that_hold_rows():
    made = section(3, found([0.05, 0.7, 0.25], [0.0, 0.15, 0.65, 0.2]))
    assert made.state == "good"
    assert made.verdict == (
        "Of 2 to 4 components, 3 are the most probable (70.0 %), if all numbers are equally "
        "probable a priori. The number of components that hold rows, K+, is most probably 3 "
        "(65.0 %)."
    )
    (table,) = made.tables
    cells = [[getattr(each, "text", each) for each in row] for row in table.rows]
    dash = "\N{EN DASH}"
    assert cells[0] == ["1", dash, dash, dash, dash, "0.0 %"]
    assert cells[1] == ["2", "\N{MINUS SIGN}232.123", "0.012", "5.0 %", "0.4 %", "15.0 %"]
    assert made.numbers["evidence"][1]["log_evidence"] == -233.1234
    assert made.numbers["filled"][4] == 0.2


def test_an_improbable_number_needs_care():
    made = section(2, found([0.05, 0.7, 0.25], [0.0, 0.15, 0.65, 0.2]))
    assert made.state == "care"
    assert "The 2 components of this page have 5.0 %." in made.verdict


def test_a_number_that_is_not_the_most_probable_needs_care():
    made = section(2, found([0.4, 0.6], [0.0, 0.4, 0.6]))
    assert made.state == "care"
    assert "The 2 components of this page have 40.0 %." in made.verdict


def test_evidence_that_contradicts_bic_leaves_no_tick():
    faithful = load_dataset("faithful").X
    agree, differ = (
        report(faithful, 2, evidence=found(shares, [0.0, *shares])).numbers["sections"]
        for shares in ([0.7, 0.3], [0.3, 0.7])
    )
    assert (agree["choice"]["state"], agree["evidence"]["state"]) == ("good", "good")
    assert "differs" not in agree["choice"]["verdict"] + agree["evidence"]["verdict"]
    assert (differ["choice"]["state"], differ["evidence"]["state"]) == ("care", "care")
    assert "The evidence differs: K = 3 is the most probable" in differ["choice"]["verdict"]
    assert "BIC, which is smallest for K = 2, differs: it" in differ["evidence"]["verdict"]


def test_evidence_for_the_page_and_against_bic_leaves_no_tick():
    faithful = load_dataset("faithful").X
    evidence = found([0.1, 0.9], [0.0, 0.1, 0.9])
    sections = report(faithful, 3, evidence=evidence).numbers["sections"]
    assert {sections[key]["state"] for key in ("choice", "evidence")} == {"care"}


def test_evidence_that_was_requested_in_vain_has_its_reason():
    made = report(X, 2, evidence="VEV shares parts.").numbers["sections"]["evidence"]
    assert made["state"] == "unknown"
    assert made["verdict"].endswith("requested, but could not be computed: VEV shares parts.")


def test_other_numbers_and_other_structures_need_care():
    made = section(3, found([0.9, 0.1], [0.9, 0.1], first=1))
    assert made.state == "care"
    assert "The 3 components of this page were not among them." in made.verdict
    made = section(2, found([0.1, 0.9], [0.1, 0.9], first=1), covariance_type="tied")
    assert made.state == "care"
    assert "The evidence is for full covariances, not those of the page." in made.verdict


def test_without_evidence_the_section_is_not_asked_for():
    assert section(2, None).verdict == "The evidence is computed on request, and none was given."


def test_another_kind_is_refused():
    with pytest.raises(InvalidParameterError, match="evidence must be an Evidence"):
        report(X, 2, evidence=5)
