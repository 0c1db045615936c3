"""Priors of a mixture's parameters: plain values that penalise EM and make the posterior.

`Priors` says what is believed before the data; what is left None follows from the data's units.
`ResolvedPriors`, made by `Priors.for_data`, has every number. Both are exchangeable: no component
is told from another before the data speak.

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
from bayesgmm.data.coercion import label
from bayesgmm.data.validation import check_data, check_sample_weight
from bayesgmm.errors import InputError, InvalidParameterError
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.parameter_checks import as_floats
from bayesgmm.priors.families import (
    LKJ,
    Family,
    Gamma,
    InverseGamma,
    InverseWishart,
    Wishart,
    family_from_dict,
    family_to_dict,
    frozen,
)

type Array = NDArray[np.float64]

_LOG_2_PI = float(np.log(2.0 * np.pi))
_NAMES = {"inverse-gamma": InverseGamma, "inverse-wishart": InverseWishart, "lkj": LKJ}
# Ranges whose squares float64 holds with all digits.
_LEAST, _MOST = 1e-150, 1e150


@dataclass(frozen=True, slots=True)
class Priors:
    """What is believed of a mixture before the data; the defaults follow the data's units.

    Parameters
    ----------
    concentration : float
        Of the weights' Dirichlet distribution, the same for all components. 2 keeps weights off
        zero by one pseudo-row each; 1 is uniform.
    mean_location : array-like of shape (D,), optional
        Data units. None: the middle of the range for one feature, else the medians.
    mean_sd : array-like of shape (D,), optional
        Data units. None: the columns' ranges R.
    covariances : {"inverse-gamma", "inverse-wishart", "lkj"}, InverseGamma, InverseWishart or LKJ
        None: inverse-gamma for one feature, diagonal and spherical structures, else
        inverse-Wishart. The numbers of a family that are None follow from the data.
    hierarchical : bool
        Whether a scale of the covariances that is not given is learned with the rest; else it is
        fixed at the mean of its prior.

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
                object.__setattr__(self, name, _vector(name, value, positive=name == "mean_sd"))
        if isinstance(self.covariances, str) and self.covariances not in _NAMES:
            raise InvalidParameterError(
                f"covariances={self.covariances!r} names no prior. Known are: {', '.join(_NAMES)}."
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
        """Every number of these priors, for this data.

        Parameters
        ----------
        X : array-like or data frame of shape (n, D)
            NaN are left aside.
        n_components : int
        covariance_type : str or Structure
        sample_weight : array-like of shape (n,), optional
            Integers count a row so many times; rows of weight 0 do not count.

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
        shape = _Shape(data.X, weights, data.feature_names)
        d = data.X.shape[1]
        location = self.mean_location
        if location is None:
            location = shape.midrange if d == 1 else shape.median
        return ResolvedPriors(
            concentration=(self.concentration,) * n_components,
            mean_location=_fit("mean_location", location, d),
            mean_sd=_fit("mean_sd", shape.range if self.mean_sd is None else self.mean_sd, d),
            covariances=self._family(structure, shape, n_components),
            structure=structure.code,
        )

    def _family(self, structure: Structure, shape: "_Shape", n_components: int) -> Family:
        d = len(shape.range)
        axes = _axes(structure, d)
        family: Family = self.covariances
        if isinstance(self.covariances, str):
            family = _NAMES[self.covariances]()
        if self.covariances is None:
            family = InverseGamma() if axes is not None else InverseWishart()
        if (axes is not None) != isinstance(family, InverseGamma):
            raise InvalidParameterError(
                f"covariance_type={structure.name!r} of {d} features has "
                f"{'variances' if axes is not None else 'covariance matrices'}, which "
                f"{type(family).__name__} is no prior of. Use "
                f"{'InverseGamma' if axes is not None else 'InverseWishart or LKJ'}, or "
                "covariances=None."
            )
        if isinstance(family, InverseGamma):
            assert axes is not None
            return self._inverse_gamma(family, shape, axes)
        if isinstance(family, InverseWishart):
            return self._inverse_wishart(family, shape)
        log_scales = family.log_scale_location
        if log_scales is None:
            log_scales = frozen(np.log(shape.deviation) - np.log(n_components) / d)
        return replace(family, log_scale_location=_fit("log_scale_location", log_scales, d))

    def _inverse_gamma(self, family: InverseGamma, shape: "_Shape", axes: int) -> InverseGamma:
        scale = Gamma() if family.scale is None else family.scale
        if isinstance(scale, Gamma):
            # One variance for all features: the geometric mean of their ranges.
            r = shape.range if axes > 1 else np.exp(np.log(shape.range).mean(keepdims=True))
            rate = 10.0 / r**2 if scale.rate is None else scale.rate
            scale = replace(scale, rate=_fit("rate", rate, axes))
            if family.scale is None and not self.hierarchical:
                scale = frozen(scale.mean)
        if not isinstance(scale, Gamma):
            scale = _fit("scale", scale, axes)
        return replace(family, scale=scale)

    def _inverse_wishart(self, family: InverseWishart, shape: "_Shape") -> InverseWishart:
        d = len(shape.range)
        df = _freedom("InverseWishart", d + 4.0 if family.df is None else family.df, d)
        scale = Wishart() if family.scale is None else family.scale
        if isinstance(scale, Wishart):
            default = np.diag(shape.range**2) * (d + 4.0) / (100.0 * d)
            scale = Wishart(
                _freedom("Wishart", float(d) if scale.df is None else scale.df, d),
                frozen(default) if scale.scale is None else scale.scale,
            )
            _check_square("Wishart scale", scale.scale, d)
            if family.scale is None and not self.hierarchical:
                scale = frozen(scale.mean)
        else:
            _check_square("InverseWishart scale", scale, d)
        return replace(family, df=df, scale=scale)


@dataclass(frozen=True, slots=True)
class ResolvedPriors:
    """Priors with every number, for one number of components, of features, and one structure.

    Attributes
    ----------
    concentration : tuple of float (K,)
    mean_location, mean_sd : tuple of float (D,)
        Data units.
    covariances : InverseGamma, InverseWishart or LKJ
        The prior of each covariance; of the one covariance where components share it.
    structure : str
        Code of the covariance structure.
    """

    concentration: tuple[float, ...]
    mean_location: tuple[float, ...]
    mean_sd: tuple[float, ...]
    covariances: Family
    structure: str

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
        """Covariances that the family is the prior of: K, or 1 where components share one."""
        structure, d = as_structure(self.structure), self.n_features
        grows = structure.n_covariance_parameters(2, d) > structure.n_covariance_parameters(1, d)
        return self.n_components if grows else 1

    @property
    def n_axes(self) -> int | None:
        """Variances of a component: D, 1 where all features share one; None for matrices."""
        return _axes(as_structure(self.structure), self.n_features)

    def parts(self, covariances: Array) -> Array:
        """What the family is the prior of, from covariances (K, D, D) or variances (K, D).

        (m, D, D) matrices or (m, J) variances, with m = `n_covariances` and J = `n_axes`.
        """
        out = covariances[: self.n_covariances]
        if self.n_axes is None:
            return out
        if out.ndim == 3:
            out = np.diagonal(out, axis1=1, axis2=2)
        return out.mean(axis=1, keepdims=True) if self.n_axes < out.shape[1] else out

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
        given = None
        if scale is not None:
            given = as_floats("scale", scale)
            shape = (d, d) if self.n_axes is None else (self.n_axes,)
            sizes = np.linalg.eigvalsh(given) if given.shape == (d, d) else given
            if given.shape != shape or sizes.min() <= 0.0:
                words = "a positive definite matrix" if self.n_axes is None else "positive numbers"
                raise InvalidParameterError(
                    f"scale must be {words} of shape {shape}, not {shown(scale)}."
                )
        return self.log_density_of(mixture.weights, mixture.means, mixture.covariances, given)

    def log_density_of(
        self, weights: Array, means: Array, covariances: Array, scale: Array | None = None
    ) -> float:
        """As `log_density`, unchecked: covariances are (K, D, D), or (K, D) variances."""
        k, d = means.shape
        a = np.asarray(self.concentration)
        # A concentration of 1 says nothing, also of a weight of 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            prior = float(np.where(a == 1.0, 0.0, (a - 1.0) * np.log(weights)).sum())
        prior += gammaln(a.sum()) - gammaln(a).sum()
        z = (means - np.asarray(self.mean_location)) / np.asarray(self.mean_sd)
        prior -= 0.5 * (z**2).sum() + k * np.log(self.mean_sd).sum() + 0.5 * k * d * _LOG_2_PI
        return float(prior + self.covariances.log_density(self.parts(covariances), scale))

    def transformed(self, shift: Array, scale: Array) -> "ResolvedPriors":
        """The same beliefs about rows (x - shift) * scale; shift and scale (D,)."""
        factor = scale if self.n_axes != 1 else scale[:1]
        return replace(
            self,
            mean_location=frozen((np.asarray(self.mean_location) - shift) * scale),
            mean_sd=frozen(np.asarray(self.mean_sd) * scale),
            covariances=self.covariances.scaled(factor),
        )

    def to_dict(self) -> dict[str, Any]:
        """These priors as plain values that JSON can hold."""
        return {
            "concentration": list(self.concentration),
            "mean_location": list(self.mean_location),
            "mean_sd": list(self.mean_sd),
            "covariances": family_to_dict(self.covariances),
            "structure": self.structure,
        }

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "ResolvedPriors":
        """The inverse of `to_dict`.

        Raises
        ------
        InvalidParameterError
            If a field is missing, too many, or out of its range.
        """
        if not isinstance(fields, dict) or fields.keys() != set(cls.__dataclass_fields__):
            raise InvalidParameterError(f"Priors cannot be read from {fields!r:.200}.")
        concentration = _vector("concentration", fields["concentration"], positive=True)
        location = _vector("mean_location", fields["mean_location"], positive=False)
        sd = _fit("mean_sd", _vector("mean_sd", fields["mean_sd"], positive=True), len(location))
        structure = as_structure(fields["structure"])
        family = family_from_dict(fields["covariances"])
        return cls(concentration, location, sd, family, structure.code)


class _Shape:
    """Ranges, medians and standard deviations of the columns of weighted rows, NaN left aside."""

    def __init__(self, x: Array, weights: Array | None, names: tuple[str, ...] | None) -> None:
        if weights is not None:
            x, weights = x[weights > 0.0], weights[weights > 0.0]
        least, most = np.nanmin(x, axis=0), np.nanmax(x, axis=0)
        # Halves, as a difference may overflow where its half does not.
        self.range = 2.0 * (0.5 * most - 0.5 * least)
        self.midrange = 0.5 * least + 0.5 * most
        for j, r in enumerate(self.range):
            if r == 0.0:
                raise InputError(
                    f"X is constant in {label(names, j)}, so its range gives the priors no scale. "
                    "Drop the column."
                )
            if not _LEAST < r < _MOST:
                raise InputError(
                    f"X has range {r:.3g} in {label(names, j)}, whose square float64 does not "
                    "hold. Rescale the column."
                )
        columns = [_column(x[:, j], weights) for j in range(x.shape[1])]
        self.median = np.array([median for median, _ in columns])
        self.deviation = np.array([deviation for _, deviation in columns])


def _column(x: Array, weights: Array | None) -> tuple[float, float]:
    """Weighted median and standard deviation of a column; integer weights repeat rows."""
    seen = ~np.isnan(x)
    x = x[seen]
    if weights is None:
        return float(np.median(x)), float(x.std())
    v = weights[seen] / weights[seen].max()
    order = np.argsort(x)
    below = np.cumsum(v[order]) / v.sum()
    low = int(np.searchsorted(below, 0.5))
    # Exactly one half on either side: the middle of the two neighbours.
    high = min(low + 1, len(x) - 1) if below[low] == 0.5 else low
    middle = 0.5 * (x[order[low]] + x[order[high]])
    mean = np.average(x, weights=v)
    return float(middle), float(np.sqrt(np.average((x - mean) ** 2, weights=v)))


def _axes(structure: Structure, n_features: int) -> int | None:
    """Variances of a component under a structure; None where it has covariance matrices."""
    if n_features == 1 or structure.n_covariance_parameters(1, n_features) == 1:
        return 1
    return n_features if structure.diagonal else None


def _vector(name: str, value: Any, *, positive: bool) -> tuple[float, ...]:
    try:
        array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise InvalidParameterError(f"{name} must be finite numbers (D,), not {value!r:.80}.")
    if positive and array.min() <= 0.0:
        raise InvalidParameterError(f"{name} must be greater than 0, not {value!r:.80}.")
    return tuple(array.tolist())


def _fit(name: str, value: Any, size: int) -> tuple[float, ...]:
    """Numbers as a tuple of `size`; a single number serves all features."""
    array = np.atleast_1d(np.asarray(value, dtype=np.float64))
    if array.shape == (1,):
        array = np.repeat(array, size)
    if array.shape != (size,):
        raise _misfit(name, array.shape, (size,))
    return tuple(array.tolist())


def _freedom(name: str, df: float, n_features: int) -> float:
    if df <= n_features - 1:
        raise InvalidParameterError(
            f"{name} of {n_features} features needs df > {n_features - 1}, not {df:g}."
        )
    return df


def _check_square(name: str, matrix: Any, n_features: int) -> None:
    found = np.asarray(matrix).shape
    if found != (n_features, n_features):
        raise _misfit(name, found, (n_features, n_features))


def _misfit(name: str, found: tuple[int, ...], wanted: tuple[int, ...]) -> InvalidParameterError:
    return InvalidParameterError(
        f"The priors' {name} has shape {found}, but the data ask for {wanted}."
    )
