"""Priors as the arguments that the core takes."""

from typing import NamedTuple

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.priors.families import LKJ
from bayesgmm.priors.resolved_priors import ResolvedPriors

_FIXED, _RANDOM, _SEPARATE = 0, 1, 2


class PriorNumbers(NamedTuple):
    """The fields of ``struct Prior`` in the core's ``prior.hpp``, in order.

    Attributes
    ----------
    concentration : ndarray of shape (K,)
    location, precision : ndarray of shape (K, D)
        Of the means; the precision is 1 / sd.
    family : int
        Of the covariances: with a given scale, a random one, or separate scales.
    groups, axes : int
        Covariances, and variances of each (0 for matrices).
    strength : ndarray of shape (2,)
        (nu, p) of matrices, (a, g) of variances, (eta, spread) of separate scales.
    scale : ndarray
        Given: C of matrices (G D D,), beta of variances (G J,). Random: V^-1 (D D,), or h (J,).
    log_scales : ndarray of shape (G, D)
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
    family, d, groups = priors.covariances, priors.n_features, priors.n_covariances
    means, log_scales = (priors.n_components, d), np.zeros((groups, d))
    if isinstance(family, LKJ):
        kind, strength, scale = _SEPARATE, (family.eta, family.log_scale_spread), np.zeros(d * d)
        log_scales[:] = family.log_scale_location
    else:
        nu, p, scale = family.terms
        kind = _FIXED if p is None else _RANDOM
        strength = nu / family.factor, (p or 0.0) / family.factor
        if p is None:
            scale = np.broadcast_to(scale / family.factor, (groups, *scale.shape[1:]))
    return PriorNumbers(
        np.array(priors.concentration),
        np.full(means, priors.mean_location),
        1.0 / np.full(means, priors.mean_sd),
        kind,
        groups,
        priors.n_axes or 0,
        np.array(strength),
        scale.flatten(),
        log_scales,
    )
