"""Plots of mixtures, labels, intervals and selections."""
