"""A grid of models: its table, the models themselves, and the best of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count
from bayesgmm.covariance.structures import CovarianceType, as_structure
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
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
        shown = ranked.head(top)[columns].assign(behind=(ranked[name] - ranked[name].iloc[0]).abs())
        for column in shown.select_dtypes("float"):
            shown[column] = shown[column].map("{:.3f}".format)
        shown.index += 1
        first = ranked.iloc[0]
        structure = as_structure(first["covariance_type"])
        k = int(first["n_components"])
        found = self.best.noise_
        noise = "" if found is None else f" and uniform noise of weight {found.weight:.3g}"
        noise += ", each with outliers" * (self.best.contamination_ is not None)
        title = f"Selection of components and structure by {CRITERIA[self.criterion][1]}"
        return [
            f"{title}\nINTERRUPTED: not all models were fitted" if self.interrupted else title,
            shown,
            f"Best: {structure.code} ({structure.words}) with {plural(k, 'component')}" + noise,
            f"{len(ranked)} of {len(self.table)} models have an admissible fit; the notes of the "
            "table give the reasons for the others"
            if len(ranked) < len(self.table)
            else f"All {len(ranked)} models have an admissible fit"
            if len(ranked) > 1
            else "The model has an admissible fit",
        ]


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
