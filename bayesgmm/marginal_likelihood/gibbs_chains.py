"""Gibbs chains of a Gaussian mixture, many in parallel."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.marginal_likelihood.conditionals import (
    Conditionals,
    conditionals,
    draw_inverses,
    of_covariances,
)
from bayesgmm.marginal_likelihood.many_mixtures import Model, Parameters, moments_of


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Draws of the chains.

    Attributes
    ----------
    parameters : Parameters
        Of T = draws x chains mixtures, draw by draw.
    conditionals : Conditionals
        Given each draw and its allocations.
    """

    parameters: Parameters
    conditionals: Conditionals


def random_starts(model: Model, chains: int, rng: np.random.Generator) -> Parameters:
    """Mixtures (chains,) of rows divided by the nearest of K rows chosen at random."""
    x, k = model.rows.X, model.priors.n_components
    z = np.empty((chains, len(x)), dtype=np.int64)
    for each in z:
        centres = x[rng.choice(len(x), size=k, replace=len(x) < k)]
        each[:] = np.square(x[:, np.newaxis] - centres).sum(axis=2).argmin(axis=1)
    of = moments_of(model, z)
    sizes = of.counts + 1.0
    means = (of.firsts + np.asarray(model.priors.mean_location)) / sizes[..., np.newaxis]
    scale = model.family.factor * model.family.mean_scale
    df, total = of_covariances(model, means, of, np.broadcast_to(scale, (chains, *scale.shape)))
    weights = sizes / sizes.sum(axis=1, keepdims=True)
    return Parameters(weights, means, draw_inverses(df, total, rng))


def run(
    model: Model, at: Parameters, lengths: tuple[int, int, int], rng: np.random.Generator
) -> Kept:
    """Draws of chains that begin at some mixtures; lengths are sweeps before, draws, and thinning.

    A sweep draws the scale of the covariances, allocations, weights, means and covariances, each
    given the others (Frühwirth-Schnatter 2006, section 6.2.3).
    """
    tune, draws, thin = lengths
    mixtures, sets = [], []
    for sweep in range(1 - tune, draws * thin + 1):
        scale = _draw_scale(model, at, rng)
        of = moments_of(model, model.drawn(at).allocate(int(rng.integers(2**63))))
        found = conditionals(model, at, of, scale)
        if sweep > 0 and sweep % thin == 0:
            mixtures.append(at)
            sets.append(found)
        weights, means = found.draw_weights(rng), found.draw_means(rng)
        at = Parameters(
            weights, means, draw_inverses(*of_covariances(model, means, of, scale), rng)
        )
    return Kept(Parameters.stacked(mixtures), Conditionals.stacked(sets))


def _draw_scale(model: Model, at: Parameters, rng: np.random.Generator) -> Array:
    """The scale C of the covariances' prior given them (chains, ...), or as it is given."""
    nu, p, own = model.terms
    chains, m = at.inverses.shape[:2]
    if p is None:
        return np.broadcast_to(own[0], (chains, *own.shape[1:]))
    total = own[0] + at.inverses.sum(axis=1, keepdims=True)
    return draw_inverses(np.full((chains, 1), p + m * nu), total, rng)[:, 0]
