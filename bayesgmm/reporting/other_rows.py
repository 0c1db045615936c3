"""Results that belong to other rows than the report's."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayesgmm.diagnostics import sampled_rows
from bayesgmm.display import plural
from bayesgmm.estimator.fitted_rows import of_fitted_rows
from bayesgmm.likelihood.outliers import memberships
from bayesgmm.reporting.inputs import Inputs, criteria_of
from bayesgmm.reporting.parts import fixed


def other_rows(inputs: Inputs) -> list[str]:
    """A sentence on each result that was not computed from these rows."""
    return [*_of_em(inputs), *_of_posterior(inputs), *_of_selection(inputs)]


def _of_em(inputs: Inputs) -> Iterator[str]:
    fit = inputs.em
    if fit is None or of_fitted_rows(fit, inputs.criteria):
        return
    fitted, here = fit.log_likelihood_, inputs.criteria.log_likelihood
    yield (
        f"EM was fitted to other rows ({plural(round(fit.n_rows_), 'row')}, log-likelihood "
        f"{fixed(fitted, 4).text} nats); the figures below are of the mixture on these rows "
        f"(log-likelihood {fixed(here, 4).text} nats)."
    )


def _of_posterior(inputs: Inputs) -> Iterator[str]:
    if inputs.posterior is None:
        return
    sampled = sampled_rows.other_rows(inputs.posterior, inputs.observed.X)
    if sampled is not None:
        yield f"The posterior was sampled for other rows ({plural(sampled, 'row')})."


def _of_selection(inputs: Inputs) -> Iterator[str]:
    """Compare the best model with these rows, or their number with that within BIC."""
    if inputs.selection is None:
        return
    best = inputs.selected
    if best is not None and best.n_features_in_ == inputs.n_features:
        rows = inputs.observed._replace(labels=best.labels_of(inputs.observed.X))
        probable = memberships(rows, best.mixture_, best.noise_, best.contamination_)
        found = criteria_of(best, inputs.observed.X, *probable)
        same = of_fitted_rows(best, found)
    else:
        same = _n_rows(inputs.selection) in (None, len(inputs.observed.X))
    if not same:
        yield "The grid of models was fitted to other rows: its BIC is not that of these."


def _n_rows(table: pd.DataFrame) -> int | None:
    """The number of rows of a table: BIC is -2 l + nu log n."""
    known = table[["bic", "log_likelihood", "n_parameters"]].dropna()
    if known.empty:
        return None
    bic, value, nu = known.iloc[0]
    return round(float(np.exp((bic + 2.0 * value) / nu)))
