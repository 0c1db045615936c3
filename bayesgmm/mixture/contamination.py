"""Components with outliers of their own: a broader Gaussian of the same mean beside each."""

from dataclasses import dataclass

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.mixture.mixture import Mixture


@dataclass(frozen=True, slots=True, eq=False)
class Contamination:
    """The outliers of each component of a contaminated mixture.

    Attributes
    ----------
    proportions : ndarray of shape (K,)
        The proportion of a component's rows that are outliers, at most 1/2.
    inflation : ndarray of shape (K,)
        The covariance of a component's outliers in units of that of its other rows, at least 1.

    References
    ----------
    Punzo, A. and McNicholas, P. D. (2016), Biometrical Journal 58, 1506-1537.

    Examples
    --------
    >>> import numpy as np
    >>> from bayesgmm import GaussianMixture
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate((rng.normal(0.0, 1.0, 950), rng.normal(0.0, 6.0, 50)))[:, None]
    >>> fit = GaussianMixture(1, contaminated=True, random_state=0).fit(X)
    >>> fit.contamination_.proportions.round(2), fit.contamination_.inflation.round(0)
    (array([0.04]), array([45.]))
    """

    proportions: Array
    inflation: Array

    def permuted(self, order: Indices) -> "Contamination":
        """The same of the components ``order[0]``, ``order[1]``, ..."""
        return Contamination(self.proportions[order], self.inflation[order])

    def pairs(self, mixture: Mixture) -> Mixture:
        """The mixture of 2 K Gaussians: components without outliers, then their outliers."""
        outlying, broad = self.proportions, self.inflation[:, np.newaxis, np.newaxis]
        weights = np.concatenate(((1.0 - outlying) * mixture.weights, outlying * mixture.weights))
        return Mixture(
            weights / weights.sum(),
            np.concatenate((mixture.means, mixture.means)),
            np.concatenate((mixture.covariances, broad * mixture.covariances)),
            mixture.feature_names,
        )
