"""Sampling of the posterior: NUTS on the compiled density, and the modes of the posterior."""
