"""One page that says what was fitted, and whether to believe it.

The room is called `reporting`, for `bayesgmm.report` is the function.
"""

from bayesgmm.reporting.build import report
from bayesgmm.reporting.page import Report

__all__ = ["Report", "report"]
