"""A fit in words and numbers, in the manner of mclust's summary."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.validation import Data
from bayesgmm.display import listed, plural, text_table
from bayesgmm.em.multistart import SAME_MAXIMUM
from bayesgmm.em.spurious import at_bound
from bayesgmm.errors import InputError
from bayesgmm.estimator.fitted_rows import of_fitted_rows
from bayesgmm.estimator.information_criteria import Criteria, information_criteria
from bayesgmm.estimator.source_results import sizes_of, sums_of_source
from bayesgmm.mixture.bhattacharyya_distance import BARELY_DISTINGUISHABLE, bhattacharyya
from bayesgmm.mixture.outlying import signs_of_outliers
from bayesgmm.priors.objective import Objective
from bayesgmm.uncertainty.intervals import normal_intervals
from bayesgmm.uncertainty.outlier_information import named_errors
from bayesgmm.uncertainty.parameter_vectors import reported
from bayesgmm.uncertainty.standard_errors import reported_errors

if TYPE_CHECKING:
    import pandas as pd

    from bayesgmm.estimator.gaussian_mixture import GaussianMixture

# Numbers of a mixture beyond which standard errors take seconds, and columns beyond which
# correlations fill pages.
_QUICK, _CORRELATED = 1500, 5
_NO_ERRORS = "Standard errors take a pass over the rows: see standard_errors(X)."
# Of intervals.
_PROBABILITY = 0.9


def agreed_starts(fit: "GaussianMixture") -> tuple[int, int]:
    """The number of starts that ended at the best maximum (within .01 nats), and of all starts.

    They are compared with one another: where there are many rows, all were made on one sample.
    """
    starts = fit._records
    sound = [each.log_likelihood for each in starts if each.converged and not each.degeneracy]
    best = max(sound, default=np.nan)
    return sum(abs(value - best) < SAME_MAXIMUM for value in sound), len(starts)


def bound_words(fit: "GaussianMixture") -> str:
    """A sentence on the components that `eigenvalue_ratio` keeps from being narrower, or ""."""
    ratio = fit.eigenvalue_ratio
    objective = Objective(fit._structure, held=fit._held, eigenvalue_ratio=ratio or np.inf)
    if not objective.is_bounded:
        return ""
    found = np.flatnonzero(at_bound(fit._parameters, objective.eigenvalue_ratio)).tolist()
    if not found:
        return ""
    return (
        f"The bound of {ratio:g} on ratios of variances keeps "
        f"{listed([f'component {k}' for k in found])} from being narrower: without it the "
        "likelihood is higher."
    )


class _Account(NamedTuple):
    """A fit under rows.

    Attributes
    ----------
    criteria : Criteria
    sizes : (K + 1,)
        Rows of each component, and those of noise.
    doubts, names, notes : list of str
    numbers : (P, 4)
        Estimates of the named parameters, their standard errors and intervals.
    """

    criteria: Criteria
    sizes: Integers
    doubts: list[str]
    names: list[str]
    numbers: Array
    notes: list[str]


def _account(fit: "GaussianMixture", X: Any) -> _Account:
    of_source = sums_of_source(fit, X)
    if of_source is not None:
        criteria = of_source.criteria(fit.n_parameters_)
        return _Account(criteria, of_source.sizes, _doubts(fit, None), *_parameters(fit))
    data, weights = fit._rows_and_weights(X, None)
    densities, found = fit._memberships(data)
    criteria = information_criteria(densities, found, weights, fit.n_parameters_)
    doubts = _doubts(fit, data)
    return _Account(criteria, sizes_of(found), doubts, *_parameters(fit, data, weights))


def summarise(fit: "GaussianMixture", X: Any) -> str:
    """The text of `GaussianMixture.summary`."""
    found, sizes, doubts, names, numbers, notes = _account(fit, X)
    title = title_of(fit)
    figures = {
        "log-likelihood": f"{found.log_likelihood:.6f}",
        "n": f"{found.weight:.12g}",
        "parameters": f"{fit.n_parameters_}",
        "BIC": f"{found.bic:.4f}",
        "ICL": f"{found.icl:.4f}",
    }
    lines = [title, "=" * len(title), "", text_table([[*figures], [*figures.values()]], left=0)]
    lines += ["", "(BIC and ICL: smaller is better)", *_whose(fit, found)]
    lines += [_outcome(fit), *_given(fit), *doubts, ""]
    words = [*fit.mixture_.component_words, *(["noise"] if fit.noise_ is not None else [])]
    rows = [
        [f"size[{k}]", plural(size, "row"), "", "", ""]
        for k, size in zip(words, sizes, strict=False)
    ]
    heads = ["", "estimate", "s.e.", "from", "to (90 %)"]
    cells = [[name, *map(_number, each)] for name, each in zip(names, numbers, strict=True)]
    for cell, held in zip(cells, _are_held(fit), strict=False):
        cell[2:] = ["held", "", ""] if held else cell[2:]
    width = 2 if np.isnan(numbers[:, 1]).all() and not any(_are_held(fit)) else len(heads)
    lines.append(text_table([line[:width] for line in (heads, *rows, *cells)]))
    return "\n".join([*lines, *([""] if notes else []), *notes])


def cell_of(fit: "GaussianMixture") -> "list[str | pd.DataFrame]":
    """The fit for a notebook cell: verdict, criteria, and the table of parameters."""
    import pandas as pd

    doubts = [] if fit.degeneracy_ is None else [f"Degenerate: {fit.degeneracy_}."]
    try:
        found, _, doubtful, names, numbers, notes = _account(fit, None)
    except InputError as error:
        names, numbers = reported(fit.mixture_)
        table = pd.DataFrame({"estimate": numbers}, index=names)
        return [title_of(fit), _outcome(fit), *doubts, table, str(error)]
    criteria = (
        f"log-likelihood {found.log_likelihood:.4f} nats, BIC {found.bic:.2f}, "
        f"ICL {found.icl:.2f} (smaller is better)"
    )
    table = pd.DataFrame(numbers, names, ["estimate", "s.e.", "from", "to (90 %)"])
    said = [_outcome(fit), *doubts, *_given(fit), *doubtful]
    return [title_of(fit), *said, criteria, table, *notes]


def _outcome(fit: "GaussianMixture") -> str:
    if np.isnan(fit.remaining_):
        return f"followed online, in {plural(fit.n_iter_, 'step')}: near a maximum, not at it"
    agreed, made = agreed_starts(fit)
    state = "converged" if fit.converged_ else f"NOT converged, {fit.remaining_:.1e} nats short"
    after = plural(fit.n_iter_, "iteration")
    return f"{state} in {after}; {agreed} of {made} starts reached this maximum"


def _given(fit: "GaussianMixture") -> list[str]:
    """Lines on what the fit was given beside the rows: priors, held parameters, known rows."""
    lines = []
    if fit.priors_ is not None:
        lines.append(
            f"mode of the posterior density under priors: {fit.priors_.words} (numbers: priors_); "
            f"log posterior {fit.log_posterior_:.6f}"
        )
    if fit._held is not None:
        lines.append(f"held at given values: {fit._held.words}")
    if bound := bound_words(fit):
        lines.append(bound)
    labels = None if fit._fitted is None else fit._fitted[3]
    if labels is not None:
        known = int((labels >= 0).sum())
        lines.append(f"components known beforehand: those of {known:,} of {len(labels):,} rows")
    return lines


def _are_held(fit: "GaussianMixture") -> Booleans:
    """True for held parameters, in the order of `reported`; empty if none is held."""
    if fit._held is None:
        return np.zeros(0, dtype=np.bool_)
    weights, means, covariances = fit._held.masks
    d = means.shape[1]
    of_covariances = [covariances.repeat(each) for each in (d, d * (d - 1) // 2)]
    return np.concatenate((weights, means.ravel(), *of_covariances))


def title_of(fit: "GaussianMixture") -> str:
    """The model in words."""
    structure, k, d = fit._structure, fit.mixture_.n_components, fit.mixture_.n_features
    letters, words = structure.code, structure.words
    if d == 1:
        letters = "X" if k == 1 else "E" if letters.startswith("E") else "V"
        words = {"X": "univariate", "E": "univariate, equal variance"}.get(
            letters, "univariate, unequal variance"
        )
    noise = "" if fit.noise_ is None else " and uniform noise"
    noise += "" if fit.contamination_ is None else ", each with outliers"
    return (
        f"Gaussian mixture fitted by EM: {letters} ({words}) with {plural(k, 'component')}"
    ) + noise


def _whose(fit: "GaussianMixture", found: Criteria) -> list[str]:
    """A line on figures of other rows than were fitted."""
    if np.isnan(fit.remaining_) or of_fitted_rows(fit, found):
        return []
    return [
        f"These are figures of other rows than the {fit.n_rows_:g} that were fitted, whose "
        f"log-likelihood was {fit.log_likelihood_:.6f}"
    ]


def _parameters(
    fit: "GaussianMixture", data: Data | None = None, weights: Array | None = None
) -> tuple[list[str], Array, list[str]]:
    """Names, numbers (P, 4: estimate, error, interval), and notes on what is missing."""
    k, d = fit.mixture_.means.shape
    names, estimates = reported(fit.mixture_)
    spread, notes = np.full(len(names), np.nan), []
    extras = named_errors(np.full(2 * k, np.nan), fit.noise_, fit.contamination_)
    if data is None:
        notes.append(_NO_ERRORS)
    elif k * (1 + d + d * (d + 1) // 2) > _QUICK:
        notes.append("Standard errors of so many parameters take long: see standard_errors().")
    else:
        try:
            rows = data._replace(feature_names=fit.mixture_.feature_names)
            errors = fit.standard_errors(rows, sample_weight=weights)
            spread, notes = reported_errors(errors), [*errors.notes]
            extras = dict(errors.extras)
        except InputError as error:
            notes.append(f"No standard errors: {error}")
    shown = len(names)
    if fit._structure.diagonal or d > _CORRELATED:
        shown = k * (1 + 2 * d)  # without correlations, which come last
        if not fit._structure.diagonal:
            notes.append(
                "Correlations: see covariances_."
                if data is None
                else "Correlations: see standard_errors().table, and covariances_."
            )
    if extras:
        more = np.array([*extras.values()])
        names, shown = [*extras, *names], shown + len(extras)
        estimates, spread = np.append(more[:, 0], estimates), np.append(more[:, 1], spread)
    ends = normal_intervals(names, estimates, spread, _PROBABILITY)
    numbers = np.stack((estimates, spread, *ends), axis=1)
    return names[:shown], numbers[:shown], notes


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.7g}"


def _doubts(fit: "GaussianMixture", data: Data | None) -> list[str]:
    """Lines on empty rows, signs of outliers, and pairs of barely distinguishable components."""
    nearness, words = bhattacharyya(fit.mixture_), fit.mixture_.component_words
    plain = fit.noise_ is None and fit.contamination_ is None
    of_rows = []
    if data is not None:
        outlying = signs_of_outliers(fit.mixture_, data) if plain else []
        of_rows = [*_unseen(data), *outlying]
    return of_rows + [
        f"components {words[j]} and {words[i]} overlap (Bhattacharyya coefficient "
        f"{nearness[i, j]:.2f}): one may be superfluous"
        for i in range(len(nearness))
        for j in range(i)
        if nearness[i, j] > BARELY_DISTINGUISHABLE
    ]


def _unseen(data: Data) -> list[str]:
    """A line on rows of which nothing was seen: their component is not known from the data."""
    empty = np.flatnonzero(np.isnan(data.X).all(axis=1)) if data.has_missing else np.zeros(0, int)
    if not empty.size:
        return []
    return [
        f"nothing was seen of {plural(len(empty), 'row')} (first: {data.row(int(empty[0]))}): the "
        "memberships of such a row are the weights, and it counts for the component of the "
        "largest weight"
    ]
