"""Predictive check: the rows against replicates of a mixture, by one calibrated test."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from bayesgmm.arrays import Array
from bayesgmm.likelihood.outliers import sample_rows
from bayesgmm.mixture.contamination import Contamination
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.mixture.noise import Noise

STATISTICS = (
    "Kolmogorov distance",
    "skewness",
    "kurtosis",
    "smallest value",
    "largest value",
)
# Numbers of rows compared and of replicates, sufficient to detect a relevant misfit.
_MOST_ROWS = 2000
_REPLICATES = 199


@dataclass(frozen=True)
class Check:
    """Statistics of the rows and of replicates.

    Attributes
    ----------
    observed : (D, 5)
        For each column, in the order of `STATISTICS`.
    low, high : (D, 5)
        Limits of the central 95 % of the replicates.
    z : (D, 5)
        Observed minus mean of the replicates, in their standard deviations.
    low_z, high_z : (D, 5)
        The limits in the same units.
    p_value : float
        Proportion of the replicates, including the rows, whose largest |z| is at least that of
        the rows.
    n_rows, n_replicates : int
    """

    observed: Array
    low: Array
    high: Array
    z: Array
    low_z: Array
    high_z: Array
    p_value: float
    n_rows: int
    n_replicates: int


def check(
    rows: Array,
    mixture: Mixture,
    *,
    noise: Noise | None = None,
    draws: Sequence[tuple[Mixture, Noise | None, Contamination | None]] | None = None,
    seed: int = 0,
) -> Check:
    """Compare rows with replicates drawn from the mixture, or from draws of its posterior.

    With `noise`, a share of the rows of each replicate is drawn from it; draws of the posterior
    come with their own noise and outliers.

    Each column is described by its Kolmogorov distance to the marginal distribution, its skewness,
    kurtosis and extremes. Each statistic is standardised by its mean and standard deviation over
    the replicates; the largest is the test statistic, and its tail area over the replicates the
    p-value (a "max-T" test, which adjusts for multiplicity). The test is conservative, as the
    parameters were estimated from the same rows.

    References
    ----------
    Gelman, Meng and Stern (1996), Statistica Sinica 6, 733-807. Westfall and Young (1993),
    Resampling-Based Multiple Testing, section 2.3.
    """
    generator = np.random.default_rng(seed)
    if len(rows) > _MOST_ROWS:
        rows = rows[np.sort(generator.choice(len(rows), _MOST_ROWS, replace=False))]
    n = len(rows)
    mean, unit = mixture.mean(), np.sqrt(np.diagonal(mixture.covariance()))
    observed = _statistics(rows, mixture, noise, mean, unit)
    replicates = np.empty((_REPLICATES, *observed.shape))
    for r in range(_REPLICATES):
        source = (mixture, noise, None) if not draws else draws[r % len(draws)]
        drawn = sample_rows(n, *source, generator)[0]
        replicates[r] = _statistics(drawn, mixture, noise, mean, unit)
    everything = np.concatenate([replicates, observed[np.newaxis]])
    centre, spread = everything.mean(axis=0), everything.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    scores = np.abs(everything - centre) / spread
    largest = scores.reshape(len(everything), -1).max(axis=1)
    low, high = np.quantile(replicates, [0.025, 0.975], axis=0)
    return Check(
        observed=_in_units(observed, mean, unit),
        low=_in_units(low, mean, unit),
        high=_in_units(high, mean, unit),
        z=(observed - centre) / spread,
        low_z=(low - centre) / spread,
        high_z=(high - centre) / spread,
        p_value=float(np.mean(largest >= largest[-1])),
        n_rows=n,
        n_replicates=_REPLICATES,
    )


def _statistics(x: Array, mixture: Mixture, noise: Noise | None, mean: Array, unit: Array) -> Array:
    """The five statistics of each column, (D, 5), extremes in units of the mixture's spread."""
    z = (x - mean) / unit
    ordered = np.sort(z, axis=0)
    centred = z - z.mean(axis=0)
    # Products are faster than powers.
    square = centred * centred
    variance = square.mean(axis=0)
    skewness = (square * centred).mean(axis=0) / variance**1.5
    kurtosis = (square * square).mean(axis=0) / variance**2 - 3.0
    n = len(x)
    steps = np.arange(n + 1) / n
    distances = np.empty(x.shape[1])
    centres = (mixture.means - mean) / unit
    widths = np.sqrt(mixture.variances) / unit
    for j in range(x.shape[1]):
        arguments = (ordered[:, j, np.newaxis] - centres[:, j]) / widths[:, j]
        below = ndtr(arguments) @ mixture.weights
        if noise is not None:
            sides = (np.array([noise.lower[j], noise.upper[j]]) - mean[j]) / unit[j]
            uniform = np.clip((ordered[:, j] - sides[0]) / (sides[1] - sides[0]), 0.0, 1.0)
            below = (1.0 - noise.weight) * below + noise.weight * uniform
        distances[j] = max((below - steps[:-1]).max(), (steps[1:] - below).max())
    return np.column_stack([distances, skewness, kurtosis, ordered[0], ordered[-1]])


def _in_units(values: Array, mean: Array, unit: Array) -> Array:
    out = values.copy()
    out[:, 3:] = mean[:, np.newaxis] + unit[:, np.newaxis] * values[:, 3:]
    return out
