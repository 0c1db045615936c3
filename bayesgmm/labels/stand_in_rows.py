"""Rows that stand in for unknown ones: simulated from the draws of a posterior."""

import numpy as np

from bayesgmm.data.validation import Data
from bayesgmm.posterior.draws import Draws

_FEWEST, _MOST = 200, 1000
# The number of rows of draws that do not vary.
_UNKNOWN = 1e9
# A component with fewer expected rows has left no trace among the fitted ones.
_SEEN = 5.0
# Median absolute deviation of a normal variable, in standard deviations.
_MAD = 0.6744897501960817


def stand_in_rows(draws: Draws) -> Data:
    """Rows simulated from draws that are evenly spaced over all chains, one from each.

    As many as `equivalent_rows`, but between 200 and 1,000, and none of a component on which fewer
    than five of them would fall. They are the same for the same set of
    draws, whatever the order of the chains and the labels of the components.

    Parameters
    ----------
    draws : Draws
    """
    weights, means, covariances = draws.stacked()
    components = np.lexsort(np.moveaxis(means, -1, 0)[::-1], axis=-1)
    order = np.lexsort(np.take_along_axis(means[..., 0], components, axis=1).T)
    equivalent = equivalent_rows(draws)
    size = int(np.clip(round(equivalent), _FEWEST, _MOST))
    chosen = order[np.linspace(0, len(order) - 1, size).astype(np.intp)]
    rng = np.random.default_rng(0)
    shares = np.take_along_axis(weights, components, axis=1)[chosen]
    shares[(shares * equivalent < _SEEN) & (shares < shares.max(axis=1, keepdims=True))] = 0.0
    edges = np.cumsum(shares, axis=1)
    place = (edges < rng.random((size, 1)) * edges[:, -1:]).sum(axis=1)
    which = components[chosen, np.minimum(place, weights.shape[1] - 1)]
    deviation = np.sqrt(np.diagonal(covariances[chosen, which], axis1=1, axis2=2))
    correlations = covariances[chosen, which] / deviation[:, :, None] / deviation[:, None, :]
    noise = rng.standard_normal((size, draws.n_features, 1))
    apart = (np.linalg.cholesky(correlations) @ noise)[..., 0] * deviation
    names = draws.feature_names
    return Data(np.ascontiguousarray(means[chosen, which] + apart), names, has_missing=False)


def equivalent_rows(draws: Draws) -> float:
    """The number of rows on which a posterior rests, estimated from its draws alone.

    The mean of the mixture is known to about its standard deviation divided by the root of the
    number of rows; the median of this number over the features. Priors add to it.

    Parameters
    ----------
    draws : Draws

    Returns
    -------
    float
        At least 1.
    """
    weights, means, covariances = draws.stacked()
    # In units of a draw's overall spread, as squares of the values may overflow.
    shares = weights[..., np.newaxis]
    unit = np.sqrt(np.diagonal(covariances, axis1=2, axis2=3)).max(axis=(0, 1))
    unit = np.maximum(unit, np.ptp(means, axis=(0, 1)))
    centre = means[0, 0]
    scaled = (means - centre) / unit
    overall = (shares * scaled).sum(axis=1)
    inner = np.diagonal(covariances / unit[:, np.newaxis] / unit, axis1=2, axis2=3)
    within = (shares * (inner + np.square(scaled - overall[:, np.newaxis]))).sum(axis=1)
    middle = np.median(overall, axis=0)
    error = np.median(np.abs(overall - middle), axis=0) / _MAD
    with np.errstate(divide="ignore"):
        sizes = np.median(within, axis=0) / np.square(error)
    return float(np.clip(np.median(sizes), 1.0, _UNKNOWN))
