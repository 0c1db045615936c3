"""Clusters that combine several components, by entropy (Baudry et al. 2010)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import xlogy

from bayesgmm.arguments import check_count
from bayesgmm.arrays import Array, Integers
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.fitted_mixture import MixtureLike, fitted_mixture, observed_rows
from bayesgmm.mixture.mixture import Mixture
from bayesgmm.results import Result

if TYPE_CHECKING:
    import pandas as pd

# Entropy of memberships, relative to the largest possible, below which they are nearly certain.
_CERTAIN = 0.01


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Merging(Result):
    """A hierarchy of clusters that combine components; the density of the mixture is unchanged.

    Attributes
    ----------
    mixture : Mixture
    responsibilities : ndarray of shape (n, K)
        Posterior probabilities of the components.
    merges : ndarray of int, shape (K - 1, 2)
        The two clusters merged at each step. A cluster is numbered by its first component, so the
        first of a pair is always less than the second.
    entropies : ndarray of shape (K,)
        -sum t log t over rows and clusters, nats, before the first merge and after each.

    Examples
    --------
    >>> from bayesgmm import GaussianMixture, load_dataset, merge_components
    >>> X = load_dataset("faithful").X
    >>> merging = merge_components(GaussianMixture(3, covariance_type="tied").fit(X), X)
    >>> merging.entropies.round(2)
    array([42.74,  0.48,  0.  ])
    >>> merging.labels(2)[:6]
    array([1, 0, 1, 0, 1, 0])
    """

    mixture: Mixture
    responsibilities: Array
    merges: Integers
    entropies: Array

    @property
    def table(self) -> "pd.DataFrame":
        """The entropy of the memberships, nats, at each number of clusters."""
        import pandas as pd

        counts = np.arange(self.mixture.n_components, 0, -1)
        return pd.DataFrame({"n_clusters": counts, "entropy": self.entropies}).set_index(
            "n_clusters"
        )

    def _paragraphs(self) -> "list[str | pd.DataFrame]":
        k, elbow = self.mixture.n_components, self.elbow
        title = (
            f"Clusters that combine {plural(k, 'component')}, by the entropy of their memberships"
        )
        if elbow is not None:
            bend = f"Elbow: {plural(elbow, 'cluster')}"
        elif self._certain:
            bend = (
                "No elbow: the memberships of the components are nearly certain, so that none need "
                "be combined."
            )
        else:
            bend = f"No elbow: with {plural(k, 'component')} the curve has no choice of a bend."
        return [title, self.table, bend]

    def clusters(self, n_clusters: int) -> Integers:
        """The cluster of each component, (K,), numbered in the order of their first components.

        Raises
        ------
        InvalidParameterError
            If `n_clusters` is not from 1 to K.
        """
        k = self.mixture.n_components
        if check_count("n_clusters", n_clusters) > k:
            raise InvalidParameterError(
                f"n_clusters={n_clusters} must be from 1 to {k}, the number of components."
            )
        cluster = np.arange(k)
        for kept, gone in self.merges[: k - n_clusters]:
            cluster[cluster == gone] = kept
        return np.unique(cluster, return_inverse=True)[1].astype(np.int64)

    def memberships(self, n_clusters: int) -> Array:
        """The probability of each cluster at each row, (n, n_clusters): the components' summed."""
        cluster = self.clusters(n_clusters)
        members = cluster[:, np.newaxis] == np.arange(n_clusters)
        return np.asarray(self.responsibilities @ members)

    def labels(self, n_clusters: int) -> Integers:
        """The most probable cluster of each row, (n,)."""
        return self.memberships(n_clusters).argmax(axis=1).astype(np.int64)

    @property
    def elbow(self) -> int | None:
        """The number of clusters at the bend of the entropy curve, from 2 to K - 1, or None.

        The join of the two straight lines, meeting at one of the points, of least sum of squares
        (Baudry et al., section 3.2). A suggestion only: see `entropies`. None below K = 4, where at
        most one bend is possible, and where the entropy of the components is below a hundredth of
        its largest value, n log K: such components are already separate.
        """
        k = self.mixture.n_components
        if k < 4 or self._certain:
            return None
        numbers = np.arange(1.0, k + 1.0)
        values = self.entropies[::-1]
        errors = [_misfit(numbers, values, at) for at in range(1, k - 1)]
        return int(np.argmin(errors)) + 2

    @property
    def _certain(self) -> bool:
        """Whether the memberships of the components are nearly certain."""
        n, k = self.responsibilities.shape
        return bool(self.entropies[0] <= _CERTAIN * n * np.log(k))


def _misfit(x: Array, y: Array, at: int) -> float:
    """Residual sum of squares of the best two lines that meet at x[at]."""
    left, right = np.minimum(x - x[at], 0.0), np.maximum(x - x[at], 0.0)
    design = np.stack((np.ones_like(x), left, right), axis=1)
    coefficients = np.linalg.lstsq(design, y)[0]
    return float(np.square(y - design @ coefficients).sum())


def merge_components(
    mixture: MixtureLike, X: Any, error_covariances: ArrayLike | None = None
) -> Merging:
    """Merge the components of a fitted mixture into clusters.

    A cluster that is not Gaussian needs several components. Each step merges the two clusters
    whose union lowers the entropy of the memberships most, those that are least well separated.

    Parameters
    ----------
    mixture : Mixture or fitted GaussianMixture
    X : array-like or data frame of shape (n, D)
        The rows to which it was fitted; NaN are missing.
    error_covariances : array-like, optional
        Measurement errors of the rows, as in `GaussianMixture.fit`. None: those of the fit if X are
        its rows.

    Raises
    ------
    InputError, InputTypeError
        If X cannot be used.
    InvalidParameterError
        If `mixture` is of another kind.
    NotFittedError
        If it is an estimator that was not fitted.

    References
    ----------
    Baudry, J.-P., Raftery, A. E., Celeux, G., Lo, K. and Gottardo, R. (2010). Combining mixture
    components for clustering. Journal of Computational and Graphical Statistics 19, 332-353.

    Examples
    --------
    >>> from bayesgmm import load_dataset, merge_components, select_mixture
    >>> X = load_dataset("faithful").X
    >>> chosen = select_mixture(X, range(1, 5), rng=0)
    >>> merge_components(chosen.best, X).clusters(2)
    array([0, 1, 1])
    """
    data = observed_rows("mixture", mixture, X, error_covariances)
    mixture = fitted_mixture("mixture", mixture)
    responsibilities = mixture.responsibilities(data)
    k = mixture.n_components
    current = {j: responsibilities[:, j] for j in range(k)}
    terms = {j: _entropy(t) for j, t in current.items()}
    merges, entropies = [], [sum(terms.values())]
    while len(current) > 1:
        names = list(current)
        gains = {
            (i, j): terms[i] + terms[j] - _entropy(current[i] + current[j])
            for at, i in enumerate(names)
            for j in names[at + 1 :]
        }
        i, j = max(gains, key=gains.__getitem__)
        current[i] = current[i] + current.pop(j)
        terms[i] = _entropy(current[i])
        del terms[j]
        merges.append((i, j))
        entropies.append(sum(terms.values()))
    return Merging(
        mixture,
        responsibilities,
        np.array(merges, dtype=np.int64).reshape(-1, 2),
        np.array(entropies),
    )


def _entropy(memberships: Array) -> float:
    """-sum t log t, nats, of memberships that may exceed 1 by rounding."""
    return float(-xlogy(memberships, np.minimum(memberships, 1.0)).sum())
