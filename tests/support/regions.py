"""What holds of the highest-density region of any mixture of one feature."""

import numpy as np

from bayesgmm import Mixture

# Absolute: the sum of a few distribution functions, each with some rounding.
HELD = 1e-9


def held(mixture, intervals):
    """The probability within intervals, from whichever tail is the smaller."""
    mirrored = Mixture(mixture.weights, -mixture.means, mixture.covariances)
    low, high = intervals.T
    lower = mixture.cdf(high) - mixture.cdf(low)
    upper = mirrored.cdf(-low) - mirrored.cdf(-high)
    return np.where(mixture.cdf(low) < 0.5, lower, upper).sum()


def rounded(intervals, *, outwards):
    """The intervals with each end moved to the next float64 number."""
    far = np.array([-np.inf, np.inf]) if outwards else np.array([np.inf, -np.inf])
    return np.nextafter(intervals, far)


def check_region(mixture, prob):
    """The region holds its probability, but for the rounding of its ends, and is the densest."""
    region = mixture.highest_density_region(prob)
    assert (np.diff(region.intervals.ravel()) >= 0.0).all()
    assert held(mixture, rounded(region.intervals, outwards=True)) >= prob - HELD
    inner = rounded(region.intervals, outwards=False)
    inner = inner[inner[:, 0] < inner[:, 1]]
    assert held(mixture, inner) <= prob + HELD
    x = np.sort(mixture.sample(2000, rng=1)[0][:, 0])
    inside = (np.searchsorted(region.intervals.ravel(), x) % 2).astype(bool)
    edges = rounded(region.intervals, outwards=True), rounded(region.intervals, outwards=False)
    for low, high in zip(edges[0].ravel(), edges[1].ravel(), strict=True):
        x, inside = (each[(x < min(low, high)) | (x > max(low, high))] for each in (x, inside))
    density = mixture.log_density(x) if len(x) else x
    assert (density[inside] >= region.log_threshold - 1e-9).all()
    assert (density[~inside] <= region.log_threshold + 1e-9).all()
    return region
