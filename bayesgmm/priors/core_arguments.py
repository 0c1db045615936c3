"""Priors as the core takes them."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.priors.families import Gamma, InverseGamma, InverseWishart, Wishart
from bayesgmm.priors.priors import ResolvedPriors

type Array = NDArray[np.float64]

_FIXED, _LEARNED, _SEPARATE = 0, 1, 2


class PriorNumbers(NamedTuple):
    """Priors as plain numbers; the formulas stand in the core's ``prior.hpp``.

    Attributes
    ----------
    concentration : ndarray of shape (K,)
    location, precision : ndarray of shape (D,)
        Of the means; the precision is 1 / sd.
    family : int
        Of the covariances: with a fixed scale, one that is learned, or separate scales.
    groups, axes : int
        Covariances, and variances of each (0 for matrices).
    strength : ndarray of shape (2,)
    scale : ndarray
        C or V^-1 of matrices (D D,), beta or h of variances (J,).
    log_scales : ndarray of shape (D,)
    """

    concentration: Array
    location: Array
    precision: Array
    family: int
    groups: int
    axes: int
    strength: Array
    scale: Array
    log_scales: Array


def prior_numbers(priors: ResolvedPriors) -> PriorNumbers:
    """The numbers of priors, in their own units; arrays that are nobody else's."""
    family, strength, scale, log_scales = _family(priors)
    return PriorNumbers(
        np.array(priors.concentration),
        np.array(priors.mean_location),
        1.0 / np.array(priors.mean_sd),
        family,
        priors.n_covariances,
        priors.n_axes or 0,
        np.array(strength),
        np.array(scale, dtype=np.float64).ravel(),
        log_scales,
    )


def _family(priors: ResolvedPriors) -> tuple[int, tuple[float, float], Array, Array]:
    family, none = priors.covariances, np.zeros(priors.n_features)
    if isinstance(family, InverseGamma):
        learned = isinstance(family.scale, Gamma)
        given = family.scale.rate if isinstance(family.scale, Gamma) else family.scale
        second = family.scale.shape if isinstance(family.scale, Gamma) else 0.0
        scale = np.broadcast_to(np.asarray(given, dtype=np.float64), (priors.n_axes or 1,)).copy()
        return _LEARNED if learned else _FIXED, (family.shape, second), scale, none
    if isinstance(family, InverseWishart):
        assert family.df is not None
        if isinstance(family.scale, Wishart):
            assert family.scale.df is not None
            factor = np.linalg.cholesky(np.asarray(family.scale.scale, dtype=np.float64))
            half = np.linalg.solve(factor, np.eye(len(factor)))
            return _LEARNED, (family.df, family.scale.df), half.T @ half, none
        return _FIXED, (family.df, 0.0), np.asarray(family.scale, dtype=np.float64), none
    d = priors.n_features
    log_scales = np.array(family.log_scale_location, dtype=np.float64)
    return _SEPARATE, (family.eta, family.log_scale_spread), np.zeros((d, d)), log_scales
