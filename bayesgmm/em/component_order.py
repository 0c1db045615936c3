"""The order in which components are numbered, and what follows from another one."""

import numpy as np

from bayesgmm.arrays import Array, Indices
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.matching import match_components
from bayesgmm.mixture.mixture import Mixture

# Values nearer than this are equal: their last digits depend on where EM stopped.
_TIE = 1e-6


def component_order(mixture: Mixture, order_by: str | Mixture) -> Indices:
    """The order of components by their parameters, whatever their labels.

    Parameters
    ----------
    mixture : Mixture
    order_by : {"means", "weights", "variances"} or Mixture
        Ascending means, feature by feature; descending weights; ascending log determinants of the
        covariances. Ties go by the other two in this order, then by the covariances. Values within
        1e-6 are tied, means and covariances in units of each feature's largest standard deviation.
        A mixture: matched to it by `match_components`.

    Returns
    -------
    ndarray of shape (K,)
    """
    if isinstance(order_by, Mixture):
        order = component_order(mixture, "means")
        return order[match_components(mixture.permuted(order), order_by).order]
    unit = np.sqrt(mixture.variances.max(axis=0))
    columns = {
        "means": mixture.means / unit,
        "weights": -mixture.weights[:, np.newaxis],
        "variances": mixture.factors.log_determinants[:, np.newaxis],
    }
    shapes = mixture.covariances / unit / unit[:, np.newaxis]
    first = columns.pop(order_by)
    keys = np.hstack((first, *columns.values(), shapes.reshape(len(first), -1)))
    return np.lexsort(_ranks(keys).T[::-1])


def _ranks(columns: Array) -> Indices:
    """Ranks within each column of (K, m); values that are tied with the next share one."""
    order = columns.argsort(axis=0)
    ascending = np.take_along_axis(columns, order, axis=0)
    steps = np.diff(ascending, axis=0, prepend=ascending[:1]) > _TIE
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, steps.cumsum(axis=0), axis=0)
    return ranks


def check_reference(
    name: str, reference: Mixture, shape: tuple[int, int], feature_names: tuple[str, ...] | None
) -> None:
    """Refuse a reference, the argument `name`, that does not match a fit one to one.

    The fit has the shape (K, D) and these feature names.

    Raises
    ------
    InvalidParameterError
        If the number of components or of features differs, or the features' names do.
    """
    if reference.means.shape != shape:
        raise InvalidParameterError(
            f"{name} has {_size(reference.means.shape)}, but {_size(shape)} are needed, since "
            "components are matched one to one."
        )
    if None not in (reference.feature_names, feature_names) and (
        reference.feature_names != feature_names
    ):
        raise InvalidParameterError(
            f"{name} has the features {list(reference.feature_names or ())!r:.200}, but the fit "
            f"has {list(feature_names or ())!r:.200}. Give a reference with the same features in "
            "the same order."
        )


def _size(shape: tuple[int, ...]) -> str:
    k, d = shape
    return f"{plural(k, 'component')} of {plural(d, 'feature')}"
