"""The posterior as a PyMC model, and mixtures as part of models of one's own.

Modules are imported one by one because PyMC is slow to import and sampling does not need it.
"""
