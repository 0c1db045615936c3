"""Matching of the components of two mixtures: the assignment of least total distance."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from bayesgmm.arrays import Array, Indices
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.bhattacharyya_distance import bhattacharyya_distances
from bayesgmm.mixture.mixture import Mixture

# Squared Hellinger distances of components without overlap are all 1; this multiple of the
# Bhattacharyya distance then decides, and is negligible where components overlap.
_TIE_BREAK = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Components of a mixture matched to those of a reference, one to one.

    Attributes
    ----------
    order : ndarray of shape (J,)
        order[j] is the mixture's component that is matched to the reference's component j; -1 if
        the mixture has fewer components.
    distances : ndarray of shape (K, J)
        Hellinger distances, 0 (equal) to 1 (no overlap), of all pairs.
    unmatched : tuple of int
        The mixture's components that are left over.
    """

    order: Indices
    distances: Array
    unmatched: tuple[int, ...]

    @property
    def matched(self) -> Indices:
        """The reference's components that have a partner, ascending."""
        return np.flatnonzero(self.order >= 0)


def match_components(mixture: Mixture, reference: Mixture) -> Matching:
    """Match a mixture's components to a reference's by the Hellinger distance of the Gaussians.

    The sum of squared distances over pairs is least (weights do not take part). As a distance is
    at most 1, a component that has no counterpart cannot pull the others from theirs.

    Parameters
    ----------
    mixture, reference : Mixture
        Of the same features; the numbers of components may differ.

    Raises
    ------
    InvalidParameterError
        If the numbers of features differ.
    """
    if mixture.n_features != reference.n_features:
        raise InvalidParameterError(
            f"A mixture of {plural(mixture.n_features, 'feature')} cannot be matched to one of "
            f"{reference.n_features}."
        )
    costs = matching_costs(
        mixture.means, mixture.covariances, reference.means, reference.covariances
    )
    rows, columns = linear_sum_assignment(costs)
    order = np.full(reference.n_components, -1, dtype=np.intp)
    order[columns] = rows
    unmatched = tuple(k for k in range(mixture.n_components) if k not in set(rows.tolist()))
    return Matching(order, np.sqrt(np.minimum(costs, 1.0)), unmatched)


def matching_costs(
    means: Array, covariances: Array, other_means: Array, other_covariances: Array
) -> Array:
    """Costs (..., K, J) of matching Gaussians: squared Hellinger distances, ties broken.

    Parameters are those of `bayesgmm.mixture.bhattacharyya_distance.bhattacharyya_distances`.
    """
    distances = bhattacharyya_distances(means, covariances, other_means, other_covariances)
    return np.asarray(-np.expm1(-distances) + _TIE_BREAK * distances / (1.0 + distances))
