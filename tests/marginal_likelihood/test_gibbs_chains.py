"""Gibbs chains against a reference posterior."""

import json
from pathlib import Path

import numpy as np

from bayesgmm import Priors, load_dataset
from bayesgmm.data.validation import Data
from bayesgmm.marginal_likelihood.gibbs_chains import random_starts, run
from bayesgmm.marginal_likelihood.many_mixtures import Model

REFERENCE = json.loads(
    (Path(__file__).parent / "richardson_green_galaxies.json").read_text("utf-8")
)


def test_posterior_means_of_the_galaxies_are_those_of_the_reference():
    rng, x = np.random.default_rng(0), load_dataset("galaxies").X
    model = Model(Data(x, None), Priors.richardson_green().for_data(x, 3))
    at = run(model, random_starts(model, 200, rng), (300, 20, 4), rng).parameters
    order = np.argsort(at.means[..., 0], axis=1)
    for name, values in (
        ("weight", at.weights),
        ("mu", at.means[..., 0]),
        ("sigma", 1.0 / np.sqrt(at.inverses[..., 0])),
    ):
        sorted_values = np.take_along_axis(values, order, axis=1).reshape(20, 200, 3)
        of_chains = sorted_values.mean(axis=0)
        bound = 5.0 * of_chains.std(axis=0) / np.sqrt(200)
        error = np.abs(of_chains.mean(axis=0) - REFERENCE["means_k3"][name])
        assert (error < bound + 0.02).all(), name
