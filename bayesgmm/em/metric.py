"""The metric of Newton's steps, from few of many rows.

Near a maximum theta*, an EM step from theta is (I - J)(theta* - theta), with J the derivative of
the EM map. J is nearly that of a sample of the rows, so that the step times (I - J)^-1 of the
sample ends near theta*: what is left is the part by which J differs. A mixture that takes fifty
passes over all rows then takes six (simplified Newton's method; Jamshidian & Jennrich 1993, JASA
88, 221-228).
"""

import numpy as np

from bayesgmm.arrays import Array
from bayesgmm.core import native
from bayesgmm.em.loop import split
from bayesgmm.likelihood.em_steps import Rows
from bayesgmm.likelihood.statistics import Parameters
from bayesgmm.priors.objective import Objective

# Parts of a standard deviation, or of a weight, over which derivatives are formed.
_STEP = 1e-5
# The largest number of parameters for which a metric is formed.
_MOST_PARAMETERS = 1500


def metric(rows: Rows, objective: Objective, at: Parameters) -> Array | None:
    """(I - J)^-1 of some rows at a maximum of theirs, by differences of the EM map.

    It costs as many E-steps as there are parameters.

    Parameters
    ----------
    rows : Rows
    objective : Objective
        Without outliers of components.
    at : Parameters
        Near a maximum over these rows.

    Returns
    -------
    ndarray of shape (p, p), or None
        Of weights, means and covariances as they lie in the core's vector. None where a component
        collapses in a step, or parameters are too many.
    """
    if n_coordinates(at) > _MOST_PARAMETERS:
        return None
    places, units = _coordinates(at)
    theta = np.concatenate([each.ravel() for each in at])
    here = _image(rows, objective, at, theta)
    if here is None:
        return None
    first = [place[0] for place in places]
    derivatives = np.empty((len(places), len(places)))
    for j, (place, unit) in enumerate(zip(places, units, strict=True)):
        moved = theta.copy()
        moved[place] += _STEP * unit
        image = _image(rows, objective, at, moved)
        if image is None:
            return None
        derivatives[:, j] = (image - here)[first] / (_STEP * unit)
    inverse = np.linalg.inv(np.eye(len(places)) - derivatives)
    out = np.zeros((theta.size, theta.size))
    for i, place in enumerate(places):
        for each in place:
            out[each, first] = inverse[i]
    return out


def n_coordinates(at: Parameters) -> int:
    """Free numbers of weights, means and symmetric covariances of no structure."""
    k, d = at.means.shape
    of_covariance: int = d * (d + 1) // 2 if at.covariances.ndim == 3 else d
    return int(k * (1 + d + of_covariance))


def _image(rows: Rows, objective: Objective, like: Parameters, theta: Array) -> Array | None:
    """Theta after an EM step."""
    at = split(theta, like)
    return native.em_image(*rows.arguments, objective.arguments, *at, rows.most_threads)


def _coordinates(at: Parameters) -> tuple[list[list[int]], Array]:
    """Places in the core's vector that move as one, and the unit of each."""
    k, d = at.means.shape
    dense = at.covariances.ndim == 3
    variances = np.diagonal(at.covariances, axis1=1, axis2=2) if dense else at.covariances
    spreads = np.sqrt(variances)
    places = [[i] for i in range(k + k * d)]
    units = [*at.weights, *spreads.ravel()]
    begin = k + k * d
    if not dense:
        places += [[i] for i in range(begin, begin + k * d)]
        return places, np.array([*units, *variances.ravel()])
    for c in range(k):
        for i in range(d):
            for j in range(i + 1):
                one, other = (begin + (c * d + a) * d + b for a, b in ((i, j), (j, i)))
                places.append([one] if i == j else [one, other])
                units.append(spreads[c, i] * spreads[c, j])
    return places, np.array(units)
