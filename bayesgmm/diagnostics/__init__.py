"""Label switching, recovery of the truth, agreement of the engines."""

from bayesgmm.diagnostics.draws import Draws, read_draws, read_rows

__all__ = ["Draws", "read_draws", "read_rows"]
