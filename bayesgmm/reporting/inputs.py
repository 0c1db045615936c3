"""The input of a report, checked once, and the quantities that several sections use."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesgmm.arguments import check_kind
from bayesgmm.arrays import Array, Booleans, Integers
from bayesgmm.data.coercion import column_names
from bayesgmm.data.validation import Data
from bayesgmm.diagnostics.point_estimates import point_estimate
from bayesgmm.display import plural
from bayesgmm.errors import BayesGMMError, InputError, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.estimator.information_criteria import Criteria, information_criteria
from bayesgmm.likelihood.outliers import memberships, outlier_probabilities
from bayesgmm.marginal_likelihood.model_evidence import Evidence
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.fitted_mixture import (
    MixtureLike,
    fitted_mixture,
    weighted_rows,
    with_errors_of,
)
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise
from bayesgmm.plots.mixture_content import Described
from bayesgmm.plots.style import short_names
from bayesgmm.posterior.draws import Draws
from bayesgmm.posterior.reader import (
    KINDS,
    as_stored,
    variable_names,
)
from bayesgmm.priors.resolved_priors import ResolvedPriors
from bayesgmm.reporting.mixture_pictures import Drawing
from bayesgmm.reporting.parts import Shown, UnavailableError, count
from bayesgmm.selection.selection_result import Selection
from bayesgmm.uncertainty.standard_errors import StandardErrors
from bayesgmm.verdicts.switching import LabelSwitching, label_switching

if TYPE_CHECKING:
    import pandas as pd

# Posterior draws from which replicates are simulated.
_REPLICATED = 199
# Columns that the table of select_mixture has at least.
_SELECTED = {"n_components", "covariance_type", "log_likelihood", "n_parameters", "bic", "icl"}
_SELECTED |= {"note"}


@dataclass(frozen=True, eq=False)
class Inputs:
    """The rows, and the results computed from them.

    Attributes
    ----------
    observed : Data
        The rows, as far as they were seen, with their measurement errors.
    names : tuple of D str
        x0, x1, ... for columns without names.
    source : str
        Origin of the rows, in words.
    em, posterior, variables, truth, labels, selection
        As for `report`; None if not given. Labels are text, and the selection is its table.
    selected : GaussianMixture or None
        The best model of a selection that was given whole.
    evidence : Evidence, str or None
        A text is the reason why it could not be computed.
    command : str or None
        The command line that produces the same page.
    reading : str or None
        Python code that reads the rows.
    drawing : Drawing
        Settings of the pictures of the rows.
    """

    observed: Data
    names: tuple[str, ...]
    source: str
    em: GaussianMixture | None
    posterior: Any
    variables: Mapping[str, str] | None
    truth: Mixture | None
    labels: tuple[str, ...] | None
    selection: "pd.DataFrame | None"
    selected: GaussianMixture | None
    evidence: Evidence | str | None
    command: str | None
    reading: str | None
    drawing: Drawing

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.observed.X.shape[1])

    @cached_property
    def labels_short(self) -> tuple[str, ...]:
        """The columns' names for figures and tables."""
        return tuple(short_names(self.names))

    @property
    def component_words(self) -> tuple[str, ...]:
        """The names of the components, as their groups are labelled, or else their numbers."""
        return self.mixture.component_words

    @property
    def component_cells(self) -> tuple[str | Shown, ...]:
        """The components as cells of tables: numbers, where they have no names."""
        names = self.mixture.component_names
        return names or tuple(count(k) for k in range(self.mixture.n_components))

    def named(self, component: int) -> str:
        """A component by its name or number; -1 is noise."""
        return "noise" if component < 0 else f"component {self.component_words[component]}"

    def row(self, b: int) -> Shown:
        """A row by its name, or else its number."""
        names = self.observed.row_names
        return Shown(b, self.observed.row(b) if names is None else str(names[b]))

    @property
    def rows_named(self) -> str:
        """A sentence on how tables name rows."""
        if self.observed.row_names is None:
            return "Rows are numbered from 0."
        return "Rows have the names of their index, or of their column of names."

    @cached_property
    def complete(self) -> Booleans:
        """True for rows without missing entries, (n,)."""
        return np.asarray(~np.isnan(self.observed.X).any(axis=1))

    @cached_property
    def mixture(self) -> Mixture:
        """The mixture that the report describes: EM's estimate, or else the posterior mean."""
        if self.em is not None:
            return self.em.mixture_
        if self.posterior is not None:
            return self.draws.mean()
        raise UnavailableError("neither an EM fit nor a posterior was given")

    @property
    def searched(self) -> bool:
        """True if EM went on from the maximum that the search of a grid had found."""
        return self.em is not None and self.em is self.selected

    @property
    def noise(self) -> Noise | None:
        """The component of noise beside the mixture, if there is one."""
        return self._beside[0]

    @cached_property
    def _beside(self) -> tuple[Noise | None, Contamination | None]:
        """Noise and outliers of EM's estimate, or else of the posterior mean."""
        if self.em is not None:
            return self.em.noise_, self.em.contamination_
        return (None, None) if self.posterior is None else self.draws.mean_outliers()

    @property
    def noise_weight(self) -> float:
        """The share of noise among all rows; 0 without."""
        return 0.0 if self.noise is None else self.noise.weight

    @property
    def contamination(self) -> Contamination | None:
        """The outliers of the components, if there are any."""
        return self._beside[1]

    @property
    def with_outliers(self) -> bool:
        """True if the fit has noise, or outliers of its components."""
        return self.noise is not None or self.contamination is not None

    @cached_property
    def known(self) -> Integers | None:
        """The components of the rows that were known to the fit, -1 where unknown."""
        if self.em is not None:
            return self.em.labels_of(self.observed.X)
        if self.posterior is None:
            return None
        return as_stored(self.posterior, self.observed).labels

    @property
    def unseen_groups(self) -> tuple[str, ...] | None:
        """The known groups of rows whose component the fit did not know, "" for other rows.

        None if there are none: a fit agrees with what it was given.
        """
        if self.labels is None or self.known is None:
            return self.labels
        pairs = zip(self.labels, self.known, strict=True)
        groups = tuple("" if k >= 0 else each for each, k in pairs)
        return groups if any(groups) else None

    @cached_property
    def priors_of_posterior(self) -> ResolvedPriors | None:
        """The priors that are recorded with a posterior that `sample_posterior` drew."""
        if self.posterior is None or not {"sampler", "priors"} <= set(self.posterior.attrs):
            return None
        return ResolvedPriors.from_dict(json.loads(self.posterior.attrs["priors"]))

    @property
    def priors(self) -> dict[str, ResolvedPriors]:
        """The priors by what they were used for: "EM", "the posterior", or "" if they are equal."""
        of_em = None if self.em is None else self.em.priors_
        given = {"EM": of_em, "the posterior": self.priors_of_posterior}
        found = {name: each for name, each in given.items() if each is not None}
        if len(found) == 2 and found["EM"] != found["the posterior"]:
            return found
        return {"": next(iter(found.values()))} if found else {}

    @property
    def described(self) -> Described:
        """The mixture with the columns' short names, and the rows' probabilities, for figures."""
        found = self.mixture
        arrays = found.weights, found.means, found.covariances
        named = Mixture(*arrays, self.labels_short, found.component_names)
        return Described(
            named,
            self.memberships[1],
            self.noise_weight,
            self.noise,
            self.contamination,
            self.outlying,
        )

    @cached_property
    def switching(self) -> LabelSwitching:
        """The diagnosis of label switching, with the relabelled posterior."""
        if self.posterior is None:
            raise UnavailableError("no posterior was given")
        return label_switching(
            self.posterior, reference=self.em, X=self.observed, variables=self.variables
        )

    @cached_property
    def draws(self) -> Draws:
        """The relabelled draws, with the labels of EM's estimate if there is one."""
        return self.switching.labelling.relabelled

    @cached_property
    def standard_errors(self) -> tuple[StandardErrors | None, str]:
        """Standard errors of EM's estimate by the observed information, and a note on them."""
        if self.em is None:
            return None, ""
        try:
            # In units beyond 1e75 the fourth powers of covariances overflow; only the standard
            # errors that depend on them are then unknown.
            with np.errstate(over="ignore", invalid="ignore"):
                errors = point_estimate("em", self.em, self.observed, with_outliers=True)[1]
        except BayesGMMError as error:
            return None, f"Standard errors could not be computed: {error}"
        note = "Standard errors are from the observed information, valid if the model is correct."
        return errors, " ".join([note, *(errors.notes if errors else ())])

    @property
    def em_estimate(self) -> StandardErrors | Mixture:
        """EM's estimate, with standard errors where they exist."""
        errors = self.standard_errors[0]
        return self.mixture if errors is None else errors

    def predictive_draws(
        self, features: Sequence[int]
    ) -> list[tuple[Mixture, Noise | None, Contamination | None]] | None:
        """Posterior draws for replicates, in some columns; None for the fitted mixture alone."""
        if self.posterior is None:
            return None
        keep = list(features)
        return [
            (mixture.marginal(keep), noise and noise.marginal(keep), outliers)
            for mixture, noise, outliers in self.draws.each(_REPLICATED)
        ]

    @cached_property
    def memberships(self) -> tuple[Array, Array]:
        """Log densities of the rows, and probabilities of the components: 1 if it was known.

        What these leave of 1 is the probability of noise.
        """
        rows = self.observed._replace(labels=self.known)
        return memberships(rows, self.mixture, self.noise, self.contamination)

    @cached_property
    def outlying(self) -> Array:
        """The probability that each row is noise, or an outlier of its component, (n,)."""
        if self.contamination is not None:
            return outlier_probabilities(self.observed, self.mixture, None, self.contamination)
        return np.maximum(1.0 - self.memberships[1].sum(axis=1), 0.0) * (self.noise is not None)

    @cached_property
    def assigned(self) -> tuple[Integers, Array]:
        """The most probable component of each row, -1 for noise, and its probability."""
        probabilities = self.memberships[1]
        labels, largest = probabilities.argmax(axis=1), probabilities.max(axis=1)
        if self.noise is None:
            return labels, largest
        labels[self.outlying > largest] = -1
        return labels, np.maximum(largest, self.outlying)

    @cached_property
    def criteria(self) -> Criteria:
        """Log-likelihood and criteria of EM's estimate for the rows."""
        if self.em is None:
            raise UnavailableError("no EM fit was given")
        return criteria_of(self.em, self.observed.X, *self.memberships)


def criteria_of(
    fit: GaussianMixture, rows: Array, densities: Array, responsibilities: Array
) -> Criteria:
    """Log-likelihood and criteria of a fit for rows, with the weights of the fit."""
    weights = fit.weights_of(rows)
    return information_criteria(densities, responsibilities, weights, fit.n_parameters_)


def gather(
    data: Data,
    em: GaussianMixture | None,
    posterior: Any,
    variables: Mapping[str, str] | None,
    truth: MixtureLike | None,
    labels: Sequence[Any] | None,
    selection: Any,
    source: str | None,
    command: str | None,
    evidence: Evidence | str | None = None,
    reading: str | None = None,
) -> Inputs:
    """Check the arguments of `report`, and raise its errors."""
    check_kind("em", em, GaussianMixture | None, "a GaussianMixture or None")
    kinds = xr.DataTree | xr.Dataset | None
    check_kind("posterior", posterior, kinds, f"{KINDS}, or None")
    check_kind(
        "evidence",
        evidence,
        Evidence | str | None,
        "an Evidence, the result of evidence(X), or the reason why there is none",
    )
    variable_names(variables)
    n, d = data.X.shape
    mixtures = {} if em is None else {"em": point_estimate("em", em, with_outliers=True)[0]}
    mixtures |= {} if truth is None else {"truth": fitted_mixture("truth", truth)}
    for name, mixture in mixtures.items():
        if mixture.n_features != d:
            raise InputError(
                f"X has {plural(d, 'column')}, but {name} has "
                f"{plural(mixture.n_features, 'feature')}."
            )
    known = [data.feature_names, *(each.feature_names for each in mixtures.values())]
    names = next((each for each in known if each is not None), None)
    return Inputs(
        observed=_as_fitted(data, em, posterior)._replace(feature_names=None),
        names=column_names(names, d),
        source=source or "rows given to report()",
        em=em,
        posterior=posterior,
        variables=variables,
        truth=mixtures.get("truth"),
        labels=label_texts(labels, n),
        selection=_selection(selection),
        selected=selection.best if isinstance(selection, Selection) else None,
        evidence=evidence,
        command=command,
        reading=reading,
        drawing=Drawing(),
    )


def _as_fitted(data: Data, em: GaussianMixture | None, posterior: Any) -> Data:
    """The rows, with errors and weights of the posterior or the fit if they are its rows."""
    return as_stored(posterior, weighted_rows(em, with_errors_of(em, data), None))


def label_texts(labels: Any, n: int) -> tuple[str, ...] | None:
    """Labels as text, one for each row; missing ones are empty."""
    if labels is None:
        return None
    if isinstance(labels, str) or not np.iterable(labels):
        raise InvalidParameterError(
            f"labels must be a sequence with a label for each row, not a {type(labels).__name__}."
        )
    import pandas as pd

    given = pd.Series(list(labels), dtype=object)
    words = tuple("" if gone else str(each) for each, gone in zip(given, given.isna(), strict=True))
    if len(words) != n:
        raise InputError(f"X has {plural(n, 'row')}, but there are {len(words)} labels.")
    return words


def _selection(selection: Any) -> "pd.DataFrame | None":
    """The table of a selection."""
    if selection is None:
        return None
    table: pd.DataFrame = getattr(selection, "table", selection)
    missing = _SELECTED - set(getattr(table, "columns", ()))
    if missing or not len(table):
        reason = (
            f"a {type(table).__name__}"
            if len(missing) == len(_SELECTED)
            else f"a table without {', '.join(sorted(missing))}"
            if missing
            else "an empty table"
        )
        raise InvalidParameterError(
            f"selection must be the result of select_mixture, or its table, not {reason}."
        )
    return table
