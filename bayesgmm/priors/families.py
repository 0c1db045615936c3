"""Priors of covariances as values: inverse-gamma, inverse-Wishart, and separate scales (LKJ).

A family is a frozen object of plain numbers and tuples, so that it can be compared, hashed and
written as JSON. A number that is None is filled from the data by `bayesgmm.priors.priors`. The
scale of the conjugate families is itself given a prior unless it is a number (a hierarchical
prior: Richardson & Green 1997, section 2.4): what spread a component has is then learned from the
other components.

All densities are in the covariances themselves: sigma^2 ~ InverseGamma(a, beta) says the same as
1 / sigma^2 ~ Gamma(a, beta), but its density is that of sigma^2.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, multigammaln

from bayesgmm.errors import InvalidParameterError

type Array = NDArray[np.float64]
type Vector = tuple[float, ...]
type Matrix = tuple[Vector, ...]

_LOG_2 = math.log(2.0)
_LOG_2_PI = math.log(2.0 * math.pi)


def frozen(value: Any) -> Any:
    """Numbers and arrays as floats and nested tuples of floats; what is neither stays as it is."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return frozen(value.item())
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(frozen(each) for each in value)
    if isinstance(value, np.number | int) and not isinstance(value, bool):
        return float(value)
    return value


def _check_positive(owner: Any, name: str, value: Any, least: float = 0.0) -> None:
    """Refuse anything but finite numbers above `least`."""
    try:
        array = np.asarray(value, dtype=np.float64)
        sound = bool(array.size and np.isfinite(array).all() and (array > least).all())
    except (TypeError, ValueError):
        sound = False
    if not sound or isinstance(value, bool | str):
        raise InvalidParameterError(
            f"{type(owner).__name__}({name}=...) must be finite and greater than {least:g}, not "
            f"{value!r:.80}."
        )


def _check_matrix(owner: Any, name: str, value: Any) -> None:
    """Refuse anything but a symmetric positive definite matrix."""
    try:
        matrix = np.asarray(value, dtype=np.float64)
        sound = matrix.ndim == 2 and bool((matrix == matrix.T).all())
        np.linalg.cholesky(matrix)
    except (TypeError, ValueError, np.linalg.LinAlgError):
        sound = False
    if not sound:
        raise InvalidParameterError(
            f"{type(owner).__name__}({name}=...) must be a symmetric positive definite matrix "
            f"(D, D), not {value!r:.120}."
        )


def _freeze(owner: Any, **checks: Callable[[Any, str, Any], None]) -> None:
    """Turn the fields named in `checks` into plain values and check those that are numbers."""
    for name, check in checks.items():
        value = frozen(getattr(owner, name))
        object.__setattr__(owner, name, value)
        if value is not None and not isinstance(value, Gamma | Wishart):
            check(owner, name, value)


def _above(least: float) -> Callable[[Any, str, Any], None]:
    return lambda owner, name, value: _check_positive(owner, name, value, least)


@dataclass(frozen=True, slots=True)
class Gamma:
    """beta ~ Gamma(shape, rate): the prior of an inverse-gamma scale, one for each feature.

    Attributes
    ----------
    shape : float
    rate : float, tuple of float (D,), or None
        In units of 1 / data units squared; the mean is shape / rate. None: 10 / R^2 with R the
        columns' ranges.
    """

    shape: float = 0.2
    rate: float | Vector | None = None

    def __post_init__(self) -> None:
        _freeze(self, shape=_check_positive, rate=_check_positive)

    @property
    def mean(self) -> Array:
        """The mean, (J,)."""
        return self.shape / np.atleast_1d(np.asarray(self.rate, dtype=np.float64))

    def log_density(self, beta: Array) -> float:
        """Of scales (J,), nats."""
        rate = np.broadcast_to(np.asarray(self.rate, dtype=np.float64), beta.shape)
        g = self.shape
        each = g * np.log(rate) - gammaln(g) + (g - 1.0) * np.log(beta) - rate * beta
        return float(each.sum())


@dataclass(frozen=True, slots=True)
class Wishart:
    """C ~ Wishart(df, scale): the prior of an inverse-Wishart scale.

    p(C) is proportional to |C|^((df - D - 1) / 2) exp(-tr(scale^-1 C) / 2); the mean is df scale.

    Attributes
    ----------
    df : float or None
        Greater than D - 1. None: D.
    scale : matrix (D, D) or None
        In data units squared. None: diag(R^2) (D + 4) / (100 D) with R the columns' ranges.
    """

    df: float | None = None
    scale: Matrix | None = None

    def __post_init__(self) -> None:
        _freeze(self, df=_check_positive, scale=_check_matrix)

    @property
    def mean(self) -> Array:
        """The mean, (D, D)."""
        assert self.df is not None
        return self.df * np.asarray(self.scale, dtype=np.float64)

    def log_density(self, c: Array) -> float:
        """Of a scale (D, D), nats."""
        assert self.df is not None
        v, p, d = np.asarray(self.scale, dtype=np.float64), self.df, len(c)
        exponent = 0.5 * (p - d - 1.0) * _log_det(c) - 0.5 * np.trace(np.linalg.solve(v, c))
        return float(exponent - 0.5 * p * (d * _LOG_2 + _log_det(v)) - multigammaln(0.5 * p, d))


@dataclass(frozen=True, slots=True)
class InverseGamma:
    """sigma^2 ~ InverseGamma(shape, scale), for every variance of a component on its own.

    p(sigma^2) = scale^shape / Gamma(shape) (sigma^2)^-(shape + 1) exp(-scale / sigma^2).

    For one feature, diagonal structures (a scale for each feature) and spherical ones (one scale).

    Attributes
    ----------
    shape : float
    scale : float, tuple of float (D,), Gamma, or None
        In data units squared. None: Gamma(0.2, 10 / R^2), learned with the rest.
    """

    shape: float = 2.0
    scale: float | Vector | Gamma | None = None

    def __post_init__(self) -> None:
        _freeze(self, shape=_check_positive, scale=_check_positive)

    @property
    def hierarchical(self) -> bool:
        """Whether the scale has a prior of its own."""
        return isinstance(self.scale, Gamma)

    def pseudo_count(self, n_features: int) -> float:
        """Rows that the prior counts for in an M-step of the variances: 2 (shape + 1) / axes.

        `n_features` is the number of axes that share one variance: 1 unless spherical.
        """
        return 2.0 * (self.shape + 1.0) / n_features

    def expected_scale(self, variances: Array) -> Array:
        """The scale (J,): the given one, or its mean given the variances (m, J) of m components.

        beta | sigma^2 ~ Gamma(g + m a, h + sum_k 1 / sigma_k^2).
        """
        if isinstance(self.scale, Gamma):
            rate = np.asarray(self.scale.rate, dtype=np.float64)
            total = rate + (1.0 / variances).sum(axis=0)
            return (self.scale.shape + len(variances) * self.shape) / total
        given = np.asarray(self.scale, dtype=np.float64)
        return np.broadcast_to(given, variances.shape[1:])

    def log_density(self, variances: Array, scale: Array | None) -> float:
        """Joint density of variances (m, J) and the scale (J,), nats.

        With `scale` None a hierarchical scale is integrated out.
        """
        a, (m, axes) = self.shape, variances.shape
        base = -(a + 1.0) * np.log(variances).sum() - m * axes * gammaln(a)
        sums = (1.0 / variances).sum(axis=0)
        if scale is None and isinstance(self.scale, Gamma):
            rate = np.broadcast_to(np.asarray(self.scale.rate, dtype=np.float64), (axes,))
            g = self.scale.shape
            each = g * np.log(rate) - gammaln(g) + gammaln(m * a + g)
            return float(base + (each - (m * a + g) * np.log(rate + sums)).sum())
        beta = np.broadcast_to(self.expected_scale(variances) if scale is None else scale, (axes,))
        hyper = self.scale.log_density(beta) if isinstance(self.scale, Gamma) else 0.0
        return float(base + (m * a * np.log(beta) - beta * sums).sum() + hyper)

    def scaled(self, factor: Array) -> "InverseGamma":
        """The prior of the variances of rows multiplied by `factor` (J,)."""
        if isinstance(self.scale, Gamma):
            rate = np.asarray(self.scale.rate, dtype=np.float64) / factor**2
            return replace(self, scale=replace(self.scale, rate=frozen(rate)))
        return replace(self, scale=frozen(np.asarray(self.scale, dtype=np.float64) * factor**2))


@dataclass(frozen=True, slots=True)
class InverseWishart:
    """Sigma ~ InverseWishart(df, scale).

    p(Sigma) is proportional to det(Sigma)^-((df + D + 1) / 2) exp(-tr(scale Sigma^-1) / 2); the
    mean is scale / (df - D - 1).

    Attributes
    ----------
    df : float or None
        Greater than D - 1. None: D + 4.
    scale : matrix (D, D), Wishart, or None
        In data units squared. None: Wishart(D, diag(R^2) (D + 4) / (100 D)), learned with the rest.

    References
    ----------
    Stephens (2000), Annals of Statistics 28, 40-74, section 4, in the parametrisation of
    Fruehwirth-Schnatter (2006): c_0 = df / 2 = 2.5 + (D - 1) / 2, g_0 = D / 2,
    G_0 = 100 g_0 / c_0 diag(1 / R^2), C_0 = scale / 2.
    """

    df: float | None = None
    scale: Matrix | Wishart | None = None

    def __post_init__(self) -> None:
        _freeze(self, df=_check_positive, scale=_check_matrix)

    @property
    def hierarchical(self) -> bool:
        """Whether the scale has a prior of its own."""
        return isinstance(self.scale, Wishart)

    def pseudo_count(self, n_features: int) -> float:
        """Rows that the prior counts for in an M-step of the covariances: df + D + 1."""
        assert self.df is not None
        return self.df + n_features + 1.0

    def expected_scale(self, covariances: Array) -> Array:
        """The scale (D, D): the given one, or its mean given the covariances (m, D, D).

        C | Sigma ~ Wishart(p + m nu, (V^-1 + sum_k Sigma_k^-1)^-1).
        """
        if isinstance(self.scale, Wishart):
            assert self.df is not None
            assert self.scale.df is not None
            total = self._inverses(covariances)
            lower = np.linalg.cholesky(total)
            half = np.linalg.solve(lower, np.eye(len(lower)))
            return (self.scale.df + len(covariances) * self.df) * (half.T @ half)
        return np.asarray(self.scale, dtype=np.float64)

    def _inverses(self, covariances: Array) -> Array:
        """V^-1 + sum_k Sigma_k^-1."""
        assert isinstance(self.scale, Wishart)
        each = np.concatenate((np.asarray(self.scale.scale)[np.newaxis], covariances))
        identity = np.broadcast_to(np.eye(each.shape[-1]), each.shape)
        half = np.linalg.solve(np.linalg.cholesky(each), identity)
        total: Array = np.einsum("kij,kil->jl", half, half)
        return total

    def log_density(self, covariances: Array, scale: Array | None) -> float:
        """Joint density of covariances (m, D, D) and the scale (D, D), nats.

        With `scale` None a hierarchical scale is integrated out.
        """
        assert self.df is not None
        m, d, _ = covariances.shape
        nu = self.df
        base = -0.5 * (nu + d + 1.0) * _log_det(covariances).sum()
        base -= m * (0.5 * nu * d * _LOG_2 + multigammaln(0.5 * nu, d))
        if scale is None and isinstance(self.scale, Wishart):
            assert self.scale.df is not None
            p, v = self.scale.df, np.asarray(self.scale.scale, dtype=np.float64)
            post = p + m * nu
            base += multigammaln(0.5 * post, d) - multigammaln(0.5 * p, d)
            base += 0.5 * m * nu * d * _LOG_2 - 0.5 * p * _log_det(v)
            return float(base - 0.5 * post * _log_det(self._inverses(covariances)))
        c = self.expected_scale(covariances) if scale is None else scale
        hyper = self.scale.log_density(c) if isinstance(self.scale, Wishart) else 0.0
        traces = np.trace(np.linalg.solve(covariances, c), axis1=1, axis2=2)
        return float(base + 0.5 * m * nu * _log_det(c) - 0.5 * traces.sum() + hyper)

    def scaled(self, factor: Array) -> "InverseWishart":
        """The prior of the covariances of rows multiplied by `factor` (D,)."""
        own = self.scale.scale if isinstance(self.scale, Wishart) else self.scale
        moved = frozen(np.asarray(own, dtype=np.float64) * factor * factor[:, np.newaxis])
        if isinstance(self.scale, Wishart):
            return replace(self, scale=replace(self.scale, scale=moved))
        return replace(self, scale=moved)


@dataclass(frozen=True, slots=True)
class LKJ:
    """Standard deviations log-normal, correlations LKJ(eta), independent of one another.

    log sd_j ~ N(log_scale_location_j, log_scale_spread^2); p(R) is proportional to
    det(R)^(eta - 1). Not conjugate: for sampling, not for penalised likelihood.

    Attributes
    ----------
    eta : float
    log_scale_location : tuple of float (D,) or None
        None: log(s_j / K^(1 / D)) with s_j the columns' standard deviations.
    log_scale_spread : float

    References
    ----------
    Lewandowski, Kurowicka and Joe (2009), J. Multivariate Analysis 100, 1989-2001, section 3.
    """

    eta: float = 2.0
    log_scale_location: Vector | None = None
    log_scale_spread: float = 0.7

    def __post_init__(self) -> None:
        _freeze(
            self,
            eta=_check_positive,
            log_scale_location=_above(-math.inf),
            log_scale_spread=_check_positive,
        )

    @property
    def hierarchical(self) -> bool:
        """False: there is no scale to learn."""
        return False

    def log_density(self, covariances: Array, scale: Array | None = None) -> float:
        """Of covariances (m, D, D), nats.

        In the entries of the covariances: p(sd) p(R) / (2^D prod sd_j^D).
        """
        m, d, _ = covariances.shape
        sd = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
        z = (np.log(sd) - np.asarray(self.log_scale_location)) / self.log_scale_spread
        scales = -0.5 * (z**2 + _LOG_2_PI) - np.log(self.log_scale_spread) - np.log(sd)
        log_det_r = _log_det(covariances) - 2.0 * np.log(sd).sum(axis=1)
        jacobian = d * _LOG_2 + d * np.log(sd).sum(axis=1)
        each = scales.sum(axis=1) + (self.eta - 1.0) * log_det_r - jacobian
        return float(each.sum() - m * self._log_normaliser(d))

    def _log_normaliser(self, d: int) -> float:
        """Log of the integral of |R|^(eta - 1) over correlation matrices (their theorem 5)."""
        j = np.arange(1, d)
        b = self.eta + 0.5 * (d - 1 - j)
        log_beta = 2.0 * gammaln(b) - gammaln(2.0 * b)
        powers = (2.0 * self.eta - 2.0 + d - j) * (d - j)
        return float(_LOG_2 * powers.sum() + ((d - j) * log_beta).sum())

    def scaled(self, factor: Array) -> "LKJ":
        """The prior of the covariances of rows multiplied by `factor` (D,)."""
        moved = np.asarray(self.log_scale_location) + np.log(factor)
        return replace(self, log_scale_location=frozen(moved))


type Family = InverseGamma | InverseWishart | LKJ


def _log_det(matrices: Array) -> Any:
    """Log determinants of positive definite matrices."""
    lower = np.linalg.cholesky(matrices)
    return 2.0 * np.log(np.diagonal(lower, axis1=-2, axis2=-1)).sum(axis=-1)


_FAMILIES: dict[str, Any] = {
    each.__name__: each for each in (Gamma, Wishart, InverseGamma, InverseWishart, LKJ)
}


def family_to_dict(family: Any) -> dict[str, Any]:
    """A family as plain values that JSON can hold."""
    out: dict[str, Any] = {"family": type(family).__name__}
    for name in type(family).__dataclass_fields__:
        value = getattr(family, name)
        out[name] = family_to_dict(value) if isinstance(value, Gamma | Wishart) else _listed(value)
    return out


def family_from_dict(fields: dict[str, Any]) -> Any:
    """The inverse of `family_to_dict`.

    Raises
    ------
    InvalidParameterError
        If the fields are no family's.
    """
    made = dict(fields)
    kind = _FAMILIES.get(str(made.pop("family", None)))
    if kind is None or made.keys() != set(kind.__dataclass_fields__):
        raise InvalidParameterError(f"No prior of covariances has the fields {fields!r:.200}.")
    for name, value in made.items():
        if isinstance(value, dict):
            made[name] = family_from_dict(value)
    return kind(**made)


def _listed(value: Any) -> Any:
    return [_listed(each) for each in value] if isinstance(value, tuple) else value
