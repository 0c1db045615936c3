import known_posteriors
import numpy as np
import pytest
import xarray as xr

from bayesgmm import GaussianMixture, report


@pytest.fixture(scope="session")
def faithful_em(faithful):
    return GaussianMixture(2, random_state=0).fit(faithful)


@pytest.fixture(scope="session")
def faithful_page(faithful, faithful_em):
    return report(faithful, em=faithful_em)


@pytest.fixture(scope="session")
def posterior_of():
    """Draws around a fit, spread as large samples would have it, under labels by chain."""

    def make(em, n, *, chains=4, draws=1000, seed=0):
        rng = np.random.default_rng(seed)
        mixture = em.mixture_
        k, d = mixture.means.shape
        spread = np.sqrt(mixture.variances / (n * mixture.weights[:, np.newaxis]))
        arrays = {"weights": [], "means": [], "covariances": []}
        for chain in range(chains):
            labels = np.roll(np.arange(k), chain)
            weights = rng.dirichlet(n * mixture.weights, size=draws)
            means = mixture.means + spread * rng.standard_normal((draws, k, d))
            # Wishart draws of n weight degrees of freedom, divided by them.
            covariances = np.empty((draws, k, d, d))
            for i in range(k):
                size = int(n * mixture.weights[i])
                lower = np.linalg.cholesky(mixture.covariances[i])
                z = rng.standard_normal((draws, size, d)) @ lower.T
                covariances[:, i] = np.einsum("tbi,tbj->tij", z, z) / size
            arrays["weights"].append(weights[:, labels])
            arrays["means"].append(means[:, labels])
            arrays["covariances"].append(covariances[:, labels])
        names = ("chain", "draw", "component", "feature", "feature_bis")
        values = {name: np.array(each) for name, each in arrays.items()}
        group = xr.Dataset({name: (names[: x.ndim], x) for name, x in values.items()})
        quiet = xr.Dataset({"diverging": (names[:2], np.zeros((chains, draws), bool))})
        groups = {"posterior": group, "sample_stats": quiet, "modes": known_posteriors.ONE_MODE}
        return xr.DataTree.from_dict(groups)

    return make
