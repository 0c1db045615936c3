"""Memberships of rows in a mixture with noise, or with outliers of its components."""

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.validation import Data
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise


def memberships(
    data: Data, mixture: Mixture, noise: Noise | None, outliers: Contamination | None
) -> tuple[Array, Array]:
    """Log densities (n,) of rows, and their probabilities (n, K) of the components.

    With noise, what the probabilities leave of 1 is that of noise; with outliers, those of a
    component count for it.
    """
    if outliers is not None:
        return _in_pairs(data, mixture, outliers)
    return membership(data, mixture, noise)


def outlier_probabilities(
    data: Data, mixture: Mixture, noise: Noise | None, outliers: Contamination | None
) -> Array:
    """The probabilities (n,) that rows are noise, or outliers of their components."""
    data = data._replace(labels=None)
    if outliers is not None:
        _, found = membership(data, outliers.pairs(mixture))
        # Rounding may take a sum above 1.
        return np.minimum(found[:, mixture.n_components :].sum(axis=1), 1.0)
    if noise is None:
        return np.zeros(len(data.X))
    return noise.probability(data.X, membership(data, mixture, densities_alone=True)[0])


def sample_rows(
    n: int,
    mixture: Mixture,
    noise: Noise | None,
    outliers: Contamination | None,
    rng: np.random.Generator,
) -> tuple[Array, Integers]:
    """Draw n rows and their components, (n, D) and (n,): first those of noise, -1."""
    m = 0 if noise is None else int(rng.binomial(n, noise.weight))
    drawn_from = mixture if outliers is None else outliers.pairs(mixture)
    x, components = drawn_from.sample(n - m, rng=rng)
    components %= mixture.n_components
    if noise is None:
        return x, components
    return np.concatenate((noise.sample(m, rng), x)), np.append(np.repeat(-1, m), components)


def _in_pairs(data: Data, mixture: Mixture, outliers: Contamination) -> tuple[Array, Array]:
    pairs, k = outliers.pairs(mixture), mixture.n_components
    densities, found = membership(data._replace(labels=None), pairs)
    probabilities = found[:, :k] + found[:, k:]
    if data.labels is not None:
        known = np.flatnonzero(data.labels >= 0)
        labels, few = data.labels[known], data._replace(feature_names=None).take(known)
        joint, at = pairs.log_joint(few), np.arange(len(known))
        densities[known] = np.logaddexp(joint[at, labels], joint[at, labels + k])
        probabilities[known] = np.eye(k)[labels]
    return densities, probabilities
