"""Posteriors of every kind that exists, on overlapping rows of two units."""

import numpy as np
from pytensor.compile.mode import Mode

from bayesgmm.covariance.structures import as_structure
from bayesgmm.data.validation import Data
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.posterior.coordinates import coordinates
from bayesgmm.posterior.log_density import problem
from bayesgmm.priors.families import LKJ, InverseGamma, InverseWishart
from bayesgmm.priors.priors import Priors

# Compiling PyMC's graphs takes longer than all the rest.
INTERPRETED = Mode(linker="py", optimizer="fast_compile")

# Structure, features, priors of the covariances.
CASES = [
    ("full", 3, {}),
    ("full", 3, {"hierarchical": False}),
    ("full", 3, {"covariances": "lkj"}),
    ("full", 1, {}),
    ("full", 1, {"hierarchical": False}),
    ("tied", 3, {}),
    ("tied", 3, {"covariances": "lkj"}),
    ("tied", 1, {}),
    ("diag", 3, {}),
    ("diag", 3, {"hierarchical": False}),
    ("spherical", 3, {}),
    ("spherical", 3, {"hierarchical": False}),
    *(("full", d, {"priors": "different"}) for d in (1, 3)),
    *((word, 3, {"priors": "different"}) for word in ("diag", "spherical")),
    ("full", 3, {"priors": "different", "covariances": "lkj"}),
]


def case_name(case):
    word, d, how = case
    return "-".join([word, f"{d}d", *(f"{value}" for value in how.values())])


def priors_of(case, k=3):
    """The priors of a case; those that differ between components differ in every number."""
    word, d, how = case
    if "priors" not in how:
        return Priors(**how)
    unit, each = np.geomspace(0.1, 30.0, d), np.arange(1.0, k + 1.0)[:, None]
    family = InverseGamma(3.0, each * unit**2)
    if word == "spherical":
        family = InverseGamma(3.0, each)
    if word == "full" and d > 1:
        root = unit[:, None] * (np.eye(d) + 0.3)
        family = InverseWishart(d + 3.0, each[:, :, None] * (root @ root.T))
    if "covariances" in how:
        family = LKJ(2.0, np.log(each * unit), 0.5)
    return Priors(
        concentration=0.5 + each[:, 0],
        mean_location=100.0 + each * unit,
        mean_sd=unit * each[::-1],
        covariances=family,
    )


def rows(n, d, seed=5):
    """Rows of three overlapping groups, at an offset and in units that differ by column."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) + 2.0 * rng.integers(3, size=(n, 1))
    return np.ascontiguousarray(100.0 + x * np.geomspace(0.1, 30.0, d))


def built(case, k=3, n=150, near=None):
    """The compiled posterior of a case, and its resolved priors."""
    word, d, _ = case
    x = rows(n, d)
    structure = as_structure(word)
    priors = priors_of(case, k).for_data(x, k, structure)
    return problem(Data(x, None), priors, coordinates(x, k, structure, near)), priors


def somewhere(target, rng, spread=0.4):
    """Coordinates at random, of components that overlap."""
    return spread * rng.standard_normal(target.coordinates.size)


def log_density_at_start(model):
    """The log density of a PyMC model at its initial point, nats; compiled by no backend."""
    return float(model.compile_logp(mode=INTERPRETED)(model.initial_point()))


def as_mixture(target, u):
    weights, means, covariances = target.parameters(u)
    return Mixture(weights / weights.sum(), means, covariances)


def parameters_of(mixture):
    """Weights, means and covariances of a mixture."""
    return mixture.weights, mixture.means, mixture.covariances
