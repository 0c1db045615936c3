"""The one kernel, and the ways to run it."""

from bayesgmm.engine.membership import membership
from bayesgmm.engine.rows import Rows, e_step, n_threads
from bayesgmm.engine.score import Score, score

__all__ = ["Rows", "Score", "e_step", "membership", "n_threads", "score"]
