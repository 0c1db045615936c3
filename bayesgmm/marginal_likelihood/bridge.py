"""Bridge sampling: the ratio of two densities' constants from draws of both.

Let f be a density times its unknown constant Z, and q a normalised one, with n_1 and n_2 draws.
With s_i = n_i / (n_1 + n_2),

    Z = E_q[f h] / E_f[q h],   h = 1 / (s_1 f / Z + s_2 q)

has the least variance among all functions h for independent draws (Meng & Wong 1996, equation
4.1). Z is found by Newton's method. Draws of chains count as the number of independent ones that
their batches show; with few of them the estimate becomes that of importance sampling from q.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

from bayesgmm.arrays import Array

# Batches of chains, and of proposals, of the jackknife; steps of Newton's method.
BATCHES = 20
_STEPS = 100


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
        _log_ratio(_without(chains, i).ravel(), of_proposals, count, value)
        for i in range(len(chains))
    ]
    without_proposals = [
        _log_ratio(of_chains.ravel(), _without(proposals, i), count, value) for i in range(BATCHES)
    ]
    variance = sum((len(each) - 1.0) * np.var(each) for each in (without_chains, without_proposals))
    return Estimate(value, float(np.sqrt(variance)))


def _without(batches: list[Array], i: int) -> Array:
    return np.concatenate(batches[:i] + batches[i + 1 :])


def _log_odds(n_chains: float, n_proposals: int) -> float:
    return float(np.log(n_chains / n_proposals))


def _log_ratio(
    of_chains: Array, of_proposals: Array, count: float, near: float | None = None
) -> float:
    """Log Z, from draws that count as `count`; begun near a value.

    With u = s_1 f / (s_1 f + s_2 q Z), log E_q[u] - log E_f[1 - u] is log(s_1 / s_2) at Z. It
    falls with log Z, so that signs bracket the root, and Newton's steps stay between them.
    """
    odds = _log_odds(count, len(of_proposals))
    value = float(np.median(of_chains)) if near is None else near
    low, high = -np.inf, np.inf
    for _ in range(_STEPS):
        log_u = -np.logaddexp(0.0, value - of_proposals - odds)
        log_rest = -np.logaddexp(0.0, of_chains - value + odds)
        of_q, slope_q = _log_mean(log_u)
        of_f, slope_f = _log_mean(log_rest)
        excess = of_q - of_f - odds
        low, high = (value, high) if excess > 0.0 else (low, value)
        new = value + excess / max(slope_q + slope_f, 1e-300)
        if not low < new < high:
            new = 0.5 * (low + high) if np.isfinite(high - low) else value + excess
        if abs(new - value) <= 1e-10 * max(abs(new), 1.0):
            return new
        value = new
    return value


def _log_mean(logs: Array) -> tuple[float, float]:
    """Log of the mean of p = exp(logs), and the mean of p (1 - p) relative to it."""
    largest = float(logs.max())
    relative = np.exp(logs - largest)
    total = float(relative.sum())
    share = float(relative @ np.exp(logs)) / total
    return largest + float(np.log(total / len(logs))), 1.0 - share


def _effective(batches: list[Array], n_proposals: int, count: float, value: float) -> float:
    """The number of independent draws of f that give E_f[q h] as precisely as all batches do."""
    odds = _log_odds(count, n_proposals)
    terms = [expit(value - each - odds) for each in batches]
    everything = np.concatenate([each.ravel() for each in terms])
    variance = np.var([each.mean() for each in terms], ddof=1) / len(terms)
    if len(terms) < 2 or not variance > 0.0:
        return float(everything.size)
    return float(np.clip(everything.var() / variance, 1.0, everything.size))
