"""A grid of models: its table, the models themselves, and the best of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count
from bayesgmm.covariance.structures import CovarianceType, as_structure
from bayesgmm.data.validation import Data
from bayesgmm.display import listed, plural
from bayesgmm.errors import FitError, InvalidParameterError
from bayesgmm.estimator.fitted_rows import kept_rows
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.results import Result, as_text
from bayesgmm.selection.candidate import Candidate

if TYPE_CHECKING:
    import pandas as pd

# Literals are for editors: a program may pass any string, which is checked.
type Criterion = Literal["bic", "icl", "aic", "cv"] | str

# Column of the table, and name, by criterion.
CRITERIA = {
    "bic": ("bic", "BIC (smaller is better)"),
    "icl": ("icl", "ICL (smaller is better)"),
    "aic": ("aic", "AIC (smaller is better)"),
    "cv": ("cv_log_likelihood", "held-out log-likelihood, nats (larger is better)"),
}
# Name of each criterion in a sentence, and what it favours.
FAVOURS = {
    "bic": (
        "BIC",
        "the mixture that approximates the density best, where several components may describe one "
        "cluster",
    ),
    "icl": ("ICL", "components that overlap less"),
    "aic": ("AIC", "prediction, and more components than BIC"),
    "cv": ("The held-out likelihood", "prediction"),
}
# Heads of the columns in a summary.
_HEADS = {
    "n_components": "components",
    "covariance_type": "structure",
    "log_likelihood": "log-likelihood",
    "n_parameters": "parameters",
    "bic": "BIC",
    "icl": "ICL",
    "aic": "AIC",
    "cv_log_likelihood": "held-out log-likelihood",
}
# What speaks on the number of components beside the criteria.
OTHER_ANSWERS = (
    "The probability of each K under stated priors is that of bayesgmm.evidence(X) and bayesgmm "
    "report --evidence, the number of clusters in a posterior that of "
    "bayesgmm.posterior_partition(posterior). The documentation "
    'compares them on the page "Is this K right?".'
)
# Differences of BIC above which Kass & Raftery (1995) call evidence positive, strong, very strong.
POSITIVE, STRONG, VERY_STRONG = 2.0, 6.0, 10.0
# Reasons for the lack of a fit that a summary lists, and models for each.
_REASONS, _MODELS = 3, 3
# mclust's order of the columns.
DIAGONAL = ("EII", "VII", "EEI", "VEI", "EVI", "VVI")
FULL = ("EEE", "VEE", "EVE", "VVE", "EEV", "VEV", "EVV", "VVV")
_MCLUST = (*DIAGONAL, *FULL, "E", "V")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Selection(Result):
    """A grid of fitted mixtures and the best of them.

    Attributes
    ----------
    table : pandas.DataFrame
        A row for each model: n_components, covariance_type (mclust's code), log_likelihood (total,
        nats), n_parameters, bic, aic, icl (smaller is better), with criterion="cv" also
        cv_log_likelihood (held-out, nats, larger is better), converged, and note: the reason why
        there is no fit, or a degenerate one. A model with a note is never selected.
    best : GaussianMixture
        The selected model, fitted to convergence; with `noise_component` it has `noise_`, with
        `contaminated` it has `contamination_`.
    criterion : str
        "bic", "icl", "aic" or "cv".
    n_rows : int
    interrupted : bool
        True after Ctrl-C: models with a note to that effect were not fitted, and others may have a
        higher maximum.

    Examples
    --------
    >>> from bayesgmm import load_dataset, select_mixture
    >>> chosen = select_mixture(load_dataset("faithful").X, range(1, 5), ["full", "tied"], rng=0)
    >>> chosen.best.n_components, chosen.best.covariance_type
    (3, 'tied')
    >>> chosen.table[["n_components", "covariance_type", "bic"]].head(3).round(1)
       n_components covariance_type     bic
    0             1             VVV  2607.6
    1             1             EEE  2607.6
    2             2             VVV  2322.2
    """

    table: "pd.DataFrame"
    best: GaussianMixture
    criterion: str
    n_rows: int
    interrupted: bool
    _models: Mapping[tuple[int, str], Candidate]

    def ranked(self) -> "pd.DataFrame":
        """The rows of the admissible models, the best first."""
        name, sign = ranking_column(self.criterion)
        admissible = self.table[(self.table["note"] == "") & self.table[name].notna()]
        return admissible.sort_values(name, ascending=sign > 0, kind="stable", ignore_index=True)

    def fit(
        self, n_components: int, covariance_type: CovarianceType | None = None
    ) -> GaussianMixture:
        """Another model of the grid, fitted to convergence to the same rows.

        Parameters
        ----------
        n_components : int
        covariance_type : str or Structure, optional
            None: the structure that the criterion prefers for this number of components.

        Raises
        ------
        InvalidParameterError
            If the grid does not have the model.
        FitError
            If the model has no admissible fit.
        InputError
            If the selection was read from a file, which does not contain the rows.
        """
        k, best = check_count("n_components", n_components), self.best
        codes = set(self.table["covariance_type"])
        if covariance_type is not None:
            codes = {as_structure(covariance_type, best.n_features_in_).code}

        def wanted(table: "pd.DataFrame") -> "pd.DataFrame":
            return table[(table["n_components"] == k) & table["covariance_type"].isin(codes)]

        among, ranked = wanted(self.table), wanted(self.ranked())
        if among.empty:
            raise InvalidParameterError(
                f"The grid has no {' or '.join(sorted(codes))} with K = {k}. Its table lists the "
                "models that it has."
            )
        if ranked.empty:
            note = among["note"].iloc[0].rstrip(".")
            raise FitError(f"The model has no admissible fit: {note}.")
        model, rows = self._models[k, ranked["covariance_type"].iloc[0]], kept_rows(best)
        kept = ("eigenvalue_ratio", "equal_weights", "noise_component", "contaminated")
        settings = {name: getattr(best, name) for name in kept}
        return fit_candidate(rows, model, settings, best.weights_of(rows.X))

    def to_mclust(self) -> "pd.DataFrame":
        """The criterion in mclust's layout and sign: a row for each K, larger is better.

        Models without an admissible fit are NaN.
        """
        name, sign = ranking_column(self.criterion)
        values = self.table.assign(value=-sign * self.table[name].where(self.table["note"] == ""))
        wide = values.pivot(index="n_components", columns="covariance_type", values="value")
        wide = wide[[code for code in _MCLUST if code in wide.columns]]
        return wide.rename_axis(index=None, columns=None)

    def summary(self, top: int = 5) -> str:
        """The `top` best models, as text."""
        return as_text(self._paragraphs(top))

    def _paragraphs(self, top: int = 5) -> "list[str | pd.DataFrame]":
        top = check_count("top", top)
        ranked = self.ranked()
        name, _ = ranking_column(self.criterion)
        columns = ["n_components", "covariance_type", "log_likelihood", "n_parameters"]
        columns += dict.fromkeys(("bic", "icl", name))
        differences = (ranked[name] - ranked[name].iloc[0]).abs()
        shown = ranked.head(top)[columns].assign(difference=differences)
        for column in shown.select_dtypes("float"):
            shown[column] = shown[column].map("{:.3f}".format)
        shown = shown.rename(columns=_HEADS)
        shown.index += 1
        first = ranked.iloc[0]
        structure = as_structure(first["covariance_type"])
        k, n = int(first["n_components"]), len(ranked)
        found = self.best.noise_
        noise = "" if found is None else f" and uniform noise of weight {found.weight:.3g}"
        noise += ", each with outliers" * (self.best.contamination_ is not None)
        title = f"Selection of components and structure by {CRITERIA[self.criterion][1]}"
        return [
            f"{title}\nINTERRUPTED: not all models were fitted" if self.interrupted else title,
            shown,
            f"Best: {structure.code} ({structure.words}) with {plural(k, 'component')}" + noise,
            self._answers(ranked),
            f"{n} of {len(self.table)} models have an admissible fit of their own. "
            + self._reasons()
            if n < len(self.table)
            else f"All {n} models have an admissible fit."
            if n > 1
            else "The model has an admissible fit.",
        ]

    def _answers(self, ranked: "pd.DataFrame") -> str:
        """The meaning of criterion and differences, and what other criteria select."""
        of_bic = (
            f" (evidence is weak below {POSITIVE:g}, positive to {STRONG:g}, strong to "
            f"{VERY_STRONG:g}, very strong above)"
        )
        sentences = [f"Differences are from the best model{of_bic * (self.criterion == 'bic')}."]
        sentences.append("{} favours {}.".format(*FAVOURS[self.criterion]))
        sentences += [selected(ranked, each) for each in ("bic", "icl") if each != self.criterion]
        return " ".join([*sentences, OTHER_ANSWERS])

    def _reasons(self) -> str:
        """The reasons why models have no admissible fit, with the first models of each."""
        failed = self.table[self.table["note"] != ""]
        groups = [
            (note, [words_of(row) for _, row in each.head(_MODELS).iterrows()], len(each))
            for note, each in failed.groupby("note", sort=False)
        ]
        lines = [
            f"{str(note).rstrip('.')} ({', '.join(models)}"
            f"{f' and {size - len(models)} more' * (size > len(models))})"
            for note, models, size in groups[:_REASONS]
        ]
        hidden = len(groups) - len(lines)
        lines += [f"{plural(hidden, 'more reason')}: column note of the table."] * (hidden > 0)
        return "The others have none, for these reasons:\n  " + "\n  ".join(lines)


def words_of(row: Any) -> str:
    """A row of the table in words: "EEE with 3 components"."""
    code = as_structure(str(row["covariance_type"])).code
    return f"{code} with {plural(int(row['n_components']), 'component')}"


def selected(table: "pd.DataFrame", criterion: str, own: Any = None) -> str:
    """A sentence on the model of a table that BIC or ICL selects, beside one of its rows."""
    best = words_of(table.sort_values(criterion, kind="stable").iloc[0])
    model = f"{best}, too" if own is not None and best == words_of(own) else best
    return "{}, which favours {}, selects {}.".format(*FAVOURS[criterion], model)


def beyond_edge(k: int, tried: Sequence[int], first: int = 1) -> str:
    """Advice on a number of components at the edge of those that were tried; "" if it is not.

    Parameters
    ----------
    k : int
    tried : sequence of int
        In ascending order.
    first : int
        The fewest components that are possible.
    """
    least, most = tried[0], tried[-1]
    if least == most or least < k < most or k == first:
        return ""
    if k == most:
        return (
            f"more components may be better. To go on, give range({least}, {most + 4}), or "
            f"-k {most + 3}."
        )
    untried = f"K = {first} was" if least - 1 == first else f"K = {first} to {least - 1} were"
    return (
        f"it is preferred to {listed([f'K = {each}' for each in tried[1:]])}, but {untried} not "
        f"compared. To do so, give range({first}, {most + 1}), or --min-components {first}."
    )


def ranking_column(criterion: str) -> tuple[str, int]:
    """The column that ranks the models, and 1 if smaller is better, else -1."""
    return CRITERIA[criterion][0], -1 if criterion == "cv" else 1


def fit_candidate(
    X: Any,
    model: Candidate,
    settings: Mapping[str, Any],
    weights: ArrayLike | None,
    errors: ArrayLike | None = None,
    labels: ArrayLike | None = None,
) -> GaussianMixture:
    """A model fitted to convergence, its components in the order of means or of known labels."""
    start, k = model.parameters, model.n_components
    assert start is not None
    if labels is None and not (isinstance(X, Data) and X.labels is not None):
        order = np.lexsort(start.means[:k].T[::-1])
        # With outliers, start is pairs: k and k + K.
        start = start.permuted(np.concatenate([order + j for j in range(0, len(start.means), k)]))
    fit = GaussianMixture(k, covariance_type=model.structure.name, **settings)
    return fit._fit(X, weights, start, errors, labels)
