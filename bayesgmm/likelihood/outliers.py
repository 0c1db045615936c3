"""Memberships of rows in a mixture with noise, or with outliers of its components."""

import numpy as np

from bayesgmm.arrays import Array, Integers
from bayesgmm.data.validation import Data
from bayesgmm.likelihood.responsibilities import membership
from bayesgmm.mixture import partial_rows
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


def complete_rows(
    data: Data,
    mixture: Mixture,
    noise: Noise | None,
    outliers: Contamination | None,
    rng: np.random.Generator,
) -> Array:
    """Rows (n, D) whose missing entries are drawn given what was seen and is known of each.

    Those of a row of noise are uniform over the box, and those of an outlier have its covariance.
    """
    drawn_from = mixture if outliers is None else outliers.pairs(mixture)
    logs = drawn_from.log_joint(data._replace(labels=None, feature_names=None))
    if noise is not None:
        own = np.log(noise.weight) + noise.log_density(data.X)
        logs = np.column_stack((np.log1p(-noise.weight) + logs, own))
    if data.labels is not None:
        # A row of a known component is no noise.
        component = np.arange(drawn_from.n_components) % mixture.n_components
        if noise is not None:
            component = np.append(component, -1)
        elsewhere = (data.labels[:, np.newaxis] >= 0) & (data.labels[:, np.newaxis] != component)
        logs = np.where(elsewhere, -np.inf, logs)
    chosen = (logs + rng.gumbel(size=logs.shape)).argmax(axis=1)
    is_noise = chosen == drawn_from.n_components
    of_noise = None if noise is None else noise.sample(len(chosen), rng)
    found = partial_rows.draws(drawn_from, data.X, data.errors, rng, np.where(is_noise, 0, chosen))
    if of_noise is not None:
        found = np.where(is_noise[:, np.newaxis], of_noise, found)
    return np.where(np.isnan(data.X), found, data.X)


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
