"""Finite Gaussian mixtures: exact maximum likelihood on one kernel that everything shares.

::

    rows of data ─┐
                  ├─ e_step ─► Statistics ─(+)─► Statistics ─┬─ m_step ─► Mixture      (EM)
    Mixture ──────┘                                          └─ score ──► gradient     (NUTS)

One pass over the data gives the log-likelihood and the expected sufficient statistics. Statistics
add, so threads, files and clusters are ways to write a sum. The M-step of every covariance
structure is a function of the statistics alone, and so is the gradient of the log-likelihood.

The public names are loaded when they are first used: ``import bayesgmm`` itself imports nothing
that takes time.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayesgmm import errors
    from bayesgmm.datasets import Dataset, load_dataset
    from bayesgmm.diagnostics import (
        Agreement,
        LabelSwitching,
        Recovery,
        compare_engines,
        label_switching,
        plot_ambiguity,
        plot_engines,
        plot_label_switching,
        plot_mixture,
        plot_recovery,
        recovery,
        relabel,
    )
    from bayesgmm.em import (
        BootstrapTest,
        GaussianMixture,
        Merging,
        Selection,
        StandardErrors,
        align,
        bootstrap_lrt,
        merge_components,
        plot_selection,
        select_mixture,
    )
    from bayesgmm.engine import e_step, score
    from bayesgmm.model import (
        LKJ,
        Boundaries,
        HighestDensityRegion,
        InverseGamma,
        InverseWishart,
        Mixture,
        Priors,
        Regression,
        ResolvedPriors,
        Statistics,
        structures,
    )
    from bayesgmm.posterior.likelihood import marginal_mixture
    from bayesgmm.posterior.model import mixture_model
    from bayesgmm.posterior.rows import co_clustering, posterior_predictive, responsibilities
    from bayesgmm.posterior.sampling import sample_posterior
    from bayesgmm.reporting import Report, report
    from bayesgmm.simulation import (
        Simulation,
        overlap,
        random_mixture,
        scenario,
        scenarios,
        simulate,
    )

    __version__: str

__all__ = [
    "LKJ",
    "Agreement",
    "BootstrapTest",
    "Boundaries",
    "Dataset",
    "GaussianMixture",
    "HighestDensityRegion",
    "InverseGamma",
    "InverseWishart",
    "LabelSwitching",
    "Merging",
    "Mixture",
    "Priors",
    "Recovery",
    "Regression",
    "Report",
    "ResolvedPriors",
    "Selection",
    "Simulation",
    "StandardErrors",
    "Statistics",
    "__version__",
    "align",
    "bootstrap_lrt",
    "co_clustering",
    "compare_engines",
    "e_step",
    "errors",
    "label_switching",
    "load_dataset",
    "marginal_mixture",
    "merge_components",
    "mixture_model",
    "overlap",
    "plot_ambiguity",
    "plot_engines",
    "plot_label_switching",
    "plot_mixture",
    "plot_recovery",
    "plot_selection",
    "posterior_predictive",
    "random_mixture",
    "recovery",
    "relabel",
    "report",
    "responsibilities",
    "sample_posterior",
    "scenario",
    "scenarios",
    "score",
    "select_mixture",
    "simulate",
    "structures",
]

_ROOMS = {
    "bayesgmm.datasets": ("Dataset", "load_dataset"),
    "bayesgmm.diagnostics": (
        "Agreement",
        "LabelSwitching",
        "Recovery",
        "compare_engines",
        "label_switching",
        "plot_ambiguity",
        "plot_engines",
        "plot_label_switching",
        "plot_mixture",
        "recovery",
        "plot_recovery",
        "relabel",
    ),
    "bayesgmm.em": (
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
    ),
    "bayesgmm.engine": ("e_step", "score"),
    "bayesgmm.model": (
        "LKJ",
        "Boundaries",
        "HighestDensityRegion",
        "InverseGamma",
        "InverseWishart",
        "Mixture",
        "Priors",
        "Regression",
        "ResolvedPriors",
        "Statistics",
        "structures",
    ),
    "bayesgmm.posterior.likelihood": ("marginal_mixture",),
    "bayesgmm.posterior.model": ("mixture_model",),
    "bayesgmm.posterior.rows": ("co_clustering", "posterior_predictive", "responsibilities"),
    "bayesgmm.posterior.sampling": ("sample_posterior",),
    "bayesgmm.reporting": ("Report", "report"),
    "bayesgmm.simulation": (
        "Simulation",
        "overlap",
        "random_mixture",
        "scenario",
        "scenarios",
        "simulate",
    ),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("bayesgmm.errors")
    if name == "__version__":
        value = import_module("importlib.metadata").version("bayesgmm")
    elif name in _ROOM_OF:
        value = getattr(import_module(_ROOM_OF[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
