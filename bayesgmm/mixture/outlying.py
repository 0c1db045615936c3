"""Signs of outliers in a fit without noise: components that gather them, and rows far out."""

import numpy as np
from scipy.stats import chi2

from bayesgmm.arrays import Array, Indices
from bayesgmm.data.validation import Data
from bayesgmm.display import plural
from bayesgmm.mixture.mixture import Mixture

# A component of outliers has at most this weight, and this scale in units of the others'.
_LIGHT, _BROAD = 0.2, 3.0
# Expected rows beyond the farthest that a mixture may have.
_HARDLY = 1e-4


def broad_components(mixture: Mixture) -> list[tuple[int, float]]:
    """Light components that are much broader than the others, with the ratio of the scales.

    The scale is the geometric mean of a component's standard deviations along its axes, and that
    of the others the mean of theirs by weight, on the scale of logarithms: both in any units.
    """
    k, d = mixture.means.shape
    found = []
    logs = mixture.factors.log_determinants / (2.0 * d)
    for c in np.flatnonzero(mixture.weights <= _LIGHT) if k > 1 else ():
        others = np.delete(np.arange(k), c)
        ratio = float(np.exp(logs[c] - np.average(logs[others], weights=mixture.weights[others])))
        if ratio > _BROAD:
            found.append((int(c), ratio))
    return found


def far_rows(mixture: Mixture, X: Array) -> Indices:
    """The rows (n, D), farthest first, that lie farther out than rows of the mixture do.

    Of the squared distance from the nearest component, relative to its covariance, a row of a
    component exceeds it with the probability of the chi-squared distribution with D degrees of
    freedom; n times as much is the number of rows expected beyond.
    """
    least = mixture.factors.squared_distances(X).min(axis=0)
    beyond = len(X) * chi2.sf(least, X.shape[1])
    order = np.argsort(-least, kind="stable")
    return np.asarray(order[beyond[order] < _HARDLY])


def signs_of_outliers(mixture: Mixture, data: Data) -> list[str]:
    """Sentences on broad components and far rows, with what to do; none for sound fits.

    Rows count that were seen whole and without errors.
    """
    sentences = [
        f"Component {c} ({100.0 * mixture.weights[c]:.2g} % of the rows) is {ratio:.2g} times as "
        "broad as the others, as one that gathers outliers is. noise_component=True (--noise) adds "
        "a component for outliers."
        for c, ratio in broad_components(mixture)
    ]
    if data.errors is not None:
        return sentences
    whole = np.flatnonzero(~np.isnan(data.X).any(axis=1))
    far = whole[far_rows(mixture, data.X[whole])] if len(whole) else whole
    if len(far):
        which = f"Row {far[0]} lies"
        if len(far) > 1:
            which = f"{plural(len(far), 'row')}, the farthest of them row {far[0]}, lie"
        sentences.append(
            f"{which} farther from every component than its rows do, as outliers do. "
            "noise_component=True (--noise) adds a component for outliers."
        )
    return sentences
