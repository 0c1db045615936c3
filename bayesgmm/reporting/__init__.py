"""One page that says what was fitted, and whether to believe it.

The room is called `reporting`, for `bayesgmm.report` is the function.
"""
