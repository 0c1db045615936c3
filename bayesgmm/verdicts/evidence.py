"""The table of evidence: one check for each question that a posterior has to answer."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayesgmm.convergence.agreement import ENOUGH, STAY, TOO_FEW, Agreement, is_stuck
from bayesgmm.verdicts.described_rows import Discrepancy
from bayesgmm.verdicts.multimodality import Valley
from bayesgmm.verdicts.sampler_statistics import RecordedModes, Transitions

_ONE_MODE = "the posterior has one mode"
type State = Literal["good", "care", "bad", "unknown"]
RESULTS = {"good": "passed", "care": "care", "bad": "failed", "unknown": "not checked"}

# Standard errors between rows and draws above which the draws do not describe the rows.
_APART = 5.0
# R-hat above which longer chains are unlikely to help.
_SLIGHT = 1.1
# Depth of a valley between two modes; and of one between modes that are known to exist.
_DEPTH, _SHALLOW = 0.7, 0.5
# Mass of all modes but the first above which a mean over all draws describes none of them.
_MINOR = 0.05
# Mass of modes that were not sampled above which they matter.
_LEFT_OUT = 0.01
# Proportion of divergent transitions above which they are not a matter of the tails.
_DIVERGENT = 0.01
# Proportion of transitions at the greatest depth, and least fraction of missing information.
_DEEP, _ENERGY = 0.01, 0.3
# Proportion of draws with a redundant component above which the model is overfitted.
_SPARE = 0.5
# Proportion of ambiguous draws above which relabelled draws are cut where components overlap.
_UNCLEAR = 0.05
# Proportion of a chain's draws outside its modal labelling above which labels switch within it.
STRAY = 0.0025


@dataclass(frozen=True)
class Check:
    """The answer to one question.

    Attributes
    ----------
    question : str
    state : {"good", "care", "bad", "unknown"}
        "unknown" if it could not be checked.
    figure, bound : float
        NaN if there is none.
    finding : str
        A sentence on the figure.
    consequence : str
        Advice; empty if there is nothing to do.
    verdict : str
        The name of the verdict if this check decides; empty if it never does.
    """

    question: str
    state: State
    figure: float
    bound: float
    finding: str
    consequence: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Figures:
    """What the checks are made of.

    Attributes
    ----------
    n_components, n_chains, n_draws : int
    rows : Discrepancy or None
        None if the rows are not known.
    feature_words : tuple of str
    density, invariant, relabelled : Agreement
        Of functionals of the density, of other label-invariant quantities (sorted parameters,
        the partition of the rows), and of relabelled parameters.
    sampled : float
        Largest R-hat as sampled.
    stay : tuple of float
        The longest run of equal draws of each chain, as a proportion of its draws.
    valley : Valley
    modes : RecordedModes or None
        None if the posterior has no record of modes.
    transitions : Transitions
    redundant, unsupported : float
        Proportion of draws in which two components can be merged, or one removed, at a loss of
        log-likelihood below the AIC penalty, and the BIC penalty, for one component; NaN if not
        known.
    labellings : int
        Number of different modal labellings of the chains.
    outside : float
        Largest proportion of a chain's unambiguous draws outside its modal labelling.
    switches : int
        Changes of labelling between successive unambiguous draws, over all chains.
    ambiguous : float
        Proportion of draws whose second best labels fit nearly as well as the best.
    exchanged : float
        The largest proportion of draws in which two labels can be exchanged at little cost.
    """

    n_components: int
    n_chains: int
    n_draws: int
    rows: Discrepancy | None
    feature_words: tuple[str, ...]
    density: Agreement
    invariant: Agreement
    relabelled: Agreement
    sampled: float
    stay: tuple[float, ...]
    valley: Valley
    modes: RecordedModes | None
    transitions: Transitions
    redundant: float
    unsupported: float
    labellings: int
    outside: float
    switches: int
    ambiguous: float
    exchanged: float

    @property
    def ess(self) -> float:
        """The least effective sample size of the quantities that have to agree."""
        parts = [self.density.ess]
        if not self.unsupported > _SPARE:
            parts.append(self.invariant.ess)
            if not self.unclear:
                parts.append(self.relabelled.ess)
        return float(np.fmin.reduce(parts))

    @property
    def unclear(self) -> bool:
        """True if labels are ambiguous in many draws, or two can be exchanged in many."""
        return max(self.ambiguous, self.exchanged) > _UNCLEAR


def checks(f: Figures) -> tuple[Check, ...]:
    """All checks, in the order in which they decide the verdict."""
    return (
        _rows(f),
        _convergence(f),
        _components(f),
        _modes(f),
        _transitions(f),
        _single_components(f),
    )


def _rows(f: Figures) -> Check:
    question, name = "the draws describe the rows", "rows not described"
    if f.rows is None:
        return Check(
            question, "unknown", np.nan, _APART, "The fitted rows are not known.",
            "Give the fitted rows as X, so that the draws can be compared with them.",
        )  # fmt: skip
    r = f.rows
    where = f"{r.what} of {f.feature_words[r.feature]}"
    if not r.errors > _APART:
        return Check(
            question, "good", r.errors, _APART,
            "Means and standard deviations of the rows are those of the draws.",
        )  # fmt: skip
    return Check(
        question, "bad", r.errors, _APART,
        f"The {where} is {r.rows:.4g} in the rows but {r.draws:.4g} in the draws, "
        f"{r.errors:.0f} standard errors apart.",
        "Give the rows that were fitted, in the units of the fit; if these are they, compare the "
        "prior with the scale of the data.",
        name,
    )  # fmt: skip


def _convergence(f: Figures) -> Check:
    question, name = "the chains agree", "no convergence"
    if f.unsupported > _SPARE and f.density.r_hat <= _SLIGHT:
        # A redundant component moves slowly whatever the sampler: it is what has to be mended.
        name = ""
    if is_stuck(f.stay, f.n_draws):
        return _stuck(f, question)
    if not (f.density.known or (f.invariant.known and not f.unsupported > _SPARE)):
        reason = "with a single chain" if f.n_chains == 1 else "with so few draws"
        return Check(
            question, "unknown", np.nan, f.density.bound,
            f"R-hat is not defined {reason}, so convergence cannot be assessed.",
            "Draw at least four chains of several hundred draws from separate starts.",
            "convergence not assessed",
        )  # fmt: skip
    excess = [("label-invariant quantities", f.density)]
    # Chains may differ only in the placement of a component that the data do not support.
    if not f.unsupported > _SPARE:
        excess.append(("label-invariant quantities", f.invariant))
        if not f.unclear:
            excess.append(("relabelled parameters", f.relabelled))
    excess = [each for each in excess if each[1].known]
    form, worst = max(excess, key=lambda each: each[1].r_hat - each[1].bound)
    if not worst.holds:
        return Check(
            question, "bad", worst.r_hat, worst.bound,
            f"The chains disagree on {form}: R-hat is {worst.r_hat:.3f} for {worst.quantity} "
            f"(bound {worst.bound:.3f}).{_also_labels(f)}",
            _longer(worst.r_hat),
            name,
        )  # fmt: skip
    if f.ess < TOO_FEW:
        return Check(
            question, "bad", f.ess, TOO_FEW,
            f"The chains move too slowly to be compared: the least effective sample size is "
            f"{f.ess:.0f}, of {f.n_chains * f.n_draws} draws.",
            "Draw longer chains.",
            name,
        )  # fmt: skip
    finding = f"R-hat is at most {max(each.largest for _, each in excess):.3f}"
    if f.ess < ENOUGH:
        return Check(
            question, "care", f.ess, ENOUGH,
            f"{finding}, but the least effective sample size is {f.ess:.0f}.",
            f"Draw more: R-hat and quantiles are imprecise below {ENOUGH:.0f} effective draws.",
        )  # fmt: skip
    return Check(
        question, "good", worst.r_hat, worst.bound,
        f"{finding}, and the effective sample size at least {f.ess:.0f}.",
    )  # fmt: skip


def _stuck(f: Figures, question: str) -> Check:
    stay = max(f.stay)
    return Check(
        question, "bad", stay, STAY,
        f"Chain {int(np.argmax(f.stay))} repeats one draw in {100 * stay:.0f} % of its iterations.",
        "Discard the chain only if you know why it stopped; otherwise sample again with a smaller "
        "step size (a higher target_accept) or from other starts.",
        "no convergence",
    )  # fmt: skip


def _longer(r_hat: float) -> str:
    if r_hat <= _SLIGHT:
        return (
            "Draw longer chains. If R-hat does not fall, examine traces of the log-likelihood and "
            "of the sorted means for a mode that the chains visit rarely."
        )
    return (
        "Do not average over these chains. Compare their log-likelihoods: chains that remain at "
        "different values are at different modes, and the number of chains at a mode does not "
        "estimate its probability. Draw longer chains."
    )


def _components(f: Figures) -> Check:
    question, name = "no component is redundant", "overfitted or unidentified component"
    if f.n_components == 1:
        return Check(question, "good", 0.0, _SPARE, "There is a single component.")
    if np.isnan(f.redundant):
        return Check(
            question, "unknown", np.nan, _SPARE,
            "Redundancy of components is known for Gaussian mixtures only.",
        )  # fmt: skip
    share, criterion = f.redundant, "AIC"
    single = f.unclear or (f.relabelled.holds and f.relabelled.ess >= ENOUGH)
    agree = all(each.holds and each.ess >= ENOUGH for each in (f.density, f.invariant))
    beyond = not (agree and single)
    # A component that the BIC penalty would remove is redundant where chains do not find it.
    if share <= _SPARE and beyond and f.unsupported > _SPARE:
        share, criterion = f.unsupported, "BIC"
    if share <= _SPARE:
        return Check(
            question, "good", share, _SPARE,
            f"In {100 * share:.0f} % of the draws, two components can be merged, or one removed, "
            "without a loss of log-likelihood above the AIC penalty for one.",
        )  # fmt: skip
    return Check(
        question, "care", share, _SPARE,
        f"In {100 * share:.0f} % of the draws, two of the {f.n_components} components can be "
        f"merged, or one removed, at a loss of log-likelihood below the {criterion} penalty for "
        "one: a component is empty, or two describe the same cluster.",
        f"Fit {_plural(f.n_components - 1, 'component')}, or compare numbers of components. "
        f"Label-invariant quantities, such as the density, {_still_valid(f)}.",
        name,
    )  # fmt: skip


def _still_valid(f: Figures) -> str:
    if not f.density.known:
        return "are valid only if further chains agree on them"
    if f.density.ess < TOO_FEW:
        return f"need more draws: {f.density.ess:.0f} are effective"
    if f.density.holds:
        return f"remain valid (R-hat at most {f.density.largest:.3f})"
    return f"are not valid either: R-hat is {f.density.r_hat:.3f}"


_ONE_BY_ONE = (
    "Means and standard deviations over all draws describe neither mode. Summarise the modes one "
    "by one, or use label-invariant quantities such as the density."
)


def _modes(f: Figures) -> Check:
    """The modes that the sampler found, or else a valley between those that the chains visit."""
    v = f.valley
    if f.modes is not None and (found := _recorded(f.modes, v)).state != "good":
        return found
    if v.depth > _DEPTH and not f.unsupported > _SPARE:
        return Check(
            _ONE_MODE, "care", v.depth, _DEPTH,
            f"The distribution of {v.quantity} has two modes, of which the smaller has "
            f"{100 * v.mass:.0f} % of the draws; the density between them is {100 * v.depth:.0f} % "
            "below the lower one.",
            _ONE_BY_ONE,
            "several modes",
        )  # fmt: skip
    if f.modes is None:
        return Check(
            _ONE_MODE, "unknown", v.depth, _DEPTH,
            "No quantity has two separate modes, but modes that no chain visits were not sought.",
            "Look for modes that no chain visits: compare chains from separate starts, or EM's "
            "other local maxima (starts_).",
        )  # fmt: skip
    return found


def _recorded(m: RecordedModes, v: Valley) -> Check:
    name = "several modes"
    left = f" {m.left_out} more have {_share(m.bound)} or less." if m.left_out else ""
    if not (m.joined and min(m.masses) > 0.0):
        return Check(
            _ONE_MODE, "bad", float(len(m.masses)), 1.0,
            f"{len(m.masses)} modes of notable mass were found ({_shares(m)} by Laplace's "
            "approximation or by draws), but the chains do not move between all of them: the "
            "proportions of the draws do not estimate their masses.",
            "Summarise the modes one by one (the group modes has their parameters). Fewer "
            "components or a more informative prior may leave one mode.",
            name,
        )  # fmt: skip
    if m.bound > _LEFT_OUT:
        return Check(
            _ONE_MODE, "care", m.bound, _LEFT_OUT,
            f"{m.left_out} modes were found but not sampled; Laplace's approximation gives them "
            f"{_share(m.bound)} of the mass.",
            "Compare the modes in the group modes, or use fewer components.",
            name,
        )  # fmt: skip
    if len(m.masses) == 1:
        return Check(
            _ONE_MODE, "good", v.depth, _DEPTH, f"One mode of notable mass was found.{left}"
        )
    finding = f"{len(m.masses)} modes were found and visited ({_shares(m)} of the draws).{left}"
    minor = 1.0 - m.masses[0]
    if minor > _MINOR and v.depth > _SHALLOW:
        return Check(_ONE_MODE, "care", minor, _MINOR, finding, _ONE_BY_ONE, name)
    # Modes without a valley between them are one for the purposes of a summary.
    return Check(_ONE_MODE, "good", v.depth, _DEPTH, finding)


def _shares(m: RecordedModes) -> str:
    return ", ".join(_share(each) for each in m.masses)


def _share(mass: float) -> str:
    return f"{100 * mass:.1f} %" if mass >= 0.001 else f"{100 * mass:.2g} %"


def _transitions(f: Figures) -> Check:
    question, name = "the sampler reports no trouble", "divergent transitions"
    t, total = f.transitions, f.n_chains * f.n_draws
    if t.divergences:
        return Check(
            question, "bad" if t.divergences > _DIVERGENT * total else "care",
            float(t.divergences), 0.0,
            f"{t.divergences} of {total} transitions diverged: parts of the posterior may be "
            "missing.",
            "Increase target_accept, for example to 0.95; if transitions still diverge, use fewer "
            "components or a prior that keeps weights and variances from 0.",
            name,
        )  # fmt: skip
    if t.deepest > _DEEP:
        return Check(
            question, "care", t.deepest, _DEEP,
            f"{100 * t.deepest:.0f} % of the transitions ended at the greatest depth of the tree.",
            "Increase the greatest depth or draw longer chains: the sampler moves slowly.",
            "slow transitions",
        )  # fmt: skip
    if t.energy < _ENERGY:
        return Check(
            question, "care", t.energy, _ENERGY,
            f"The fraction of missing information of the energies is {t.energy:.2f}: the sampler "
            "may not reach the tails.",
            "Draw longer chains, or use a prior with lighter tails.",
            "slow transitions",
        )  # fmt: skip
    if t.divergences is None:
        return Check(
            question, "unknown", np.nan, 0.0,
            "The posterior does not record divergent transitions.",
        )  # fmt: skip
    return Check(question, "good", 0.0, 0.0, "No transition diverged.")


def _single_components(f: Figures) -> Check:
    question, name = "components are identified", "overfitted or unidentified component"
    share = max(f.ambiguous, f.exchanged)
    if not f.unclear:
        return Check(
            question, "good", share, _UNCLEAR,
            f"Other labels fit nearly as well in {100 * share:.2g} % of the draws.",
        )  # fmt: skip
    finding = (
        f"In {100 * share:.0f} % of the draws, other labels fit nearly as well: relabelled "
        "draws are cut where components overlap."
    )
    converged = f.density.holds and f.invariant.holds
    if converged and f.relabelled.known and not f.relabelled.holds:
        return Check(
            question, "care", f.relabelled.r_hat, f.relabelled.bound,
            f"{finding} The chains agree on label-invariant quantities but not on single "
            f"components after relabelling (R-hat up to {f.relabelled.r_hat:.3f}).",
            "Use label-invariant quantities, fewer components, or a prior that separates the "
            "components.",
            name,
        )  # fmt: skip
    return Check(
        question, "care", share, _UNCLEAR, finding,
        "Treat summaries of single components as approximate: their means are pushed apart and "
        "their intervals are too short. Label-invariant quantities are not affected.",
    )  # fmt: skip


def _also_labels(f: Figures) -> str:
    """A sentence on label switching for verdicts on something else."""
    if f.outside > STRAY:
        return f" Labels also switch within chains ({times(f.switches)})."
    if f.labellings > 1:
        return f" Labels also differ between chains ({f.labellings} labellings)."
    return ""


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def times(count: int) -> str:
    """Once, or so many times."""
    return "once" if count == 1 else f"{count} times"
