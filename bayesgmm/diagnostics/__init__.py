"""Relabelling, label switching, parameter recovery, EM against the posterior, predictive checks."""
