"""Convergence of chains: R-hat and effective sample sizes, and the bounds that follow from them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from arviz_stats.base.array import array_stats
from scipy.special import ndtri
from scipy.stats import chi2, rankdata

from bayesgmm.arrays import Array

# R-hat up to which chains agree, whatever their number and length (Vehtari et al. 2021).
AGREE = 1.01
# Effective sample sizes: below the first no figure of the chains can be relied on; below the
# second, R-hat and quantiles are imprecise (Vehtari et al. 2021, section 4).
TOO_FEW, ENOUGH = 100.0, 400.0
# ArviZ defines R-hat and ESS for four draws or more.
LEAST_DRAWS = 4
# The tail ESS is the lesser of the ESS at these quantiles (Vehtari et al. 2021).
_TAILS = (0.05, 0.95)
# Probability that the R-hat of any of all quantities of healthy chains exceeds its bound.
_FALSE_ALARMS = 1e-3
# The largest bound, whatever the length of the chains.
_MOST = 1.05
# Proportion of a chain's draws above which a run of equal draws is not due to rejections, and the
# length of a run that may be.
STAY, _RUN = 0.05, 20
_COLUMNS = ["form", "quantity", "r_hat", "ess_bulk", "ess_tail"]


def r_hat_and_ess(values: Array) -> tuple[float, float, float]:
    """R-hat, bulk and tail ESS of one quantity (chain, draw), as computed by ArviZ.

    NaN where they are not defined: fewer than four draws, a constant quantity, and R-hat of a
    single chain. Chains that are constant at different values have an infinite R-hat.
    """
    moves = np.ptp(values, axis=1) > 0
    if values.shape[1] < LEAST_DRAWS or not np.isfinite(values).all():
        return np.nan, np.nan, np.nan
    if not moves.any():
        return (np.nan if np.ptp(values) == 0 else np.inf), np.nan, np.nan
    # R-hat divides by the variance within half-chains, which may be 0.
    with np.errstate(divide="ignore", invalid="ignore"):
        r_hat = float(array_stats.rhat(values)) if len(values) > 1 else np.nan
        bulk = float(array_stats.ess(values, method="bulk"))
        tail = float(array_stats.ess(values, method="tail", prob=_TAILS))
    return r_hat, bulk, tail


def longest_stay(values: Array) -> Array:
    """The longest run of equal successive draws of each chain, as a proportion of its draws.

    Parameters
    ----------
    values : ndarray of shape (chain, draw, ...)

    Returns
    -------
    ndarray of shape (chain,)
        0 if no draw equals the one before it.
    """
    chains, draws = values.shape[:2]
    flat = values.reshape(chains, draws, -1)
    longest = np.zeros(chains)
    for c, same in enumerate((flat[:, 1:] == flat[:, :-1]).all(axis=2)):
        ends = np.flatnonzero(np.concatenate(([True], ~same, [True])))
        runs = np.diff(ends)
        longest[c] = runs.max() / draws if same.any() else 0.0
    return longest


def longest_stays(quantities: Mapping[str, Array]) -> tuple[float, ...]:
    """`longest_stay` of all quantities together (chain, draw, ...); none if nothing moves."""
    moving = [each for each in quantities.values() if np.ptp(each) > 0.0]
    if not moving:
        return ()
    return tuple(longest_stay(np.stack(moving, axis=-1)).tolist())


def is_stuck(stays: Collection[float], n_draws: int) -> bool:
    """True if a chain repeats one draw for longer than rejected proposals account for."""
    return max(stays, default=0.0) > max(STAY, _RUN / n_draws)


def mcse(values: Array) -> float:
    """Monte Carlo standard error of a mean over (chain, draw).

    NaN for a constant and for too few draws.
    """
    if np.ptp(values) == 0 or values.shape[1] < LEAST_DRAWS:
        return np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(array_stats.mcse(values, method="mean"))


def statistics(form: str, quantities: Mapping[str, Array]) -> pd.DataFrame:
    """R-hat and ESS of quantities (chain, draw), a row for each."""
    rows = [(form, name, *r_hat_and_ess(values)) for name, values in quantities.items()]
    return pd.DataFrame(rows, columns=_COLUMNS)


def largest_r_hat(frame: pd.DataFrame) -> float:
    """The largest R-hat of some quantities; NaN if none is defined."""
    return float(frame["r_hat"].max())


def least_ess(frame: pd.DataFrame) -> float:
    """The least bulk or tail ESS of some quantities; NaN if none is defined."""
    return float(frame[["ess_bulk", "ess_tail"]].min().min())


@dataclass(frozen=True)
class Agreement:
    """Agreement of the chains in some quantities.

    Attributes
    ----------
    quantity : str
        The quantity of largest excess over its bound.
    r_hat, bound : float
        Its R-hat, and the largest R-hat that healthy chains of its effective length reach among
        so many quantities; NaN if none is defined.
    largest : float
        The largest R-hat of all quantities.
    ess : float
        The least bulk or tail ESS of all quantities.
    bound_of_largest : float
        The bound of the quantity that has the largest R-hat.
    """

    quantity: str
    r_hat: float
    bound: float
    largest: float
    ess: float
    bound_of_largest: float = AGREE

    @property
    def known(self) -> bool:
        """True if R-hat is defined for a quantity."""
        return not np.isnan(self.r_hat)

    @property
    def holds(self) -> bool:
        """True if no R-hat exceeds its bound."""
        return self.r_hat <= self.bound


def agreement(frame: pd.DataFrame, quantities: Mapping[str, Array]) -> Agreement:
    """Compare every R-hat of some quantities with its bound.

    Parameters
    ----------
    frame : DataFrame
        Their `statistics`.
    quantities : dict from name to ndarray of shape (chain, draw)

    Notes
    -----
    Of m half-chains of healthy chains the means differ by chance: R-hat is about

        1 + m / (2 S) chi2 / (m - 1)

    with the effective size S of all chains and chi2 of m - 1 degrees of freedom (Gelman & Rubin
    1992, Statistical Science 7, 457-472, by expansion of their equation 20 at ratios near 1). Of
    J quantities, each of which has two R-hats (ranks, and ranks folded at the median), the bound
    is the quantile of chi2 that all exceed with a probability of at most 0.001; but at least 1.01,
    and at most 1.05. S is computed within chains, so that it does not fall where chains disagree.
    """
    ess = least_ess(frame)
    defined = frame[frame["r_hat"].notna()]
    if defined.empty:
        return Agreement("", np.nan, AGREE, np.nan, ess)
    worst, excess = ("", np.nan, AGREE), -np.inf
    largest, bound_of_largest = largest_r_hat(defined), AGREE
    for name, r_hat in zip(defined["quantity"], defined["r_hat"], strict=True):
        bound = AGREE
        if AGREE < r_hat < np.inf:
            bound = max(AGREE, _bound(quantities[name], len(defined)))
        if r_hat == largest:
            bound_of_largest = bound
        if r_hat - bound > excess:
            worst, excess = (str(name), float(r_hat), bound), r_hat - bound
    return Agreement(*worst, largest, ess, bound_of_largest)


def _bound(values: Array, n_quantities: int) -> float:
    """The largest R-hat that a quantity of healthy chains reaches by chance."""
    halves = 2 * len(values)
    folded = np.abs(values - np.median(values))
    size = min(_within_ess(values), _within_ess(folded))
    if not size >= TOO_FEW:
        return AGREE
    quantile = float(chi2.isf(_FALSE_ALARMS / (2 * n_quantities), halves - 1))
    return min(1.0 + 0.5 * halves / size * quantile / (halves - 1), _MOST)


def _within_ess(values: Array) -> float:
    """Bulk ESS after the normal scores of each chain were centred."""
    ranks = rankdata(values, axis=None).reshape(values.shape)
    scores = ndtri((ranks - 0.375) / (values.size + 0.25))
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(array_stats.ess(scores - scores.mean(axis=1, keepdims=True), method="mean"))
