import gibbs
import pytest

from bayesgmm import GaussianMixture, Mixture, simulate


@pytest.fixture(scope="session")
def sampled():
    """Data of known truth, EM's fit, and a posterior whose chains have labels of their own."""
    data = simulate(Mixture([0.3, 0.7], [0.0, 4.0], [1.0, 0.25]), 400, rng=5)
    starts = [data.labels, 1 - data.labels] * 2
    tree = gibbs.posterior(data.X, 2, starts=starts, draws=500, thin=2, tune=100, rng=6)
    return data, GaussianMixture(2, random_state=0).fit(data.X), tree
