"""Exact maximum likelihood: starts, the one EM loop, and the estimator."""

from bayesgmm.em.estimator import GaussianMixture
from bayesgmm.em.standard_errors import StandardErrors

__all__ = ["GaussianMixture", "StandardErrors"]
