"""Rows of two known components among uniform noise."""

import numpy as np

from bayesgmm import GaussianMixture, load_dataset

FAITHFUL = load_dataset("faithful").X
TWO = GaussianMixture(2, random_state=0).fit(FAITHFUL).mixture_


def with_noise(rng, n=1900, m=100):
    """Rows of the two components of Old Faithful, then noise over thrice their range; and which."""
    rng = np.random.default_rng(rng)
    rows, _ = TWO.sample(n, rng=rng)
    middle, reach = FAITHFUL.mean(axis=0), 1.5 * np.ptp(FAITHFUL, axis=0)
    noise = rng.uniform(middle - reach, middle + reach, (m, 2))
    return np.concatenate((rows, noise)), np.repeat([False, True], [n, m])
