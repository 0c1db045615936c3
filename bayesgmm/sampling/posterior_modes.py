"""Modes of a posterior density, and the mass that Laplace's approximation gives each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from bayesgmm.arrays import Array
from bayesgmm.posterior.log_density import Problem

# Whether a point is a mode.
type Same = Callable[[Array, "Mode"], bool]

# Step of the differences of gradients, and the least curvature of a mode that is not flat.
_STEP, _FLAT = 1e-5, 1e-8
# Two modes within this number of nats are one.
_SAME = 1e-2
# Nats below the highest mode, beside one for each coordinate, at which a mode has no mass.
_LOW = 20.0
_MOST_STEPS, _GRADIENT = 100, 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Mode:
    """A local maximum of the posterior density with respect to `Coordinates`.

    Attributes
    ----------
    u : ndarray of shape (size,)
        Its coordinates under one labelling of the components.
    log_density : float
        Nats.
    covariance : ndarray of shape (size, size)
        Minus the inverse of the second derivatives of the log density.
    """

    u: Array
    log_density: float
    covariance: Array

    @property
    def log_mass(self) -> float:
        """Laplace's approximation of the log integral about this mode, under one labelling.

        References
        ----------
        Tierney and Kadane (1986), Journal of the American Statistical Association 81, 82-86.
        """
        log_det = np.linalg.slogdet(2.0 * np.pi * self.covariance)[1]
        return float(self.log_density + 0.5 * log_det)


def climb(problem: Problem, start: Array) -> Mode | None:
    """The mode that Newton's method in a trust region reaches; None if the density is flat."""
    found = minimize(
        _value,
        start,
        (problem,),
        jac=True,
        hess=_curvature,
        method="trust-exact",
        options={"maxiter": _MOST_STEPS, "gtol": _GRADIENT},
    )
    precision = _curvature(found.x, problem)
    if not np.isfinite(precision).all() or np.linalg.eigvalsh(precision)[0] < _FLAT:
        return None
    return Mode(found.x, -float(found.fun), np.linalg.inv(precision))


def other_modes(
    problem: Problem,
    first: Mode,
    starts: Iterable[Array],
    evaluations: float = np.inf,
    same: Same | None = None,
) -> list[Mode]:
    """A mode and the distinct others that are reached from starts, the largest log mass first.

    Modes of the same density are one, as they differ by the order of the components.

    Parameters
    ----------
    problem : Problem
    first : Mode
        Its covariance is the metric of the climbs.
    starts : iterable of ndarray of shape (size,)
    evaluations : float
        Evaluations of the density after which no further climb begins.
    same : callable, optional
        Whether a point of the density of a mode is that mode, where another order of the components
        may be another mode. None: always.
    """
    found, root = [first], np.linalg.cholesky(first.covariance)
    for start in starts:
        if evaluations <= 0.0:
            break
        near = minimize(
            _whitened,
            np.zeros(len(start)),
            (problem, start, root),
            jac=True,
            method="BFGS",
            options={"maxiter": _MOST_STEPS},
        )
        evaluations -= near.nfev
        most = max(each.log_density for each in found)
        low = -near.fun < most - _LOW - len(start)
        u = start + root @ near.x
        if low or is_among(found, u, -near.fun, same):
            continue
        mode = climb(problem, u)
        if mode and not is_among(found, mode.u, mode.log_density, same):
            found.append(mode)
    return sorted(found, key=lambda each: -each.log_mass)


def is_among(modes: Iterable[Mode], u: Array, log_density: float, same: Same | None = None) -> bool:
    """True for a point of the density of one of the modes; with `same`, only if it is that mode."""
    alike = (each for each in modes if abs(log_density - each.log_density) <= _SAME)
    return any(same is None or same(u, each) for each in alike)


def _value(u: Array, problem: Problem) -> tuple[float, Array]:
    """Minus the log density and its gradient; infinite outside the range of float64."""
    density, gradient = problem.log_density(u)
    return (-density, -gradient) if np.isfinite(density) else (np.inf, np.zeros_like(u))


def _whitened(z: Array, problem: Problem, origin: Array, root: Array) -> tuple[float, Array]:
    """`_value` at origin + root z, with respect to z."""
    value, gradient = _value(origin + root @ z, problem)
    return value, root.T @ gradient


def _curvature(u: Array, problem: Problem) -> Array:
    """Minus the second derivatives, by central differences of the gradient."""
    steps = _STEP * np.eye(len(u))
    rows = [problem.log_density(u - s)[1] - problem.log_density(u + s)[1] for s in steps]
    derivatives = np.array(rows) / (2.0 * _STEP)
    return 0.5 * (derivatives + derivatives.T)
