"""The posterior of a mixture: NUTS on the compiled density, or in PyMC.

Modules are imported one by one because PyMC is slow to import and sampling does not need it.
"""
