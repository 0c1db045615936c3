"""One page of all models of a grid, of which the reader steps from one to the next.

The room is called `explorer` because `bayesgmm.explore` is a function.
"""
