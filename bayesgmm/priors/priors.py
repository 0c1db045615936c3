"""Priors of a mixture's parameters, for penalised likelihood and for posteriors.

`Priors` may leave numbers to follow from the data's location and scale; `ResolvedPriors`, made by
`Priors.for_data`, has every number.

    weights ~ Dirichlet(concentration)
    mu_k    ~ N(mean_location_k, diag(mean_sd_k^2))
    Sigma_k ~ a family of `bayesgmm.priors.families`

By default the priors are exchangeable: all components have the same one.

References
----------
Richardson and Green (1997), JRSS B 59, 731-792, section 2.4. Stephens (2000), Annals of
Statistics 28, 40-74, section 4. Grün, Malsiner-Walli and Frühwirth-Schnatter (2022), Advances in
Data Analysis and Classification 16, 325-349. Malsiner-Walli, Frühwirth-Schnatter and Grün (2016),
Statistics and Computing 26, 303-324: sparse finite mixtures. Stephens (2000), JRSS B 62, 795-809,
section 3: constraints on the order of means.
"""

import json
import os
from dataclasses import dataclass
from dataclasses import fields as dataclass_fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bayesgmm.arguments import check_count, check_kind, check_members, shown
from bayesgmm.covariance.structures import CovarianceType, Structure, as_structure
from bayesgmm.data.json_document import read_text, write_document
from bayesgmm.data.validation import check_data, check_sample_weight
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.feature_choice import feature_indices
from bayesgmm.priors.column_scales import ColumnScales
from bayesgmm.priors.documents import as_lists, family_from_dict, family_to_dict
from bayesgmm.priors.families import LKJ, Family, InverseGamma, InverseWishart
from bayesgmm.priors.hyperpriors import Gamma
from bayesgmm.priors.number_checks import frozen, vector, vector_of, vector_or_rows
from bayesgmm.priors.resolved_priors import ResolvedPriors, n_covariances

_NAMES = {"inverse-gamma": InverseGamma, "inverse-wishart": InverseWishart, "lkj": LKJ}


@dataclass(frozen=True, slots=True)
class Priors:
    """Priors of a mixture; the defaults follow from the data's location and scale.

    Parameters
    ----------
    concentration : float or array-like of shape (K,)
        Concentration of the weights' Dirichlet distribution. 2 is equivalent to one additional row
        in each component; 1 is uniform. Well below 1 (such as 0.01) the prior is sparse: it
        empties components that the data do not need, and `filled_components` of the posterior is
        their number. Under a concentration below 1 a penalised likelihood has no maximum, so that
        EM refuses it.
    mean_location : array-like of shape (D,) or (K, D), optional
        Data units. None: the middle of the range for one feature, else the medians.
    mean_sd : array-like of shape (D,) or (K, D), optional
        Data units. None: the columns' ranges R.
    covariances : {"inverse-gamma", "inverse-wishart", "lkj"}, InverseGamma, InverseWishart or LKJ
        None: inverse-gamma for one feature, diagonal and spherical structures, else
        inverse-Wishart. The numbers of a family that are None follow from the data.
    hierarchical : bool
        Whether a scale of the covariances that is not given is estimated with the other
        parameters; else it is fixed at the mean of its prior.
    ordered : int or str, optional
        A feature, by index or name, in which the means of the components ascend.
    ordered_components : sequence of int, optional
        The components whose means ascend, in this order. None: all components.

    Raises
    ------
    InvalidParameterError
        If a number is out of its range.

    Notes
    -----
    Under priors that differ between components, and under `ordered`, the labels are identified by
    the prior: component k is the one with the k-th prior, or with the k-th smallest mean. EM and
    `sample_posterior` keep that numbering. The prior does not rule out that labels switch where it
    says little about them; relabelling such draws gives a summary of the clusters under another
    numbering, in which component k may have left its prior.

    Order and equal priors: the draws are those of the exchangeable posterior with their components
    sorted, which is the posterior under the ordered prior exactly (Stephens 2000, section 3).

    Examples
    --------
    >>> from bayesgmm import Priors, load_dataset
    >>> priors = Priors().for_data(load_dataset("galaxies").X, 3)
    >>> priors.covariances.shape, round(priors.mean_sd[0], 3)
    (2.0, 25.107)
    """

    concentration: Any = 2.0
    mean_location: Any = None
    mean_sd: Any = None
    covariances: Any = None
    hierarchical: bool = True
    ordered: int | str | None = None
    ordered_components: Any = None

    def __post_init__(self) -> None:
        c = frozen(self.concentration)
        sound = c if isinstance(c, tuple) else (c,)
        if not sound or not all(isinstance(a, float) and 0.0 < a < np.inf for a in sound):
            raise InvalidParameterError(
                "Priors(concentration=...) must be a finite number greater than 0, or one for each "
                f"component, not {c!r:.80}."
            )
        object.__setattr__(self, "concentration", c)
        for name in ("mean_location", "mean_sd"):
            value = frozen(getattr(self, name))
            if value is not None:
                value = vector(name, value, positive=name == "mean_sd", rows=True)
            object.__setattr__(self, name, value)
        self._check_order()
        if isinstance(self.covariances, str) and self.covariances not in _NAMES:
            raise InvalidParameterError(
                f"covariances={self.covariances!r} is not the name of a prior. Use one of "
                f"{', '.join(_NAMES)}."
            )
        if not isinstance(self.covariances, str | InverseGamma | InverseWishart | LKJ | None):
            raise InvalidParameterError(
                "Priors(covariances=...) must be a name, an InverseGamma, an InverseWishart or an "
                f"LKJ, not {shown(self.covariances)}."
            )

    def _check_order(self) -> None:
        feature, these = self.ordered, self.ordered_components
        if isinstance(feature, bool) or not isinstance(feature, int | str | np.integer | None):
            raise InvalidParameterError(
                f"ordered must be a feature, by index or name, or None, not {shown(feature)}."
            )
        if these is None:
            return
        if feature is None:
            raise InvalidParameterError(
                "ordered_components needs ordered, the feature in which their means ascend."
            )
        each = check_members("ordered_components", these, "a sequence of components")
        each = [check_count("ordered_components", c, least=0) for c in each]
        if len(set(each)) < max(len(each), 2):
            raise InvalidParameterError(
                f"ordered_components must be at least two distinct components, not {shown(these)}."
            )
        object.__setattr__(self, "ordered_components", tuple(each))

    @classmethod
    def richardson_green(cls) -> "Priors":
        """The priors of Richardson & Green (1997, section 2.4), for one feature.

        weights ~ Dirichlet(1), mu ~ N(midrange, R^2), 1 / sigma^2 ~ Gamma(2, beta),
        beta ~ Gamma(0.2, 10 / R^2), with R the range of the data.

        Examples
        --------
        >>> from bayesgmm import Priors, load_dataset
        >>> Priors.richardson_green().for_data(load_dataset("galaxies").X, 3).concentration
        (1.0, 1.0, 1.0)
        """
        return cls(concentration=1.0, covariances=InverseGamma(2.0, Gamma(0.2)))

    @classmethod
    def from_resolved(cls, resolved: "ResolvedPriors | str") -> "Priors":
        """Priors with the numbers of resolved ones, for the same or for other data.

        Parameters
        ----------
        resolved : ResolvedPriors or str
            As `for_data` returns them or a fit holds them (``priors_``); or their JSON, which is
            the attribute ``priors`` of a posterior.

        Raises
        ------
        InvalidParameterError
            If it is neither, or a text that does not hold priors.

        Examples
        --------
        >>> from bayesgmm import Priors, load_dataset
        >>> x = load_dataset("galaxies").X
        >>> resolved = Priors().for_data(x, 3)
        >>> Priors.from_resolved(resolved).for_data(x[::2], 3) == resolved
        True
        """
        words = "a ResolvedPriors, or their JSON as a text"
        check_kind("resolved", resolved, ResolvedPriors | str, words)
        if isinstance(resolved, str):
            try:
                fields = json.loads(resolved)
            except ValueError:
                fields = resolved
            resolved = ResolvedPriors.from_dict(fields)
        shared = len(set(resolved.concentration)) == 1
        return cls(
            concentration=resolved.concentration[0] if shared else resolved.concentration,
            mean_location=resolved.mean_location,
            mean_sd=resolved.mean_sd,
            covariances=resolved.covariances,
            ordered=resolved.ordered,
            ordered_components=resolved.ordered_components or None,
        )

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> "Priors":
        """Priors from a JSON object with some of their fields, or with all of resolved ones.

        `source` is the text or the path of a file.

        A prior of covariances is the object ``{"family": "InverseWishart", "df": ..., ...}``, as
        in the attribute ``priors`` of a posterior.

        Raises
        ------
        InvalidParameterError
            If the text is not such an object, or a field is unknown or out of its range.
        FileError
            If the file of a path cannot be read.

        Examples
        --------
        >>> from bayesgmm import Priors
        >>> Priors.from_json('{"concentration": 1.0, "mean_sd": [2.0, 30.0]}').mean_sd
        (2.0, 30.0)
        """
        named = isinstance(source, os.PathLike) or (
            isinstance(source, str) and os.path.isfile(source)
        )
        text: Any = read_text(Path(source)) if named else source
        try:
            fields = json.loads(text)
        except (ValueError, TypeError) as error:
            raise InvalidParameterError(f"The priors are not JSON: {error}.") from None
        known = {each.name for each in dataclass_fields(cls)}
        if isinstance(fields, dict) and fields.keys() - known == {"covariance_type"}:
            return cls.from_resolved(text)
        if not isinstance(fields, dict) or not fields.keys() <= known:
            raise InvalidParameterError(
                f"Priors are an object with some of the fields {', '.join(sorted(known))}, not "
                f"{fields!r:.200}."
            )
        family = fields.get("covariances")
        if isinstance(family, dict):
            fields["covariances"] = family_from_dict(family)
        return cls(**fields)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """Return the priors as JSON text, exact to the last bit; also write it to ``path``.

        `from_json` and ``--priors`` of the command line read it. The file appears whole or not at
        all.

        Examples
        --------
        >>> from bayesgmm import Priors
        >>> priors = Priors.richardson_green()
        >>> Priors.from_json(priors.to_json()) == priors
        True
        """
        fields = {each.name: as_lists(getattr(self, each.name)) for each in dataclass_fields(self)}
        if isinstance(self.covariances, InverseGamma | InverseWishart | LKJ):
            fields["covariances"] = family_to_dict(self.covariances)
        if isinstance(self.ordered, np.integer):
            fields["ordered"] = int(self.ordered)
        text = json.dumps(fields, allow_nan=False)
        if path is not None:
            write_document(path, text + "\n")
        return text

    def for_data(
        self,
        X: Any,
        n_components: int,
        covariance_type: CovarianceType = "full",
        *,
        sample_weight: ArrayLike | None = None,
    ) -> "ResolvedPriors":
        """Resolve these priors: every number, for given data.

        Parameters
        ----------
        X : array-like or data frame of shape (n, D)
            NaN are ignored.
        n_components : int
        covariance_type : str or Structure
        sample_weight : array-like of shape (n,), optional
            An integer weight is a number of repetitions.

        Raises
        ------
        InputError, InputTypeError
            If X cannot be used, or a column is constant.
        InvalidParameterError
            If a number's shape does not fit the data, or the family not the structure.

        Examples
        --------
        >>> from bayesgmm import Priors, load_dataset
        >>> Priors(ordered=1).for_data(load_dataset("faithful").X, 2).ordered
        1
        """
        n_components = check_count("n_components", n_components)
        structure = as_structure(covariance_type)
        data = check_data(X, allow_nan=True)
        weights = check_sample_weight(sample_weight, len(data.X))
        columns = ColumnScales(data.X, weights, data.feature_names)
        d = data.X.shape[1]
        location, sd = self.mean_location, self.mean_sd
        if location is None:
            location = columns.midrange if d == 1 else columns.median
        sd = columns.range if sd is None else sd
        made = ResolvedPriors(
            concentration=vector_of("concentration", self.concentration, n_components),
            mean_location=vector_or_rows("mean_location", location, n_components, d),
            mean_sd=vector_or_rows("mean_sd", sd, n_components, d),
            covariances=self._family(structure, columns, n_components),
            covariance_type=structure.code,
        )
        if self.ordered is None:
            return made
        (feature,) = feature_indices(self.ordered, data.feature_names, d)
        return made.with_order(feature, self.ordered_components)

    def _family(self, structure: Structure, columns: ColumnScales, n_components: int) -> Family:
        d = len(columns.range)
        axes = structure.n_variances(d)
        family: Family | None = self.covariances
        if isinstance(self.covariances, str):
            family = _NAMES[self.covariances]()
        if family is None:
            family = InverseWishart() if axes is None else InverseGamma()
        if isinstance(family, InverseGamma) == (axes is None):
            kind, use = "variances", "InverseGamma"
            if axes is None:
                kind, use = "covariance matrices", "InverseWishart or LKJ"
            raise InvalidParameterError(
                f"covariance_type={structure.name!r} of {plural(d, 'feature')} has {kind}, and "
                f"{type(family).__name__} is not a prior of those. Use {use}, or covariances=None."
            )
        count = n_covariances(structure, n_components, d)
        if isinstance(family, LKJ):
            return family.resolved(columns, count, n_components)
        if isinstance(family, InverseWishart):
            return family.resolved(columns, count, hierarchical=self.hierarchical)
        return family.resolved(columns, count, hierarchical=self.hierarchical, spherical=axes == 1)
