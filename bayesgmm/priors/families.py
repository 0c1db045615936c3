"""Prior families of covariances: inverse-gamma, inverse-Wishart, and separate scales (LKJ).

A family is a frozen object of plain numbers and tuples, so that it can be compared, hashed and
written as JSON. `resolved` replaces a None by numbers that follow from the data. The scale of the
conjugate families has a prior of its own unless it is given (a hierarchical prior: Richardson &
Green 1997, section 2.4).

A scale, or the location of log standard deviations, may be given for each component, with one more
axis; those that are equal for all components are kept once.

All densities are in the covariances themselves: sigma^2 ~ InverseGamma(a, beta) is equivalent to
1 / sigma^2 ~ Gamma(a, beta), but its density is that of sigma^2. A density takes arrays of NumPy,
or tensors of a module `xp` with NumPy's functions (PyTensor's). The core has the same densities in
``prior.hpp``.
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy.special import gammaln, multigammaln

from bayesgmm.arrays import Array
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.priors.column_scales import ColumnScales
from bayesgmm.priors.hyperpriors import Gamma, Wishart
from bayesgmm.priors.number_checks import (
    Matrix,
    Vector,
    check_matrix,
    check_number,
    check_positive,
    freeze,
    frozen,
    misfit,
    once,
    vector_of,
    vector_or_rows,
)

_LOG_2 = math.log(2.0)
_LOG_2_PI = math.log(2.0 * math.pi)


class Terms(NamedTuple):
    """The numbers of a conjugate prior, Sigma ~ InverseWishart(nu, C).

    Variances are the case of one feature: InverseGamma(a, beta) has nu = 2 a and C = 2 beta.

    Attributes
    ----------
    nu : float
        Degrees of freedom.
    p : float or None
        Degrees of freedom of C ~ Wishart(p, V), that is 2 g for beta ~ Gamma(g, h). None if C is
        given.
    scale : ndarray of shape (1, D, D) or (m, D, D), or (1, J) or (m, J) for J variances
        C if it is given, of all covariances or of each; else V^-1, that is h.
    """

    nu: float
    p: float | None
    scale: Array

    @property
    def size(self) -> int:
        """D for matrices, 1 for variances."""
        return self.scale.shape[1] if self.scale.ndim == 3 else 1


class ConjugateFamily(ABC):
    """Inverse-gamma or inverse-Wishart, with a scale that is given or has a prior of its own.

    Covariances are (m, D, D), or (m, J) variances, and the scale is (D, D) or (J,); a given one may
    be (m, D, D) or (m, J).
    """

    __slots__ = ()
    scale: Any
    factor: ClassVar[float]
    """C over the scale: 2 for C = 2 beta, 1 for matrices."""

    @property
    @abstractmethod
    def terms(self) -> Terms:
        """The numbers of a resolved prior."""

    @property
    def hierarchical(self) -> bool:
        """True if the scale has a prior of its own."""
        return isinstance(self.scale, Gamma | Wishart)

    @property
    def differs(self) -> bool:
        """True if the components have scales of their own."""
        return len(self.terms.scale) > 1

    def of_component(self, c: int) -> Any:
        """The prior of one covariance."""
        return replace(self, scale=self.scale[c]) if self.differs else self  # type: ignore[type-var]

    @property
    def mean_scale(self) -> Array:
        """The given scale, or the prior mean of a random one."""
        if isinstance(self.scale, Gamma | Wishart):
            return self.scale.mean
        return np.asarray(self.scale, dtype=np.float64)

    def expected_scale(self, covariances: Array) -> Array:
        """The given scale, or the mean of a random one given the covariances.

        C | Sigma ~ Wishart(p + m nu, (V^-1 + sum_k Sigma_k^-1)^-1).
        """
        nu, p, inverse_v = self.terms
        if p is None:
            return self.mean_scale
        ndim = inverse_v.ndim - 1
        total = inverse_v[0] + _inverse(covariances, ndim).sum(axis=0)
        post = p + len(covariances) * nu
        return np.asarray(post / self.factor * _inverse(total, ndim))

    def log_density(
        self,
        covariances: Any,
        scale: Array | None = None,
        *,
        count: int | None = None,
        xp: Any = np,
    ) -> Any:
        """Joint log density of covariances and the scale, nats.

        With `scale` None a random scale is integrated out. `count` is m, where the tensors of `xp`
        do not have it.
        """
        nu, p, own = terms = self.terms
        m, d, ndim = count or len(covariances), terms.size, own.ndim - 1
        # Independent covariances of a component: J variances, or one matrix.
        blocks = own[0].size // d**2
        value = -0.5 * (nu + d + 1.0) * _log_det(covariances, ndim, xp).sum()
        value -= m * blocks * multigammaln(0.5 * nu, d)
        inverses = _inverse(covariances, ndim, xp)
        if p is not None:
            value += 0.5 * p * _log_det(own, ndim).sum() - blocks * multigammaln(0.5 * p, d)
        if p is not None and scale is None:
            # The density of C has the power `post`, and the sum of V^-1 and the inverses in it.
            post = p + m * nu
            value += blocks * multigammaln(0.5 * post, d)
            return value - 0.5 * post * _log_det(own[0] + inverses.sum(axis=0), ndim, xp).sum()
        c = own if scale is None else self.factor * scale[np.newaxis]
        # Of each covariance, as |C| counts for all of them where they have one C.
        log_det = _log_det(c, ndim).sum() / len(c) - blocks * d * _LOG_2
        value += 0.5 * m * nu * log_det - 0.5 * (c * inverses).sum()
        if p is not None:
            # The density of the scale: dC is `factor` times its differential.
            value += 0.5 * p * log_det - 0.5 * (own * c).sum() + blocks * math.log(self.factor)
            value -= 0.5 * (d + 1.0) * (log_det + blocks * d * _LOG_2)
        return value


@dataclass(frozen=True, slots=True)
class InverseGamma(ConjugateFamily):
    """sigma^2 ~ InverseGamma(shape, scale), for every variance of a component on its own.

    p(sigma^2) = scale^shape / Gamma(shape) (sigma^2)^-(shape + 1) exp(-scale / sigma^2).

    For one feature, diagonal structures (a scale for each feature) and spherical ones (one scale).

    Attributes
    ----------
    shape : float
    scale : float, tuple of float (D,) or (K, D), Gamma, or None
        In data units squared. None: Gamma(0.2, 10 / R^2), estimated with the other parameters.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, InverseGamma, Priors, load_dataset
    >>> priors = Priors(covariances=InverseGamma(shape=3.0, scale=[0.2, 50.0]))
    >>> fit = GaussianMixture(2, covariance_type="diag", priors=priors, random_state=0)
    >>> fit.fit(load_dataset("faithful").X).covariances_.round(2).tolist()
    [[0.07, 32.14], [0.16, 34.75]]
    """

    shape: float = 2.0
    scale: float | Vector | Matrix | Gamma | None = None
    factor = 2.0

    def __post_init__(self) -> None:
        freeze(self, Gamma, shape=check_positive, scale=check_positive)

    @property
    def terms(self) -> Terms:
        """The numbers of a resolved prior, with J variances."""
        if isinstance(self.scale, Gamma):
            return Terms(
                2.0 * self.shape,
                2.0 * self.scale.shape,
                np.atleast_2d(np.asarray(self.scale.rate, dtype=np.float64)),
            )
        return Terms(2.0 * self.shape, None, 2.0 * np.atleast_2d(self.mean_scale))

    def resolved(
        self, columns: ColumnScales, count: int, *, hierarchical: bool, spherical: bool
    ) -> "InverseGamma":
        """The prior with every number, for columns of data and a count of covariances."""
        r = columns.range
        if spherical:
            # One variance for all features: the geometric mean of their ranges.
            r = np.exp(np.log(r).mean(keepdims=True))
        scale = Gamma() if self.scale is None else self.scale
        if isinstance(scale, Gamma):
            rate = 10.0 / r**2 if scale.rate is None else scale.rate
            scale = Gamma(scale.shape, vector_of("rate", rate, len(r)))
            if self.scale is None and not hierarchical:
                scale = frozen(scale.mean)
        else:
            scale = vector_or_rows("scale", scale, count, len(r))
        return replace(self, scale=scale)

    def scaled(self, factor: Array) -> "InverseGamma":
        """The prior of the variances of rows multiplied by `factor` (J,)."""
        if isinstance(self.scale, Gamma):
            rate = np.asarray(self.scale.rate, dtype=np.float64) / factor**2
            return replace(self, scale=Gamma(self.scale.shape, frozen(rate)))
        return replace(self, scale=frozen(self.mean_scale * factor**2))


@dataclass(frozen=True, slots=True)
class InverseWishart(ConjugateFamily):
    """Sigma ~ InverseWishart(df, scale).

    p(Sigma) is proportional to det(Sigma)^-((df + D + 1) / 2) exp(-tr(scale Sigma^-1) / 2); the
    mean is scale / (df - D - 1).

    Attributes
    ----------
    df : float or None
        Greater than D - 1. None: D + 4.
    scale : matrix (D, D), matrices (K, D, D), Wishart, or None
        In data units squared. None: Wishart(D, diag(R^2) (D + 4) / (100 D)), estimated with the
        other parameters.

    References
    ----------
    Stephens (2000), Annals of Statistics 28, 40-74, section 4, in the parametrisation of
    Fruehwirth-Schnatter (2006): c_0 = df / 2 = 2.5 + (D - 1) / 2, g_0 = D / 2,
    G_0 = 100 g_0 / c_0 diag(1 / R^2), C_0 = scale / 2.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, InverseWishart, Priors, load_dataset
    >>> priors = Priors(covariances=InverseWishart(df=6.0, scale=[[0.2, 0.0], [0.0, 50.0]]))
    >>> fit = GaussianMixture(2, priors=priors, random_state=0).fit(load_dataset("faithful").X)
    >>> fit.mixture_.variances.round(2).tolist()
    [[0.07, 31.3], [0.16, 34.55]]
    """

    df: float | None = None
    scale: Matrix | tuple[Matrix, ...] | Wishart | None = None
    factor = 1.0

    def __post_init__(self) -> None:
        freeze(self, Wishart, df=check_positive, scale=check_matrix)

    @property
    def terms(self) -> Terms:
        """The numbers of a resolved prior."""
        assert self.df is not None
        if isinstance(self.scale, Wishart):
            v = np.asarray(self.scale.scale, dtype=np.float64)
            return Terms(self.df, self.scale.df, _inverse(v)[np.newaxis])
        own = self.mean_scale
        return Terms(self.df, None, own if own.ndim == 3 else own[np.newaxis])

    def resolved(
        self, columns: ColumnScales, count: int, *, hierarchical: bool
    ) -> "InverseWishart":
        """The prior with every number, for columns of data and a count of covariances."""
        d = len(columns.range)
        scale = Wishart() if self.scale is None else self.scale
        if isinstance(scale, Wishart):
            default = np.diag(columns.range**2) * (d + 4.0) / (100.0 * d)
            scale = Wishart(scale.df or float(d), scale.scale or frozen(default))
            if self.scale is None and not hierarchical:
                scale = frozen(scale.mean)
        else:
            scale = once(scale) if np.ndim(scale) == 3 else scale
        out = replace(self, df=self.df or d + 4.0, scale=scale)
        nu, p, own = out.terms
        df = min(nu, p or nu)
        if df <= d - 1:
            raise InvalidParameterError(
                f"A prior of covariances of {plural(d, 'feature')} needs df > {d - 1}, not {df:g}."
            )
        if own.shape[1:] != (d, d) or len(own) not in (1, count):
            raise misfit("scale", np.shape(out.mean_scale), (d, d), count)
        return out

    def scaled(self, factor: Array) -> "InverseWishart":
        """The prior of the covariances of rows multiplied by `factor` (D,)."""
        hyper = self.scale if isinstance(self.scale, Wishart) else None
        own = np.asarray(hyper.scale if hyper else self.scale, dtype=np.float64)
        moved = frozen(own * factor * factor[:, np.newaxis])
        return replace(self, scale=Wishart(hyper.df, moved) if hyper else moved)


@dataclass(frozen=True, slots=True)
class LKJ:
    """Standard deviations log-normal, correlations LKJ(eta), independent of one another.

    log sd_j ~ N(log_scale_location_j, log_scale_spread^2); p(R) is proportional to
    det(R)^(eta - 1). Not conjugate: for sampling, not for penalised likelihood.

    Attributes
    ----------
    eta : float
    log_scale_location : tuple of float (D,) or (K, D), or None
        None: log(s_j / K^(1 / D)) with s_j the columns' standard deviations.
    log_scale_spread : float

    References
    ----------
    Lewandowski, Kurowicka and Joe (2009), J. Multivariate Analysis 100, 1989-2001, section 3.

    Examples
    --------
    >>> from bayesgmm import LKJ, Priors, load_dataset
    >>> resolved = Priors(covariances=LKJ(eta=2.0)).for_data(load_dataset("faithful").X, 2)
    >>> [round(each, 2) for each in resolved.covariances.log_scale_location]
    [-0.22, 2.26]
    """

    eta: float = 2.0
    log_scale_location: Vector | Matrix | None = None
    log_scale_spread: float = 0.7

    def __post_init__(self) -> None:
        freeze(
            self,
            eta=check_positive,
            log_scale_location=check_number,
            log_scale_spread=check_positive,
        )

    @property
    def hierarchical(self) -> bool:
        """False: an LKJ prior has no scale."""
        return False

    @property
    def differs(self) -> bool:
        """True if the components have locations of their own."""
        return np.asarray(self.log_scale_location).ndim > 1

    def of_component(self, c: int) -> "LKJ":
        """The prior of one covariance."""
        location = np.asarray(self.log_scale_location, dtype=np.float64)
        return replace(self, log_scale_location=location[c]) if self.differs else self

    def resolved(self, columns: ColumnScales, count: int, n_components: int) -> "LKJ":
        """The prior with every number, for columns of data and a count of covariances."""
        d, location = len(columns.range), self.log_scale_location
        if location is None:
            location = frozen(np.log(columns.deviation) - np.log(n_components) / d)
        location = vector_or_rows("log_scale_location", location, count, d)
        return replace(self, log_scale_location=location)

    def log_density(
        self,
        covariances: Any,
        scale: Array | None = None,
        *,
        count: int | None = None,
        xp: Any = np,
    ) -> Any:
        """Log density of covariances (m, D, D), nats; there is no scale.

        In the entries of the covariances: p(sd) p(R) / (2^D prod sd_j^D). `count` is m, where the
        tensors of `xp` do not have it.
        """
        location = np.asarray(self.log_scale_location, dtype=np.float64)
        m, d = count or len(covariances), location.shape[-1]
        log_sd = 0.5 * xp.log(xp.diagonal(covariances, axis1=-2, axis2=-1))
        z = (log_sd - location) / self.log_scale_spread
        value = (self.eta - 1.0) * _log_det(covariances, 2, xp).sum()
        value -= 0.5 * (z**2).sum() + (2.0 * self.eta - 1.0 + d) * log_sd.sum()
        normaliser = d * (0.5 * _LOG_2_PI + math.log(self.log_scale_spread) + _LOG_2)
        return value - m * (normaliser + self._log_normaliser(d))

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


def _log_det(matrices: Any, ndim: int = 2, xp: Any = np) -> Any:
    """Log determinants of positive definite matrices, or logs of variances (`ndim` 1)."""
    if ndim == 1:
        return xp.log(matrices)
    pivots = xp.diagonal(xp.linalg.cholesky(matrices), axis1=-2, axis2=-1)
    return 2.0 * xp.log(pivots).sum(axis=-1)


def _inverse(matrices: Any, ndim: int = 2, xp: Any = np) -> Any:
    """Inverses of positive definite matrices, or of variances (`ndim` 1)."""
    if ndim == 1:
        return 1.0 / matrices
    half = xp.linalg.solve(xp.linalg.cholesky(matrices), xp.eye(matrices.shape[-1]))
    return half.mT @ half
