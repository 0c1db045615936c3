"""How probable each number of components is, by the evidence."""

import math
from collections.abc import Sequence
from dataclasses import replace

from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import plural
from bayesgmm.marginal_likelihood.model_evidence import Evidence
from bayesgmm.reporting.inputs import Inputs
from bayesgmm.reporting.parts import (
    NOTHING,
    Row,
    Section,
    State,
    Table,
    fixed,
    percent,
    significant,
)

_NOTES = (
    "The evidence is the density of the rows with all parameters integrated out. It depends on the "
    "priors, also where the posterior hardly does: prior_sensitivity compares several.",
    "Leave-one-out cross-validation (az.loo) answers another question, how well new rows are "
    "predicted. A redundant component hardly harms predictions, so that it does not choose K.",
)


def evidence_section(inputs: Inputs) -> Section:
    """The probabilities of K and of K+, beside the K of the page."""
    found = inputs.evidence
    if isinstance(found, str):
        return Section("unknown", f"The evidence was requested, but could not be computed: {found}")
    if found is None:
        return Section(
            None, "The evidence is computed on request, and none was given.", asked=False
        )
    table, filled = found.table, found.filled["probability"]
    k, best = inputs.mixture.n_components, int(table["probability"].idxmax())
    most = table.loc[best, "probability"]
    sentences = [
        f"Of {table.index[0]} to {table.index[-1]} components, {best} "
        f"{'is' if best == 1 else 'are'} the most probable ({percent(most).text}), if all numbers "
        "are equally probable a priori.",
        f"The number of components that hold rows, K+, is most probably {filled.idxmax()} "
        f"({percent(filled.max()).text}).",
    ]
    state: State = "good"
    if k != best:
        state = "care"
        own = float(table["probability"].get(k, 0.0))
        sentences.append(
            f"The {plural(k, 'component')} of this page have {percent(own).text}."
            if k in table.index
            else f"The {plural(k, 'component')} of this page were not among them."
        )
    structure = as_structure(found.covariance_type, inputs.n_features)
    fitted = inputs.em.covariance_type if inputs.em is not None else structure
    if as_structure(fitted, inputs.n_features) != structure:
        state = "care"
        sentences.append(
            f"The evidence is for {structure.name} covariances, not those of the page."
        )
    numbers = {
        "evidence": table.reset_index().to_dict("records"),
        "filled": filled.to_dict(),
        "covariance_type": structure.name,
    }
    return Section(state, " ".join(sentences), (), (_table(found),), _NOTES, numbers)


def reconciled(sections: Sequence[Section]) -> list[Section]:
    """The sections, those on K with care and a sentence where BIC and the evidence differ on it."""
    found = {section.key: section.numbers for section in sections}
    grid, probabilities = found["choice"].get("grid"), found["evidence"].get("evidence")
    fitted = [each for each in grid or () if each["note"] == "" and math.isfinite(each["bic"])]
    if not fitted or not probabilities:
        return list(sections)
    by_bic = int(min(fitted, key=lambda each: each["bic"])["n_components"])
    probable = int(max(probabilities, key=lambda each: each["probability"])["n_components"])
    if by_bic == probable:
        return list(sections)
    added = {
        "choice": f"The evidence differs: K = {probable} is the most probable, as the section on "
        "the number of components says.",
        "evidence": f"BIC, which is smallest for K = {by_bic}, differs: it compares likelihoods "
        "at their maximum, with one penalty for every parameter, whereas the evidence averages "
        "them over the priors and depends on these. Report K with its criterion and priors.",
    }
    return [
        replace(each, state="care", verdict=f"{each.verdict} {added[each.key]}")
        if each.key in added
        else each
        for each in sections
    ]


def _table(found: Evidence) -> Table:
    filled = found.filled["probability"]
    of_sizes = found.table
    rows: list[Row] = []
    for k in range(1, int(filled.index[-1]) + 1):
        own: Row = (NOTHING,) * 4
        if k in of_sizes.index:
            each = of_sizes.loc[k]
            own = (
                fixed(each["log_evidence"], 3),
                significant(each["se"], 2),
                percent(each["probability"]),
                percent(each["probability_se"]),
            )
        rows.append((str(k), *own, percent(filled[k])))
    heads = ("", "log evidence", "s.e.", "p(K | X)", "s.e.", "p(K+ = K | X)")
    note = (
        "Log evidence: the log marginal likelihood log p(X | K), in nats. p(K | X): the "
        "probability that the mixture has K components, if all these K are equally probable a "
        "priori. p(K+ = K | X): the probability that K components hold rows. s.e.: the Monte Carlo "
        "standard error of the figure on its left."
    )
    return Table("Evidence of each number of components", heads, rows, note)
