"""How probable each number of components is, by the evidence."""

from bayesgmm.covariance.structures import as_structure
from bayesgmm.display import plural
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

# Probability of its K below which the mixture is doubtful.
_DOUBTFUL = 0.1
_NOTES = (
    "The evidence is the density of the rows with all parameters integrated out. It depends on the "
    "priors, also where the posterior hardly does: prior_sensitivity compares several.",
    "Leave-one-out cross-validation (az.loo) answers another question, how well new rows are "
    "predicted. A redundant component hardly harms predictions, so that it does not choose K.",
)


def evidence_section(inputs: Inputs) -> Section:
    """The probabilities of K and of K+, beside the K of the page."""
    found = inputs.evidence
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
    own = float(table["probability"].get(k, 0.0))
    if own < _DOUBTFUL:
        state = "care"
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
    return Section(state, " ".join(sentences), (), (_table(inputs),), _NOTES, numbers)


def _table(inputs: Inputs) -> Table:
    assert inputs.evidence is not None
    filled = inputs.evidence.filled["probability"]
    of_sizes = inputs.evidence.table
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
    note = "Log evidence in nats, with Monte Carlo standard errors."
    return Table("Evidence of each number of components", heads, rows, note)
