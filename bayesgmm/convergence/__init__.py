"""Convergence of chains: the quantities that are monitored, R-hat, effective sample sizes."""
