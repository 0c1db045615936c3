"""Small models of every structure, and mixtures near their rows."""

import numpy as np

from bayesgmm import Priors
from bayesgmm.data.validation import Data
from bayesgmm.marginal_likelihood.gibbs_chains import random_starts, run
from bayesgmm.marginal_likelihood.many_mixtures import Model

# Structure, features, whether the scale of the covariances is learned.
CASES = [
    (word, d, learned)
    for word in ("full", "tied", "diag", "spherical")
    for d in (1, 2)
    for learned in (True, False)
]


def model_of(case, k=3, n=12):
    word, d, learned = case
    rng = np.random.default_rng(d)
    x = rng.standard_normal((n, d)) + 2.0 * (np.arange(n) % 2)[:, None]
    priors = Priors(concentration=1.5, hierarchical=learned).for_data(x, k, word)
    return Model(Data(x, None), priors)


def chains(model, rng, draws=2):
    return run(model, random_starts(model, 16, rng), (20, draws, 2), rng)
