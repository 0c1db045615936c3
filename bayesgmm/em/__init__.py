"""Exact maximum likelihood: starts, the one EM loop, the estimator, and the choice of model."""

from bayesgmm.em.alignment import align
from bayesgmm.em.estimator import GaussianMixture
from bayesgmm.em.likelihood_ratio import BootstrapTest, bootstrap_lrt
from bayesgmm.em.merging import Merging, merge_components
from bayesgmm.em.selection import Selection, select_mixture
from bayesgmm.em.selection_plot import plot_selection
from bayesgmm.em.standard_errors import StandardErrors

__all__ = [
    "BootstrapTest",
    "GaussianMixture",
    "Merging",
    "Selection",
    "StandardErrors",
    "align",
    "bootstrap_lrt",
    "merge_components",
    "plot_selection",
    "select_mixture",
]
