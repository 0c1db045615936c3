"""Simulation: draws from mixtures, random mixtures of given overlap, worked examples."""
