"""Densities of many mixtures at once against those of one."""

import numpy as np
from small_models import chains, model_of

from bayesgmm import Mixture


def test_the_density_is_that_of_the_priors_and_the_rows(case):
    model = model_of(case)
    at = chains(model, np.random.default_rng(0)).parameters
    found = model.log_density(at)
    covariances = np.linalg.inv(at.precisions())
    for t in range(0, len(found), 7):
        mixture = Mixture(at.weights[t], at.means[t], covariances[t])
        expected = model.priors.log_density(mixture)
        expected += mixture.log_density(model.rows.X).sum()
        np.testing.assert_allclose(found[t], expected, rtol=1e-9)
