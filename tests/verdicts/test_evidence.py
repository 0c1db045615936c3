"""The order in which checks decide, and what each of them says."""

from dataclasses import replace

import numpy as np
import pytest

from bayesgmm.convergence.agreement import Agreement
from bayesgmm.verdicts.described_rows import Discrepancy
from bayesgmm.verdicts.figures import Figures
from bayesgmm.verdicts.multimodality import Valley
from bayesgmm.verdicts.recorded_modes import RecordedModes
from bayesgmm.verdicts.sampler_statistics import Transitions
from bayesgmm.verdicts.verdict import reach_verdict

GOOD = Agreement("log-likelihood", 1.002, 1.01, 1.002, 1500.0)
BAD = replace(GOOD, r_hat=3.57, largest=3.57)
HEALTHY = Figures(
    n_components=3,
    n_chains=4,
    n_draws=1000,
    rows=Discrepancy(0, "mean", 0.0, 0.0, 0.3),
    feature_words=("x0",),
    density=GOOD,
    invariant=GOOD,
    relabelled=GOOD,
    sampled=1.003,
    stay=(0.0, 0.0, 0.0, 0.0),
    valley=Valley(),
    modes=RecordedModes((1.0,), True, 0, 0.0),
    transitions=Transitions(0, 0.0, 1.0),
    redundant=0.0,
    unsupported=0.0,
    labellings=1,
    outside=0.0,
    switches=0,
    ambiguous=0.0,
    exchanged=0.0,
)


def test_a_clean_bill_needs_every_answer():
    found = reach_verdict(HEALTHY)
    assert (found.name, found.state) == ("no switching", "good")
    for change in (
        {"rows": None},
        {"modes": None},
        {"transitions": Transitions(None, np.nan, np.nan)},
    ):
        found = reach_verdict(replace(HEALTHY, **change))
        assert (found.name, found.state) == ("no switching", "care")
        assert "Not checked: " in found.explanation


@pytest.mark.parametrize("unsupported", [0.0, 0.9])
def test_the_largest_r_hat_of_the_page_is_the_figure_of_its_evidence(unsupported):
    """Also where only densities have to agree, as BIC would remove a component."""
    relabelled = replace(GOOD, r_hat=1.005, largest=1.005)
    found = reach_verdict(replace(HEALTHY, relabelled=relabelled, unsupported=unsupported))
    figures = {each.question: each.figure for each in found.evidence}
    assert figures["the chains agree"] == 1.005


# Worst first: each decides over all that follow.
PROBLEMS = (
    ({"rows": Discrepancy(0, "mean", 20.0, 0.0, 90.0)}, "rows not described", "bad"),
    ({"stay": (0.0, 0.0, 1.0, 0.0)}, "no convergence", "bad"),
    ({"density": BAD, "invariant": BAD}, "no convergence", "bad"),
    ({"redundant": 0.9, "unsupported": 1.0}, "overfitted or unidentified component", "care"),
    ({"valley": Valley("mean of x0, sorted [0]", 0.95, 0.3)}, "several modes", "care"),
    ({"transitions": Transitions(300, 0.0, 1.0)}, "divergent transitions", "bad"),
    ({"outside": 0.3, "switches": 40}, "within chains", "good"),
)


@pytest.mark.parametrize("place", range(len(PROBLEMS)))
def test_the_first_problem_decides_and_the_others_are_said(place):
    change, name, state = PROBLEMS[place]
    alone = reach_verdict(replace(HEALTHY, **change))
    assert (alone.name, alone.state) == (name, state)
    for later, other, _ in PROBLEMS[place + 1 :]:
        both = reach_verdict(replace(HEALTHY, **(later | change)))
        if other == "overfitted or unidentified component" and "density" not in change:
            continue
        assert both.name == name


def test_a_redundant_component_explains_a_slight_disagreement_only():
    slight = replace(GOOD, r_hat=1.05, largest=1.05)
    spare = {"redundant": 0.9, "unsupported": 1.0}
    found = reach_verdict(replace(HEALTHY, density=slight, invariant=BAD, **spare))
    assert found.name == "overfitted or unidentified component"
    # The disagreement is not forgiven: it weighs, and the advice does not call the density valid.
    assert found.state == "bad"
    assert "1.050" in found.explanation
    assert "not valid" in found.advice
    found = reach_verdict(replace(HEALTHY, density=BAD, invariant=BAD, **spare))
    assert found.name == "no convergence"


def test_excursions_are_counted_or_said():
    """Six draws of a thousand are switching; one is said to be one."""
    found = reach_verdict(replace(HEALTHY, outside=0.006, switches=2))
    assert found.name == "within chains"
    found = reach_verdict(replace(HEALTHY, outside=0.001, switches=2))
    assert found.name == "no switching"
    assert "but for at most 0.1 % of a chain's draws" in found.explanation


def test_components_that_overlap_do_not_get_a_clean_bill():
    found = reach_verdict(replace(HEALTHY, ambiguous=0.4, outside=0.41, switches=90))
    assert (found.name, found.state) == ("within chains", "care")
    assert "approximate" in found.advice
    found = reach_verdict(replace(HEALTHY, ambiguous=0.4, relabelled=BAD))
    assert found.name == "overfitted or unidentified component"


def test_few_effective_draws():
    few = replace(GOOD, ess=250.0)
    found = reach_verdict(replace(HEALTHY, density=few))
    assert (found.name, found.state) == ("no switching", "care")
    assert "250" in found.explanation
    found = reach_verdict(replace(HEALTHY, density=replace(GOOD, ess=30.0)))
    assert (found.name, found.state) == ("no convergence", "bad")


@pytest.mark.parametrize(
    ("transitions", "name"),
    [
        (Transitions(1, 0.0, 1.0), "divergent transitions"),
        (Transitions(0, np.nan, np.nan, (7, 400)), "divergent transitions"),
        (Transitions(0, 0.2, 1.0), "slow transitions"),
        (Transitions(0, 0.0, 0.1), "slow transitions"),
        (Transitions(None, np.nan, np.nan, k_hat=0.6), "thin proposals"),
    ],
)
def test_the_sampler_s_warnings_weigh(transitions, name):
    found = reach_verdict(replace(HEALTHY, transitions=transitions))
    assert (found.name, found.state) == (name, "care")


def test_the_run_before_jumping_chains_is_named():
    jumped = Transitions(0, np.nan, np.nan, (7, 400))
    found = reach_verdict(replace(HEALTHY, transitions=jumped))
    assert "7 of 400 transitions diverged in the NUTS run" in found.explanation
    quiet = reach_verdict(replace(HEALTHY, transitions=replace(jumped, preceding=(0, 400))))
    assert (quiet.name, quiet.state) == ("no switching", "good")
    assert "no trajectories that could" in quiet.evidence[4].finding


PLACES = ("98.0 %, at weights 0.50, 0.50 and means of x0 1, 2", "2.0 %, at weights 0.90, 0.10")


def test_modes_that_were_sought():
    left_out = RecordedModes((1.0,), True, 2, 1e-6)
    found = reach_verdict(replace(HEALTHY, modes=left_out))
    assert (found.name, found.state) == ("no switching", "good")
    assert "2 other modes of 0.0001 % of the mass together" in found.evidence[3].finding
    # A second mode of 2 % is included in the draws and does not spoil their means.
    small = RecordedModes((0.98, 0.02), True, 0, 0.0, PLACES)
    found = reach_verdict(replace(HEALTHY, modes=small, valley=Valley("q", 0.6, 0.02)))
    assert (found.name, found.state) == ("no switching", "good")
    assert (
        "2 modes of notable mass were found, and the chains move between all"
        in found.evidence[3].finding
    )
    large = RecordedModes((0.7, 0.3), True, 0, 0.0, PLACES)
    found = reach_verdict(replace(HEALTHY, modes=large, valley=Valley("q", 0.6, 0.3)))
    assert (found.name, found.state) == ("several modes", "care")
    assert PLACES[1] in found.explanation
    apart = RecordedModes((0.7, 0.3), False, 0, 0.0, PLACES)
    found = reach_verdict(replace(HEALTHY, modes=apart))
    assert (found.name, found.state) == ("several modes", "bad")
    assert f"{PLACES[0]}; {PLACES[1]}." in found.explanation


def test_advice_suits_the_family():
    """Mixtures of other families have neither starts_ nor sample_posterior, nor need X."""
    unknown = {"rows": None, "modes": None, "transitions": Transitions(None, np.nan, np.nan)}
    gaussian = reach_verdict(replace(HEALTHY, **unknown))
    assert "starts_" in gaussian.advice
    assert "Give the fitted rows as X" in gaussian.advice
    other = replace(HEALTHY, **unknown, feature_words=(), redundant=np.nan, unsupported=np.nan)
    for change in ({}, {"stay": (0.0, 1.0)}, {"transitions": Transitions(9, 0.0, 1.0)},
                   {"invariant": BAD}, {"n_chains": 1}):  # fmt: skip
        verdict = reach_verdict(replace(other, **change))
        said = " ".join(
            [verdict.advice, verdict.CAVEAT, *(e.consequence for e in verdict.evidence)]
        )
        for word in ("starts_", "sample_posterior", "select_mixture", " X", "variances", "means"):
            assert word not in said, (word, said)
        assert "allocations" in said
        assert "posterior predictive" in said


def test_no_sentence_contradicts_the_verdict():
    # A slight disagreement of the density that a redundant component does not explain.
    odd = {"unsupported": 0.9, "redundant": 0.3}
    found = reach_verdict(replace(HEALTHY, density=replace(GOOD, r_hat=1.05), **odd))
    assert (found.name, found.state) == ("overfitted or unidentified component", "bad")
    # One chain: what is known to be wrong decides over what is not known.
    unknown = replace(GOOD, r_hat=np.nan, largest=np.nan)
    single = replace(HEALTHY, n_chains=1, density=unknown, invariant=unknown, relabelled=unknown)
    assert reach_verdict(single).name == "convergence not assessed"
    found = reach_verdict(replace(single, transitions=Transitions(900, 0.0, 1.0)))
    assert (found.name, found.state) == ("divergent transitions", "bad")
    overlap = reach_verdict(replace(HEALTHY, ambiguous=0.4))
    assert "without relabelling" not in overlap.advice
    apart = reach_verdict(replace(HEALTHY, ambiguous=0.4, density=BAD, invariant=BAD))
    assert "The chains agree" not in apart.explanation
    assert (
        "Fit 1 component,"
        in reach_verdict(replace(HEALTHY, n_components=2, redundant=0.9, unsupported=1.0)).advice
    )


def test_modes_that_were_not_sampled_weigh():
    left_out = RecordedModes((0.8,), True, 5, 0.2, left_places=PLACES[1:])
    found = reach_verdict(replace(HEALTHY, modes=left_out))
    assert (found.name, found.state) == ("several modes", "care")
    assert f"20.0 % of the mass: {PLACES[1]}." in found.explanation
    found = reach_verdict(replace(HEALTHY, modes=RecordedModes((0.9, 0.1), False, 0, 0.0)))
    assert (found.name, found.state) == ("several modes", "bad")


@pytest.mark.parametrize(
    "trouble",
    [
        {"density": BAD, "invariant": BAD},
        {"invariant": replace(GOOD, ess=60.0)},
        {"invariant": replace(GOOD, ess=250.0)},
        {"transitions": Transitions(9, 0.0, 1.0)},
    ],
)
def test_ties_between_covariances_are_named_where_chains_are_slow(trouble):
    plain, tied = (
        reach_verdict(replace(HEALTHY, ties=ties, **trouble)).evidence for ties in ("", "VVE")
    )
    changed = [
        (one.consequence, other.consequence)
        for one, other in zip(plain, tied, strict=True)
        if one != other
    ]
    assert len(changed) == 1
    one, other = changed[0]
    assert other.startswith(f"{one} Components of VVE share parts of their covariances")
    assert "--covariance full" in other
    sound = reach_verdict(replace(HEALTHY, ties="VVE")).evidence
    assert "VVE" not in " ".join(each.consequence for each in sound)
