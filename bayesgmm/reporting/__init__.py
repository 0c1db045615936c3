"""The one-page report of a fit, with a verdict on how far it can be trusted.

The room is called `reporting` because `bayesgmm.report` is a function.
"""
