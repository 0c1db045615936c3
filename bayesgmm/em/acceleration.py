"""Anderson acceleration of EM in the metric in which EM is a symmetric contraction.

Near an optimum theta*, one EM step maps theta to theta + f(theta) with f = (I - J)(theta* - theta).
J is the share of information that the labels hide (Dempster, Laird & Rubin 1977, section 3); it is
symmetric with eigenvalues in [0, 1) in the inner product of the complete-data information. In
coordinates where that information is the identity (at a reference mixture)

    sqrt(n / w_k) dw_k,   sqrt(N_k) P_k dmu_k,   sqrt(N_k / 2) P_k dSigma_k P_k'

* the best combination of the last few steps is a least-squares problem in f (Anderson 1965, type
  II in Fang & Saad 2009, Numer. Linear Algebra Appl. 16, 197-221), here in the right norm;
* the likelihood still to be gained is f'(I - J)^-1 f / 2 to second order, at most
  |f|^2 / (2 (1 - largest eigenvalue of J)); the eigenvalue is that of J on the span of the last
  steps (Rayleigh-Ritz). This is Aitken's extrapolation with the gain formed from the step itself
  and not as a small difference of large log-likelihoods, so it holds far below their rounding.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bayesgmm.model.compile import jit
from bayesgmm.model.loops import dot, scale
from bayesgmm.model.spectrum import spectrum

type Array = NDArray[np.float64]


class Parameters(NamedTuple):
    """Weights (K,), means (K, D) and covariances (K, D, D) or (K, D) between two passes."""

    weights: Array
    means: Array
    covariances: Array

    def like(self, flat: Array) -> "Parameters":
        """Parameters of the same shapes from one vector."""
        k, d = self.means.shape
        return Parameters(
            flat[:k],
            flat[k : k + k * d].reshape(k, d),
            flat[k + k * d :].reshape(self.covariances.shape),
        )


@jit
def _to_coordinates(step, n_components, d, scales, factors, out):
    """Coordinates of a difference of two parameter vectors; factors (K, D, D) or (K, 1, D)."""
    w_scale, n_scale = scales[0], scales[1]
    for k in range(n_components):
        out[k] = step[k] * w_scale[k]
    at = n_components
    diagonal = factors.shape[1] != d or d == 1
    for k in range(n_components):
        p = factors[k]
        for i in range(d):
            if diagonal:
                s = p[0, i] * step[at + i]
            else:
                s = 0.0
                for j in range(i + 1):
                    s += p[i, j] * step[at + j]
            out[at + i] = n_scale[k] * s
        at += d
    half = np.sqrt(0.5)
    row = np.empty(d)
    for k in range(n_components):
        p = factors[k]
        if diagonal:
            for i in range(d):
                out[at + i] = half * n_scale[k] * p[0, i] * p[0, i] * step[at + i]
            at += d
            continue
        for i in range(d):
            for j in range(d):
                row[j] = 0.0
            for m in range(i + 1):
                for j in range(d):
                    row[j] += p[i, m] * step[at + m * d + j]
            for j in range(i + 1):
                s = 0.0
                for m in range(j + 1):
                    s += row[m] * p[j, m]
                s *= half * n_scale[k]
                out[at + i * d + j] = s
                out[at + j * d + i] = s
        at += d * d


@jit
def _combine(df, products, f, used, gamma):
    """Least-squares gamma of f on the first `used` rows of df, whose products are given.

    Normal equations of rows scaled to length 1, by a Cholesky factorisation with pivoting that
    stops where a step adds nothing but rounding to those before it.
    """
    rows, squares = np.empty((4, used)), np.empty((2, used, used))
    norms, right, left, half = rows[0], rows[1], rows[2], rows[3]
    gram, lower = squares[0], squares[1]
    order = np.arange(used)
    for i in range(used):
        gamma[i] = 0.0
        left[i] = 1.0
        norms[i] = max(np.sqrt(products[i, i]), 1e-300)
        right[i] = dot(df[i], f) / norms[i]
        for j in range(i + 1):
            gram[i, j] = gram[j, i] = products[i, j] / (norms[i] * norms[j])
    rank = 0
    for m in range(used):
        best = m
        for i in range(m + 1, used):
            if left[order[i]] > left[order[best]]:
                best = i
        order[m], order[best] = order[best], order[m]
        pivot = order[m]
        if left[pivot] < 1e-12:
            break
        lower[pivot, m] = np.sqrt(left[pivot])
        for i in range(m + 1, used):
            row = order[i]
            s = gram[row, pivot]
            for c in range(m):
                s -= lower[row, c] * lower[pivot, c]
            lower[row, m] = s / lower[pivot, m]
            left[row] -= lower[row, m] ** 2
        rank += 1
    for m in range(rank):
        s = right[order[m]]
        for c in range(m):
            s -= lower[order[m], c] * half[c]
        half[m] = s / lower[order[m], m]
    for m in range(rank - 1, -1, -1):
        s = half[m]
        for i in range(m + 1, rank):
            s -= lower[order[i], m] * gamma[order[i]]
        gamma[order[m]] = s / lower[order[m], m]
    for i in range(used):
        gamma[i] /= norms[i]


@jit
def slowest(dx, df):
    """Smallest Ritz value of I - J on the span of the rows of dx; both are overwritten."""
    m = dx.shape[0]
    for i in range(m):
        length = max(np.sqrt(dot(dx[i], dx[i])), 1e-300)
        scale(dx[i], 1.0 / length)
        scale(df[i], 1.0 / length)
    values, vectors, inner = np.empty(m), np.empty((m, m)), np.empty((m, m))
    for i in range(m):
        for j in range(i + 1):
            inner[i, j] = inner[j, i] = dot(dx[i], dx[j])
    spectrum(inner, values, vectors)
    rank = 0
    while rank < m and values[rank] > 1e-8 * values[0]:
        for i in range(m):
            vectors[i, rank] /= np.sqrt(values[rank])
        rank += 1
    image, found, turned = np.zeros((rank, rank)), np.empty(rank), np.empty((rank, rank))
    half = np.zeros((m, rank))
    for a in range(m):
        for b in range(m):
            product = dot(dx[a], df[b])
            for j in range(rank):
                half[a, j] += product * vectors[b, j]
    for i in range(rank):
        for j in range(rank):
            s = 0.0
            for a in range(m):
                s += vectors[a, i] * half[a, j]
            image[i, j] -= 0.5 * s
            image[j, i] -= 0.5 * s
    spectrum(image, found, turned)
    return found[rank - 1]


@jit
def observe(theta, image, points, now, scales, factors, reference, strides, history, products, row):
    """Write point, image and f into points[now]; steps from points[1 - now] into history[:, row].

    `products` holds the products of the differences of f, history[1], with one another.

    theta, image: weights (K,), means (K, D) and raveled covariances. row < 0 keeps no step.
    Returns False, having done nothing of that, where a weight or variance has left [1/2, 2] times
    what it was at the reference.
    """
    n_components, d = theta[1].shape
    weights, means, covariances = theta
    for k in range(n_components):
        if not 0.5 < weights[k] / reference[k] < 2.0:
            return False
        for j in range(d):
            value = covariances[k * strides[1] + j * strides[0]]
            if not 0.5 < value / reference[n_components + k * d + j] < 2.0:
                return False
    here, before = points[now], points[1 - now]
    for line, (weights, means, covariances) in enumerate((theta, image)):
        for k in range(n_components):
            here[line, k] = weights[k]
        for k in range(n_components):
            for j in range(d):
                here[line, n_components + k * d + j] = means[k, j]
        at = n_components * (1 + d)
        for i in range(covariances.size):
            here[line, at + i] = covariances[i]
    step = np.empty(here.shape[1])
    for i in range(step.size):
        step[i] = here[1, i] - here[0, i]
    _to_coordinates(step, n_components, d, scales, factors, here[2])
    if row >= 0:
        for i in range(step.size):
            step[i] = here[0, i] - before[0, i]
            history[2, row, i] = here[1, i] - before[1, i]
            history[1, row, i] = here[2, i] - before[2, i]
        _to_coordinates(step, n_components, d, scales, factors, history[0, row])
        for i in range(products.shape[0]):
            products[row, i] = products[i, row] = dot(history[1, row], history[1, i])
    return True


@jit
def mix(points, now, history, products, used, reach, out):
    """The image less `reach` times the combination of its last steps that best cancels f."""
    gamma = np.empty(used)
    _combine(history[1], products, points[now, 2], used, gamma)
    for i in range(out.size):
        out[i] = points[now, 1, i]
    for m in range(used):
        for i in range(out.size):
            out[i] -= reach * gamma[m] * history[2, m, i]


# Share of the way to a combination below which it is given up, and the stretch of the plain step
# that then takes its place.
LEAST_REACH, FIRST_STRETCH = 0.1, 4.0
# Steps that have to be seen before they say how slow the slowest direction is.
_FEWEST_STEPS = 3
# Nats to gain by one plain step, below which the likelihood counts as quadratic.
_NEAR = 1e-3


class Mixer:
    """What has been seen of one EM run: proposes steps, and says what is left to gain.

    Parameters
    ----------
    theta : Parameters
        Any point of the run, for its shapes.
    depth : int
        How many of the last steps are combined.
    """

    def __init__(self, theta: Parameters, depth: int = 10) -> None:
        k, d = theta.means.shape
        size = k + k * d + theta.covariances.size
        # Long vectors keep fewer steps: the memory of a mixer stays near that of its mixture.
        depth = max(2, min(depth, 500_000 // size))
        self._history = np.zeros((3, depth, size))
        self._products = np.empty((depth, depth))
        self._gains = np.empty(depth)
        self._points = np.empty((2, 3, size))
        self._now = 0
        self._gain = np.inf
        self._seen = False
        self._used, self._newest = 0, -1
        self._reach, self._stretch = 1.0, 0.0
        self._full = theta.covariances.ndim == 3 and d > 1
        self._strides = (d + 1, d * d) if self._full else (1, d)
        self._scales = np.empty((2, k))
        self._factors = np.empty((k, d, d) if self._full else (k, 1, d))
        self._reference = np.full(k * (1 + d), np.nan)

    def observe(self, theta: Parameters, image: Parameters, counts: Array) -> None:
        """Take in a point and its EM image.

        Parameters
        ----------
        theta, image : Parameters
            A point of the run and the result of its EM step.
        counts : ndarray of shape (K,)
            N_k of the pass at `theta`.
        """
        self._now = 1 - self._now
        row = (self._newest + 1) % len(self._gains) if self._seen else -1
        if not self._take(theta, image, row):
            self._refer(theta, counts)
            self._take(theta, image, row := -1)
        f = self._points[self._now, 2]
        last, self._gain = self._gain, 0.5 * float(f @ f)
        self._seen = True
        if row >= 0:
            self._newest = row
            self._used = min(self._used + 1, len(self._gains))
            self._gains[row] = max(last, self._gain)

    def remaining(self, enough: float) -> float:
        """Nats still to be gained from the last point, by estimate.

        Where a first lower bound exceeds `enough` already, that bound is returned.
        """
        if self._gain > enough or self._gain <= 1e-26:
            return self._gain
        # Steps from where the likelihood was not yet quadratic say nothing about J here.
        near = np.flatnonzero(self._gains[: self._used] < _NEAR)
        if near.size < _FEWEST_STEPS:
            return float("inf")
        least = slowest(self._history[0, near], self._history[1, near])
        return self._gain / min(least, 1.0) if least > 0.0 else float("inf")

    def propose(self) -> Array | None:
        """A point ahead of the plain step, flat; None before there are steps to combine.

        Normally the best combination of the last steps. Where that keeps failing the likelihood
        is not concave: the combination, which looks for a zero of f, points back to a saddle. The
        plain step, which points uphill, is then stretched (Salakhutdinov & Roweis 2003, adaptive
        overrelaxed EM).
        """
        if not self._used:
            return None
        here = self._points[self._now]
        if self._stretch > 0.0:
            return np.asarray(here[1] + self._stretch * (here[1] - here[0]))
        out = np.empty(self._points.shape[2])
        mix(self._points, self._now, self._history, self._products, self._used, self._reach, out)
        return out

    def learn(self, *, better: bool) -> None:
        """Whether the last proposal won likelihood: how far the next one goes, and which way."""
        if self._stretch > 0.0:
            self._stretch = 2.0 * self._stretch if better else 0.0
            if not better:
                self._forget()
        else:
            self._reach = min(1.0, 2.0 * self._reach) if better else 0.25 * self._reach
            if self._reach < LEAST_REACH:
                self._reach, self._stretch = 1.0, FIRST_STRETCH

    def _forget(self) -> None:
        """Begin anew from the last point: the steps so far led astray."""
        self._used, self._newest = 0, -1

    def _take(self, theta: Parameters, image: Parameters, row: int) -> bool:
        return bool(
            observe(
                (theta.weights, theta.means, theta.covariances.ravel()),
                (image.weights, image.means, image.covariances.ravel()),
                self._points,
                self._now,
                self._scales,
                self._factors,
                self._reference,
                self._strides,
                self._history,
                self._products,
                row,
            )
        )

    def _refer(self, theta: Parameters, counts: Array) -> None:
        """Take coordinates in which the complete-data information at `theta` is the identity."""
        k = len(counts)
        variances = theta.covariances.reshape(k, -1)[:, :: self._strides[0]]
        self._reference = np.concatenate((theta.weights, variances.ravel()))
        if self._full:
            factors = np.tril(np.linalg.inv(np.linalg.cholesky(theta.covariances)))
        else:
            factors = 1.0 / np.sqrt(variances)
        self._factors[...] = factors.reshape(self._factors.shape)
        self._scales[0] = np.sqrt(counts.sum() / theta.weights)
        self._scales[1] = np.sqrt(counts)
        self._forget()
