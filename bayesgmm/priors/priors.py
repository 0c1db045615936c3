"""Priors of a mixture's parameters, for penalised likelihood and for posteriors.

`Priors` may leave numbers to follow from the data's location and scale; `ResolvedPriors`, made by
`Priors.for_data`, has every number. Both are exchangeable: the components have one prior.

    weights ~ Dirichlet(concentration, ..., concentration)
    mu_k    ~ N(mean_location, diag(mean_sd^2))
    Sigma_k ~ a family of `bayesgmm.priors.families`

References
----------
Richardson and Green (1997), JRSS B 59, 731-792, section 2.4. Stephens (2000), Annals of
Statistics 28, 40-74, section 4. Grün, Malsiner-Walli and Frühwirth-Schnatter (2022), Advances in
Data Analysis and Classification 16, 325-349.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from bayesgmm.arguments import check_count, check_kind, shown
from bayesgmm.covariance.structures import Structure, as_structure
from bayesgmm.data.validation import check_data, check_sample_weight
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.priors.column_scales import ColumnScales
from bayesgmm.priors.families import (
    LKJ,
    Family,
    Gamma,
    InverseGamma,
    InverseWishart,
    family_from_dict,
    family_to_dict,
)
from bayesgmm.priors.number_checks import frozen, vector, vector_of

type Array = NDArray[np.float64]

_LOG_2_PI = float(np.log(2.0 * np.pi))
_NAMES = {"inverse-gamma": InverseGamma, "inverse-wishart": InverseWishart, "lkj": LKJ}


@dataclass(frozen=True, slots=True)
class Priors:
    """Priors of a mixture; the defaults follow from the data's location and scale.

    Parameters
    ----------
    concentration : float
        Concentration of the weights' Dirichlet distribution, the same for all components. 2 is
        equivalent to one additional row in each component; 1 is uniform.
    mean_location : array-like of shape (D,), optional
        Data units. None: the middle of the range for one feature, else the medians.
    mean_sd : array-like of shape (D,), optional
        Data units. None: the columns' ranges R.
    covariances : {"inverse-gamma", "inverse-wishart", "lkj"}, InverseGamma, InverseWishart or LKJ
        None: inverse-gamma for one feature, diagonal and spherical structures, else
        inverse-Wishart. The numbers of a family that are None follow from the data.
    hierarchical : bool
        Whether a scale of the covariances that is not given is estimated with the other
        parameters; else it is fixed at the mean of its prior.

    Raises
    ------
    InvalidParameterError
        If a number is out of its range.

    Examples
    --------
    >>> from bayesgmm import Priors, load_dataset
    >>> priors = Priors().for_data(load_dataset("galaxies").X, 3)
    >>> priors.covariances.shape, round(priors.mean_sd[0], 3)
    (2.0, 25.107)
    """

    concentration: float = 2.0
    mean_location: Any = None
    mean_sd: Any = None
    covariances: Any = None
    hierarchical: bool = True

    def __post_init__(self) -> None:
        for name in ("concentration", "mean_location", "mean_sd"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        c = self.concentration
        if not isinstance(c, float) or not np.isfinite(c) or c <= 0.0:
            raise InvalidParameterError(
                f"Priors(concentration=...) must be a finite number greater than 0, not {c!r}."
            )
        for name in ("mean_location", "mean_sd"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, vector(name, value, positive=name == "mean_sd"))
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

    @classmethod
    def richardson_green(cls) -> "Priors":
        """The priors of Richardson & Green (1997, section 2.4), for one feature.

        weights ~ Dirichlet(1), mu ~ N(midrange, R^2), 1 / sigma^2 ~ Gamma(2, beta),
        beta ~ Gamma(0.2, 10 / R^2), with R the range of the data.
        """
        return cls(concentration=1.0, covariances=InverseGamma(2.0, Gamma(0.2)))

    def for_data(
        self,
        X: Any,
        n_components: int,
        covariance_type: str | Structure = "full",
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
        return ResolvedPriors(
            concentration=(self.concentration,) * n_components,
            mean_location=vector_of("mean_location", location, d),
            mean_sd=vector_of("mean_sd", columns.range if sd is None else sd, d),
            covariances=self._family(structure, columns, n_components),
            covariance_type=structure.code,
        )

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
                f"covariance_type={structure.name!r} of {d} features has {kind}, and "
                f"{type(family).__name__} is not a prior of those. Use {use}, or covariances=None."
            )
        if isinstance(family, LKJ):
            return family.resolved(columns, n_components)
        if isinstance(family, InverseWishart):
            return family.resolved(columns, hierarchical=self.hierarchical)
        return family.resolved(columns, hierarchical=self.hierarchical, spherical=axes == 1)


@dataclass(frozen=True, slots=True)
class ResolvedPriors:
    """Priors with every number, for given numbers of components and features, and a structure.

    Attributes
    ----------
    concentration : tuple of float (K,)
    mean_location, mean_sd : tuple of float (D,)
        Data units.
    covariances : InverseGamma, InverseWishart or LKJ
        The prior of each covariance; of the one covariance where components share it.
    covariance_type : str
        Code of the covariance structure.
    """

    concentration: tuple[float, ...]
    mean_location: tuple[float, ...]
    mean_sd: tuple[float, ...]
    covariances: Family
    covariance_type: str

    @property
    def n_components(self) -> int:
        """K."""
        return len(self.concentration)

    @property
    def n_features(self) -> int:
        """D."""
        return len(self.mean_location)

    @property
    def n_covariances(self) -> int:
        """Covariances with a prior: K, or 1 where components share one."""
        structure, d = as_structure(self.covariance_type), self.n_features
        grows = structure.n_covariance_parameters(2, d) > structure.n_covariance_parameters(1, d)
        return self.n_components if grows else 1

    @property
    def n_axes(self) -> int | None:
        """Variances of a component: D, 1 where all features share one; None for matrices."""
        return as_structure(self.covariance_type).n_variances(self.n_features)

    def parts(self, covariances: Array) -> Array:
        """The independent parts of covariances (K, D, D): those that the family is the prior of.

        (m, D, D) matrices or (m, J) variances, with m = `n_covariances` and J = `n_axes`.
        """
        out = covariances[: self.n_covariances]
        if self.n_axes is None:
            return out
        variances = np.diagonal(out, axis1=1, axis2=2)
        return variances.mean(axis=1, keepdims=True) if self.n_axes == 1 else variances

    def expected_scale(self, mixture: Mixture) -> Array:
        """The scale of the covariances' family, or its mean given the mixture's covariances.

        Of shape (J,) for inverse-gamma, (D, D) for inverse-Wishart.

        Raises
        ------
        InvalidParameterError
            If the family has no scale.
        """
        check_kind("mixture", mixture, Mixture, "a Mixture")
        if isinstance(self.covariances, LKJ):
            raise InvalidParameterError("An LKJ prior has no scale.")
        return self.covariances.expected_scale(self.parts(mixture.covariances))

    def log_density(self, mixture: Mixture, scale: ArrayLike | None = None) -> float:
        """Joint log density of a mixture's parameters and the scale of its covariances, nats.

        In the weights (K - 1 of them), means and covariances themselves. Normalised, but for
        structures that tie parts of the covariances together (shape, volume or orientation
        alone), where it is the product of the K densities restricted to the structure.

        Parameters
        ----------
        mixture : Mixture
        scale : array-like of shape (J,) or (D, D), optional
            Of a hierarchical prior. None: the scale is integrated out.
        """
        check_kind("mixture", mixture, Mixture, "a Mixture")
        k, d = mixture.means.shape
        if (k, d) != (self.n_components, self.n_features):
            raise InvalidParameterError(
                f"The priors are for {self.n_components} components of {self.n_features} "
                f"features, but the mixture has {k} of {d}."
            )
        given = None if scale is None else self._checked_scale(scale)
        weights, means, a = mixture.weights, mixture.means, np.asarray(self.concentration)
        # The density under a concentration of 1 is flat, also at a weight of 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(np.where(a == 1.0, 0.0, (a - 1.0) * np.log(weights)).sum())
        value += gammaln(a.sum()) - gammaln(a).sum()
        z = (means - np.asarray(self.mean_location)) / np.asarray(self.mean_sd)
        value -= 0.5 * (z**2).sum() + k * np.log(self.mean_sd).sum() + 0.5 * k * d * _LOG_2_PI
        value += self.covariances.log_density(self.parts(mixture.covariances), given)
        return float(value)

    def _checked_scale(self, scale: ArrayLike) -> Array:
        d, given = self.n_features, as_floats("scale", scale)
        shape = (d, d) if self.n_axes is None else (self.n_axes,)
        sizes = np.linalg.eigvalsh(given) if given.shape == (d, d) else given
        if given.shape != shape or sizes.min() <= 0.0:
            kind = "a positive definite matrix" if self.n_axes is None else "positive numbers"
            raise InvalidParameterError(
                f"scale must be {kind} of shape {shape}, not {shown(scale)}."
            )
        return given

    def transformed(self, shift: Array, scale: Array) -> "ResolvedPriors":
        """The same priors for rows (x - shift) * scale; shift and scale (D,)."""
        factor = scale if self.n_axes != 1 else scale[:1]
        return replace(
            self,
            mean_location=frozen((np.asarray(self.mean_location) - shift) * scale),
            mean_sd=frozen(np.asarray(self.mean_sd) * scale),
            covariances=self.covariances.scaled(factor),
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "concentration": list(self.concentration),
            "mean_location": list(self.mean_location),
            "mean_sd": list(self.mean_sd),
            "covariances": family_to_dict(self.covariances),
            "covariance_type": self.covariance_type,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "ResolvedPriors":
        """The inverse of `to_dict`.

        Raises
        ------
        InvalidParameterError
            If a field is missing, unknown, or out of its range.
        """
        if not isinstance(fields, dict) or fields.keys() != set(cls.__dataclass_fields__):
            raise InvalidParameterError(f"Priors cannot be read from {fields!r:.200}.")
        concentration = vector("concentration", fields["concentration"], positive=True)
        location = vector("mean_location", fields["mean_location"], positive=False)
        sd = vector_of(
            "mean_sd", vector("mean_sd", fields["mean_sd"], positive=True), len(location)
        )
        structure = as_structure(fields["covariance_type"])
        family = family_from_dict(fields["covariances"])
        return cls(concentration, location, sd, family, structure.code)
