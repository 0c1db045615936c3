"""Agreement of draws with the rows that they are said to describe."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.data.validation import Data
from bayesgmm.mixture.partial_rows import conditional_moments
from bayesgmm.posterior.draws import Draws

# Differences of location below this many standard deviations, and ratios of standard deviations
# below this, can be an effect of the prior.
_LOCATION, _SCALE = 0.25, np.log(1.5)


@dataclass(frozen=True)
class Discrepancy:
    """The largest difference between rows and draws.

    Attributes
    ----------
    feature : int
    what : str
        "mean" or "standard deviation".
    rows, draws : float
        The statistic of the rows, and the median over the draws of the mixture's.
    errors : float
        Their difference in standard errors of the rows' statistic; 0 for a difference so small
        that the prior can account for it.
    """

    feature: int
    what: str
    rows: float
    draws: float
    errors: float


def discrepancy(draws: Draws, rows: Data) -> Discrepancy:
    """Compare mean and standard deviation of each feature between rows and mixtures.

    At a maximum of the likelihood they are equal, whether or not the rows are Gaussian within
    components; draws are within a few standard errors. Draws for other rows, or for rows in other
    units, are not. Of rows seen in part, or through noise, the moments are those expected given
    what was observed, under one of the draws.

    Parameters
    ----------
    draws : Draws
    rows : Data
    """
    X, unseen, n = rows.X, np.zeros(draws.n_features), rows.total
    v = np.full(len(X), 1.0 / n) if rows.weights is None else rows.weights / n
    if rows.partial:
        some = draws.mixture(0, draws.n_draws - 1)
        found = conditional_moments(some, X, rows.errors)
        X, unseen = found.mean, v @ np.diagonal(found.covariance, axis1=1, axis2=2)
    centre = v @ X
    unit = np.abs(X - centre).max(axis=0)
    unit = np.where(unit > 0.0, unit, np.abs(centre) + 1.0)
    z = (X - centre) / unit
    location, total = draws.moments(centre, unit)
    variances_of_rows = v @ np.square(z - v @ z)
    sd = np.sqrt(variances_of_rows + unseen / unit**2)
    drawn_sd = np.sqrt(np.median(total, axis=0))
    drawn = np.median(location, axis=0)
    wide = np.maximum(sd, drawn_sd)
    with np.errstate(divide="ignore", invalid="ignore"):
        kurtosis = v @ z**4 / sd**4
        of_mean = np.abs(drawn) / (np.where(sd > 0.0, sd, wide) / np.sqrt(n))
        ratio = np.abs(np.log(drawn_sd / sd))
        of_sd = ratio / np.sqrt(np.maximum(kurtosis - 1.0, 0.1) / (4 * n))
    of_mean = np.where(np.abs(drawn) > _LOCATION * wide, of_mean, 0.0)
    of_sd = np.where((ratio > _SCALE) & (sd > 0.0), of_sd, 0.0)
    if of_mean.max() >= of_sd.max():
        j = int(of_mean.argmax())
        value = float(centre[j] + unit[j] * drawn[j])
        return Discrepancy(j, "mean", float(centre[j]), value, float(of_mean[j]))
    j = int(of_sd.argmax())
    what = "standard deviation"
    return Discrepancy(
        j, what, float(unit[j] * sd[j]), float(unit[j] * drawn_sd[j]), float(of_sd[j])
    )
