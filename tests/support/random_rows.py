"""Random parameters of mixtures, and rows that lack entries or have measurement errors."""

import numpy as np

from bayesgmm.likelihood.statistics import Parameters

ERRORS = ["none", "variances", "covariances", "one variance each", "one covariance"]


def parameters(k, d, rng, diagonal=False):
    weights = rng.dirichlet(np.full(k, 5.0))
    means = 2.0 * rng.standard_normal((k, d))
    factors = rng.standard_normal((k, d, d)) / np.sqrt(d) + np.eye(d)
    covariances = factors @ factors.mT
    if diagonal:
        covariances = np.einsum("kii->ki", covariances).copy()
    return Parameters(weights, means, covariances)


def rows_of(n, d, kind, missing, rng):
    """Rows in runs of equal patterns, then rows each with its own."""
    x = 3.0 * rng.standard_normal((n, d))
    for at in range(0, n // 2, 50):
        x[at : at + 50, rng.random(d) < missing] = np.nan
    x[n // 2 :][rng.random((n - n // 2, d)) < missing] = np.nan
    m = 1 if kind.startswith("one") else n
    factors = rng.standard_normal((m, d, d))
    covariances = factors @ factors.mT
    if kind == "none":
        return x, None
    if "variance" in kind and "co" not in kind:
        return x, np.einsum("nii->ni", covariances).copy()
    return x, covariances.reshape(m, d * d)
