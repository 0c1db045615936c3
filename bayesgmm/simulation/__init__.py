"""Data of known truth: draws from mixtures, random mixtures of known overlap, worked examples."""

from bayesgmm.simulation.draws import Simulation, simulate
from bayesgmm.simulation.misclassification import overlap
from bayesgmm.simulation.random_mixtures import random_mixture
from bayesgmm.simulation.worked_examples import scenario, scenarios

__all__ = ["Simulation", "overlap", "random_mixture", "scenario", "scenarios", "simulate"]
