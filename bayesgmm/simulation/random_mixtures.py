"""Random mixtures of prescribed overlap."""

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from bayesgmm.arguments import check_count, check_number, check_rng
from bayesgmm.arrays import Array
from bayesgmm.covariance.structures import CovarianceType, as_structure
from bayesgmm.display import plural
from bayesgmm.errors import InvalidParameterError
from bayesgmm.mixture.mixture import Mixture, Seed
from bayesgmm.simulation.misclassification import Pairs
from bayesgmm.simulation.structured_covariances import random_covariances

_DEFAULT_MAX_OVERLAP = 0.05
_MOST_DRAWS = 100
# Strides of 1 / sqrt(multiplier) beyond which the overlap falls below the target: their least and
# greatest factor, how far beyond a linear prediction they end, and how many there may be.
_STRIDES, _BEYOND, _MOST_STRIDES = (1.01, 4.0), 1.05, 100
# Multiples of the target of which only a lower bound is computed; ratio to it that is equal.
_ENOUGH, _EQUAL = 4.0, 1e-11
# Least and greatest half of an overlap of which a probit is taken: others underflow or round to 1.
_LEAST, _MOST = 1e-300, 1.0 - 1e-16


def random_mixture(
    n_components: int,
    n_features: int,
    *,
    average_overlap: float | None = None,
    max_overlap: float | None = None,
    covariance_type: CovarianceType = "full",
    rng: Seed = None,
) -> Mixture:
    """Draw a mixture at random, with as much overlap between its components as prescribed.

    Means are uniform on the unit cube, covariances have the structure ``covariance_type``, and
    weights are half equal, half uniform on the simplex: w = 1/(2K) + ½ Dirichlet(1, ..., 1), so
    that none is below 1/(2K).
    Then all covariances are multiplied by the number c that gives the prescribed overlap (Maitra &
    Melnykov 2010, J. Comput. Graph. Statist. 19, section 2.2). As c grows, overlap tends to that of
    the same components around one centre; a draw for which this does not exceed the target is
    rejected and drawn anew, up to 100 times.

    Parameters
    ----------
    n_components, n_features : int
        K and D, at least 1.
    average_overlap : float, optional
        Target, in (0, 1), for the mean over all pairs of components of the overlap: the sum of
        the pair's two probabilities of misclassification (see ``overlap``).
    max_overlap : float, optional
        Target, in (0, 1), for the largest overlap of a pair. At most one of the two may be given;
        with neither, ``max_overlap`` is 0.05, and with one component there is no scaling.
    covariance_type : str or Structure
        "full", "tied", "diag", "spherical", or mclust's code: EII VII EEI VEI EVI VVI EEE VEE EVE
        VVE EEV VEV EVV VVV, and E and V for one feature. In Σ_k = λ_k D_k A_k D_kᵀ, volumes λ_k
        differ by a factor of at most 4, eigenvalues in A_k of at most 10 (less in more than two
        dimensions), and orientations D_k are uniform.
    rng : anything that ``numpy.random.default_rng`` takes

    Returns
    -------
    Mixture
        Its overlap is the target within 1e-6, in fact mostly within 1e-10 of the target's size.

    Raises
    ------
    InvalidParameterError
        If an argument is out of its range, both targets are given, a target is given for one
        component, or no draw reaches it; the message then gives what can be reached.

    Examples
    --------
    >>> from bayesgmm import overlap, random_mixture
    >>> omega = overlap(random_mixture(2, 3, max_overlap=0.1, rng=1))
    >>> round(float(omega[0, 1] + omega[1, 0]), 6)
    0.1
    """
    k = check_count("n_components", n_components)
    d = check_count("n_features", n_features)
    structure = as_structure(covariance_type, d)
    letters = structure.code.ljust(3, "I")
    name, target = _target(k, average_overlap, max_overlap)
    generator = check_rng(rng)
    if k == 1:
        return Mixture(*_draw(k, d, letters, generator))
    best = 0.0
    for _ in range(_MOST_DRAWS):
        weights, means, covariances = _draw(k, d, letters, generator)
        pairs = Pairs.of(weights, means, covariances)
        measure = pairs.average_overlap if name == "average_overlap" else pairs.max_overlap
        # It is enough to know that the limit exceeds the target.
        limit = measure(np.inf, enough=target)
        best = max(best, limit)
        multiplier = _solve(measure, target, limit, pairs.nearest) if limit > target else None
        if multiplier is not None:
            return Mixture(weights, means, covariances * multiplier)
    raise InvalidParameterError(
        f"{name}={target:.6g} was not reached: in {_MOST_DRAWS} draws of {plural(k, 'component')} "
        f"in {d} "
        f"dimensions with covariance_type={structure.name!r}, it stays below {best:.6g} however "
        f"large the covariances are. Ask for a value in (0, {best:.4g}), or for a structure that "
        "shares more between components, such as 'tied'."
    )


def _target(
    n_components: int, average_overlap: float | None, max_overlap: float | None
) -> tuple[str, float]:
    """Name and value of the overlap to reach."""
    given = {"average_overlap": average_overlap, "max_overlap": max_overlap}
    given = {name: value for name, value in given.items() if value is not None}
    if len(given) == 2:
        raise InvalidParameterError(
            "average_overlap and max_overlap cannot both be given: one multiplier of the "
            "covariances meets one target. Give one of them."
        )
    if not given:
        return "max_overlap", _DEFAULT_MAX_OVERLAP
    name, value = next(iter(given.items()))
    if n_components == 1:
        raise InvalidParameterError(
            f"{name} needs at least 2 components, but n_components=1. Leave it out."
        )
    requirement = f"a number in ({_LEAST:g}, 1)"
    return name, check_number(name, value, requirement, lambda target: _LEAST < target < 1.0)


def _draw(
    n_components: int, n_features: int, letters: str, generator: np.random.Generator
) -> tuple[Array, Array, Array]:
    """Weights, means and covariances before scaling."""
    weights = 0.5 / n_components + 0.5 * generator.dirichlet(np.ones(n_components))
    means = generator.uniform(size=(n_components, n_features))
    return weights, means, random_covariances(letters, n_components, n_features, generator)


def _solve(
    measure: Callable[..., float], target: float, limit: float, nearest: float
) -> float | None:
    """Multiplier at which ``measure``, which is at infinity ``limit`` > target, equals the target.

    Two components of one covariance and equal weights, of Bhattacharyya distance d = ``nearest``,
    have the overlap 2 Phi(-sqrt(2 d / m)): the probit of its half is linear in x = 1 / sqrt(m).
    None if the target is not passed on the way, which rounding at the limit can cause.
    """

    def probit(value: float) -> float:
        return float(ndtri(min(max(0.5 * value, _LEAST), _MOST)))

    @cache
    def excess(x: float) -> float:
        if x == 0.0:
            return probit(limit) - probit(target)
        found = measure(x**-2, enough=_ENOUGH * target)
        return 0.0 if abs(found / target - 1.0) <= _EQUAL else probit(found) - probit(target)

    # Overlap need not be monotone in between; a change of sign suffices.
    near, far = 0.0, excess(0.0) / float(np.sqrt(2.0 * nearest))
    for _ in range(_MOST_STRIDES):
        if excess(far) <= 0.0:
            return float(brentq(excess, near, far, xtol=1e-60, rtol=1e-14)) ** -2
        fall = (excess(near) - excess(far)) / (far - near)
        least, most = _STRIDES[0] * far, _STRIDES[1] * far
        reach = _BEYOND * excess(far) / fall if fall > 0.0 else most
        near, far = far, min(max(far + reach, least), most)
    return None
