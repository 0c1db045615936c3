"""An exact test that ranks are uniform, by a simultaneous band of their distribution function."""

import numpy as np
from scipy.stats import binom, poisson

from bayesgmm.arrays import Array, Integers


def p_values(ranks: Integers, draws: int) -> Array:
    """p-values (Q,) of the hypothesis that each row of ranks (Q, N) is uniform on 0, ..., L.

    Of N ranks, the number below i is Binomial(N, i / (L + 1)). The statistic is the least two-sided
    tail probability of these numbers over i = 1, ..., L; the p-value is the exact probability of
    one as small. It is at least alpha if and only if the empirical distribution function of the
    ranks is inside its simultaneous band of coverage 1 - alpha.

    Parameters
    ----------
    ranks : ndarray of int of shape (Q, N)
    draws : int
        L, the number of draws among which each rank was taken.

    References
    ----------
    Säilynoja, Bürkner and Vehtari (2022), Statistics and Computing 32, 32, section 2.
    """
    n, places = ranks.shape[1], np.arange(1, draws + 1)
    numbers, share = np.arange(n + 1), places[:, np.newaxis] / (draws + 1.0)
    tails = 2.0 * np.minimum(binom.cdf(numbers, n, share), binom.sf(numbers - 1, n, share))
    below = np.sum(ranks[:, np.newaxis] < places[:, np.newaxis], axis=2)
    least = tails[places - 1, below].min(axis=1)
    # Tails that are equal by symmetry may differ by rounding.
    return np.array([1.0 - _within(tails > each * (1.0 + 1e-9)) for each in least]).clip(0.0)


def _within(inside: Array) -> float:
    """Probability that the numbers of uniform ranks below 1, ..., L are all in a band (L, N + 1).

    The numbers of ranks equal to 0, ..., L are independent Poisson variables, given their sum.
    """
    n, rate = inside.shape[1] - 1, (inside.shape[1] - 1) / (len(inside) + 1.0)
    # Larger numbers have probabilities below 1e-20.
    most = min(n, int(rate + 12.0 * np.sqrt(rate)) + 40)
    steps = poisson.pmf(np.arange(most + 1), rate)
    reached = np.zeros(n + 1)
    reached[0] = 1.0
    for allowed in inside:
        reached = np.convolve(reached, steps)[: n + 1] * allowed
    return float(np.convolve(reached, steps)[n] / poisson.pmf(n, n))
