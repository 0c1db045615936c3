"""The posterior of a mixture: NUTS on the engine's kernel, by compiled code or in PyMC.

Its modules are imported one by one, as each takes time: sampling needs no PyMC.
"""
