"""A Gibbs sampler of Gaussian mixtures: posteriors from a source that shares no code with ours.

Conjugate: weights ~ Dirichlet(2, ..., 2), Sigma_k ~ inverse Wishart(D + 2, S0), mu_k given
Sigma_k ~ N(m0, Sigma_k / c), with m0 and S0 of the data (Gelman et al., Bayesian Data Analysis,
3rd edition, sections 3.6 and 22.2). All chains take a sweep together.
"""

import arviz as az
import numpy as np

DIMS = {
    "weights": ["component"],
    "means": ["component", "feature"],
    "covariances": ["component", "feature", "feature_bis"],
    "z": ["obs_id"],
    "X": ["obs_id", "feature"],
}


def inverse_wishart(degrees, scale, rng):
    """Draws by Bartlett's decomposition: scale = L L', Sigma = (L A^-T)(L A^-T)'."""
    d = scale.shape[-1]
    a = np.tril(rng.standard_normal(scale.shape), -1)
    diagonal = np.arange(d)
    a[..., diagonal, diagonal] = np.sqrt(rng.chisquare(degrees[..., None] - diagonal))
    root = np.linalg.solve(a, np.swapaxes(np.linalg.cholesky(scale), -1, -2))
    return np.swapaxes(root, -1, -2) @ root


def log_joint(x, weights, means, covariances):
    """Log joint densities without the constant, (chain, n, K)."""
    factors = np.linalg.cholesky(covariances)
    apart = x - means[:, :, None, :]
    z = np.linalg.solve(factors, np.swapaxes(apart, -1, -2))
    log_det = np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)
    joint = (np.log(weights) - log_det)[..., None] - 0.5 * np.square(z).sum(axis=-2)
    return np.swapaxes(joint, 1, 2)


def posterior(x, n_components, *, starts, draws=500, tune=100, thin=1, rng, precision=0.01):
    """A DataTree of one chain for each of the allocations in starts (chains, n)."""
    rng = np.random.default_rng(rng)
    n, d = x.shape
    m0, s0 = np.median(x, axis=0), np.cov(x.T).reshape(d, d) / n_components ** (2 / d)
    y = x - m0
    squares = (y[:, :, None] * y[:, None, :]).reshape(n, d * d)
    z = np.array(starts)
    kept = []
    for t in range(-tune, draws * thin):
        indicators = np.eye(n_components)[z]
        counts = indicators.sum(axis=1)
        gammas = rng.standard_gamma(2.0 + counts)
        weights = gammas / gammas.sum(axis=1, keepdims=True)
        turned = np.swapaxes(indicators, 1, 2)
        total = (precision + counts)[..., None]
        means = turned @ y / total
        scale = s0 + (turned @ squares).reshape(*counts.shape, d, d)
        scale -= total[..., None] * means[..., :, None] * means[..., None, :]
        covariances = inverse_wishart(d + 2 + counts, scale, rng)
        noise = rng.standard_normal((*counts.shape, d, 1))
        means = means + (np.linalg.cholesky(covariances) @ noise)[..., 0] / np.sqrt(total)
        joint = log_joint(y, weights, means, covariances)
        # The largest of joint + Gumbel noise is a draw from the probabilities.
        z = (joint + rng.gumbel(size=joint.shape)).argmax(axis=2)
        if t >= 0 and t % thin == 0:
            kept.append((weights, means + m0, covariances, z))
    names = ("weights", "means", "covariances", "z")
    arrays = {
        name: np.stack(each, axis=1)
        for name, each in zip(names, zip(*kept, strict=True), strict=True)
    }
    return az.from_dict({"posterior": arrays, "observed_data": {"X": x}}, dims=DIMS)
