"""Bridge sampling: the ratio of two densities' constants from draws of both.

Let f be a density times its unknown constant Z, and q a normalised one, with n_1 and n_2 draws.
With s_i = n_i / (n_1 + n_2),

    Z = E_q[f h] / E_f[q h],   h = 1 / (s_1 f / Z + s_2 q)

has the least variance among all functions h for independent draws (Meng & Wong 1996, equation
4.1). Z is found by iteration. Draws of chains count as the number of independent ones that their
batches show; with few of them the estimate becomes that of importance sampling from q.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from bayesgmm.arrays import Array

# Batches of chains, and of proposals, of the jackknife; rounds of the iteration.
BATCHES = 20
_ROUNDS = 1000


class Estimate(NamedTuple):
    """Log Z and its standard error, nats."""

    value: float
    se: float


def bridge(of_chains: Array, of_proposals: Array) -> Estimate:
    """Log Z from log (f / q) at draws of chains (chains, T) and at draws of q (M,).

    The standard error is that of a jackknife over batches of chains and of proposals.
    """
    chains = np.array_split(of_chains, min(BATCHES, len(of_chains)))
    proposals = np.array_split(of_proposals, BATCHES)
    count = float(of_chains.size)
    for _ in range(2):
        # At first as if all draws were independent.
        value = _log_ratio(of_chains.ravel(), of_proposals, count)
        count = _effective(chains, len(of_proposals), count, value)
    value = _log_ratio(of_chains.ravel(), of_proposals, count)
    without_chains = [
        _log_ratio(_without(chains, i).ravel(), of_proposals, count) for i in range(len(chains))
    ]
    without_proposals = [
        _log_ratio(of_chains.ravel(), _without(proposals, i), count) for i in range(BATCHES)
    ]
    variance = sum((len(each) - 1.0) * np.var(each) for each in (without_chains, without_proposals))
    return Estimate(value, float(np.sqrt(variance)))


def _without(batches: list[Array], i: int) -> Array:
    return np.concatenate(batches[:i] + batches[i + 1 :])


def _shares(n_chains: float, n_proposals: int) -> tuple[float, float]:
    total = n_chains + n_proposals
    return float(np.log(n_chains / total)), float(np.log(n_proposals / total))


def _log_ratio(of_chains: Array, of_proposals: Array, count: float) -> float:
    first, second = _shares(count, len(of_proposals))
    value = float(np.median(of_chains))
    for _ in range(_ROUNDS):
        above = of_proposals - np.logaddexp(first + of_proposals - value, second)
        below = -np.logaddexp(first + of_chains - value, second)
        new = float(
            logsumexp(above) - np.log(len(of_proposals)) - logsumexp(below) + np.log(len(of_chains))
        )
        if abs(new - value) <= 1e-10 * max(abs(new), 1.0):
            return new
        value = new
    return value


def _effective(batches: list[Array], n_proposals: int, count: float, value: float) -> float:
    """The number of independent draws of f that give E_f[q h] as precisely as all batches do."""
    first, second = _shares(count, n_proposals)
    terms = [np.exp(-np.logaddexp(first + each - value, second)) for each in batches]
    everything = np.concatenate([each.ravel() for each in terms])
    variance = np.var([each.mean() for each in terms], ddof=1) / len(terms)
    if len(terms) < 2 or not variance > 0.0:
        return float(everything.size)
    return float(np.clip(everything.var() / variance, 1.0, everything.size))
