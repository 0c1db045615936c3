"""Normal intervals on scales on which the parameters are unbounded.

With theta = g(x) unbounded and normal, the delta method gives the ends

    g^-1(g(x) +- z g'(x) s)

of the interval for an estimate x with standard error s, which lie in the range of x: logit of
proportions, log of standard deviations, log of inflation less 1, Fisher's atanh of correlations.
"""

from collections.abc import Callable, Sequence

import numpy as np
from scipy.special import expit, logit
from scipy.stats import norm

from bayesgmm.arrays import Array

type _Function = Callable[[Array], Array]

# By the kind of parameter: g, its derivative, and its inverse.
_SCALES: dict[str, tuple[_Function, _Function, _Function]] = {
    "weight": (logit, lambda x: 1.0 / (x * (1.0 - x)), expit),
    # Proportions of outliers are at most 1/2.
    "outliers": (
        lambda x: logit(2.0 * x),
        lambda x: 1.0 / (x * (1.0 - 2.0 * x)),
        lambda t: 0.5 * expit(t),
    ),
    "inflation": (lambda x: np.log(x - 1.0), lambda x: 1.0 / (x - 1.0), lambda t: 1.0 + np.exp(t)),
    "sd": (np.log, lambda x: 1.0 / x, np.exp),
    "correlation": (np.arctanh, lambda x: 1.0 / (1.0 - x**2), np.tanh),
}


def normal_intervals(
    names: Sequence[str], values: Array, errors: Array, prob: float
) -> tuple[Array, Array]:
    """Lower and upper ends (P,) for estimates (P,) with standard errors (P,).

    Parameters
    ----------
    names : sequence of P str
        As `reported` gives them: "weight[0]", "sd[1, x]", ...; of other kinds the scale is that of
        the estimate.
    values, errors : ndarray of shape (P,)
        An error of 0, of a held parameter, gives the estimate itself; NaN gives NaN.
    prob : float
        Probability of the intervals.
    """
    reach = norm.ppf(0.5 + 0.5 * prob) * errors
    lower, upper = values - reach, values + reach
    kinds = np.array([name.partition("[")[0] for name in names])
    for kind, (scale, slope, back) in _SCALES.items():
        at = (kinds == kind) & (errors > 0.0)
        # At the end of its range an estimate has no interval.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            middle, half = scale(values[at]), slope(values[at]) * reach[at]
            lower[at], upper[at] = back(middle - half), back(middle + half)
    return lower, upper
