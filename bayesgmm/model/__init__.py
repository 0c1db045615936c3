"""The vocabulary of the package: mixtures, and the checks that guard every entry."""

from bayesgmm.model.arguments import (
    check_axes,
    check_choice,
    check_count,
    check_kind,
    check_members,
    check_names,
    check_number,
    check_probability,
    check_rng,
    check_text,
    shown,
)
from bayesgmm.model.closeness import bhattacharyya, bhattacharyya_distances
from bayesgmm.model.covariance import (
    Decomposed,
    Structure,
    as_structure,
    structure_words,
    structures,
)
from bayesgmm.model.data import Data, check_data, check_sample_weight
from bayesgmm.model.decision_boundaries import Boundaries
from bayesgmm.model.matching import Matching, match_components, matching_costs
from bayesgmm.model.mixture import Mixture
from bayesgmm.model.precise import GaussianFactors, log_sum_exp
from bayesgmm.model.prior_families import LKJ, Gamma, InverseGamma, InverseWishart, Wishart
from bayesgmm.model.prior_numbers import PriorNumbers, prior_numbers
from bayesgmm.model.priors import Priors, ResolvedPriors
from bayesgmm.model.rank import check_enough_rows, check_full_rank, check_spread
from bayesgmm.model.region import HighestDensityRegion
from bayesgmm.model.regression import Regression
from bayesgmm.model.statistics import Parameters, Statistics
from bayesgmm.model.tangent import Tangent, covariance_tangent

__all__ = [
    "LKJ",
    "Boundaries",
    "Data",
    "Decomposed",
    "Gamma",
    "GaussianFactors",
    "HighestDensityRegion",
    "InverseGamma",
    "InverseWishart",
    "Matching",
    "Mixture",
    "Parameters",
    "PriorNumbers",
    "Priors",
    "Regression",
    "ResolvedPriors",
    "Statistics",
    "Structure",
    "Tangent",
    "Wishart",
    "as_structure",
    "bhattacharyya",
    "bhattacharyya_distances",
    "check_axes",
    "check_choice",
    "check_count",
    "check_data",
    "check_enough_rows",
    "check_full_rank",
    "check_kind",
    "check_members",
    "check_names",
    "check_number",
    "check_probability",
    "check_rng",
    "check_sample_weight",
    "check_spread",
    "check_text",
    "covariance_tangent",
    "log_sum_exp",
    "match_components",
    "matching_costs",
    "prior_numbers",
    "shown",
    "structure_words",
    "structures",
]
