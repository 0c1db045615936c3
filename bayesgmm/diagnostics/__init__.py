"""Label switching, recovery of the truth, agreement of the engines."""

from bayesgmm.diagnostics.agreement import Agreement, compare_engines
from bayesgmm.diagnostics.draws import Draws, read_draws, read_rows
from bayesgmm.diagnostics.label_plots import plot_ambiguity, plot_label_switching
from bayesgmm.diagnostics.mixture_plots import plot_mixture
from bayesgmm.diagnostics.recovery import Recovery, recovery
from bayesgmm.diagnostics.relabelling import relabel
from bayesgmm.diagnostics.result_plots import plot_engines, plot_recovery
from bayesgmm.diagnostics.switching import LabelSwitching, label_switching

__all__ = [
    "Agreement",
    "Draws",
    "LabelSwitching",
    "Recovery",
    "compare_engines",
    "label_switching",
    "plot_ambiguity",
    "plot_engines",
    "plot_label_switching",
    "plot_mixture",
    "plot_recovery",
    "read_draws",
    "read_rows",
    "recovery",
    "relabel",
]
