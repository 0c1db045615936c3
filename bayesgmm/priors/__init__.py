"""Priors of a mixture's parameters: they penalise EM and make the posterior."""
