from . import errors as errors
from . import executors as executors
from . import likelihood as likelihood
from .calibration.calibrate import Calibration as Calibration
from .calibration.calibrate import calibrate as calibrate
from .classification.classifier import GaussianMixtureClassifier as GaussianMixtureClassifier
from .classification.membership_files import write_memberships as write_memberships
from .covariance.structures import Structure as Structure
from .covariance.structures import structures as structures
from .datasets.load import Dataset as Dataset
from .datasets.load import load_dataset as load_dataset
from .diagnostics.em_vs_posterior import Agreement as Agreement
from .diagnostics.em_vs_posterior import compare_engines as compare_engines
from .diagnostics.filled_components import filled_components as filled_components
from .diagnostics.recovery_study import RecoveryStudy as RecoveryStudy
from .diagnostics.recovery_study import recovery_study as recovery_study
from .diagnostics.truth_recovery import Recovery as Recovery
from .diagnostics.truth_recovery import recovery as recovery
from .em.spurious import Degeneracy as Degeneracy
from .em.spurious import Fault as Fault
from .estimator.alignment import align as align
from .estimator.gaussian_mixture import GaussianMixture as GaussianMixture
from .explorer.explore import explore as explore
from .explorer.explorer_page import Explorer as Explorer
from .labels.consistent_draws import responsibilities as responsibilities
from .labels.relabelling import relabel as relabel
from .marginal_likelihood.model_evidence import Evidence as Evidence
from .marginal_likelihood.model_evidence import evidence as evidence
from .marginal_likelihood.prior_sensitivity import PriorSensitivity as PriorSensitivity
from .marginal_likelihood.prior_sensitivity import prior_sensitivity as prior_sensitivity
from .mixture.contamination import Contamination as Contamination
from .mixture.decision_boundaries import Boundaries as Boundaries
from .mixture.highest_density_region import HighestDensityRegion as HighestDensityRegion
from .mixture.mixture import Mixture as Mixture
from .mixture.noise import Noise as Noise
from .mixture.regression import ConditionalMoments as ConditionalMoments
from .partitions.posterior_partition import Partition as Partition
from .partitions.posterior_partition import posterior_partition as posterior_partition
from .plots.interval_plots import plot_engines as plot_engines
from .plots.interval_plots import plot_recovery as plot_recovery
from .plots.label_plots import plot_ambiguity as plot_ambiguity
from .plots.label_plots import plot_label_switching as plot_label_switching
from .plots.mixture_plots import plot_mixture as plot_mixture
from .plots.partition_plot import plot_partition as plot_partition
from .plots.recovery_plot import plot_recovery_study as plot_recovery_study
from .plots.selection_plot import plot_selection as plot_selection
from .posterior.predictions import co_clustering as co_clustering
from .posterior.predictions import impute as impute
from .posterior.predictions import log_likelihood as log_likelihood
from .posterior.predictions import posterior_predictive as posterior_predictive
from .priors.families import LKJ as LKJ
from .priors.families import InverseGamma as InverseGamma
from .priors.families import InverseWishart as InverseWishart
from .priors.hyperpriors import Gamma as Gamma
from .priors.hyperpriors import Wishart as Wishart
from .priors.priors import Priors as Priors
from .priors.resolved_priors import ResolvedPriors as ResolvedPriors
from .pymc_models.mixture_distribution import marginal_mixture as marginal_mixture
from .pymc_models.pymc_model import mixture_model as mixture_model
from .reporting.build import report as report
from .reporting.page import Report as Report
from .sampling.sampling import sample_posterior as sample_posterior
from .selection.combining_components import Merging as Merging
from .selection.combining_components import merge_components as merge_components
from .selection.likelihood_bound import LikelihoodBound as LikelihoodBound
from .selection.likelihood_bound import bound_log_likelihood as bound_log_likelihood
from .selection.likelihood_ratio_test import BootstrapLRT as BootstrapLRT
from .selection.likelihood_ratio_test import bootstrap_lrt as bootstrap_lrt
from .selection.model_selection import select_mixture as select_mixture
from .selection.selection_result import Selection as Selection
from .simulation.misclassification import overlap as overlap
from .simulation.random_mixtures import random_mixture as random_mixture
from .simulation.simulate import Simulation as Simulation
from .simulation.simulate import simulate as simulate
from .simulation.worked_examples import scenario as scenario
from .simulation.worked_examples import scenarios as scenarios
from .sources.opening import open_rows as open_rows
from .uncertainty.standard_errors import StandardErrors as StandardErrors
from .verdicts.switching import LabelSwitching as LabelSwitching
from .verdicts.switching import label_switching as label_switching
from .version import __version__ as __version__

__all__ = [
    "LKJ",
    "Agreement",
    "BootstrapLRT",
    "Boundaries",
    "Calibration",
    "ConditionalMoments",
    "Contamination",
    "Dataset",
    "Degeneracy",
    "Evidence",
    "Explorer",
    "Fault",
    "Gamma",
    "GaussianMixture",
    "GaussianMixtureClassifier",
    "HighestDensityRegion",
    "InverseGamma",
    "InverseWishart",
    "LabelSwitching",
    "LikelihoodBound",
    "Merging",
    "Mixture",
    "Noise",
    "Partition",
    "PriorSensitivity",
    "Priors",
    "Recovery",
    "RecoveryStudy",
    "Report",
    "ResolvedPriors",
    "Selection",
    "Simulation",
    "StandardErrors",
    "Structure",
    "Wishart",
    "__version__",
    "align",
    "bootstrap_lrt",
    "bound_log_likelihood",
    "calibrate",
    "co_clustering",
    "compare_engines",
    "errors",
    "evidence",
    "executors",
    "explore",
    "filled_components",
    "impute",
    "label_switching",
    "likelihood",
    "load_dataset",
    "log_likelihood",
    "marginal_mixture",
    "merge_components",
    "mixture_model",
    "open_rows",
    "overlap",
    "plot_ambiguity",
    "plot_engines",
    "plot_label_switching",
    "plot_mixture",
    "plot_partition",
    "plot_recovery",
    "plot_recovery_study",
    "plot_selection",
    "posterior_partition",
    "posterior_predictive",
    "prior_sensitivity",
    "random_mixture",
    "recovery",
    "recovery_study",
    "relabel",
    "report",
    "responsibilities",
    "sample_posterior",
    "scenario",
    "scenarios",
    "select_mixture",
    "simulate",
    "structures",
    "write_memberships",
]
