"""Finite Gaussian mixtures (placeholder, replaced by the lazy public names)."""
