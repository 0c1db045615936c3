"""Priors as the arguments that the core takes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.priors.families import LKJ
from bayesgmm.priors.priors import ResolvedPriors

type Array = NDArray[np.float64]

_FIXED, _RANDOM, _SEPARATE = 0, 1, 2


class PriorNumbers(NamedTuple):
    """The fields of ``struct Prior`` in the core's ``prior.hpp``, in order.

    Attributes
    ----------
    concentration : ndarray of shape (K,)
    location, precision : ndarray of shape (D,)
        Of the means; the precision is 1 / sd.
    family : int
        Of the covariances: with a given scale, a random one, or separate scales.
    groups, axes : int
        Covariances, and variances of each (0 for matrices).
    strength : ndarray of shape (2,)
        (nu, p) of matrices, (a, g) of variances, (eta, spread) of separate scales.
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
    """The numbers of priors, in their own units; the arrays are copies."""
    family, d = priors.covariances, priors.n_features
    log_scales = np.zeros(d)
    if isinstance(family, LKJ):
        kind, strength, scale = _SEPARATE, (family.eta, family.log_scale_spread), np.zeros(d * d)
        log_scales = np.array(family.log_scale_location, dtype=np.float64)
    else:
        nu, p, scale = family.terms
        kind = _FIXED if p is None else _RANDOM
        strength = nu / family.factor, (p or 0.0) / family.factor
        if p is None:
            scale = scale / family.factor
    return PriorNumbers(
        np.array(priors.concentration),
        np.array(priors.mean_location),
        1.0 / np.array(priors.mean_sd),
        kind,
        priors.n_covariances,
        priors.n_axes or 0,
        np.array(strength),
        scale.flatten(),
        log_scales,
    )
