"""Nonparametric maximum likelihood of a mixture of unit Gaussians over their locations."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from bayesgmm.arrays import Array
from bayesgmm.selection.gaussian_sums import kernels, peaks, supremum

# Steps of EM before the first of Newton's, and the most of the latter.
_EM_STEPS, _STEPS = 20, 200
# Share of the diagonal of a matrix of products that is added to it.
_JITTER = 1e-12


class LocationMixture(NamedTuple):
    """A mixture of unit Gaussians, nearly of the largest likelihood among all of them.

    Attributes
    ----------
    atoms : (m, d)
    weights : (m,)
    densities : (n,)
        Of the rows.
    supremum : float
        An upper bound on sup_t sum_i w_i phi(z_i - t) / densities_i; 1 at the maximum.
    """

    atoms: Array
    weights: Array
    densities: Array
    supremum: float


def fit_location_mixture(
    rows: Array, row_weights: Array, gap: float, error: float
) -> LocationMixture:
    """Maximise sum_i w_i log f(z_i) over f = sum_j p_j phi(. - t_j), with any number of atoms.

    The gradient D(t) = sum_i w_i phi(z_i - t) / f_i is at most 1 everywhere at the maximum (Lindsay
    1983). Its peaks above 1 become atoms, and Newton's method with constraints gives the weights
    (Wang 2007, the constrained Newton method for multiple support points).

    Parameters
    ----------
    rows : (n, d)
        In ascending order of the first coordinate.
    row_weights : (n,)
        They sum to 1.
    gap : float
        Stop where log sup D is at most this, or where rounding leaves no ascent.
    error : float
        As for `supremum`.
    """
    atoms = np.unique(np.round(rows), axis=0)
    weights = np.full(len(atoms), 1.0 / len(atoms))
    k = kernels(rows, atoms)
    for _ in range(_EM_STEPS):
        weights = weights * (k.T @ (row_weights / (k @ weights)))
    weights /= weights.sum()
    last, left = False, _STEPS
    while True:
        f = k @ weights
        c = row_weights / f
        found, values = peaks(rows, c, 1.0)
        least = float(values.max(initial=1.0))
        if np.log(least) <= 0.5 * gap or last:
            bound = supremum(rows, c, least, 0.1 * gap, error)
            if np.log(bound) <= gap or last:
                return LocationMixture(atoms, weights, f, bound)
        atoms = np.concatenate([atoms, found])
        k = np.concatenate([k, kernels(rows, found)], axis=1)
        before = np.concatenate([weights, np.zeros(len(found))])
        weights, left = _newton(k, before, row_weights), left - 1
        last = not left or bool((weights == before).all())
        kept = weights > 0.0
        atoms, k, weights = atoms[kept], k[:, kept], weights[kept]


def _newton(k: Array, weights: Array, row_weights: Array) -> Array:
    """Weights after a step to the maximum of the second-order expansion, which is a simplex.

    With S = k / f, it is the least of sum_i w_i ((S p)_i - 2)^2 over p >= 0 of sum 1. As in Wang
    (2007), the sum enters as one more row of a least-squares problem that p of any scale solves.
    """
    f = k @ weights
    s = k / f[:, np.newaxis]
    apart = np.sqrt(row_weights)[:, np.newaxis] * (s - 2.0)
    products = apart.T @ apart
    # Atoms that nearly coincide leave it singular.
    products.flat[:: len(products) + 1] *= 1.0 + _JITTER
    design = np.concatenate([np.linalg.cholesky(products).T, np.ones((1, len(weights)))])
    target = np.zeros(len(design))
    target[-1] = 1.0
    solution = nnls(design, target, maxiter=50 * len(weights))[0]
    direction = solution / solution.sum() - weights
    slope = float(row_weights @ (s @ direction))
    step = 1.0
    while step > 1e-12:
        moved = weights + step * direction
        with np.errstate(divide="ignore"):  # a row that the step leaves without density
            gain = float(row_weights @ np.log((k @ moved) / f))
        if gain >= 0.3 * step * slope:
            return np.asarray(np.maximum(moved, 0.0) / moved.sum())
        step *= 0.5
    return weights
