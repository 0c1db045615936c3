"""A Gibbs sampler of Gaussian mixtures: posteriors from a source that shares no code with ours.

Conjugate: weights ~ Dirichlet(2, ..., 2), Sigma_k ~ inverse Wishart(D + 2, S0), mu_k given
Sigma_k ~ N(m0, Sigma_k / c), with m0 and S0 of the data (Gelman et al., Bayesian Data Analysis,
3rd edition, sections 3.6 and 22.2).
"""

import arviz as az
import numpy as np
from scipy.special import logsumexp


def inverse_wishart(degrees, scale, rng):
    """A draw by Bartlett's decomposition: scale = L L', Sigma = (L A^-T)(L A^-T)'."""
    d = len(scale)
    a = np.tril(rng.standard_normal((d, d)), -1)
    a[np.diag_indices(d)] = np.sqrt(rng.chisquare(degrees - np.arange(d)))
    root = np.linalg.solve(a, np.linalg.cholesky(scale).T).T
    return root @ root.T


def log_joint(x, weights, means, covariances):
    out = np.empty((len(x), len(weights)))
    for k, (weight, mean, covariance) in enumerate(zip(weights, means, covariances, strict=True)):
        factor = np.linalg.cholesky(covariance)
        z = np.linalg.solve(factor, (x - mean).T)
        out[:, k] = np.log(weight) - np.log(np.diag(factor)).sum() - 0.5 * (z * z).sum(axis=0)
    return out


def chain(x, n_components, draws, tune, z, rng, precision=0.01):
    """Draws from the allocations z on: weights, means, covariances, allocations."""
    n, d = x.shape
    m0, s0 = np.median(x, axis=0), np.cov(x.T).reshape(d, d) / n_components ** (2 / d)
    kept = {
        "weights": np.empty((draws, n_components)),
        "means": np.empty((draws, n_components, d)),
        "covariances": np.empty((draws, n_components, d, d)),
        "z": np.empty((draws, n), dtype=np.int64),
    }
    for t in range(-tune, draws):
        counts = np.bincount(z, minlength=n_components)
        weights = rng.dirichlet(2.0 + counts)
        means, covariances = np.empty((n_components, d)), np.empty((n_components, d, d))
        for k in range(n_components):
            mine = x[z == k]
            mean = (precision * m0 + mine.sum(axis=0)) / (precision + counts[k])
            about = mine - mean
            scale = s0 + about.T @ about + precision * np.outer(m0 - mean, m0 - mean)
            covariances[k] = inverse_wishart(d + 2 + counts[k], scale, rng)
            factor = np.linalg.cholesky(covariances[k])
            means[k] = mean + factor @ rng.standard_normal(d) / np.sqrt(precision + counts[k])
        joint = log_joint(x, weights, means, covariances)
        ends = np.cumsum(np.exp(joint - logsumexp(joint, axis=1, keepdims=True)), axis=1)
        z = np.minimum((rng.random((n, 1)) > ends).sum(axis=1), n_components - 1)
        if t >= 0:
            for name, value in zip(kept, (weights, means, covariances, z), strict=True):
                kept[name][t] = value
    return kept


def posterior(x, n_components, *, starts, draws=500, tune=100, rng, precision=0.01):
    """A DataTree of one chain for each of starts (chains, n)."""
    generators = np.random.default_rng(rng).spawn(len(starts))
    chains = [
        chain(x, n_components, draws, tune, z, each, precision)
        for z, each in zip(starts, generators, strict=True)
    ]
    return az.from_dict(
        {
            "posterior": {name: np.stack([each[name] for each in chains]) for name in chains[0]},
            "observed_data": {"X": x},
        },
        dims={
            "weights": ["component"],
            "means": ["component", "feature"],
            "covariances": ["component", "feature", "feature_bis"],
            "z": ["obs_id"],
            "X": ["obs_id", "feature"],
        },
    )
