"""Verdicts on label switching and convergence, from the table of evidence."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bayesgmm.verdicts.evidence import STRAY, checks, times
from bayesgmm.verdicts.figures import Check, Figures, State

_AFTER_RELABELLING = "Summarise single components only after relabelling."
_RANK: tuple[State, ...] = ("good", "unknown", "care", "bad")


@dataclass(frozen=True)
class Verdict:
    """A verdict with its evidence.

    Attributes
    ----------
    name : str
    state : {"good", "care", "bad"}
        "good" only if every check was made and passed.
    explanation, advice : str
    evidence : tuple of Check
    """

    name: str
    state: State
    explanation: str
    advice: str
    evidence: tuple[Check, ...]

    CAVEAT: ClassVar[str] = (
        "An R-hat near 1 shows that the chains agree with one another, not that they cover the "
        "whole posterior: R-hat does not detect a mode that no chain reached. Chains from other "
        "starts may."
    )


def reach_verdict(figures: Figures) -> Verdict:
    """Reach a verdict: that of the first check with a problem, else that on the labels.

    The order is that in which a problem makes the other questions void: draws that do not describe
    the rows, chains that disagree, a superfluous component, several modes, transitions that
    diverge, components that overlap, labels that switch.
    """
    made = checks(figures)
    labels = _labels(figures)
    problems = [each for each in made if each.state in ("care", "bad")]
    unknown = [each for each in made if each.state == "unknown"]
    named = [each for each in made if each.verdict and each.state != "good"]
    # What could not be checked decides only where nothing is known to be wrong.
    named.sort(key=lambda each: each.state == "unknown")
    deciding = named[0] if named else labels
    said = [deciding, *(each for each in problems if each is not deciding)]
    explanation = " ".join(each.finding for each in said)
    if unknown:
        explanation += f" Not checked: {', '.join(each.question for each in unknown)}."
    advice = [each.consequence for each in said if each.consequence]
    if deciding is labels and problems:
        advice = [_AFTER_RELABELLING, *advice[1:]]
    if deciding is labels:
        advice += [each.consequence for each in unknown if each.consequence]
    worst = max((each.state for each in made), key=_RANK.index)
    return Verdict(
        deciding.verdict,
        "care" if worst == "unknown" else worst,
        explanation,
        " ".join(advice),
        (*made, labels),
    )


def _labels(f: Figures) -> Check:
    """The check of the labels, of converged chains."""
    question = "draws can be given one labelling"
    agree = (
        f"it is at most {f.relabelled.largest:.3f} after relabelling, and at most "
        f"{_largest(f):.3f} for label-invariant quantities"
    )
    if f.outside > STRAY:
        return Check(
            question, "good", f.outside, np.nan,
            f"Labels switch {times(f.switches)} within the chains; up to {_percent(f.outside)} of "
            "the draws of a chain are outside its most frequent labelling. R-hat as sampled "
            f"({f.sampled:.3f}) is therefore not meaningful; {agree}.",
            _AFTER_RELABELLING,
            "within chains",
        )  # fmt: skip
    but = f", but for at most {_percent(f.outside)} of a chain's draws" if f.outside > 0 else ""
    if f.labellings > 1:
        return Check(
            question, "good", float(f.labellings), np.nan,
            f"Each chain keeps one labelling{but}; there are {f.labellings} different labellings. "
            f"R-hat is up to {f.sampled:.3f} as sampled; {agree}.",
            _AFTER_RELABELLING,
            "between chains",
        )  # fmt: skip
    if f.n_chains == 1:
        return Check(
            question, "good", f.outside, np.nan, f"The chain keeps one labelling{but}.",
            "Single components can be summarised without relabelling.", "no switching",
        )  # fmt: skip
    return Check(
        question, "good", f.outside, np.nan,
        f"All {f.n_chains} chains keep the same labelling{but}. R-hat is at most "
        f"{f.sampled:.3f} as sampled; {agree}.",
        "Single components can be summarised without relabelling.",
        "no switching",
    )  # fmt: skip


def _largest(f: Figures) -> float:
    return float(np.fmax(f.density.largest, f.invariant.largest))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.2g} %"
