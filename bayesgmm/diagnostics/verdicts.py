"""From figures to a verdict in words."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

# Chains agree if no R-hat exceeds this (Vehtari et al. 2021).
AGREE = 1.01
# Beyond this no length of chain that anybody has time for is likely to help.
_APART = 1.1
# More draws than this share outside a chain's modal labelling: labels switch within it.
_STRAY = 0.01
# More ambiguous draws than this share: labels cannot be told apart well.
_UNCLEAR = 0.05
# More draws than this share that could spare a component: the model has one too many.
_SPARE = 0.5


@dataclass(frozen=True)
class Evidence:
    """The figures that a verdict rests on.

    Attributes
    ----------
    n_components, n_chains : int
    sampled, relabelled, invariant : float
        Largest R-hat of the parameters as sampled, of the relabelled ones, and of label-invariant
        functionals; NaN if none is defined.
    labellings : int
        How many different labellings are modal in some chain.
    outside : float
        Largest share of a chain's unambiguous draws that are not in its modal labelling.
    switches : int
        Changes of labelling between successive unambiguous draws, over all chains.
    ambiguous : float
        Share of draws whose second best labels are nearly as good as the best.
    redundant, unsupported : float
        Share of draws in which merging two components loses less than Akaike's, and Schwarz's,
        price of a component; NaN if not known.
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
        """Whether labels switch within a chain."""
        return self.outside > _STRAY

    @property
    def between(self) -> bool:
        """Whether chains have different labels."""
        return self.labellings > 1


@dataclass(frozen=True)
class Verdict:
    """A name, what it rests on, and what to do."""

    name: str
    explanation: str
    advice: str

    CAVEAT: ClassVar[str] = (
        "An R-hat near 1 says that these chains agree with one another. It cannot say that they "
        "have seen all of the posterior: a mode that every chain missed, or that all visited too "
        "rarely, leaves R-hat at 1. Starts of their own for each chain, more chains, and EM's "
        "other optima (starts_) are the way to look for one."
    )


def reach_verdict(evidence: Evidence) -> Verdict:
    """Judge in the order of what would mislead most.

    A component too many comes first, because its labels and its parameters mean nothing whatever
    R-hat is; then chains that disagree on what has no labels; then labels that cannot be told
    apart; then where they switch.
    """
    e = evidence
    if e.redundant > _SPARE:
        return _overfitted(e, e.redundant, "Akaike's")
    if not e.invariant <= AGREE:
        # Chains that differ in how they place a component which the data do not pay for differ
        # because of it.
        if e.invariant > AGREE and e.unsupported > _SPARE:
            return _overfitted(e, e.unsupported, "Schwarz's")
        return _not_converged(e)
    if not e.relabelled <= AGREE:
        return _unidentified(e) if e.ambiguous > _UNCLEAR else _not_converged(e)
    return _where(e)


def _where(e: Evidence) -> Verdict:
    """Where labels switch, if all else is well."""
    if e.within:
        return _within(e)
    if e.between:
        return _between(e)
    return Verdict(
        "no switching",
        f"Every chain keeps one labelling, the same in all {e.n_chains} chains. R-hat is at most "
        f"{e.sampled:.3f} as sampled, {e.relabelled:.3f} relabelled and {e.invariant:.3f} for "
        "label-invariant quantities.",
        "Summaries of single components can be read as they are.",
    )


def _overfitted(e: Evidence, share: float, price: str) -> Verdict:
    agreement = (
        f"Label-invariant quantities have R-hat up to {e.invariant:.3f}"
        if np.isfinite(e.invariant)
        else "R-hat of label-invariant quantities is not defined here"
    )
    return Verdict(
        "overfitted or unidentified component",
        f"In {100 * share:.0f} % of the draws two of the {e.n_components} components can be merged "
        f"into one for less likelihood than {price} price of a component's parameters: one is "
        f"empty, or two share a cluster. {agreement}.",
        f"Fit {e.n_components - 1} components, or compare numbers of components. Quantities that "
        "do not depend on labels, such as the density, remain usable if their R-hat is near 1.",
    )


def _unidentified(e: Evidence) -> Verdict:
    return Verdict(
        "overfitted or unidentified component",
        f"The chains agree on what has no labels (R-hat at most {e.invariant:.3f}), but not on "
        f"single components after relabelling ({e.relabelled:.3f}): in {100 * e.ambiguous:.0f} % "
        "of the draws other labels fit about as well.",
        "Use label-invariant quantities, or fit fewer components, or a prior that tells the "
        "components apart.",
    )


def _not_converged(e: Evidence) -> Verdict:
    if np.isnan(e.invariant) or np.isnan(e.relabelled):
        chains = "there is one chain" if e.n_chains == 1 else "there are too few draws"
        seen = f"Convergence cannot be judged: {chains}, so R-hat is not defined.{_labels(e)}"
        return Verdict(
            "genuine multimodality or no convergence",
            seen,
            "Draw at least four chains of some hundred draws, each from a start of its own.",
        )
    if e.invariant <= AGREE:
        return Verdict(
            "genuine multimodality or no convergence",
            f"Label-invariant quantities have R-hat of at most {e.invariant:.3f}, but relabelled "
            f"parameters up to {e.relabelled:.3f}, though labels are clear.{_labels(e)}",
            "Draw longer chains before single components are summarised.",
        )
    if e.invariant <= _APART:
        return Verdict(
            "genuine multimodality or no convergence",
            "The chains do not agree yet on quantities that do not depend on labels: R-hat up to "
            f"{e.invariant:.3f}, and {e.relabelled:.3f} for relabelled parameters.{_labels(e)}",
            "Draw longer chains. If R-hat stays above 1.01, look for a mode that the chains visit "
            "rarely: traces of the log-likelihood and of the sorted means show it.",
        )
    return Verdict(
        "genuine multimodality or no convergence",
        f"The chains disagree on quantities that do not depend on labels: R-hat up to "
        f"{e.invariant:.3f}. Relabelling cannot mend this ({e.relabelled:.3f} after it)."
        f"{_labels(e)}",
        "Do not average over these chains. Compare their log-likelihoods: chains that stay at "
        "different values sit at different modes, and how many start at each says nothing of the "
        "modes' probabilities. Draw longer chains, or start every chain at EM's best optimum.",
    )


def _labels(e: Evidence) -> str:
    """A sentence on labels for verdicts that are about something else."""
    if e.within:
        return f" Labels also switch within chains ({e.switches} times)."
    if e.between:
        return f" Labels also differ between chains ({e.labellings} labellings)."
    return ""


def _within(e: Evidence) -> Verdict:
    return Verdict(
        "within chains",
        f"Labels switch {e.switches} times within the chains; up to {100 * e.outside:.0f} % of a "
        f"chain lies outside its most frequent labelling. R-hat as sampled is {e.sampled:.3f}, "
        f"which here means nothing; relabelled it is at most {e.relabelled:.3f}, and "
        f"{e.invariant:.3f} for label-invariant quantities.",
        "Summarise single components after `relabel` only, and look at the ambiguity: where "
        "components overlap this much, relabelled components are cut at the overlap.",
    )


def _between(e: Evidence) -> Verdict:
    return Verdict(
        "between chains",
        f"Each chain keeps one labelling, but the chains have {e.labellings} different ones. R-hat "
        f"as sampled is {e.sampled:.3f}; relabelled it is at most {e.relabelled:.3f}, and "
        f"{e.invariant:.3f} for label-invariant quantities: the chains agree.",
        "Summarise single components after `relabel`.",
    )
