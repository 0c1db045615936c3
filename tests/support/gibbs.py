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


def univariate(x, priors, *, chains, draws, tune, thin=1, rng):
    """Weights, means and variances, (chain, draw, K), of one feature under learned inverse gammas.

    Richardson and Green (1997), section 3.2, moves (a) to (d): weights ~ Dirichlet, mu ~ N,
    sigma^2 ~ InverseGamma(a, beta), beta ~ Gamma(g, h), the numbers those of resolved priors.
    Chains begin with the rows cut at random into groups of neighbours.
    """
    rng = np.random.default_rng(rng)
    x, k = np.sort(np.ravel(x)), priors.n_components
    (location,), (sd,) = priors.mean_location, priors.mean_sd
    a, g, h = (
        priors.covariances.shape,
        priors.covariances.scale.shape,
        priors.covariances.scale.rate,
    )
    cuts = np.sort(rng.integers(1, len(x), (chains, k - 1)), axis=1)
    z = (np.arange(len(x))[:, None] >= cuts[:, None, :]).sum(axis=2)
    beta, variances, kept = (
        np.full((chains, 1), g / np.squeeze(h)),
        np.full((chains, k), x.var()),
        [],
    )
    for t in range(-tune, draws * thin):
        indicators = np.eye(k)[z]
        counts = indicators.sum(axis=1)
        gammas = rng.standard_gamma(priors.concentration + counts)
        weights = gammas / gammas.sum(axis=1, keepdims=True)
        precision = 1.0 / sd**2 + counts / variances
        means = (location / sd**2 + x @ indicators / variances) / precision
        means = means + rng.standard_normal(means.shape) / np.sqrt(precision)
        apart = np.square(x[:, None] - means[:, None, :])
        halves = 0.5 * (indicators * apart).sum(axis=1)
        variances = (beta + halves) / rng.standard_gamma(a + 0.5 * counts)
        rate = np.squeeze(h) + (1.0 / variances).sum(axis=1, keepdims=True)
        beta = rng.standard_gamma(g + k * a, size=(chains, 1)) / rate
        joint = np.log(weights) - 0.5 * np.log(variances)
        joint = joint[:, None, :] - 0.5 * apart / variances[:, None, :]
        shares = np.exp(joint - joint.max(axis=2, keepdims=True)).cumsum(axis=2)
        level = rng.random((chains, len(x), 1)) * shares[..., -1:]
        z = (level > shares[..., :-1]).sum(axis=2)
        if t >= 0 and t % thin == 0:
            kept.append((weights, means, variances))
    return [np.stack(each, axis=1) for each in zip(*kept, strict=True)]
