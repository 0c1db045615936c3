"""Verdicts on label switching and convergence, from summary figures."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

# Chains agree if no R-hat exceeds this (Vehtari et al. 2021).
AGREE = 1.01
# R-hat above which longer chains are unlikely to help.
_APART = 1.1
# Proportion of a chain's draws outside its modal labelling above which labels switch within it.
_STRAY = 0.01
# Proportion of ambiguous draws above which components are not identified.
_UNCLEAR = 0.05
# Proportion of draws with a redundant component above which the model is overfitted.
_SPARE = 0.5


@dataclass(frozen=True)
class Evidence:
    """Evidence for a verdict.

    Attributes
    ----------
    n_components, n_chains : int
    sampled, relabelled, invariant : float
        Largest R-hat of the parameters as sampled, of the relabelled ones, and of label-invariant
        functionals; NaN if none is defined.
    labellings : int
        Number of different modal labellings of the chains.
    outside : float
        Largest proportion of a chain's unambiguous draws outside its modal labelling.
    switches : int
        Changes of labelling between successive unambiguous draws, over all chains.
    ambiguous : float
        Proportion of draws whose second best labels fit nearly as well as the best.
    redundant, unsupported : float
        Proportion of draws in which two components can be merged at a loss of log-likelihood below
        the AIC penalty, and the BIC penalty, for one component; NaN if not known.
    """

    n_components: int
    n_chains: int
    sampled: float
    relabelled: float
    invariant: float
    labellings: int
    outside: float
    switches: int
    ambiguous: float
    redundant: float
    unsupported: float

    @property
    def within(self) -> bool:
        """True if labels switch within a chain."""
        return self.outside > _STRAY

    @property
    def between(self) -> bool:
        """True if chains have different labels."""
        return self.labellings > 1


@dataclass(frozen=True)
class Verdict:
    """A verdict with its explanation and advice."""

    name: str
    explanation: str
    advice: str

    CAVEAT: ClassVar[str] = (
        "An R-hat near 1 shows that the chains agree with one another, not that they cover the "
        "whole posterior: R-hat does not detect a mode that no chain reached, or that all chains "
        "visit too rarely. To look for one, use more chains with separate starts, and compare EM's "
        "other local maxima (starts_)."
    )


def reach_verdict(evidence: Evidence) -> Verdict:
    """Reach a verdict; the first of these that applies is the one that would mislead most.

    A superfluous component, whose labels and parameters are meaningless whatever R-hat is; chains
    that disagree on label-invariant quantities; components that are not identified; label
    switching within or between chains.
    """
    e = evidence
    if e.redundant > _SPARE:
        return _overfitted(e, e.redundant, "AIC")
    if not e.invariant <= AGREE:
        # Chains may differ only in the placement of a component that the data do not support.
        if e.invariant > AGREE and e.unsupported > _SPARE:
            return _overfitted(e, e.unsupported, "BIC")
        return _not_converged(e)
    if not e.relabelled <= AGREE:
        return _unidentified(e) if e.ambiguous > _UNCLEAR else _not_converged(e)
    return _switching(e)


def _switching(e: Evidence) -> Verdict:
    """The verdict on converged chains."""
    if e.within:
        return Verdict(
            "within chains",
            f"Labels switch {_times(e.switches)} within the chains; up to {100 * e.outside:.0f} % "
            "of the draws of a chain are outside its most frequent labelling. R-hat as sampled "
            f"({e.sampled:.3f}) is therefore not meaningful; it is at most {e.relabelled:.3f} "
            f"after relabelling, and at most {e.invariant:.3f} for label-invariant quantities.",
            "Summarise single components only after relabelling, and check the "
            "ambiguity: where components overlap this much, relabelling separates them at the "
            "overlap.",
        )
    if e.between:
        return Verdict(
            "between chains",
            f"Each chain keeps one labelling, but there are {e.labellings} different labellings. "
            f"R-hat is up to {e.sampled:.3f} as sampled, at most {e.relabelled:.3f} after "
            f"relabelling, and at most {e.invariant:.3f} for label-invariant quantities, so the "
            "chains agree.",
            "Summarise single components only after relabelling.",
        )
    return Verdict(
        "no switching",
        f"All {e.n_chains} chains keep the same labelling. R-hat is at most {e.sampled:.3f} as "
        f"sampled, {e.relabelled:.3f} after relabelling, and {e.invariant:.3f} for label-invariant "
        "quantities.",
        "Single components can be summarised without relabelling.",
    )


def _overfitted(e: Evidence, share: float, criterion: str) -> Verdict:
    agreement = (
        f"R-hat of label-invariant quantities is up to {e.invariant:.3f}"
        if np.isfinite(e.invariant)
        else "R-hat of label-invariant quantities is not defined"
    )
    return Verdict(
        "overfitted or unidentified component",
        f"In {100 * share:.0f} % of the draws, two of the {e.n_components} components can be "
        f"merged at a loss of log-likelihood below the {criterion} penalty for one component: a "
        f"component is empty, or two describe the same cluster. {agreement}.",
        f"Fit {e.n_components - 1} components, or compare numbers of components. Label-invariant "
        "quantities, such as the density, remain valid if their R-hat is near 1.",
    )


def _unidentified(e: Evidence) -> Verdict:
    return Verdict(
        "overfitted or unidentified component",
        f"The chains agree on label-invariant quantities (R-hat at most {e.invariant:.3f}), but "
        f"not on single components after relabelling (up to {e.relabelled:.3f}): in "
        f"{100 * e.ambiguous:.0f} % of the draws, other labels fit about as well.",
        "Use label-invariant quantities, fewer components, or a prior that separates the "
        "components.",
    )


def _not_converged(e: Evidence) -> Verdict:
    if np.isnan(e.invariant) or np.isnan(e.relabelled):
        reason = "with a single chain" if e.n_chains == 1 else "with so few draws"
        explanation = f"R-hat is not defined {reason}, so convergence cannot be assessed."
        advice = "Draw at least four chains of several hundred draws from separate starts."
    elif e.invariant <= AGREE:
        explanation = (
            f"R-hat is at most {e.invariant:.3f} for label-invariant quantities, but up to "
            f"{e.relabelled:.3f} for relabelled parameters, although labels are unambiguous."
        )
        advice = "Draw longer chains before single components are summarised."
    elif e.invariant <= _APART:
        explanation = (
            "The chains do not yet agree on label-invariant quantities: R-hat is up to "
            f"{e.invariant:.3f}, and up to {e.relabelled:.3f} for relabelled parameters."
        )
        advice = (
            "Draw longer chains. If R-hat stays above 1.01, examine traces of the log-likelihood "
            "and of the sorted means for a mode that the chains visit rarely."
        )
    else:
        explanation = (
            f"The chains disagree on label-invariant quantities: R-hat is up to {e.invariant:.3f}. "
            f"Relabelling cannot correct this (up to {e.relabelled:.3f} after relabelling)."
        )
        advice = (
            "Do not average over these chains. Compare their log-likelihoods: chains that remain "
            "at different values are at different modes, and the number of chains at a mode does "
            "not estimate its probability. Draw longer chains, or start every chain at EM's "
            "highest maximum."
        )
    name = "genuine multimodality or no convergence"
    return Verdict(name, explanation + _also_labels(e), advice)


def _also_labels(e: Evidence) -> str:
    """A sentence on label switching for verdicts on something else."""
    if e.within:
        return f" Labels also switch within chains ({_times(e.switches)})."
    if e.between:
        return f" Labels also differ between chains ({e.labellings} labellings)."
    return ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
