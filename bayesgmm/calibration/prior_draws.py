"""Mixtures drawn from their prior."""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.marginal_likelihood.conditionals import draw_inverses
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.priors.families import LKJ, ConjugateFamily
from bayesgmm.priors.resolved_priors import ResolvedPriors


def draw_mixture(priors: ResolvedPriors, rng: np.random.Generator) -> Mixture:
    """Draw a mixture from priors; a learned scale of the covariances is drawn first.

    Sorting the components as `ordered` says turns the exchangeable prior into the ordered one.
    """
    k, d, m = priors.n_components, priors.n_features, priors.n_covariances
    weights = rng.dirichlet(priors.concentration)
    z = rng.standard_normal((k, d))
    means = np.asarray(priors.mean_location) + np.asarray(priors.mean_sd) * z
    family = priors.covariances
    if isinstance(family, LKJ):
        covariances = _of_correlations(family, m, d, rng)
    else:
        covariances = _conjugate(family, m, d, rng)
    mixture = Mixture(weights, means, np.broadcast_to(covariances, (k, d, d)))
    return mixture.permuted(priors.in_order(means))


def _conjugate(family: ConjugateFamily, m: int, d: int, rng: np.random.Generator) -> Array:
    """C ~ Wishart(p, V) unless it is given, then covariances (m, D, D) | C."""
    nu, p, scale = family.terms
    if p is not None:
        scale = draw_inverses(np.full((1, 1), p), scale[np.newaxis], rng)[0]
    scale = np.broadcast_to(scale, (m, *scale.shape[1:]))
    inverses = draw_inverses(np.full((1, m), nu), scale[np.newaxis], rng)[0]
    if inverses.ndim == 3:
        return np.asarray(np.linalg.inv(inverses))
    return np.asarray((1.0 / inverses)[..., np.newaxis] * np.eye(d))


def _of_correlations(family: LKJ, m: int, d: int, rng: np.random.Generator) -> Array:
    """Standard deviations log-normal; correlations from partial ones, which have beta densities.

    Lewandowski, Kurowicka and Joe (2009), section 2.4: the vine whose tree i has the root i.
    """
    z = rng.standard_normal((m, d))
    sd = np.exp(np.asarray(family.log_scale_location) + family.log_scale_spread * z)
    root, left = np.zeros((m, d, d)), np.ones((m, d))
    for i in range(d):
        beta = family.eta + 0.5 * (d - 2 - i)
        partial = 2.0 * rng.beta(beta, beta, (m, d - 1 - i)) - 1.0 if i < d - 1 else ()
        root[:, i, i] = np.sqrt(left[:, i])
        root[:, i + 1 :, i] = np.reshape(partial, (m, -1)) * np.sqrt(left[:, i + 1 :])
        left -= np.square(root[:, :, i])
    root *= sd[..., np.newaxis]
    return np.asarray(root @ root.mT)
