"""The table of evidence: one check for each question that a posterior has to answer."""

import numpy as np

from bayesgmm.convergence.agreement import ENOUGH, STAY, TOO_FEW, is_stuck
from bayesgmm.display import plural
from bayesgmm.verdicts.figures import SPARE, UNCLEAR, Check, Figures
from bayesgmm.verdicts.mode_evidence import check_modes

# Standard errors between rows and draws above which the draws do not describe the rows.
_APART = 5.0
# R-hat above which longer chains are unlikely to help.
_SLIGHT = 1.1
# Proportion of divergent transitions above which they are not a matter of the tails.
_DIVERGENT = 0.01
# Proportion of transitions at the greatest depth, and least fraction of missing information.
_DEEP, _ENERGY = 0.01, 0.3
# Pareto k-hat above which independent proposals may miss the tails.
_K_HAT = 0.5
# Proportion of a chain's draws outside its modal labelling above which labels switch within it.
STRAY = 0.0025


def checks(f: Figures) -> tuple[Check, ...]:
    """All checks, in the order in which they decide the verdict."""
    return (
        _rows(f),
        _convergence(f),
        _components(f),
        check_modes(f),
        _transitions(f),
        _single_components(f),
    )


def _rows(f: Figures) -> Check:
    question, name = "the draws describe the rows", "rows not described"
    if not f.gaussian:
        return Check(
            question, "unknown", np.nan, _APART,
            "Rows are compared with draws of Gaussian mixtures only.",
            "Compare the rows with draws of the model's posterior predictive distribution.",
        )  # fmt: skip
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
    if f.held:
        return Check(
            question, "unknown", r.errors, _APART,
            "With held parameters, the draws need not have the means and standard deviations "
            f"of the rows; the {where} is {r.rows:.4g} in the rows and {r.draws:.4g} in the draws.",
            "Make sure that the rows are those of the fit, and that the held values are right.",
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
    if f.overfitted and f.density.r_hat <= _SLIGHT:
        # A redundant component moves slowly whatever the sampler: it is what has to be mended.
        name = ""
    if is_stuck(f.stay, f.n_draws):
        return _stuck(f, question)
    if not (f.density.known or (f.invariant.known and not f.overfitted)):
        reason = "with a single chain" if f.n_chains == 1 else "with so few draws"
        return Check(
            question, "unknown", np.nan, f.density.bound,
            f"R-hat is not defined {reason}, so convergence cannot be assessed.",
            "Draw at least four chains of several hundred draws from separate starts.",
            "convergence not assessed",
        )  # fmt: skip
    excess = [("label-invariant quantities", f.density)]
    # Chains may differ only in the placement of a component that the data do not support.
    if not f.overfitted:
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
            _longer(worst.r_hat) + _without_ties(f),
            name,
        )  # fmt: skip
    if f.ess < TOO_FEW:
        return Check(
            question, "bad", f.ess, TOO_FEW,
            f"The chains move too slowly to be compared: the least effective sample size is "
            f"{f.ess:.0f}, of {f.n_chains * f.n_draws} draws.",
            "Draw longer chains." + _without_ties(f),
            name,
        )  # fmt: skip
    # What the chains need not agree on is told with the rest where they do.
    told = (f.density, f.invariant) if f.unclear else (f.density, f.invariant, f.relabelled)
    agreed = [each for each in told if each.known and each.holds]
    most = max(agreed, key=lambda each: each.largest)
    finding = f"R-hat is at most {most.largest:.3f}"
    if f.ess < ENOUGH:
        return Check(
            question, "care", f.ess, ENOUGH,
            f"{finding}, but the least effective sample size is {f.ess:.0f}.",
            f"Draw more: R-hat and quantiles are imprecise below {ENOUGH:.0f} effective draws."
            + _without_ties(f),
        )  # fmt: skip
    return Check(
        question, "good", most.largest, most.bound_of_largest,
        f"{finding}, and the effective sample size at least {f.ess:.0f}.",
    )  # fmt: skip


def _stuck(f: Figures, question: str) -> Check:
    stay = max(f.stay)
    return Check(
        question, "bad", stay, STAY,
        f"Chain {int(np.argmax(f.stay))} repeats one draw in {100 * stay:.0f} % of its iterations.",
        "Discard the chain only if you know why it stopped; otherwise sample again from other "
        "starts, or with smaller steps (in NUTS, a higher target_accept or --target-accept).",
        "no convergence",
    )  # fmt: skip


def _longer(r_hat: float) -> str:
    if r_hat <= _SLIGHT:
        return (
            "Draw longer chains. If R-hat does not fall, examine traces of the log density and of "
            "sorted parameters for a mode that the chains visit rarely."
        )
    return (
        "Do not average over these chains. Compare their log densities: chains that remain at "
        "different values are at different modes, and the number of chains at a mode does not "
        "estimate its probability. Draw longer chains."
    )


def _without_ties(f: Figures) -> str:
    """Advice for structures whose coordinates mix slowly."""
    if not f.ties:
        return ""
    return (
        f" Components of {f.ties} share parts of their covariances, which mix slowly: draws of the "
        "full structure (covariance_type='full', --covariance full) are mostly several times as "
        "effective."
    )


def _components(f: Figures) -> Check:
    question, name = "no component is redundant", "overfitted or unidentified component"
    if f.n_components == 1:
        return Check(question, "good", 0.0, SPARE, "There is a single component.")
    if np.isnan(f.redundant):
        return Check(
            question, "unknown", np.nan, SPARE,
            "Redundancy of components is known for Gaussian mixtures only.",
            f"Fit {plural(f.n_components - 1, 'component')}, too, and compare the two predictions "
            "by cross-validation.",
        )  # fmt: skip
    share, criterion = f.redundant, "AIC"
    single = f.unclear or (f.relabelled.holds and f.relabelled.ess >= ENOUGH)
    agree = all(each.holds and each.ess >= ENOUGH for each in (f.density, f.invariant))
    beyond = not (agree and single)
    # A component that the BIC penalty would remove is redundant where chains do not find it.
    if share <= SPARE and beyond and f.overfitted:
        share, criterion = f.unsupported, "BIC"
    if share <= SPARE:
        return Check(
            question, "good", share, SPARE,
            f"In {100 * share:.0f} % of the draws, two components can be merged, or one removed, "
            "without a loss of log-likelihood above the AIC penalty for one.",
        )  # fmt: skip
    return Check(
        question, "care", share, SPARE,
        f"In {100 * share:.0f} % of the draws, two of the {f.n_components} components can be "
        f"merged, or one removed, at a loss of log-likelihood below the {criterion} penalty for "
        "one: a component is empty, or two describe the same cluster.",
        f"Fit {plural(f.n_components - 1, 'component')}, or compare numbers of components. "
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


def _transitions(f: Figures) -> Check:
    question, t = "the sampler reports no trouble", f.transitions
    if found := _divergences(f, question) or _proposals_at_mode(f, question):
        return found
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
    if t.preceding is not None:
        return Check(
            question, "good", 0.0, 0.0,
            "No transition diverged in the NUTS run to which the proposals of these chains were "
            "fitted; independent proposals have no trajectories that could.",
        )  # fmt: skip
    return Check(question, "good", 0.0, 0.0, "No transition diverged.")


def _proposals_at_mode(f: Figures, question: str) -> Check | None:
    """The check of draws by Laplace's method; None for others."""
    k_hat = f.transitions.k_hat
    if k_hat is None:
        return None
    if k_hat > _K_HAT:
        return Check(
            question, "care", k_hat, _K_HAT,
            "Draws are independent proposals at the posterior mode, accepted by the posterior "
            f"density (Laplace's method): Pareto k-hat is {k_hat:.2f}, so that the tails may be "
            "missing.",
            "Draw by NUTS (method='nuts').",
            "thin proposals",
        )  # fmt: skip
    return Check(
        question, "good", k_hat, _K_HAT,
        "Draws are independent proposals at the posterior mode, accepted by the posterior density "
        f"(Laplace's method): Pareto k-hat is {k_hat:.2f}.",
    )  # fmt: skip


def _divergences(f: Figures, question: str) -> Check | None:
    """A check that failed for divergent transitions; None if there are none."""
    t, total, name = f.transitions, f.n_chains * f.n_draws, "divergent transitions"
    boundary = "weights and variances from 0" if f.gaussian else "parameters from their boundary"
    remedy = (
        "Increase target_accept (--target-accept), for example to 0.95; if transitions still "
        f"diverge, use fewer components or a prior that keeps {boundary}." + _without_ties(f)
    )
    if t.divergences:
        return Check(
            question, "bad" if t.divergences > _DIVERGENT * total else "care",
            float(t.divergences), 0.0,
            f"{t.divergences} of {total} transitions diverged: parts of the posterior may be "
            "missing.",
            remedy,
            name,
        )  # fmt: skip
    if t.preceding is None or not t.preceding[0]:
        return None
    return Check(
        question, "care", float(t.preceding[0]), 0.0,
        f"{t.preceding[0]} of {t.preceding[1]} transitions diverged in the NUTS run to which the "
        "proposals of these chains were fitted: the proposals may miss parts of the posterior, "
        "which the chains would then visit rarely.",
        remedy,
        name,
    )  # fmt: skip


def _single_components(f: Figures) -> Check:
    question, name = "components are identified", "overfitted or unidentified component"
    share = max(f.ambiguous, f.exchanged)
    if not f.unclear:
        return Check(
            question, "good", share, UNCLEAR,
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
        question, "care", share, UNCLEAR, finding,
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


def times(count: int) -> str:
    """Once, or so many times."""
    return "once" if count == 1 else f"{count} times"
