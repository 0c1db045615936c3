"""Panels without a fit, and the marks on the curve of BIC."""

import re

import pytest

from bayesgmm import select_mixture
from bayesgmm.explorer.panels import Panel, empty_panel, marked_curve


def test_one_reason_of_all_structures_is_a_sentence():
    panel = empty_panel(4, {"EEE": "every start collapsed", "VVV": "every start collapsed"})
    assert panel.reasons == ["Every start collapsed."]
    assert (panel.key, panel.status, panel.summary) == ("4-none", "K = 4: no fit", None)
    assert panel.document()["covariance_type"] is None


def test_reasons_that_differ_are_given_by_structure():
    note = "X has 9 rows: the structure needs at least 12"
    panel = empty_panel(4, {"EEE": "Rank 1.", "EII": "Rank 1.", "VVV": note})
    assert panel.reasons == ["EEE and EII: Rank 1.", f"VVV: {note}."]


def test_a_single_structure_is_named():
    panel = empty_panel(4, {"VVV": "every start collapsed"}, "VVV")
    assert (panel.key, panel.status) == ("4-VVV", "K = 4, VVV: no fit")


@pytest.mark.filterwarnings("ignore:The selected model:bayesgmm.errors.BayesGMMWarning")
def test_each_panel_has_its_mark_on_the_curve(faithful):
    table = select_mixture(faithful, [1, 2, 3], ["EEE", "VVV"], rng=0, progressbar=False).table
    panels = [Panel(1, "EEE", ""), Panel(2, "VVV", "", summary=object()), Panel(5, "", "")]
    figure = marked_curve(table, panels)
    marks = re.findall(r'id="((?:line|at)-[^"]*)"', figure.svg)
    assert sorted(marks) == ["at-2-VVV", "line-1-EEE", "line-2-VVV", "line-5-none"]
    assert "2 structures" in figure.alt
