"""Plots of mixtures, labels, intervals and model selection."""
