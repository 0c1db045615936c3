"""Exact maximum likelihood: starts, the one EM loop, and the estimator."""

from bayesgmm.em.estimator import GaussianMixture
from bayesgmm.em.likelihood_ratio import BootstrapTest, bootstrap_lrt
from bayesgmm.em.merging import Merging, merge_components
from bayesgmm.em.standard_errors import StandardErrors

__all__ = [
    "BootstrapTest",
    "GaussianMixture",
    "Merging",
    "StandardErrors",
    "bootstrap_lrt",
    "merge_components",
]
