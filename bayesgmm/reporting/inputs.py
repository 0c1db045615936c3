"""What a report is made from, checked once."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayesgmm.data.validation import check_data
from bayesgmm.diagnostics.relabelling import relabel
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.estimator.gaussian_mixture import GaussianMixture
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.reporting.displayed_errors import Errors, errors_of
from bayesgmm.reporting.parts import UnavailableError, short
from bayesgmm.reporting.relabelled_draws import Relabelled, relabelled

if TYPE_CHECKING:
    import pandas as pd

type Array = NDArray[np.float64]

# Draws of the posterior from which replicates are made.
_REPLICATED = 199
# What a table of select_mixture has at the least.
_SELECTED = {"n_components", "covariance_type", "log_likelihood", "bic", "icl", "note"}


@dataclass(frozen=True, eq=False)
class Inputs:
    """The rows, and whatever was computed from them.

    Attributes
    ----------
    X : (n, D)
        With NaN where an entry is missing.
    names : tuple of D str
        x0, x1, ... where the columns have none.
    source : str
        Where the rows came from, in words.
    em, posterior, truth, labels, selection
        As `report` takes them; None where not given. Labels are text.
    command : str or None
        The command line that makes the same page.
    """

    X: Array
    names: tuple[str, ...]
    source: str
    em: GaussianMixture | None
    posterior: Any
    truth: Mixture | None
    labels: tuple[str, ...] | None
    selection: "pd.DataFrame | None"
    command: str | None

    @property
    def n_features(self) -> int:
        """D."""
        return int(self.X.shape[1])

    @cached_property
    def labels_short(self) -> tuple[str, ...]:
        """The columns' names as figures and tables have them."""
        return tuple(short(name) for name in self.names)

    @cached_property
    def unique_labels(self) -> tuple[str, ...] | None:
        """The same where they differ, for a mixture's names; else None."""
        return self.labels_short if len(set(self.labels_short)) == self.n_features else None

    @cached_property
    def complete(self) -> NDArray[np.bool_]:
        """Which rows miss nothing, (n,)."""
        return np.asarray(~np.isnan(self.X).any(axis=1))

    @cached_property
    def rows(self) -> Array:
        """The rows that miss nothing."""
        return self.X if self.complete.all() else np.ascontiguousarray(self.X[self.complete])

    @property
    def mixture(self) -> Mixture:
        """The mixture that the report describes: EM's, or else the posterior's mean."""
        if self.em is not None:
            return self.em.mixture_
        if self.posterior is not None:
            return self.relabelled.mean()
        raise UnavailableError("neither an EM fit nor a posterior was given")

    @cached_property
    def relabelled(self) -> Relabelled:
        """The posterior's draws under one labelling."""
        if self.posterior is None:
            raise UnavailableError("no posterior was given")
        return relabelled(self.posterior, self.em, self.rows)

    @cached_property
    def relabelled_tree(self) -> Any:
        """The posterior as a tree under one labelling, for what compares its components."""
        if self.posterior is None:
            raise UnavailableError("no posterior was given")
        return relabel(self.posterior, reference=self.em, X=self.rows)

    @cached_property
    def standard_errors(self) -> Errors:
        """Standard errors of what the mixture section shows."""
        return errors_of(self.em, self.rows)

    def predictive_draws(self, features: Sequence[int]) -> list[Mixture] | None:
        """Mixtures to draw replicates from, of some columns; None for the fitted one alone."""
        if self.posterior is None:
            return None
        return self.relabelled.mixtures(_REPLICATED, features)

    @cached_property
    def memberships(self) -> tuple[Array, Array]:
        """Log densities and responsibilities of `rows`."""
        if not len(self.rows):
            raise UnavailableError("every row misses an entry")
        return membership(self.rows, self.mixture)


def gather(
    X: Any,
    em: GaussianMixture | None,
    posterior: Any,
    truth: Mixture | None,
    labels: Sequence[Any] | None,
    selection: Any,
    source: str | None,
    command: str | None,
) -> Inputs:
    """Check what was given to `report`.

    Raises
    ------
    InputError, InputTypeError
        If the rows cannot be used, or the parts do not belong to one another.
    InvalidParameterError
        If a part is of another kind than it must be.
    NotFittedError
        If `em` was not fitted.
    """
    for name, value, kind in (("em", em, GaussianMixture), ("truth", truth, Mixture)):
        if value is not None and not isinstance(value, kind):
            raise InvalidParameterError(
                f"{name} must be a {kind.__name__}, not a {type(value).__name__}."
            )
    if posterior is not None and not hasattr(posterior, "children"):
        raise InvalidParameterError(
            f"posterior must be an xarray.DataTree, not a {type(posterior).__name__}."
        )
    data = check_data(X, allow_nan=True)
    n, d = data.X.shape
    mixtures = {"truth": truth}
    if em is not None:
        em._check_fitted()
        mixtures["em"] = em.mixture_
    for name, mixture in mixtures.items():
        if mixture is not None and mixture.n_features != d:
            raise InputError(f"X has {d} columns, but {name} has {mixture.n_features}.")
    known = [data.feature_names, *(each.feature_names for each in mixtures.values() if each)]
    names = next((each for each in known if each is not None), None)
    if labels is not None and (isinstance(labels, str) or not np.iterable(labels)):
        raise InvalidParameterError(
            f"labels must be a sequence of one label for each row, not a {type(labels).__name__}."
        )
    words = None if labels is None else tuple(str(each) for each in labels)
    if words is not None and len(words) != n:
        raise InputError(f"X has {n} rows, but there are {len(words)} labels.")
    table = getattr(selection, "table", selection)
    missing = _SELECTED - set(getattr(table, "columns", ()))
    if table is not None and (missing or not len(table)):
        raise InvalidParameterError(
            "selection must be what select_mixture returned, or its table, not "
            + (f"a {type(table).__name__}" if len(missing) == len(_SELECTED) else "a part of one")
            + "."
        )
    return Inputs(
        X=data.X,
        names=names or tuple(f"x{j}" for j in range(d)),
        source=source or "rows given to report()",
        em=em,
        posterior=posterior,
        truth=truth,
        labels=words,
        selection=table,
        command=command,
    )
