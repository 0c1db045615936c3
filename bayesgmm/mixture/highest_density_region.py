"""Highest-density region: the smallest region of a given probability."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesgmm.arguments import check_count, check_probability, check_rng
from bayesgmm.arrays import Array, Booleans
from bayesgmm.mixture.univariate import highest_density_intervals
from bayesgmm.results import Result

if TYPE_CHECKING:
    from bayesgmm.mixture.mixture import Mixture, Seed


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class HighestDensityRegion(Result):
    """The smallest region of a given probability: the density is at least a threshold.

    Attributes
    ----------
    mixture : Mixture
    prob : float
        Its probability.
    log_threshold : float
        The log density on its border, nats.
    standard_error : float
        Of `log_threshold`; 0 for one feature, where it is exact.
    intervals : ndarray of shape (m, 2) or None
        For one feature, the region itself.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset
    >>> X = load_dataset("faithful").X
    >>> fit = GaussianMixture(2, random_state=0).fit(X)
    >>> region = fit.mixture_.highest_density_region(0.9, rng=0)
    >>> region.contains([[2.0, 54.0], [3.0, 65.0]])
    array([ True, False])
    """

    mixture: "Mixture"
    prob: float
    log_threshold: float
    standard_error: float
    intervals: Array | None

    def _paragraphs(self) -> list[str]:
        where = "" if self.intervals is None else f": {self.intervals.tolist()}"
        return [
            f"Highest-density region of probability {self.prob:g}{where}",
            f"Log density on its border: {self.log_threshold:.6g} nats, standard error "
            f"{self.standard_error:.2g}",
        ]

    def contains(self, X: Any) -> Booleans:
        """Return whether each row, of which nothing may be missing, lies in the region, (n,)."""
        rows = self.mixture.check_rows(X)
        return np.asarray(self.mixture.log_density(rows) >= self.log_threshold)


def highest_density_region(
    mixture: "Mixture", prob: float, *, n_draws: int = 100_000, rng: "Seed" = None
) -> HighestDensityRegion:
    """Return the region; see `Mixture.highest_density_region`.

    For several features the threshold is a quantile of the log density of draws (Hyndman 1996,
    The American Statistician 50, 120-126), with the error of that order statistic.
    """
    prob = check_probability("prob", prob)
    n_draws, generator = check_count("n_draws", n_draws, least=1000), check_rng(rng)
    if mixture.n_features == 1:
        level, intervals = highest_density_intervals(mixture, prob)
        return HighestDensityRegion(mixture, prob, level, 0.0, intervals)
    values = mixture.log_density(mixture.sample(n_draws, generator)[0])
    error = np.sqrt(prob * (1.0 - prob) / n_draws)
    share = 1.0 - prob
    low, level, high = np.quantile(values, np.clip([share - error, share, share + error], 0, 1))
    return HighestDensityRegion(mixture, prob, float(level), 0.5 * float(high - low), None)
