"""Exact maximum likelihood: starts, the one EM loop, and the estimator."""

from bayesgmm.em.estimator import GaussianMixture

__all__ = ["GaussianMixture"]
