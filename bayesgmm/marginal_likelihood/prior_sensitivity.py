"""The probability of each number of components under several priors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from bayesgmm.arguments import check_kind, check_rng
from bayesgmm.covariance.structures import CovarianceType
from bayesgmm.errors import InvalidParameterError
from bayesgmm.marginal_likelihood.model_evidence import Evidence, evidence
from bayesgmm.priors.priors import Priors
from bayesgmm.results import Result

# Factors of the standard deviations of the means' prior, and of the scale of the components.
_VARIED = {
    "as given": (1.0, 1.0),
    "means half as spread": (0.5, 1.0),
    "means twice as spread": (2.0, 1.0),
    "components half as wide": (1.0, 0.5),
    "components twice as wide": (1.0, 2.0),
}


@dataclass(frozen=True, eq=False, repr=False)
class PriorSensitivity(Result):
    """Result of `prior_sensitivity`.

    Attributes
    ----------
    evidence : dict of str to Evidence
        By the name of the priors.

    Examples
    --------
    >>> from bayesgmm import Priors, load_dataset, prior_sensitivity
    >>> X = load_dataset("galaxies").X[:20]
    >>> priors = {"default": Priors(), "Richardson & Green": Priors.richardson_green()}
    >>> found = prior_sensitivity(X, 1, priors=priors, rng=0, progressbar=False)
    >>> list(found.probabilities.index)
    ['default', 'Richardson & Green']
    """

    evidence: dict[str, Evidence]

    @property
    def probabilities(self) -> pd.DataFrame:
        """p(K | X), a row for each prior and a column for each K."""
        rows = {name: each.table["probability"] for name, each in self.evidence.items()}
        return pd.DataFrame(rows).T.rename_axis(index="priors")

    @property
    def filled(self) -> pd.DataFrame:
        """Probabilities of the number of components that hold rows, a row for each prior."""
        rows = {name: each.filled["probability"] for name, each in self.evidence.items()}
        return pd.DataFrame(rows).T.rename_axis(index="priors")

    @property
    def table(self) -> pd.DataFrame:
        """The tables of all `Evidence`, a row for each prior and K."""
        tables = {name: each.table for name, each in self.evidence.items()}
        return pd.concat(tables, names=["priors"])

    def _paragraphs(self) -> list[str | pd.DataFrame]:
        best = self.probabilities.idxmax(axis=1)
        if best.nunique() == 1:
            verdict = f"The most probable number of components is {best.iloc[0]} under all priors."
        else:
            found = ", ".join(map(str, sorted(best.unique())))
            verdict = f"The most probable number of components depends on the priors: {found}."
        error = self.table["probability_se"].max()
        return [
            f"{verdict} Probabilities of each number of components (standard errors at most "
            f"{error:.2g}):",
            self.probabilities,
            "Probabilities of the number of components that hold rows:",
            self.filled,
        ]


def prior_sensitivity(
    X: Any,
    n_components: int | Iterable[int] = range(1, 7),
    *,
    priors: Priors | Mapping[str, Priors] | None = None,
    covariance_type: CovarianceType = "full",
    rng: Any = None,
    progressbar: bool = True,
) -> PriorSensitivity:
    """The evidence of each number of components under several priors, side by side.

    Parameters
    ----------
    X : array-like or data frame of shape (n, D)
        As for `evidence`.
    n_components : int or iterable of int
        Each K, at most 12.
    priors : Priors or mapping of str to Priors, optional
        Priors by name. Of one (None: ``Priors()``) four others are made: the standard deviations of
        the means' prior, and the widths of components, halved and doubled.
    covariance_type, progressbar
        As for `evidence`.
    rng : anything that ``numpy.random.default_rng`` accepts

    Raises
    ------
    InputError, InputTypeError, InvalidParameterError
        As `evidence`.

    Warns
    -----
    ConvergenceWarning
        As `evidence`.

    References
    ----------
    Richardson and Green (1997), JRSS B 59, 731-792, section 4.2: the same for the galaxies.

    Examples
    --------
    >>> from bayesgmm import load_dataset, prior_sensitivity
    >>> X = load_dataset("galaxies").X[:20]
    >>> found = prior_sensitivity(X, 1, rng=0, progressbar=False)
    >>> found.table["log_evidence"].idxmax()[0]
    'components twice as wide'
    """
    check_kind("priors", priors, Priors | Mapping | None, "a Priors, a mapping of names to them")
    generator = check_rng(rng)
    found: dict[str, Evidence] = {}

    def add(name: str, chosen: Priors) -> None:
        found[name] = evidence(
            X,
            n_components,
            covariance_type=covariance_type,
            priors=chosen,
            rng=generator.spawn(1)[0],
            progressbar=progressbar,
        )

    if isinstance(priors, Mapping):
        if not priors:
            raise InvalidParameterError("priors is empty. Give at least one.")
        for name, chosen in priors.items():
            check_kind(f"priors[{name!r}]", chosen, Priors, "a Priors")
            add(name, chosen)
        return PriorSensitivity(found)
    for name, factors in _VARIED.items():
        # The first evidence gives the numbers that follow from the data.
        given = found["as given"].priors if found else priors or Priors()
        add(name, _varied(given, *factors) if found else given)
    return PriorSensitivity(found)


def _varied(priors: Priors, of_means: float, of_components: float) -> Priors:
    sd = np.asarray(priors.mean_sd)
    covariances = priors.covariances.scaled(np.full(sd.shape[-1], of_components))
    return replace(priors, mean_sd=of_means * sd, covariances=covariances)
