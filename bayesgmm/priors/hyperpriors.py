"""Priors of the scale of covariances: gamma and Wishart distributions."""

import math
from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.priors.number_checks import (
    Matrix,
    Vector,
    check_matrix,
    check_positive,
    freeze,
)

_LOG_2 = math.log(2.0)
_LOG_2_PI = math.log(2.0 * math.pi)


@dataclass(frozen=True, slots=True)
class Gamma:
    """beta ~ Gamma(shape, rate): the prior of an inverse-gamma scale, one for each feature.

    Attributes
    ----------
    shape : float
    rate : float, tuple of float (D,), or None
        In units of 1 / data units squared; the mean is shape / rate. None: 10 / R^2 with R the
        columns' ranges.

    Examples
    --------
    >>> from bayesgmm import Gamma, InverseGamma
    >>> InverseGamma(shape=2.0, scale=Gamma(0.2, [1.0, 4.0])).scale.mean
    array([0.2 , 0.05])
    """

    shape: float = 0.2
    rate: float | Vector | None = None

    def __post_init__(self) -> None:
        freeze(self, shape=check_positive, rate=check_positive)

    @property
    def mean(self) -> Array:
        """The mean, (J,)."""
        return self.shape / np.atleast_1d(np.asarray(self.rate, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class Wishart:
    """C ~ Wishart(df, scale): the prior of an inverse-Wishart scale.

    p(C) is proportional to det(C)^((df - D - 1) / 2) exp(-tr(scale^-1 C) / 2); mean df scale.

    Attributes
    ----------
    df : float or None
        Greater than D - 1. None: D.
    scale : matrix (D, D) or None
        In data units squared. None: diag(R^2) (D + 4) / (100 D) with R the columns' ranges.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import InverseWishart, Wishart
    >>> InverseWishart(df=6.0, scale=Wishart(2.0, np.eye(2))).hierarchical
    True
    """

    df: float | None = None
    scale: Matrix | None = None

    def __post_init__(self) -> None:
        freeze(self, df=check_positive, scale=check_matrix)

    @property
    def mean(self) -> Array:
        """The mean, (D, D)."""
        assert self.df is not None
        return self.df * np.asarray(self.scale, dtype=np.float64)
